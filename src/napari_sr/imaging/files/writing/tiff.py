"""Writing of ImageJ TIFF and OME-TIFF, at once or part by part.

An image with large planes becomes a pyramid in tiles, as the OME-TIFF specification 6 describes it: each plane has its
coarser levels as SubIFDs. Other images are stored plane after plane, without tiles.

References
----------
OME-TIFF specification, https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html, sections
"Storage of tiled data" and "Sub-resolutions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sr.errors import Cancelled
from napari_sr.imaging.atomic import scratch_folder
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files.descriptions import imagej, ome
from napari_sr.imaging.files.image_file import Metadata
from napari_sr.imaging.files.writing.disk_array import DiskArray, disk_array
from napari_sr.imaging.pyramid import halved
from napari_sr.progress import Cancel

#: Longest side of a tile, in pixels.
TILE = 512
#: Longest side of a plane that is stored without tiles and coarser levels, and of the planes of the coarsest level.
UNTILED = 2048

# Sides of tiles are multiples of this number in TIFF 6.0, section 15.
_TILE_UNIT = 16
# Largest pixel data of a classic TIFF, whose offsets have 32 bits; the remaining bytes are for header and tags.
_CLASSIC = 2**32 - 2**25
# Bytes of a band of tiles that is read at a time.
_BAND = 1 << 24

Write = Callable[[Path], None]


def imagej_writer(target: Path, data: Any, axes: Axes, metadata: Metadata, cancel: Cancel) -> Write:
    """Return a function that writes an image as ImageJ TIFF.

    Parameters
    ----------
    target : Path
        The file, beside which temporary files are made.
    data : array
        The pixels; a lazy array is read plane by plane.
    axes : Axes
        Axes of the image.
    metadata : Metadata
        Metadata of the image.
    cancel : callable
        Called before each plane of a lazy array; returning True ends the writing with `Cancelled`.

    Returns
    -------
    callable
        The function, of the path to write to.
    """
    order, letters = _order(axes, "TZCYX")
    shape = tuple(axes.shape[axis] for axis in order)
    options: dict[str, Any] = {
        **_options(axes, metadata),
        "imagej": True,
        "metadata": imagej.to_imagej(metadata, letters, shape, data.dtype),
    }
    if "X" in metadata.pixel_size:
        options["resolution"] = (1 / metadata.pixel_size["X"], 1 / metadata.pixel_size["Y"])

    def write(path: Path) -> None:
        with _stored(target, data, axes, order) as stored:
            _write_planes(path, stored, len(axes.plane_axes), options, cancel)

    return write


def ome_writer(target: Path, data: Any, axes: Axes, metadata: Metadata, cancel: Cancel) -> Write:
    """Return a function that writes an image as OME-TIFF.

    Parameters
    ----------
    target : Path
        The file, beside which temporary files are made.
    data : array
        The pixels; a lazy array is read part by part.
    axes : Axes
        Axes of the image.
    metadata : Metadata
        Metadata of the image.
    cancel : callable
        Called before each tile, or each plane of a lazy array; returning True ends the writing with `Cancelled`.

    Returns
    -------
    callable
        The function, of the path to write to.
    """
    order, letters = _order(axes, axes.letters)
    shape = tuple(axes.shape[axis] for axis in order)
    planes = len(axes.plane_axes)
    options = _options(axes, metadata)
    if axes.rgba:
        options["extrasamples"] = ["unassalpha"]
    described = ome.to_ome(metadata, letters, shape)

    def write(path: Path) -> None:
        with ExitStack() as stack:
            stored = stack.enter_context(_stored(target, data, axes, order))
            if max(shape[planes : planes + 2]) <= UNTILED:
                _write_planes(path, stored, planes, {**options, "ome": True, "metadata": described}, cancel)
                return
            folder = None if isinstance(data, np.ndarray) else stack.enter_context(scratch_folder(target))
            _write_pyramid(path, stored, planes, options, described, folder, cancel)

    return write


def _order(axes: Axes, planes: str) -> tuple[list[int], str]:
    """Axis of the image for each axis of the file, and their letters; colors are the samples S, which are last."""
    stacked = [axes.letters[axis] for axis in axes.plane_axes]
    letters = "".join(letter for letter in planes if letter in stacked)
    order = [axes.letters.index(letter) for letter in letters + "YX"]
    return order + ([axes.ndim - 1] if axes.rgb else []), letters + "YX" + ("S" if axes.rgb else "")


def _options(axes: Axes, metadata: Metadata) -> dict[str, Any]:
    return {"photometric": "rgb" if axes.rgb else "minisblack", "iccprofile": metadata.icc_profile}


@contextmanager
def _stored(target: Path, data: Any, axes: Axes, order: list[int]) -> Iterator[Any]:
    """Provide the pixels with the axes in the order of the file, a numpy array or a lazy one."""
    if isinstance(data, np.ndarray):
        yield data.transpose(order)
        return
    with ExitStack() as stack:
        if _is_computed(data):
            # Each chunk is computed once, also if it is larger than a band of tiles.
            folder = stack.enter_context(scratch_folder(target))
            array, view = disk_array(folder / "pixels", axes, data.dtype)
            stack.enter_context(array)
            for part in _chunks(data.chunks):
                view[part] = np.asarray(data[part])
            data = view
        yield data if order == sorted(order) else AxisView(data, order)


def _is_computed(data: Any) -> bool:
    """Whether a lazy array is one of dask, whose chunks are computed whenever a part of them is read."""
    chunks = getattr(data, "chunks", None)
    return isinstance(chunks, tuple) and all(isinstance(sizes, tuple) for sizes in chunks)


def _chunks(chunks: tuple[tuple[int, ...], ...]) -> Iterator[tuple[slice, ...]]:
    """Return the index of each chunk of a dask array."""
    ends = [np.cumsum(sizes).tolist() for sizes in chunks]
    yield from product(
        *(
            [slice(end - size, end) for end, size in zip(stops, sizes, strict=True)]
            for stops, sizes in zip(ends, chunks, strict=True)
        )
    )


def _write_planes(path: Path, stored: Any, planes: int, options: dict[str, Any], cancel: Cancel) -> None:
    """Write planes one after another, without tiles."""
    if isinstance(stored, np.ndarray):
        tifffile.imwrite(path, np.ascontiguousarray(stored), **options)
        return
    shape, dtype = tuple(stored.shape), np.dtype(stored.dtype).newbyteorder("=")

    def pages() -> Iterator[npt.NDArray[Any]]:
        for position in np.ndindex(*shape[:planes]):
            _check(cancel)
            yield np.ascontiguousarray(stored[position], dtype=dtype)

    big = not options.get("imagej") and prod(shape) * dtype.itemsize > _CLASSIC
    tifffile.imwrite(path, pages(), shape=shape, dtype=dtype, bigtiff=big, **options)


def _write_pyramid(
    path: Path,
    stored: Any,
    planes: int,
    options: dict[str, Any],
    description: dict[str, Any],
    folder: Path | None,
    cancel: Cancel,
) -> None:
    """Write planes in tiles with their coarser levels, which are kept in `folder`, or in memory if it is None."""
    dtype = np.dtype(stored.dtype).newbyteorder("=")
    shapes = [tuple(stored.shape)]
    while max(shapes[-1][planes : planes + 2]) > UNTILED:
        height, width, *colors = shapes[-1][planes:]
        shapes.append((*shapes[-1][:planes], -(-height // 2), -(-width // 2), *colors))
    big = sum(_stored_values(shape, planes) for shape in shapes) * dtype.itemsize > _CLASSIC
    with ExitStack() as stack, tifffile.TiffWriter(path, bigtiff=big, ome=True) as writer:
        for level, shape in enumerate(shapes):
            coarser: Any = None
            if level + 1 < len(shapes):
                if folder is None:
                    coarser = np.empty(shapes[level + 1], dtype)
                else:
                    coarser = DiskArray(folder / f"level{level + 1}", shapes[level + 1], dtype, planes)
                    stack.enter_context(coarser)
            if level == 0:
                kind: dict[str, Any] = {"subifds": len(shapes) - 1, "metadata": description}
            else:
                kind = {"subfiletype": 1, "metadata": None}
            tiles = _tiles(stored, planes, dtype, coarser, cancel)
            writer.write(tiles, shape=shape, dtype=dtype, tile=_tile(shape, planes), **options, **kind)
            stored = coarser


def _tile(shape: tuple[int, ...], planes: int) -> tuple[int, int]:
    """Rows and columns of a tile; those of narrow planes are smaller, because tiles are filled up with zeros."""
    height, width = (min(TILE, -(-side // _TILE_UNIT) * _TILE_UNIT) for side in shape[planes : planes + 2])
    return height, width


def _stored_values(shape: tuple[int, ...], planes: int) -> int:
    """Number of values of an image in whole tiles."""
    sides = zip(shape[planes : planes + 2], _tile(shape, planes), strict=True)
    plane = prod(-(-length // side) * side for length, side in sides)
    return plane * prod(shape[:planes]) * prod(shape[planes + 2 :])


def _tiles(source: Any, planes: int, dtype: np.dtype[Any], coarser: Any, cancel: Cancel) -> Iterator[npt.NDArray[Any]]:
    """Return the tiles of all planes, and write the averages of 2 x 2 pixels to the next level, if there is one."""
    height, width, *colors = source.shape[planes:]
    step = max(TILE, _BAND // (TILE * prod(colors) * dtype.itemsize) // TILE * TILE)
    for position in np.ndindex(*source.shape[:planes]):
        for top, left in product(range(0, height, TILE), range(0, width, step)):
            bottom, right = min(top + TILE, height), min(left + step, width)
            band = np.asarray(source[(*position, slice(top, bottom), slice(left, right))], dtype)
            if coarser is not None:
                half = slice(top // 2, -(-bottom // 2)), slice(left // 2, -(-right // 2))
                coarser[(*position, *half)] = halved(band)
            for start in range(0, right - left, TILE):
                _check(cancel)
                yield np.ascontiguousarray(band[:, start : start + TILE])


def _check(cancel: Cancel) -> None:
    if cancel():
        raise Cancelled
