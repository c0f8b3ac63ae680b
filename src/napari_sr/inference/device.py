"""Where the work is done, and in which numbers."""

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
    """Names that `choose_device` takes on this machine, "auto" first.

    Returns
    -------
    tuple of str
        "auto", "cpu", and "cuda" (with "cuda:N" for each when there are several) or "mps" where they work.
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
    """Find the device that a name stands for.

    Parameters
    ----------
    name : str
        "auto" (a GPU when there is one), "cpu", "cuda", "cuda:N" or "mps".

    Raises
    ------
    InputError
        If the name is unknown or the device is not on this machine.
    """
    here = available_devices()
    if name == "auto":
        return torch.device(next((n for n in ("cuda", "mps") if n in here), "cpu"))
    if name in here or (name == "cuda:0" and "cuda" in here):
        return torch.device(name)
    raise InputError(f"The device {name!r} is not on this machine: choose one of {', '.join(here)}.")


#: Decibel against float32 from which half precision is taken without being asked for.
ENOUGH = 65.0


def choose_precision(
    name: str,
    device: torch.device,
    image: npt.DTypeLike = np.float32,
    measured: Mapping[Literal["float16", "bfloat16"], float] | None = None,
) -> torch.dtype:
    """Find the numbers to compute in.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float16 on a GPU for 8-bit images where the model's own measurement says that it is as good, and
        float32 everywhere else; bfloat16 only when asked for.
    device : torch.device
        Where the work is done.
    image : dtype
        Of the image's values.
    measured : mapping of str to float, optional
        PSNR in decibel of each half precision against float32, from the model's card.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name not in PRECISIONS:
        raise InputError(f"There is no precision {name!r}: choose one of {', '.join(PRECISIONS)}.")
    if name == "auto":
        enough = (measured or {}).get("float16", 0.0) >= ENOUGH
        return torch.float16 if device.type != "cpu" and np.dtype(image).itemsize == 1 and enough else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def describe_device(device: torch.device) -> str:
    """Name of a device for a report, such as "cpu" or "cuda (NVIDIA RTX A4000)"."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Within it float32 means float32: cuDNN and cuBLAS may not round to TF32, whatever the process had set."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    cudnn = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = cudnn
