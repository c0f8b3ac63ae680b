"""The destination of a result: memory, an array of the caller, or an OME-Zarr store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray
from napari_sr.inference.compute.memory import free_memory_of_host
from napari_sr.inference.output.ome_zarr import check_store, new_store
from napari_sr.inference.output.paths import is_store_name
from napari_sr.inference.output.reading import open_store
from napari_sr.inference.output.store_metadata import StorePlace
from napari_sr.progress import Cancel, never


@dataclass
class Destination:
    """The destination of a result.

    Parameters
    ----------
    array : array
        The array to write to. After a store is finished: a lazy view of its finest level.
    levels : list of array
        All levels of a finished store, the finest first; empty otherwise.
    """

    array: Any
    levels: list[Any]


def check_destination(
    out: WritableArray | str | Path | None,
    axes: Axes,
    dtype: npt.DTypeLike,
    *,
    overwrite: bool = False,
    image: ImageArray | None = None,
) -> None:
    """Check that a result can be written to its destination, before the image is read.

    Parameters
    ----------
    out, axes, dtype, overwrite
        As for `destination`.
    image : array, optional
        The image, which may not be in the memory of the result.

    Raises
    ------
    InputError
        As for `destination`, or if image and array share memory.
    """
    if out is None:
        needed, free = prod(axes.shape) * np.dtype(dtype).itemsize, free_memory_of_host()
        if needed > free:
            raise InputError(
                f"The result needs {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of memory are free: "
                "write it to disk (a name that ends in .zarr, or out='result.zarr' in Python), or choose a smaller "
                "part."
            )
    elif isinstance(out, str | Path):
        check_store_path(Path(out), dtype, overwrite=overwrite)
    else:
        _check_array(out, axes, np.dtype(dtype))
        # The image would be changed while it is read.
        if isinstance(out, np.ndarray) and isinstance(image, np.ndarray) and np.shares_memory(out, image):
            raise InputError("The array given as out shares memory with the image: give another one.")


def check_store_path(path: Path, dtype: npt.DTypeLike, *, overwrite: bool = False) -> None:
    """Check that a store can be written to a path.

    Raises
    ------
    InputError
        If the store exists already, has another ending than .zarr or no folder, or Zarr does not have the data type.
    """
    if not is_store_name(path):
        # Those of images are written by `new_image`; layers have a position that image files do not contain.
        raise InputError(f"The result of a layer is written to an OME-Zarr store: end the name {path} in .zarr.")
    check_store(path, dtype, overwrite)


@contextmanager
def destination(
    out: WritableArray | str | Path | None,
    axes: Axes,
    dtype: Any,
    place: StorePlace | None = None,
    *,
    overwrite: bool = False,
    cancel: Cancel = never,
    completed: Callable[[Path], None] = lambda path: None,
    fingerprint: str = "",
    along: int | None = None,
) -> Iterator[Destination]:
    """Provide the destination of a result.

    Parameters
    ----------
    out : array, str, Path or None
        An array of the result's shape and dtype, the path of an OME-Zarr store, or None for memory.
    axes : Axes
        Axes of the result.
    dtype : dtype
        Data type of the result.
    place : StorePlace, optional
        Name, pixel size and position of the result in a store; by default pixels of size 1 without a unit.
    overwrite : bool, default False
        Whether an existing store is replaced.
    cancel : callable, optional
        Called while the coarser levels of a store are computed; returning True ends the work with `Cancelled`.
    completed : callable, optional
        Called with the temporary path of a complete store, before it is renamed.
    fingerprint : str, default ""
        Fingerprint of job and image, by which a store of a killed process is continued.
    along : int, optional
        Axis along which the pixels of a store are computed, Y or X; by default Y.

    Yields
    ------
    Destination
        The destination. A store is renamed from a temporary name on exit; after an error nothing remains of it.

    Raises
    ------
    InputError
        If the result does not fit into memory, the array does not fit the result or is read-only, or the store exists
        already or has another ending than .zarr.
    Cancelled
        If `cancel` returned True.
    """
    check_destination(out, axes, dtype, overwrite=overwrite)
    if out is None:
        yield Destination(np.empty(axes.shape, dtype), [])
    elif isinstance(out, str | Path):
        path = Path(out)
        with new_store(
            path,
            axes,
            dtype,
            place or StorePlace(),
            overwrite=overwrite,
            cancel=cancel,
            completed=completed,
            fingerprint=fingerprint,
            along=along,
        ) as finest:
            target = Destination(finest, [])
            yield target
        store = open_store(path)
        assert store is not None
        target.levels, target.array = store.levels, store.levels[0]
    else:
        yield Destination(out, [])


def _check_array(out: Any, axes: Axes, dtype: np.dtype[Any]) -> None:
    try:
        given = tuple(out.shape), np.dtype(out.dtype)
    except (AttributeError, TypeError):
        # A list, or an array with data types of its own, as in torch.
        raise InputError(
            f"The {type(out).__name__} given as out is not an array of numpy or zarr, and the result is {axes.shape} "
            f"{dtype}: give an array of that shape and dtype."
        ) from None
    if given != (axes.shape, dtype):
        raise InputError(
            f"The array given as out is {given[0]} {given[1]} but the result is {axes.shape} {dtype}: "
            "give an array of that shape and dtype."
        )
    if not _is_writable(out):
        raise InputError("The array given as out is read-only: give one that can be written to.")


def _is_writable(out: Any) -> bool:
    """Whether values can be assigned to an array, by what numpy and zarr state about it."""
    return bool(getattr(getattr(out, "flags", None), "writeable", True)) and not getattr(out, "read_only", False)
