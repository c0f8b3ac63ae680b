"""Destination of a result: memory, an array of the caller's, or an OME-Zarr store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, WritableArray
from napari_sr.inference.compute.memory import free_memory_of_host
from napari_sr.inference.output.ome_zarr import StorePlace, new_store, open_store
from napari_sr.progress import Cancel


@dataclass
class Destination:
    """Where a result is written.

    Parameters
    ----------
    array : array
        To be written to. Of a store it is the finished one once the work is done: a lazy view of the finest level.
    levels : list of array
        Of a store that is finished, all levels, the finest first; else empty.
    """

    array: Any
    levels: list[Any]


@contextmanager
def destination(
    out: WritableArray | str | Path | None,
    axes: Axes,
    dtype: Any,
    place: StorePlace | None = None,
    *,
    overwrite: bool = False,
    cancel: Cancel = lambda: False,
) -> Iterator[Destination]:
    """Make room for a result.

    Parameters
    ----------
    out : array, path or None
        An array of this shape and dtype, the path of an OME-Zarr store, or None for memory.
    axes : Axes
        Of the result.
    dtype : dtype
        Of the result.
    place : StorePlace, optional
        Of the result, for a store; by default pixels of size 1 without a unit.
    overwrite : bool, default False
        Whether a store that exists is replaced.
    cancel : callable
        Called while the coarser levels of a store are made; returning True ends the work with `Cancelled`.

    Yields
    ------
    Destination
        A store is written under another name and gets its own at the end; if the work fails nothing is left of it.

    Raises
    ------
    InputError
        If the result does not fit into memory, the array does not fit the result, or the store exists already.
    """
    if out is None:
        yield Destination(_in_memory(axes.shape, dtype), [])
    elif isinstance(out, str | Path):
        path = Path(out)
        with new_store(path, axes, dtype, place or StorePlace(), overwrite=overwrite, cancel=cancel) as finest:
            target = Destination(finest, [])
            yield target
        store = open_store(path)
        assert store is not None
        target.levels, target.array = store.levels, store.levels[0]
    else:
        given = tuple(getattr(out, "shape", ())), np.dtype(getattr(out, "dtype", object))
        if given != (axes.shape, np.dtype(dtype)):
            raise InputError(
                f"The array for the result is {given[0]} {given[1]} but the result is {axes.shape} {np.dtype(dtype)}: "
                "give one like it."
            )
        yield Destination(out, [])


def _in_memory(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    needed, free = prod(shape) * np.dtype(dtype).itemsize, free_memory_of_host()
    if needed > free:
        raise InputError(
            f"The result takes {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of memory are free: "
            "write it to disk (a name that ends in .zarr, or out='result.zarr' in Python), or take a smaller part."
        )
    return np.empty(shape, dtype)
