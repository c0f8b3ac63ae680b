"""Names of the kinds of accelerators, without torch."""

#: Kinds of accelerators, as torch names them; "auto" takes the first one that is there.
KINDS = ("cuda", "mps", "xpu", "vulkan")

#: Names of the kinds in the window.
LABELS = {"cuda": "Graphics card", "mps": "Apple graphics", "xpu": "Intel graphics", "vulkan": "Vulkan graphics"}
