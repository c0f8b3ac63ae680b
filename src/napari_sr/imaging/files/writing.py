"""Atomic writing of an image with its metadata."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sr.conversion import quote, read_callable, read_path, shorten
from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.array_like import convert_array
from napari_sr.imaging.atomic import atomic_file
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files import icc
from napari_sr.imaging.files.descriptions import imagej, ome
from napari_sr.imaging.files.image_file import ImageFile, Metadata

#: Endings of the files that can be written.
WRITABLE = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png")

_IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
_OME_DTYPES = (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64)
# Largest data of an ImageJ file, which is a classic TIFF of up to 4 GiB including header and tags.
_IMAGEJ_BYTES = 2**32 - 2**25

Write = Callable[[Path], None]


def write_image(
    path: str | os.PathLike[str],
    data: npt.ArrayLike,
    axes: Axes | str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    *,
    metadata: Metadata | None = None,
    completed: Callable[[Path], None] | None = None,
) -> None:
    """Write an image file atomically: completely or not at all.

    Parameters
    ----------
    path : str or Path
        The file. ``.ome.tif`` and ``.ome.tiff`` write an OME-TIFF; ``.tif`` and ``.tiff`` an ImageJ TIFF if it can
        contain the data (uint8, uint16, float32; RGB of uint8; below 4 GiB), or else an OME-TIFF; ``.png`` a PNG, which
        contains one plane and no metadata except the ICC profile. An existing file is replaced.
    data : array-like
        The pixels. A lazy array is computed.
    axes : Axes or str, optional
        A letter of T, C, Z, Y, X for each dimension; a last C of size 3 or 4 is RGB(A). By default those that follow
        from the shape, as for `upscale`. In a TIFF the last axes are Y and X, and in an ImageJ TIFF the axes before
        them are T, Z and C.
    pixel_size : mapping of str to float, optional
        Size of a pixel along Z, Y and X; by default that of `metadata`.
    unit : str, optional
        Unit of the pixel size, a unit of length or "pixel"; by default that of `metadata`, or else "pixel".
    metadata : Metadata, optional
        Position of the image, names, colors, lookup tables and contrast limits of the channels, time interval and ICC
        profile. The result of `read_image` is a `Metadata`, and its method ``resampled`` returns the metadata of an
        upscaled image.
    completed : callable, optional
        Called with the temporary path of the complete file, before it is renamed. After an exception an existing file
        is unchanged.

    Raises
    ------
    InputError
        If the format cannot contain the data, the ending is unknown, the folder is missing, or the file cannot be
        written (no space left, no permission). An existing file is unchanged then.

    Notes
    -----
    The file is written under a temporary name in the same folder and then renamed.

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
    pixels = np.asarray(convert_array(image.data if isinstance(image, ImageFile) else image))
    letters = axes.letters if isinstance(axes, Axes) else axes
    parsed = parse_axes(letters, pixels.shape)
    given = Metadata() if metadata is None else metadata
    write = _writer(target, pixels, parsed, _checked(given, pixel_size, unit, parsed))
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent} to write {target.name} in: create it first.")
    _write_atomically(target, write, completed)


def _checked(metadata: Any, pixel_size: Mapping[str, float] | None, unit: str | None, axes: Axes) -> Metadata:
    """Metadata of an image with these axes; pixel size and unit are those of the arguments if they are given."""
    if not isinstance(metadata, Metadata):
        raise InputError(f"The metadata {shorten(metadata)} are not of an image: give the result of read_image.")
    if pixel_size is None:
        size, name = sizes.checked(metadata.pixel_size, metadata.unit if unit is None else unit)
    else:
        size, name = sizes.checked(pixel_size, unit)
    checked = Metadata(**{**metadata.fields(), "pixel_size": size, "unit": name})
    if pixel_size is not None and name != metadata.unit:
        # The origin of the metadata is in another unit.
        checked = replace(checked, origin={})
    checked = checked.of_channels(1 if axes.channel is None else axes.shape[axes.channel])
    return replace(checked, icc_profile=icc.fitting_profile(metadata.icc_profile, color=axes.rgb))


def _write_atomically(target: Path, write: Write, completed: Write | None) -> None:
    try:
        with atomic_file(target) as temporary:
            write(temporary)
            if completed is not None:
                completed(temporary)
    except OSError as error:
        cause = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"The file {target} cannot be written ({cause}): choose another place, or free some space."
        ) from error


def _writer(target: Path, data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    """Choose the format by name and data, and check that it can contain the data."""
    ending = next((ending for ending in WRITABLE if target.name.lower().endswith(ending)), None)
    if ending is None:
        raise InputError(f"The file {quote(target.name)} has an unknown ending: use {', '.join(WRITABLE)}.")
    if ending == ".png":
        return _png_writer(target, data, axes, metadata)
    if not ending.startswith(".ome") and _fits_imagej(data, axes, metadata.pixel_size):
        return _imagej_writer(data, axes, metadata)
    if data.dtype.type not in _OME_DTYPES:
        raise InputError(
            f"{target.name} would be an OME-TIFF, which cannot contain {data.dtype}: convert the data to float32."
        )
    if axes.rgb and data.dtype.type is np.bool_:
        raise InputError(
            f"{target.name} would be a TIFF, which cannot contain colors of bool: convert the data to uint8."
        )
    return _ome_writer(data, axes, metadata)


def _png_writer(target: Path, data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
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
    native = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def write(path: Path) -> None:
        Image.fromarray(native).save(path, format="PNG", icc_profile=metadata.icc_profile)

    return write


def _fits_imagej(data: npt.NDArray[Any], axes: Axes, pixel_size: Mapping[str, float]) -> bool:
    dtypes = (np.uint8,) if axes.rgb else _IMAGEJ_DTYPES
    # Resolution tags are fractions of two 32-bit numbers, which are not precise enough outside this range.
    fractions = all(1e-4 <= size <= 1e4 for letter, size in pixel_size.items() if letter in "YX")
    both = ("Y" in pixel_size) == ("X" in pixel_size)
    # tifffile writes a last axis of length 1 as the samples of a pixel, and its description then declares other axes.
    wide = axes.shape[axes.x] > 1
    return wide and data.dtype.type in dtypes and not axes.rgba and data.nbytes < _IMAGEJ_BYTES and fractions and both


def _imagej_writer(data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    stored, letters = _reordered(data, axes, "TZCYX")
    written = imagej.to_imagej(metadata, letters, stored.shape)
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack", "iccprofile": metadata.icc_profile}
    if "X" in metadata.pixel_size:
        options["resolution"] = (1 / metadata.pixel_size["X"], 1 / metadata.pixel_size["Y"])

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, imagej=True, metadata=written, **options)

    return write


def _ome_writer(data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    planes = "".join(letter for letter in axes.letters if letter not in "YX" and not (axes.rgb and letter == "C"))
    stored, letters = _reordered(data, axes, planes + "YX")
    written = ome.to_ome(metadata, letters, stored.shape)
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack", "iccprofile": metadata.icc_profile}
    if axes.rgba:
        options["extrasamples"] = ["unassalpha"]

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, ome=True, metadata=written, **options)

    return write


def _reordered(data: npt.NDArray[Any], axes: Axes, order: str) -> tuple[npt.NDArray[Any], str]:
    """Data with the axes in an order of TIFF, and their letters; the colors remain last, as the samples S."""
    letters = "".join(letter for letter in order if letter in axes.letters and not (axes.rgb and letter == "C"))
    positions = [axes.letters.index(letter) for letter in letters]
    if axes.rgb:
        positions.append(axes.ndim - 1)
        letters += "S"
    return np.ascontiguousarray(data.transpose(positions)), letters
