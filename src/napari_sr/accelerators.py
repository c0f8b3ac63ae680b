"""Accelerators: the devices beside the CPU that compute. All that differs between their kinds is in this file.

A kind has the name that torch uses: "cuda" (NVIDIA, and AMD with ROCm), "mps" (Apple), "xpu" (Intel) and "vulkan" (any
graphics card with a driver for Vulkan, by the package torchvulkan, which is experimental).
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

import psutil
import torch

from napari_sr.errors import one_line

#: Kinds that "auto" takes only after a check has found them right and faster than the CPU on this machine.
EXPERIMENTAL_KINDS = frozenset({"vulkan"})
#: Largest number of elements of a tensor: Metal accepts no more, and kernels of the others compute 32-bit positions.
MOST_NUMBERS = 2**31 - 1

#: Fraction of the free memory that a job may use; the rest is for other programs, on "mps" for the whole computer.
_MEMORY_FRACTION = {"cuda": 0.8, "mps": 0.6}
#: Beginnings of the names of Vulkan devices that are computed by the CPU.
_SOFTWARE = ("llvmpipe", "SwiftShader", "softpipe", "Microsoft Basic Render")
#: Messages of the errors for too little memory that have no type of their own: those of Metal's allocator, of cuDNN,
#: cuBLAS, pinned memory, the CPU's allocator, and Vulkan.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|OUT_OF_(HOST|DEVICE)_MEMORY|STATUS_ALLOC_FAILED|can't allocate memory|not enough memory"
    r"|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)


def unavailable(kind: str) -> str | None:
    """Return the reason why no device of a kind can be used.

    Parameters
    ----------
    kind : str
        One of `napari_sr.device_names.KINDS`.

    Returns
    -------
    str or None
        A clause such as "no driver for Vulkan was found"; None if there is a device.
    """
    reason = _load_backend(kind)
    if reason is not None:
        return reason
    module = torch.get_device_module(kind)
    try:
        if module.is_available() and module.device_count() > 0:
            return None
    except RuntimeError as error:
        return f"its driver failed ({_sentence(error)})"
    if kind == "vulkan":
        return "no driver for Vulkan 1.3 was found: install that of the graphics card (on Debian, mesa-vulkan-drivers)"
    return f"this installation of torch finds no {kind} device"


@cache
def _load_backend(kind: str) -> str | None:
    """Import the package that adds a kind to torch; return the reason if that fails."""
    if kind != "vulkan":
        return None
    try:
        import_module("torchvulkan")
    except ModuleNotFoundError as error:
        if error.name == "torchvulkan":
            return "the package torchvulkan is not installed (pip install 'napari-sr[vulkan]')"
        return f"the package torchvulkan cannot be loaded ({_sentence(error)})"
    except Exception as error:
        # An experimental package built for another torch or system fails in many ways, none of which may end the work.
        return f"the package torchvulkan cannot be loaded ({_sentence(error)})"
    return None


def _sentence(error: Exception) -> str:
    return one_line(error)[:200] or type(error).__name__


def device_count(kind: str) -> int:
    """Return the number of devices of a kind.

    Parameters
    ----------
    kind : str
        One of `napari_sr.device_names.KINDS`.

    Returns
    -------
    int
        The number; 0 if the kind cannot be used.
    """
    return 0 if unavailable(kind) is not None else int(torch.get_device_module(kind).device_count())


def hardware_name(device: torch.device) -> str | None:
    """Return the name that the driver gives a device.

    Returns
    -------
    str or None
        Such as "NVIDIA RTX A4000"; None where drivers give none.
    """
    name = getattr(torch.get_device_module(device.type), "get_device_name", None)
    return None if name is None else str(name(device))


def driver_version(device: torch.device) -> str:
    """Return the versions on which the results of a device depend.

    Returns
    -------
    str
        That of torch, and those of the driver where it gives them.
    """
    properties = getattr(torch.get_device_module(device.type), "get_device_properties", None)
    found = None if properties is None else properties(device)
    versions = [getattr(found, name, None) for name in ("driver_version", "api_version")]
    package = getattr(torch.get_device_module(device.type), "__version__", None)
    return ", ".join(str(v) for v in (torch.__version__, package, *versions) if v is not None)


def is_software(device: torch.device) -> bool:
    """Whether a device is the CPU under another name.

    Returns
    -------
    bool
        True for Vulkan without a graphics card.
    """
    return device.type == "vulkan" and (hardware_name(device) or "").startswith(_SOFTWARE)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a device.

    Returns
    -------
    int
        Bytes. Memory that torch has reserved and does not use counts as free.
    """
    if device.type == "cpu":
        return int(psutil.virtual_memory().available)
    module = torch.get_device_module(device.type)
    if device.type == "mps":
        return int(module.recommended_max_memory() - module.current_allocated_memory())
    return int(module.mem_get_info(device)[0] + module.memory_reserved(device) - module.memory_allocated(device))


def memory_fraction(device: torch.device) -> float:
    """Return the fraction of the free memory that a job may use.

    Returns
    -------
    float
        From 0 to 1.
    """
    return _MEMORY_FRACTION.get(device.type, 0.5)


def release_memory(device: torch.device) -> None:
    """Give memory that torch has reserved on an accelerator, and does not use, back to the driver.

    Parameters
    ----------
    device : torch.device
        The device; nothing is done for a CPU.
    """
    if device.type != "cpu":
        torch.get_device_module(device.type).empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error states that a device, or the computer, has too little memory.

    Returns
    -------
    bool
        True for ``torch.OutOfMemoryError`` and MemoryError, and for errors of drivers and libraries that are plain
        RuntimeErrors with such a message.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def has_streams(device: torch.device) -> bool:
    """Whether results can be copied to the CPU while the device goes on.

    Returns
    -------
    bool
        True where torch has streams beside the one of the computation.
    """
    return device.type in ("cuda", "xpu")


def training_layout(device: torch.device) -> torch.memory_format:
    """Return the memory layout of images and weights in a training on a device.

    Returns
    -------
    torch.memory_format
        Channels last, which tensor cores and the kernels of CPUs read. Contiguous on MPS and Vulkan, whose convolutions
        rearrange images that are channels last.
    """
    return torch.contiguous_format if device.type in ("mps", "vulkan") else torch.channels_last


#: Layouts that were measured to be the fastest, by kind, number of the device and number format.
_measured_layouts: dict[tuple[str, int, torch.dtype], torch.memory_format] = {}


def memory_layout(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Return the memory layout of images and weights that is fastest for inference on a device.

    Returns
    -------
    torch.memory_format
        The layout given to `set_memory_layout`. Otherwise that of trainings; for float32 on CUDA contiguous, since
        tensor cores have no part in its products (`napari_sr.torch_state.ieee_float32`).
    """
    usual = training_layout(device)
    if device.type == "cuda" and dtype == torch.float32:
        usual = torch.contiguous_format
    return _measured_layouts.get((device.type, device.index or 0, dtype), usual)


def set_memory_layout(device: torch.device, dtype: torch.dtype, layout: torch.memory_format | None) -> None:
    """Set the memory layout that was measured to be the fastest on an accelerator, for the whole process.

    Tensors that exist keep theirs. Every mixture of layouts has the same results, to rounding.

    Parameters
    ----------
    device : torch.device
        The accelerator.
    dtype : torch.dtype
        Number format.
    layout : torch.memory_format, optional
        Channels last or contiguous; None for the usual one of the kind.
    """
    key = (device.type, device.index or 0, dtype)
    if layout is None:
        _measured_layouts.pop(key, None)
    else:
        _measured_layouts[key] = layout


def fast_bfloat16(device: torch.device) -> bool:
    """Whether an accelerator has instructions for bfloat16.

    Returns
    -------
    bool
        False on MPS and Vulkan, where it is not faster than float32 or is emulated.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "xpu" and bool(torch.xpu.is_bf16_supported())


def emulates_bfloat16(device: torch.device) -> bool:
    """Whether an accelerator computes bfloat16 by slower means.

    Returns
    -------
    bool
        True where a training in float32 is faster; False on MPS, where it is not known.
    """
    return device.type != "mps" and not fast_bfloat16(device)


def has_fused_optimizers(device: torch.device) -> bool:
    """Whether torch updates all weights in one kernel on a device.

    Returns
    -------
    bool
        True on CPUs and CUDA.
    """
    return device.type in ("cpu", "cuda")


def synchronizes_batch_norm(device: torch.device) -> bool:
    """Whether batch normalization can use the statistics of all processes on a device.

    Returns
    -------
    bool
        True on CUDA.
    """
    return device.type == "cuda"
