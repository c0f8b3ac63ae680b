"""OME-Zarr stores of results: multiscale arrays with axes, pixel size, unit and position.

On disk the axes are in the order T, C, Z, Y, X that the format requires, and the colors of an RGB(A) image are
channels. In Python an `AxisView` presents the array in the axis order of the image.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, and 0.4,
https://ngff.openmicroscopy.org/0.4/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_sr.disk import sync
from napari_sr.errors import InputError, disk_remedy
from napari_sr.imaging.atomic import atomic_folder
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.inference.output.bands import Bands
from napari_sr.inference.output.levels import Halve, one_by_one, pieces_of
from napari_sr.inference.output.paths import check_new, check_place
from napari_sr.inference.output.record import FinishedLines
from napari_sr.inference.output.store_metadata import StorePlace, attributes_of, store_dtype
from napari_sr.progress import Cancel, never

#: Largest side of a chunk along Y and X, in pixels.
CHUNK = 1024

#: Number of chunks up to which each is a file of its own, and largest number of chunks in a shard.
_MOST_FILES, _IN_SHARD = 256, 8
#: File in an unfinished store that lists its finished rows, columns or blocks.
_FINISHED = "napari-sr-finished.jsonl"

_ORDER = "TCZYX"


@dataclass(frozen=True)
class NewStore:
    """The finest level of a store that is written, by any number of processes.

    Parameters
    ----------
    array : AxisView
        The level, in the axis order of the image; it can be pickled.
    record : Path or None
        File in which finished parts are recorded, and from which an unfinished store is continued; None for a store
        that cannot be continued.
    """

    array: AxisView
    record: Path | None


def check_store(path: Path, dtype: Any, overwrite: bool) -> np.dtype[Any]:
    """Check that a store can be written, before anything is computed for it.

    Parameters
    ----------
    path : Path
        Path of the store.
    dtype : dtype
        Data type of the image.
    overwrite : bool
        Whether an existing file or folder is replaced.

    Returns
    -------
    dtype
        The data type in the store.

    Raises
    ------
    InputError
        If the store exists and `overwrite` is False, its folder does not exist, or Zarr does not have the data type.
    """
    check_place(path, overwrite)
    return store_dtype(path, dtype)


@contextmanager
def new_store(
    path: Path,
    axes: Axes,
    dtype: Any,
    place: StorePlace,
    *,
    overwrite: bool = False,
    cancel: Cancel = never,
    completed: Callable[[Path], None] = lambda path: None,
    fingerprint: str = "",
    along: int | None = None,
) -> Iterator[Bands]:
    """Write an OME-Zarr store atomically: completely or not at all.

    Parameters
    ----------
    path : Path
        Path of the store.
    axes : Axes
        Axes of the image.
    dtype : dtype
        Data type of the image.
    place : StorePlace
        Name, pixel size, position and version of the store.
    overwrite : bool, default False
        Whether an existing file or folder is replaced.
    cancel : callable, optional
        Called while the coarser levels are computed; returning True ends the work with `Cancelled`.
    completed : callable, optional
        Called with the temporary path of the complete store, before it is renamed.
    fingerprint : str, default ""
        Fingerprint of job and image. If a process with the same one was killed while it wrote this store, its finished
        rows or columns are kept.
    along : int, optional
        Axis along which the rows or columns are computed one after the other, Y or X; by default Y.

    Yields
    ------
    Bands
        The finest level in the axis order of the image, to be filled. On exit the coarser levels are computed from it.

    Raises
    ------
    InputError
        If the store exists and `overwrite` is False, its folder does not exist, Zarr does not have the data type, or it
        cannot be written, for example because the disk is full.
    Cancelled
        If `cancel` returned True; nothing remains on disk then.

    Notes
    -----
    Each level is the average of 2 x 2 pixels of the one before, down to planes of at most 1024 pixels a side.
    """
    along = axes.y if along is None else along
    with unfilled_store(
        path,
        axes,
        dtype,
        place,
        overwrite=overwrite,
        completed=completed,
        fingerprint=fingerprint,
        along=along,
        halve=one_by_one(cancel),
    ) as store:
        finished = None if store.record is None else FinishedLines(store.record)
        bands = Bands(store.array, axes, along, finished, lambda index: sync_files(store.array, index))
        yield bands
        bands.write_rest()


@contextmanager
def unfilled_store(
    path: Path,
    axes: Axes,
    dtype: Any,
    place: StorePlace,
    *,
    overwrite: bool,
    completed: Callable[[Path], None] = lambda path: None,
    fingerprint: str,
    along: int,
    halve: Halve,
) -> Iterator[NewStore]:
    """Write an OME-Zarr store atomically, in parts and with a record that are those of the caller.

    Parameters
    ----------
    path, axes, dtype, place, overwrite, completed, fingerprint
        As for `new_store`.
    along : int
        Axis along which the rows or columns are computed one after the other, Y or X.
    halve : callable
        ``halve(finer, coarser, pieces)`` computes the pieces of a coarser level, with
        `napari_sr.inference.output.levels.halve_piece`.

    Yields
    ------
    NewStore
        The finest level, to be filled. On exit the coarser levels are computed from it.

    Raises
    ------
    InputError
        As for `new_store`.
    """
    dtype = check_store(path, dtype, overwrite)
    letters = "".join(letter for letter in _ORDER if letter in axes.letters)
    on_disk = Axes(letters, tuple(axes.shape[axes.letters.index(letter)] for letter in letters))
    chunks = tuple(min(n, CHUNK) if a in "YX" else 1 for a, n in zip(letters, on_disk.shape, strict=True))
    order = [letters.index(letter) for letter in axes.letters]
    across = letters.index("Y" if along == axes.x else "X")
    with _writing_errors(path), atomic_folder(path, overwrite=overwrite, fingerprint=fingerprint) as temporary:
        group, finest = _open_unfinished(temporary, on_disk.shape, dtype, place.zarr_format)
        if finest is None:
            group = zarr.create_group(temporary, overwrite=True, zarr_format=place.zarr_format)
            finest = _create_level(group, 0, on_disk, chunks, dtype, across)
        record = temporary / _FINISHED
        yield NewStore(AxisView(finest, order), record if fingerprint else None)
        levels = [finest]
        while max(levels[-1].shape[-2:]) > CHUNK:
            levels.append(_coarser(group, levels, on_disk.letters, across, halve))
        group.attrs.update(attributes_of(axes, on_disk, len(levels), place, dtype))
        record.unlink(missing_ok=True)
        # Another program may have written it during the computation.
        check_new(path, overwrite)
        completed(temporary)


def shards_of(shape: tuple[int, ...], chunks: tuple[int, ...], *, across: int) -> tuple[int, ...] | None:
    """Choose the shards of an array, files that hold several chunks.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    chunks : tuple of int
        Shape of a chunk.
    across : int
        Axis along which chunks are put together: that of the length of the rows or columns that are computed one after
        the other.

    Returns
    -------
    tuple of int or None
        Up to 8 chunks side by side, for an array of more than 256 chunks; None for a smaller one. A band of shards has
        no more rows or columns than a band of chunks, and needs no more memory.
    """
    counts = [-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True)]
    if prod(counts) <= _MOST_FILES or counts[across] == 1:
        return None
    many = min(_IN_SHARD, counts[across])
    return tuple(chunk * (many if axis == across else 1) for axis, chunk in enumerate(chunks))


def _create_level(
    group: Any, number: int, axes: Axes, chunks: tuple[int, ...], dtype: np.dtype[Any], across: int
) -> Any:
    """Create the array of a level."""
    if group.metadata.zarr_format == 2:
        # Without shards; compressed as Zarr 2 does by default, since its readers need not have later compressors.
        options: dict[str, Any] = {
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
            "compressors": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
        }
    else:
        shards = shards_of(axes.shape, chunks, across=across)
        options = {"shards": shards, "dimension_names": list(axes.letters.lower())}
    return group.create_array(str(number), shape=axes.shape, chunks=chunks, dtype=dtype, **options)


def _open_unfinished(folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], zarr_format: int) -> tuple[Any, Any]:
    """Open the group and the finest level of an unfinished store; None for what cannot be continued."""
    if not (folder / _FINISHED).exists():
        return None, None
    try:
        group: Any = zarr.open_group(folder, mode="r+")
        finest: Any = group["0"]
    except (OSError, KeyError, ValueError):
        # The process was killed while it made them.
        return None, None
    # Zarr 3 stores the byte order beside the data type.
    same = finest.dtype.newbyteorder("=") == dtype.newbyteorder("=")
    if not same or (tuple(finest.shape), finest.metadata.zarr_format) != (shape, zarr_format):
        return None, None
    # The group would warn of the record among its arrays.
    for level in folder.iterdir():
        if level.is_dir() and level.name != "0":
            del group[level.name]
    return group, finest


def sync_files(view: AxisView, index: tuple[Any, ...]) -> None:
    """Flush the files of a part of an array to the disk, so that they survive a power failure.

    Parameters
    ----------
    view : AxisView
        View of an array of a store on disk.
    index : tuple of int and slice
        Index of the part in the view, with an entry for each axis.
    """
    array = view.array
    spans = [range(0)] * array.ndim
    for axis, entry in zip(view.order, index, strict=True):
        whole = range(array.shape[axis])
        spans[axis] = whole[entry] if isinstance(entry, slice) else whole[entry : entry + 1]
    files = array.shards or array.chunks
    numbers = [range(span[0] // file, span[-1] // file + 1) for span, file in zip(spans, files, strict=True)]
    for position in product(*numbers):
        path = Path(array.store.root, array.path, array.metadata.encode_chunk_key(position))
        # Chunks of zeros are not written.
        if path.exists():
            sync(path)


@contextmanager
def _writing_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk while a store is written into a sentence; other errors are those of the input."""
    try:
        yield
    except OSError as error:
        if error.filename != str(path):
            raise
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): {disk_remedy(error)}, or choose another place."
        ) from error


def _coarser(group: Any, levels: Sequence[Any], letters: str, across: int, halve: Halve) -> Any:
    """Compute the next level: averages of 2 x 2 pixels along the last two axes, piece by piece."""
    finer = levels[-1]
    shape = (*finer.shape[:-2], *(-(-n // 2) for n in finer.shape[-2:]))
    chunks = tuple(min(chunk, length) for chunk, length in zip(finer.chunks, shape, strict=True))
    level = _create_level(group, len(levels), Axes(letters, shape), chunks, finer.dtype, across)
    halve(finer, level, pieces_of(finer, level))
    return level
