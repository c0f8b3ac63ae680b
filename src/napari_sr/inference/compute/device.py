"""The device that computes, and the number format of the computation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from napari_sr.errors import InputError
from napari_sr.settings import PRECISIONS


def available_devices() -> tuple[str, ...]:
    """List the names that `choose_device` accepts on this machine.

    Returns
    -------
    tuple of str
        "auto" and "cpu", then "cuda" (and "cuda:0", "cuda:1" and so on if there are several) and "mps" where available.
    """
    names = ["auto", "cpu"]
    if torch.cuda.is_available():
        names.append("cuda")
        if torch.cuda.device_count() > 1:
            names += [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return tuple(names)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : str, default "auto"
        "auto" (a GPU where there is one), "cpu", "cuda", "cuda:0" and so on, or "mps".

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    InputError
        If the name is unknown or the device is not on this machine.
    """
    available = available_devices()
    if name == "auto":
        return torch.device(next((n for n in ("cuda", "mps") if n in available), "cpu"))
    if name in available or (name == "cuda:0" and "cuda" in available):
        return torch.device(name)
    raise InputError(f"The device {name!r} is not on this machine: choose one of {', '.join(available)}.")


#: Least PSNR against float32, in decibel, with which precision "auto" uses half precision.
SUFFICIENT_PSNR = 65.0


def choose_precision(
    name: str,
    device: torch.device,
    image: npt.DTypeLike = np.float32,
    measured: Mapping[Literal["float16", "bfloat16"], float] | None = None,
) -> torch.dtype:
    """Choose the number format of a computation.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float16 on a GPU for 8-bit images if its measured PSNR is at least `SUFFICIENT_PSNR`, and float32
        otherwise.
    device : torch.device
        Device that computes.
    image : dtype, default float32
        Data type of the image.
    measured : mapping of str to float, optional
        PSNR in decibel of each half precision against float32, from the card of the model.

    Returns
    -------
    torch.dtype
        float32, bfloat16 or float16.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name not in PRECISIONS:
        raise InputError(f"The precision {name!r} does not exist: choose one of {', '.join(PRECISIONS)}.")
    if name == "auto":
        good = (measured or {}).get("float16", 0.0) >= SUFFICIENT_PSNR
        return torch.float16 if device.type != "cpu" and np.dtype(image).itemsize == 1 and good else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def describe_device(device: torch.device) -> str:
    """Return the name of a device for a report.

    Parameters
    ----------
    device : torch.device
        The device.

    Returns
    -------
    str
        Such as "cpu" or "cuda (NVIDIA RTX A4000)".
    """
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Disable TF32 in cuDNN and cuBLAS within the context, so that float32 is not rounded to 10 bits of fraction.

    Yields
    ------
    None
        Nothing; the earlier settings are restored on exit.
    """
    matmul = torch.backends.cuda.matmul.allow_tf32
    cudnn = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = cudnn
