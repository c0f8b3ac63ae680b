"""Atomic writing of an image with its metadata."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_sr.conversion import check_folder, quote, read_callable, read_path, shorten
from napari_sr.errors import InputError, one_line
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.array_like import convert_array, shape_of
from napari_sr.imaging.atomic import atomic_file
from napari_sr.imaging.axes import Axes, ImageArray, parse_axes
from napari_sr.imaging.files import icc
from napari_sr.imaging.files.image_file import ImageFile, Metadata
from napari_sr.imaging.files.writing.tiff import Write, imagej_writer, ome_writer
from napari_sr.progress import Cancel, never

#: Endings of the files that can be written.
WRITABLE = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png")

_IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
_OME_DTYPES = (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64)
# Largest data of an ImageJ file, which is a classic TIFF of up to 4 GiB including header and tags.
_IMAGEJ_BYTES = 2**32 - 2**25
# Largest lazy array in bytes that is computed before it is written.
_AT_ONCE = 1 << 26


def write_image(
    path: str | os.PathLike[str],
    data: npt.ArrayLike,
    axes: Axes | str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    *,
    metadata: Metadata | None = None,
    completed: Callable[[Path], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Write an image file atomically: completely or not at all.

    Parameters
    ----------
    path : str or Path
        The file. ``.ome.tif`` and ``.ome.tiff`` write an OME-TIFF; ``.tif`` and ``.tiff`` an ImageJ TIFF if it can
        contain the data (uint8, uint16, float32; RGB of uint8; below 4 GiB), or else an OME-TIFF; ``.png`` a PNG, which
        contains one plane and no metadata except the ICC profile. An existing file is replaced. A Zarr store is
        written by `upscale`, with its path as `out`.
    data : array-like
        The pixels. A lazy array of more than 64 MiB is read part by part while a TIFF is written, and may be larger
        than memory; a dask array is copied to a temporary file beside `path`, so that each chunk is computed once.
    axes : Axes or str, optional
        A letter of T, C, Z, Y, X for each dimension; a last C of size 3 or 4 is RGB(A). By default those that follow
        from the shape, as for `upscale`. In a TIFF the last axes are Y and X, and in an ImageJ TIFF the axes before
        them are T, Z and C.
    pixel_size : mapping of str to float, optional
        Size of a pixel along Z, Y and X; by default that of `metadata`.
    unit : str, optional
        Unit of `pixel_size`, a unit of length or "pixel", by default "pixel". Without `pixel_size` it is that of
        `metadata`, if it has one.
    metadata : Metadata, optional
        Position of the image, names, colors, lookup tables and contrast limits of the channels, time interval and ICC
        profile. The result of `read_image` is a `Metadata`, and its method ``resampled`` returns the metadata of an
        upscaled image.
    completed : callable, optional
        Called with the temporary path of the complete file, before it is renamed. After an exception an existing file
        is unchanged.
    cancel : callable, optional
        Called before each tile of a TIFF with tiles, and before each plane of a lazy array; returning True ends the
        writing with `Cancelled`. An existing file is unchanged then.

    Raises
    ------
    InputError
        If the format cannot contain the data, the ending is unknown, the folder is missing, or the file cannot be
        written (no space left, no permission). An existing file is unchanged then.
    Cancelled
        If `cancel` returned True.

    Notes
    -----
    The file is written under a temporary name in the same folder and then renamed.

    An OME-TIFF with planes of more than 2048 pixels a side is a pyramid: it is stored in tiles of up to 512 x 512
    pixels, with coarser levels that are each the average of 2 x 2 pixels of the one before. It is a BigTIFF if it needs
    more than 4 GiB. Nothing is compressed.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> stack = np.random.default_rng(0).integers(0, 4096, (3, 16, 20), np.uint16)
    >>> sr.write_image("cells.ome.tif", stack, "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "um")

    An upscaled image keeps the metadata of its source:

    >>> image = sr.read_image("cells.ome.tif")
    >>> result = sr.upscale(image, "srcnn-x2", device="cpu")
    >>> metadata = image.resampled({"Y": 2, "X": 2})
    >>> sr.write_image("cells-x2.ome.tif", result, image.axes, metadata=metadata)
    >>> sr.read_image("cells-x2.ome.tif").pixel_size
    {'Z': 0.3, 'Y': 0.05, 'X': 0.05}
    """
    target = read_path(path, "image file")
    completed = read_callable(completed, "completed")
    image: Any = data
    stop = read_callable(cancel, "cancel") or never
    pixels = convert_array(image.data if isinstance(image, ImageFile) else image)
    parsed = parse_axes(axes.letters if isinstance(axes, Axes) else axes, shape_of(pixels))
    if _size_of(pixels) <= _AT_ONCE:
        pixels = np.asarray(pixels)
    given = Metadata() if metadata is None else metadata
    write = _writer(target, pixels, parsed, _checked(given, pixel_size, unit, parsed), stop)
    check_folder(target)
    _write_atomically(target, write, completed)


def _checked(metadata: Any, pixel_size: Mapping[str, float] | None, unit: str | None, axes: Axes) -> Metadata:
    """Metadata of an image with these axes; pixel size and unit are those of the arguments if they are given."""
    if not isinstance(metadata, Metadata):
        raise InputError(f"The metadata {shorten(metadata)} are not of an image: give the result of read_image.")
    size, name = sizes.given_or_own(pixel_size, unit, (metadata.pixel_size, metadata.unit))
    checked = Metadata(**{**metadata.fields(), "pixel_size": size, "unit": name})
    if pixel_size is not None and name != metadata.unit:
        # The origin of the metadata is in another unit.
        checked = replace(checked, origin={})
    checked = checked.of_channels(len(axes.channels))
    return replace(checked, icc_profile=icc.fitting_profile(metadata.icc_profile, color=axes.rgb))


def _write_atomically(target: Path, write: Write, completed: Write | None) -> None:
    try:
        with atomic_file(target) as temporary:
            write(temporary)
            if completed is not None:
                completed(temporary)
    except OSError as error:
        raise writing_error(target, error) from error


def writing_error(target: Path, error: OSError) -> InputError:
    """Return the sentence about an error of the system while a file was written."""
    cause = error.strerror or one_line(error) or type(error).__name__
    return InputError(f"The file {target} cannot be written ({cause}): choose another place, or free some space.")


def check_writable(target: Path, axes: Axes, dtype: Any, metadata: Metadata) -> None:
    """Check that an image can be written to a file, before it is computed.

    Raises
    ------
    InputError
        If the ending is unknown, the format cannot contain the data, or the folder is missing.
    """
    check_folder(target)
    empty = np.broadcast_to(np.zeros((), dtype), axes.shape)
    _writer(target, empty, axes, _checked(metadata, None, None, axes), never)


def _size_of(data: ImageArray) -> int:
    """Size of an array in bytes."""
    return prod(data.shape) * int(np.dtype(data.dtype).itemsize)


def _writer(target: Path, data: ImageArray, axes: Axes, metadata: Metadata, cancel: Cancel) -> Write:
    """Choose the format by name and data, and check that it can contain the data."""
    ending = next((ending for ending in WRITABLE if target.name.lower().endswith(ending)), None)
    if target.suffix.lower() == ".zarr":
        raise InputError(
            f"The file {quote(target.name)} would be a Zarr store, which only upscale writes: give it the path as out, "
            f"or use {', '.join(WRITABLE)}."
        )
    if ending is None:
        raise InputError(f"The file {quote(target.name)} has an unknown ending: use {', '.join(WRITABLE)}.")
    if ending == ".png":
        return _png_writer(target, data, axes, metadata)
    if not ending.startswith(".ome") and _fits_imagej(data, axes, metadata.pixel_size):
        return imagej_writer(target, data, axes, metadata, cancel)
    kind = np.dtype(data.dtype).type
    if kind not in _OME_DTYPES:
        raise InputError(
            f"{target.name} would be an OME-TIFF, which cannot contain {data.dtype}: convert the data to float32."
        )
    if axes.rgb and kind is np.bool_:
        raise InputError(
            f"{target.name} would be a TIFF, which cannot contain colors of bool: convert the data to uint8."
        )
    return ome_writer(target, data, axes, metadata, cancel)


def _png_writer(target: Path, data: ImageArray, axes: Axes, metadata: Metadata) -> Write:
    if axes.plane_count != 1:
        raise InputError(
            f"{target.name} would have {axes.plane_count} planes, and a PNG contains one plane: use .tif or .ome.tif."
        )
    plane = axes.plane(data, next(axes.plane_indices()))
    allowed = (np.uint8,) if axes.rgb else (np.bool_, np.uint8, np.uint16)
    if plane.dtype.type not in allowed:
        values = "colors" if axes.rgb else "gray values"
        raise InputError(
            f"{target.name} would be a PNG, which cannot contain {values} of {plane.dtype}: use .tif or .ome.tif."
        )

    def write(path: Path) -> None:
        native = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))
        Image.fromarray(native).save(path, format="PNG", icc_profile=metadata.icc_profile)

    return write


def _fits_imagej(data: ImageArray, axes: Axes, pixel_size: Mapping[str, float]) -> bool:
    dtypes = (np.uint8,) if axes.rgb else _IMAGEJ_DTYPES
    # Resolution tags are fractions of two 32-bit numbers, which are not precise enough outside this range.
    fractions = all(1e-4 <= size <= 1e4 for letter, size in pixel_size.items() if letter in "YX")
    both = ("Y" in pixel_size) == ("X" in pixel_size)
    # tifffile writes a last axis of length 1 as the samples of a pixel, and its description then declares other axes.
    wide = axes.shape[axes.x] > 1
    known = np.dtype(data.dtype).type in dtypes and not axes.rgba
    return wide and known and _size_of(data) < _IMAGEJ_BYTES and fractions and both
