"""OME-Zarr stores of results: multiscale arrays with axes, pixel size, unit and position.

On disk the axes are in the order T, C, Z, Y, X that the format requires, and the colors of an RGB(A) image are
channels. In Python an `AxisView` presents the array in the axis order of the image.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, sections "multiscales" and "omero".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_sr.errors import InputError
from napari_sr.imaging.atomic import atomic_folder, restore_interrupted, sync
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files.stores import STORE_KEY
from napari_sr.imaging.pixel_size import METERS, SECONDS
from napari_sr.inference.output.bands import Bands, FinishedLines
from napari_sr.inference.output.levels import Halve, one_by_one, pieces_of
from napari_sr.progress import Cancel

#: Largest side of a chunk along Y and X, in pixels.
CHUNK = 1024

#: Number of chunks up to which each is a file of its own, and largest number of chunks in a shard.
_MOST_FILES, _IN_SHARD = 256, 8
#: File in an unfinished store that lists its finished rows or columns.
_FINISHED = "napari-sr-finished.jsonl"

_ORDER = "TCZYX"
_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_COLORS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))


@dataclass(frozen=True)
class StorePlace:
    """Name, pixel size, position and channels of an image in a store.

    `scale`, `translate` and `units` have one item for each axis except the colors of RGB(A), in the axis order of the
    image.

    Parameters
    ----------
    name : str, default "image"
        Name of the image.
    scale : sequence of float, optional
        Pixel size along each axis; by default 1.
    translate : sequence of float, optional
        Position of the center of the first pixel along each axis; by default 0.
    units : sequence of str or None, optional
        Unit of each axis; None or "pixel", which is stored as None, for an axis without one. By default none has one.
    channels : sequence of mapping, optional
        Label, color and window of each channel, from `napari_sr.imaging.files.stores.channel_attributes`; by default
        none. `open_store` leaves them out.
    """

    name: str = "image"
    scale: Sequence[float] = ()
    translate: Sequence[float] = ()
    units: Sequence[str | None] = ()
    channels: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Store:
    """An open store.

    Parameters
    ----------
    levels : list of AxisView or zarr.Array
        The arrays of all levels in the axis order of the image, the finest first.
    axes : Axes
        Axes of the finest level.
    place : StorePlace
        Name, pixel size and position of the finest level.
    """

    levels: list[Any]
    axes: Axes
    place: StorePlace = field(default_factory=StorePlace)


@contextmanager
def new_store(
    path: Path,
    axes: Axes,
    dtype: Any,
    place: StorePlace,
    *,
    overwrite: bool = False,
    cancel: Cancel = lambda: False,
    completed: Callable[[Path], None] = lambda path: None,
    fingerprint: str = "",
    along: int | None = None,
    halve: Halve | None = None,
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
        Name, pixel size and position of the image.
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
    halve : callable, optional
        ``halve(finer, coarser, pieces)`` computes the pieces of a coarser level, with
        `napari_sr.inference.output.levels.halve_piece`; by default in this process, one after the other.

    Yields
    ------
    Bands
        The finest level in the axis order of the image, to be filled. On exit the coarser levels are computed from it.

    Raises
    ------
    InputError
        If the store exists and `overwrite` is False, its folder does not exist, or it cannot be written, for example
        because the disk is full.
    Cancelled
        If `cancel` returned True; nothing remains on disk then.

    Notes
    -----
    Each level is the average of 2 x 2 pixels of the one before, down to planes of at most 1024 pixels a side.
    """
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} in: create it first.")
    restore_interrupted(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another name, or delete it first.")
    letters = "".join(letter for letter in _ORDER if letter in axes.letters)
    on_disk = Axes(letters, tuple(axes.shape[axes.letters.index(letter)] for letter in letters))
    chunks = tuple(min(n, CHUNK) if a in "YX" else 1 for a, n in zip(letters, on_disk.shape, strict=True))
    order = [letters.index(letter) for letter in axes.letters]
    along = axes.y if along is None else along
    shards = shards_of(on_disk.shape, chunks, across=letters.index("Y" if along == axes.x else "X"))
    with _writing_errors(path), atomic_folder(path, overwrite=overwrite, fingerprint=fingerprint) as temporary:
        group, finest = _open_unfinished(temporary, on_disk.shape, np.dtype(dtype))
        if finest is None:
            group = zarr.create_group(temporary, overwrite=True)
            finest = group.create_array(
                "0",
                shape=on_disk.shape,
                chunks=chunks,
                shards=shards,
                dtype=np.dtype(dtype),
                dimension_names=list(letters.lower()),
            )
        record = temporary / _FINISHED
        bands = Bands(
            AxisView(finest, order),
            axes,
            along,
            FinishedLines(record) if fingerprint else None,
            lambda index: _sync_chunks(finest, order, index),
        )
        yield bands
        bands.write_rest()
        levels = [finest]
        while max(levels[-1].shape[-2:]) > CHUNK:
            levels.append(_coarser(group, str(len(levels)), levels[-1], order[along], halve or one_by_one(cancel)))
        group.attrs.update(_attributes(axes, on_disk, len(levels), place, np.dtype(dtype)))
        record.unlink(missing_ok=True)
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


def _open_unfinished(folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Open the group and the finest level of an unfinished store; None for what cannot be continued."""
    if not (folder / _FINISHED).exists():
        return None, None
    try:
        group: Any = zarr.open_group(folder, mode="r+")
        finest: Any = group["0"]
    except (OSError, KeyError, ValueError):
        # The process was killed while it made them.
        return None, None
    if (tuple(finest.shape), finest.dtype) != (shape, dtype):
        return None, None
    # The group would warn of the record among its arrays.
    for level in folder.iterdir():
        if level.is_dir() and level.name != "0":
            del group[level.name]
    return group, finest


def _sync_chunks(array: Any, order: Sequence[int], index: tuple[Any, ...]) -> None:
    """Flush the files of a part of a plane to the disk, so that they survive a power failure."""
    spans = [range(0)] * array.ndim
    for axis, entry in zip(order, index, strict=True):
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
            f"{path} cannot be written ({error.strerror or error}): make room, or choose another place."
        ) from error


def open_store(path: Path) -> Store | None:
    """Open a store that this or an earlier version of napari-sr has written.

    Parameters
    ----------
    path : Path
        Path of the folder.

    Returns
    -------
    Store or None
        The store; None if the folder was not written by napari-sr.
    """
    restore_interrupted(path)
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        own = attributes.get(STORE_KEY)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Not a Zarr store, or a damaged one.
        return None
    if isinstance(own, Mapping) and (path / "0").is_dir():
        return _open_group(path, attributes)
    if {"axes", "pixel_size", "unit"} <= set(attributes):
        return _open_array(path, attributes)
    return None


def _open_group(path: Path, attributes: Mapping[str, Any]) -> Store:
    group: Any = zarr.open_group(path, mode="r")
    own, letters = attributes[STORE_KEY], str(attributes[STORE_KEY]["axes"])
    arrays = [group[name] for name in sorted(group.array_keys(), key=int)]
    # Stores without this key have the axis order of the image on disk.
    on_disk = str(own.get("on_disk", letters))
    order = [on_disk.index(letter) for letter in letters]
    levels = [array if order == sorted(order) else AxisView(array, order) for array in arrays]
    place = StorePlace(str(own["name"]), tuple(own["scale"]), tuple(own["translate"]), tuple(own["units"]))
    return Store(levels, parse_axes(letters, tuple(levels[0].shape)), place)


def _open_array(path: Path, attributes: Mapping[str, Any]) -> Store:
    """Open an array with attributes, the format of the command line before 0.1."""
    array: Any = zarr.open_array(path, mode="r")
    axes = parse_axes(str(attributes["axes"]), tuple(array.shape))
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    sizes, unit = dict(attributes["pixel_size"]), attributes["unit"]
    place = StorePlace(
        path.name.split(".")[0],
        tuple(float(sizes.get(letter, 1.0)) for letter in letters),
        (0.0,) * len(letters),
        tuple(unit if letter in sizes else None for letter in letters),
    )
    return Store([array], axes, place)


def _coarser(group: Any, name: str, finer: Any, along: int, halve: Halve) -> Any:
    """Compute the next level: averages of 2 x 2 pixels along the last two axes, piece by piece."""
    shape = (*finer.shape[:-2], *(-(-n // 2) for n in finer.shape[-2:]))
    chunks = tuple(min(chunk, length) for chunk, length in zip(finer.chunks, shape, strict=True))
    names, shards = finer.metadata.dimension_names, shards_of(shape, chunks, across=2 * len(shape) - 3 - along)
    level = group.create_array(
        name, shape=shape, chunks=chunks, shards=shards, dtype=finer.dtype, dimension_names=names
    )
    halve(finer, level, pieces_of(finer, level))
    return level


def _attributes(axes: Axes, on_disk: Axes, levels: int, place: StorePlace, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes of the group of a store."""
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    scale = dict(zip(letters, map(float, place.scale or (1.0,) * len(letters)), strict=True))
    translate = dict(zip(letters, map(float, place.translate or (0.0,) * len(letters)), strict=True))
    named = (None if unit == "pixel" else unit for unit in place.units or (None,) * len(letters))
    units = dict(zip(letters, named, strict=True))
    described: list[dict[str, str]] = []
    for letter in on_disk.letters:
        entry = {"name": letter.lower(), "type": _KINDS[letter]}
        known = SECONDS if letter == "T" else METERS if letter in "ZYX" else {}
        if units.get(letter) in known:
            entry["unit"] = str(units[letter])
        described.append(entry)
    datasets = []
    for level in range(levels):
        factors = {letter: 2.0**level if letter in "YX" else 1.0 for letter in on_disk.letters}
        scales = [scale.get(letter, 1.0) * factors[letter] for letter in on_disk.letters]
        # The center of a coarse pixel is between the centers of the fine ones.
        shifts = [
            translate.get(letter, 0.0) + scale.get(letter, 1.0) * (factors[letter] - 1) / 2
            for letter in on_disk.letters
        ]
        transforms = [{"type": "scale", "scale": scales}, {"type": "translation", "translation": shifts}]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"name": place.name, "axes": described, "datasets": datasets}],
    }
    if axes.rgb:
        ome["omero"] = _color_channels(axes.shape[-1], dtype)
    elif place.channels:
        # The format requires color and window of every channel.
        complete = [{"color": "FFFFFF", "window": _window(dtype), **channel} for channel in place.channels]
        ome["omero"] = {"channels": complete}
    own = {
        "name": place.name,
        "axes": axes.letters,
        "on_disk": on_disk.letters,
        "scale": [scale[letter] for letter in letters],
        "translate": [translate[letter] for letter in letters],
        "units": [units[letter] for letter in letters],
    }
    if place.channels and not axes.rgb:
        own["channels"] = [dict(channel) for channel in place.channels]
    return {STORE_KEY: own, "ome": ome}


def _color_channels(count: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the "omero" metadata of an RGB(A) image; the alpha channel is inactive."""
    channels = [
        {"label": label, "color": color, "active": label != "alpha", "window": _window(dtype)}
        for label, color in _COLORS[:count]
    ]
    return {"channels": channels, "rdefs": {"model": "color"}}


def _window(dtype: np.dtype[Any]) -> dict[str, float]:
    """Return the range of a data type as the "window" of a channel; 0 to 1 for floats."""
    top = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    return {"min": 0.0, "max": top, "start": 0.0, "end": top}
