"""Where a result goes: into memory, into an array that is there, or straight into a Zarr store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import zarr

from napari_sr.errors import InputError
from napari_sr.imaging.axes import WritableArray
from napari_sr.inference.memory import free_memory_of_host

#: Sides of a chunk of a Zarr store, in pixels, along the last axes and at most.
CHUNK = 1024


@dataclass
class Destination:
    """The array that is written to; a store has its lasting one when the work is done."""

    array: Any


@contextmanager
def destination(
    out: WritableArray | str | Path | None, shape: tuple[int, ...], dtype: Any, plane: tuple[int, int] | None = None
) -> Iterator[Destination]:
    """Make room for a result.

    Parameters
    ----------
    out : array, path or None
        An array of this shape and dtype, the path of a Zarr store that is not there yet, or None for memory.
    shape : tuple of int
        Of the result.
    dtype : dtype
        Of the result.

    Yields
    ------
    Destination
        A store is written under another name beside its own and renamed at the end; if the work fails nothing is left.

    Raises
    ------
    InputError
        If the result does not fit into memory, the array does not fit the result, or the store is there already.
    """
    if out is None:
        yield Destination(_in_memory(shape, dtype))
    elif isinstance(out, str | Path):
        with _store(Path(out), shape, dtype, plane) as target:
            yield target
    else:
        given = tuple(getattr(out, "shape", ())), np.dtype(getattr(out, "dtype", object))
        if given != (shape, np.dtype(dtype)):
            raise InputError(
                f"The array for the result is {given[0]} {given[1]} but the result is {shape} {np.dtype(dtype)}: "
                "give one like it."
            )
        yield Destination(out)


def _in_memory(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    needed, free = prod(shape) * np.dtype(dtype).itemsize, free_memory_of_host()
    if needed > free:
        raise InputError(
            f"The result takes {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of memory are free: "
            "let it go to disk (a name that ends in .zarr, or out='result.zarr' in Python), or take a smaller part."
        )
    return np.empty(shape, dtype)


@contextmanager
def fresh_store(path: Path) -> Iterator[Path]:
    """Give a place beside a store that is not there yet; it gets the store's name at the end, or nothing is left.

    Raises
    ------
    InputError
        If the store is there already, or its folder is missing.
    """
    if path.exists():
        raise InputError(f"{path} is there already: give another name, or remove it first.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}: make it first, or write elsewhere.")
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
        part.rename(path)
    finally:
        if part.exists():
            shutil.rmtree(part)


@contextmanager
def _store(path: Path, shape: tuple[int, ...], dtype: Any, plane: tuple[int, int] | None) -> Iterator[Destination]:
    with fresh_store(path) as part:
        target = Destination(zarr.create_array(part, shape=shape, chunks=_chunks(shape, plane), dtype=np.dtype(dtype)))
        yield target
    target.array = zarr.open_array(path, mode="r+")


def _chunks(shape: tuple[int, ...], plane: tuple[int, int] | None) -> tuple[int, ...]:
    """Cut the two longest axes only: the others count planes, each with chunks of its own, or colors."""
    colors = len(shape) - 1 if len(shape) > 2 and shape[-1] in (3, 4) else None
    longest = plane or [axis for axis in range(len(shape)) if axis != colors][-2:]
    return tuple(min(n, CHUNK) if a in longest else (n if a == colors else 1) for a, n in enumerate(shape))
