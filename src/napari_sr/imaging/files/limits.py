"""Refusing images that memory cannot hold, before any of it is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from PIL import Image

from napari_sr.errors import InputError

_GIB = 2**30


def check_memory(name: str, shape: tuple[int, ...], needed: int) -> None:
    """Refuse an image that free memory cannot hold.

    Parameters
    ----------
    name : str
        Path of the file, for the message.
    shape : tuple of int
        Lengths of the image's axes, as the file declares them.
    needed : int
        Bytes that reading it takes.

    Raises
    ------
    InputError
        Fewer bytes are free.
    """
    free = int(psutil.virtual_memory().available)
    if needed > free:
        size = " x ".join(str(length) for length in shape)
        raise InputError(
            f"The file {name} holds {size} values, which take {needed / _GIB:.1f} GiB to read, and "
            f"{free / _GIB:.1f} GiB of memory are free; cut a part out of it, or save it as Zarr."
        )


class _Unlimited:
    """Counts who reads without Pillow's own limit, which is one number for the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._limit: int | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._readers == 0:
                self._limit = Image.MAX_IMAGE_PIXELS
                Image.MAX_IMAGE_PIXELS = None
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if self._readers == 0:
                    Image.MAX_IMAGE_PIXELS = self._limit


#: Context in which Pillow opens pictures of any size; `check_memory` bounds them.
without_pixel_limit = _Unlimited()
