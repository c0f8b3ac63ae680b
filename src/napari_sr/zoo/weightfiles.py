"""Which files hold weights, by their endings."""

from __future__ import annotations

#: Pickles, as torch.save and older trainers write them.
PICKLES = frozenset({".pth", ".pt", ".pkl", ".ckpt", ".bin"})
#: All endings that can be read.
SUFFIXES = PICKLES | {".safetensors", ".mat"}
