"""Writing an image, whole or not at all, with its metadata."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files import icc, imagej, ome
from napari_sr.imaging.files.image_file import Metadata

WRITABLE = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png")

_IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
_OME_DTYPES = (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64)
# An ImageJ file is a classic TIFF: 4 GiB, of which its header and tags need some.
_IMAGEJ_BYTES = 2**32 - 2**25
# Bytes that are written to a file again to learn why the last ones could not be.
_PROBE = 1 << 16
_LONGEST_STEM = 200

Write = Callable[[Path], None]


def write_image(
    path: str | os.PathLike[str],
    data: npt.ArrayLike,
    axes: Axes | str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    *,
    metadata: Metadata | None = None,
) -> None:
    """Write an image file, whole or not at all.

    Parameters
    ----------
    path : path
        ``.ome.tif`` and ``.ome.tiff`` make an OME-TIFF; ``.tif`` and ``.tiff`` an ImageJ TIFF where that can hold the
        data (uint8, uint16, float32; RGB of uint8; below 4 GiB), else an OME-TIFF; ``.png`` a PNG, which holds one
        plane and of the metadata the ICC profile only. An existing file is replaced.
    data : array
        The pixels; an array that is not in memory is computed.
    axes : Axes or str, optional
        The letters of `data`; from its shape when left out, as `parse_axes` does. TIFF stores Y and X last, the ImageJ
        kind T, Z, C before them.
    pixel_size : mapping of str to float, optional
        Size of a pixel along Z, Y and X; by default that of `metadata`.
    unit : str, optional
        The unit of the sizes: a length, or "pixel"; by default that of `metadata`. Sizes without one are written in
        "pixel".
    metadata : Metadata, optional
        What else is written: position, names, colors, lookup tables and display ranges of the channels, time interval
        and ICC profile. An `ImageFile` is one; `Metadata.resampled` gives those of an image that was upscaled.

    Raises
    ------
    InputError
        The format cannot hold the data, the name has another ending, the folder is missing, or the file cannot be
        written (a full disk, no permission); nothing is left of it then, and a file that was there is kept.

    Notes
    -----
    It is written under a temporary name in the same folder and then renamed.
    """
    target = Path(path)
    pixels = np.asarray(data)
    letters = axes.letters if isinstance(axes, Axes) else axes
    parsed = parse_axes(letters, pixels.shape)
    write = _writer(target, pixels, parsed, _checked(metadata or Metadata(), pixel_size, unit, parsed))
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent} to write {target.name} in; make it first.")
    _whole_or_not(target, write)


def _checked(metadata: Metadata, pixel_size: Mapping[str, float] | None, unit: str | None, axes: Axes) -> Metadata:
    """Metadata of an image with these axes, its size and unit by the arguments where they are given."""
    if pixel_size is None:
        size, name = sizes.checked(metadata.pixel_size, metadata.unit if unit is None else unit)
    else:
        size, name = sizes.checked(pixel_size, unit)
    known = Metadata(**{**metadata.fields(), "pixel_size": size, "unit": name})
    profile = icc.held(metadata.icc_profile, color=axes.rgb)
    if pixel_size is not None and name != metadata.unit:
        # The position is in the other unit.
        known = replace(known, origin={})
    return replace(known, icc_profile=profile)


def _whole_or_not(target: Path, write: Write) -> None:
    temporary = target.with_name(f".{target.name[:_LONGEST_STEM]}.{uuid.uuid4().hex[:8]}.part")
    try:
        write(temporary)
        temporary.replace(target)
    except OSError as error:
        raise InputError(
            f"The file {target} cannot be written ({_cause(error, temporary)}); choose another place or make room."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _cause(error: OSError, path: Path) -> str:
    """Why a file could not be written; numpy tells only how many values were left over, the system knows."""
    if error.strerror:
        return error.strerror
    try:
        with path.open("ab") as stream:
            stream.write(bytes(_PROBE))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as again:
        return again.strerror or str(again)
    return " ".join(str(error).split()) or type(error).__name__


def _writer(target: Path, data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    """Choose the format by name and data, refusing what it can't hold before anything is written."""
    ending = next((ending for ending in WRITABLE if target.name.lower().endswith(ending)), None)
    if ending is None:
        raise InputError(f"The file {target.name} has an ending that is not written; use {', '.join(WRITABLE)}.")
    if ending == ".png":
        return _png_writer(target, data, axes, metadata)
    if not ending.startswith(".ome") and _imagej_holds(data, axes, metadata.pixel_size):
        return _imagej_writer(data, axes, metadata)
    if data.dtype.type not in _OME_DTYPES:
        raise InputError(f"An OME-TIFF cannot hold {data.dtype}, as {target.name} would; convert it to float32.")
    if axes.rgb and data.dtype.type is np.bool_:
        raise InputError(f"A TIFF cannot hold colors of bool, as {target.name} would; convert it to uint8.")
    return _ome_writer(data, axes, metadata)


def _png_writer(target: Path, data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    if axes.plane_count != 1:
        raise InputError(f"A PNG holds one plane but {target.name} would get {axes.plane_count}; use .tif or .ome.tif.")
    plane = axes.plane(data, next(axes.plane_indices()))
    allowed = (np.uint8,) if axes.rgb else (np.bool_, np.uint8, np.uint16)
    if plane.dtype.type not in allowed:
        values = "colors" if axes.rgb else "gray values"
        raise InputError(f"A PNG cannot hold {values} of {plane.dtype}, as {target.name} would; use .tif or .ome.tif.")
    native = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def write(path: Path) -> None:
        Image.fromarray(native).save(path, format="PNG", icc_profile=metadata.icc_profile)

    return write


def _imagej_holds(data: npt.NDArray[Any], axes: Axes, pixel_size: Mapping[str, float]) -> bool:
    dtypes = (np.uint8,) if axes.rgb else _IMAGEJ_DTYPES
    # Resolution tags are fractions of two 32-bit numbers: outside this span they round a pixel size away.
    fractions = all(1e-4 <= size <= 1e4 for letter, size in pixel_size.items() if letter in "YX")
    both = ("Y" in pixel_size) == ("X" in pixel_size)
    return data.dtype.type in dtypes and not axes.rgba and data.nbytes < _IMAGEJ_BYTES and fractions and both


def _imagej_writer(data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    stored, letters = _reordered(data, axes, "TZCYX")
    said = imagej.to_imagej(metadata, letters, stored.shape)
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack", "iccprofile": metadata.icc_profile}
    if "X" in metadata.pixel_size:
        options["resolution"] = (1 / metadata.pixel_size["X"], 1 / metadata.pixel_size["Y"])

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, imagej=True, metadata=said, **options)

    return write


def _ome_writer(data: npt.NDArray[Any], axes: Axes, metadata: Metadata) -> Write:
    planes = "".join(letter for letter in axes.letters if letter not in "YX" and not (axes.rgb and letter == "C"))
    stored, letters = _reordered(data, axes, planes + "YX")
    said = ome.to_ome(metadata, letters, stored.shape)
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack", "iccprofile": metadata.icc_profile}
    if axes.rgba:
        options["extrasamples"] = ["unassalpha"]

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, ome=True, metadata=said, **options)

    return write


def _reordered(data: npt.NDArray[Any], axes: Axes, order: str) -> tuple[npt.NDArray[Any], str]:
    """Bring the axes into an order that TIFF stores; colors stay last, as tifffile's samples S."""
    letters = "".join(letter for letter in order if letter in axes.letters and not (axes.rgb and letter == "C"))
    positions = [axes.letters.index(letter) for letter in letters]
    if axes.rgb:
        positions.append(axes.ndim - 1)
        letters += "S"
    return np.ascontiguousarray(data.transpose(positions)), letters
