"""Images in files: TIFF, OME-TIFF, ImageJ TIFF, PNG and JPEG, with axes, pixel size and unit."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import Axes, parse_axes

WRITABLE = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png")

#: Attribute of the Zarr stores that napari-sr writes: their axes, pixel sizes, units and place.
STORE_KEY = "napari_sr"

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
_OME_DTYPES = (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64)
# An ImageJ file is a classic TIFF: 4 GiB, of which its header and tags need some.
_IMAGEJ_BYTES = 2**32 - 2**25


@dataclass(frozen=True)
class ImageFile:
    """An image read from a file, with what the file says of it.

    Parameters
    ----------
    data : numpy array
        The pixels, in the file's own dtype.
    axes : str
        A letter of T, C, Z, Y, X for each dimension, as `parse_axes` takes them. Axes of length 1 other than Y and X
        are left out.
    pixel_size : dict of str to float
        Size of a pixel along Z, Y and X where the file says it, in `unit`.
    unit : str or None
        The unit by pint's and napari's name ("micrometer", "pixel"); None where the file says none.
    path : Path
        Where it was read.
    channels : tuple of str
        Names of the separate channels, where an OME-TIFF says them.
    """

    data: npt.NDArray[Any]
    axes: str
    pixel_size: dict[str, float] = field(default_factory=dict)
    unit: str | None = None
    path: Path = Path()
    channels: tuple[str, ...] = ()


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Read an image file; what it is goes by its content, not by its name.

    Parameters
    ----------
    path : path
        A TIFF, OME-TIFF, ImageJ TIFF, PNG or JPEG, or what else Pillow opens. Of a TIFF with several series the first
        is read, of a pyramid its finest level.

    Returns
    -------
    ImageFile
        The pixels, axes and pixel sizes.

    Raises
    ------
    InputError
        No such file, no image, a damaged one, or one with axes, colors or frames that have no place here.

    Notes
    -----
    Pixel sizes come from the OME-XML, else from ImageJ's description, else from the TIFF resolution tags.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"There is no image file {source}; check the name and the folder.")
    with source.open("rb") as stream:
        start = stream.read(26)
    return _read(_read_tiff if start[:4] in _TIFF_STARTS else _read_picture, source, start)


def is_readable_tiff(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TIFF whose first image has axes that we know; its pixels are not read."""
    source = Path(path)
    try:
        with source.open("rb") as stream:
            if stream.read(4) not in _TIFF_STARTS:
                return False
        with tifffile.TiffFile(source) as tiff:
            series = tiff.series[0]
            shape = np.broadcast_to(np.zeros((), np.uint8), series.shape)
            return shape.ndim >= 2 and shape.size > 0 and bool(_our_axes(shape, series.axes, source))
    except Exception:
        # Whatever keeps it from being understood: it is not ours to open.
        return False


def write_image(
    path: str | os.PathLike[str],
    data: npt.ArrayLike,
    axes: Axes | str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
) -> None:
    """Write an image file, whole or not at all.

    Parameters
    ----------
    path : path
        ``.ome.tif`` and ``.ome.tiff`` make an OME-TIFF; ``.tif`` and ``.tiff`` an ImageJ TIFF where that can hold the
        data (uint8, uint16, float32; RGB of uint8; below 4 GiB), else an OME-TIFF; ``.png`` a PNG, which holds one
        plane and no pixel size. An existing file is replaced.
    data : array
        The pixels; an array that is not in memory is computed.
    axes : Axes or str, optional
        The letters of `data`; from its shape when left out, as `parse_axes` does. TIFF stores Y and X last, the ImageJ
        kind T, Z, C before them.
    pixel_size : mapping of str to float, optional
        Size of a pixel along Z, Y and X.
    unit : str, optional
        The unit of the sizes: a length, or "pixel". Sizes without one are written in "pixel".

    Raises
    ------
    InputError
        The format cannot hold the data, the name has another ending, or the folder is missing.

    Notes
    -----
    It is written under a temporary name in the same folder and then renamed.
    """
    target = Path(path)
    pixels = np.asarray(data)
    letters = axes.letters if isinstance(axes, Axes) else axes
    parsed = parse_axes(letters, pixels.shape)
    known, name = sizes.checked(pixel_size, unit)
    write = _writer(target, pixels, parsed, known, name)
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent} to write {target.name} in; make it first.")
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        write(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _read(read: Callable[[Path, bytes], ImageFile], source: Path, start: bytes) -> ImageFile:
    try:
        return read(source, start)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # A damaged file makes its reader fail in any way there is; the user needs the name and the reason.
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if "imagecodecs" in reason:
            raise InputError(
                f"The file {source} is compressed in a way that needs the package imagecodecs; "
                "install it (pip install 'napari-sr[compression]'), or save the file without compression."
            ) from error
        sentence = f"The file {source} cannot be read as an image ({reason}); pick a TIFF, PNG or JPEG."
        raise InputError(sentence) from error


def _read_tiff(source: Path, start: bytes) -> ImageFile:
    with tifffile.TiffFile(source) as tiff:
        series = tiff.series[0]
        stored = series.asarray()
        if stored.ndim < 2 or stored.size == 0:
            raise InputError(f"The file {source} holds no image; pick another one.")
        data, letters = _our_axes(stored, series.axes, source)
        pixel_size, unit = _tiff_pixel_size(tiff, series.keyframe)
        kept = {letter: pixel_size[letter] for letter in letters if letter in pixel_size}
        channels = sizes.ome_channels(tiff.ome_metadata) if tiff.ome_metadata else ()
    return ImageFile(data, letters, kept, unit if kept else None, source, channels)


def _our_axes(data: npt.NDArray[Any], letters: str, source: Path) -> tuple[npt.NDArray[Any], str]:
    """Translate tifffile's letters: S are samples, I and Q axes that the file has no name for."""
    single = tuple(axis for axis, letter in enumerate(letters) if data.shape[axis] == 1 and letter not in "YX")
    data = np.squeeze(data, axis=single)
    letters = "".join(letter for axis, letter in enumerate(letters) if axis not in single)
    if "S" in letters:
        if "C" in letters:
            raise InputError(f"The file {source} has channels of several colors each; save each channel alone.")
        if data.shape[letters.index("S")] in (3, 4):
            data = np.moveaxis(data, letters.index("S"), -1)
            letters = letters.replace("S", "") + "S"
        letters = letters.replace("S", "C")
    nameless = sum(letter in "IQ" for letter in letters)
    free = [letter for letter in "TCZ" if letter not in letters]
    names = iter(free[max(0, len(free) - nameless) :])
    named = "".join(next(names, letter) if letter in "IQ" else letter for letter in letters)
    for axis, letter in enumerate(named):
        if letter not in "TCZYX":
            kind = tifffile.TIFF.AXES_NAMES.get(letter, letter)
            raise InputError(
                f'The file {source} has an axis "{kind}" of length {data.shape[axis]}, which is none of T, C, Z, Y '
                "and X; save each of its positions alone."
            )
    return data, parse_axes(named, data.shape).letters


def _tiff_pixel_size(tiff: tifffile.TiffFile, page: Any) -> sizes.PixelSize:
    if tiff.ome_metadata:
        return sizes.from_ome(tiff.ome_metadata)
    resolution = (_density(page, "XResolution"), _density(page, "YResolution"))
    found: sizes.PixelSize = ({}, None)
    if tiff.imagej_metadata:
        found = sizes.from_imagej(tiff.imagej_metadata, resolution)
    return found if found[0] else sizes.from_resolution(resolution, int(page.tags.valueof("ResolutionUnit", default=1)))


def _density(page: Any, tag: str) -> float:
    numerator, denominator = page.tags.valueof(tag, default=(0, 1))
    return numerator / denominator if denominator else 0.0


def _read_picture(source: Path, start: bytes) -> ImageFile:
    # Pillow would keep only the upper 8 of 16 bits of each color, without a word.
    if start[:8] == _PNG_START and start[24] == 16 and start[25] != 0:
        raise InputError(f"{source} has 16 bits for each color, more than can be read of a PNG; save it as TIFF.")
    with Image.open(source) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            raise InputError(f"The file {source} has {frames} frames; save them as a TIFF stack.")
        if picture.mode in ("LA", "PA", "La", "RGBa") or "transparency" in picture.info:
            data = np.array(picture.convert("RGBA"))
        elif picture.mode in ("P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
            data = np.array(picture.convert("RGB"))
        else:
            data = np.array(picture)
    if start[:8] == _PNG_START and start[24] == 16:
        data = data.astype(np.uint16)
    return ImageFile(data, "YX" if data.ndim == 2 else "YXC", path=source)


Writer = Callable[[Path], None]


def _writer(target: Path, data: npt.NDArray[Any], axes: Axes, pixel_size: dict[str, float], unit: str | None) -> Writer:
    """Choose the format by name and data, refusing what it can't hold before anything is written."""
    ending = next((ending for ending in WRITABLE if target.name.lower().endswith(ending)), None)
    if ending is None:
        raise InputError(f"The file {target.name} has an ending that is not written; use {', '.join(WRITABLE)}.")
    if ending == ".png":
        return _png_writer(target, data, axes)
    if not ending.startswith(".ome") and _imagej_holds(data, axes, pixel_size):
        return _imagej_writer(data, axes, pixel_size, unit)
    if data.dtype.type not in _OME_DTYPES:
        raise InputError(f"An OME-TIFF cannot hold {data.dtype}, as {target.name} would; convert it to float32.")
    if axes.rgb and data.dtype.type is np.bool_:
        raise InputError(f"A TIFF cannot hold colors of bool, as {target.name} would; convert it to uint8.")
    return _ome_writer(data, axes, pixel_size, unit)


def _png_writer(target: Path, data: npt.NDArray[Any], axes: Axes) -> Writer:
    if axes.plane_count != 1:
        raise InputError(f"A PNG holds one plane but {target.name} would get {axes.plane_count}; use .tif or .ome.tif.")
    plane = axes.plane(data, next(axes.plane_indices()))
    allowed = (np.uint8,) if axes.rgb else (np.bool_, np.uint8, np.uint16)
    if plane.dtype.type not in allowed:
        colors = "colors" if axes.rgb else "gray values"
        raise InputError(f"A PNG cannot hold {colors} of {plane.dtype}, as {target.name} would; use .tif or .ome.tif.")
    native = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def write(path: Path) -> None:
        Image.fromarray(native).save(path, format="PNG")

    return write


def _imagej_holds(data: npt.NDArray[Any], axes: Axes, pixel_size: Mapping[str, float]) -> bool:
    dtypes = (np.uint8,) if axes.rgb else _IMAGEJ_DTYPES
    # Resolution tags are fractions of two 32-bit numbers: outside this span they round a pixel size away.
    fractions = all(1e-4 <= size <= 1e4 for letter, size in pixel_size.items() if letter in "YX")
    both = ("Y" in pixel_size) == ("X" in pixel_size)
    return data.dtype.type in dtypes and not axes.rgba and data.nbytes < _IMAGEJ_BYTES and fractions and both


def _imagej_writer(data: npt.NDArray[Any], axes: Axes, pixel_size: Mapping[str, float], unit: str | None) -> Writer:
    stored, letters = _reordered(data, axes, "TZCYX")
    metadata: dict[str, Any] = {"axes": letters}
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack"}
    if pixel_size:
        # ImageJ's own word, and all ASCII as its description must be.
        metadata["unit"] = "micron" if unit == "micrometer" else (unit or "pixel")
    if "Z" in pixel_size:
        metadata["spacing"] = float(pixel_size["Z"])
    if "X" in pixel_size:
        options["resolution"] = (1 / pixel_size["X"], 1 / pixel_size["Y"])

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, imagej=True, metadata=metadata, **options)

    return write


def _ome_writer(data: npt.NDArray[Any], axes: Axes, pixel_size: Mapping[str, float], unit: str | None) -> Writer:
    planes = "".join(letter for letter in axes.letters if letter not in "YX" and not (axes.rgb and letter == "C"))
    stored, letters = _reordered(data, axes, planes + "YX")
    options: dict[str, Any] = {"photometric": "rgb" if axes.rgb else "minisblack"}
    if axes.rgba:
        options["extrasamples"] = ["unassalpha"]
    metadata = {"axes": letters, **sizes.to_ome(pixel_size, unit)}

    def write(path: Path) -> None:
        tifffile.imwrite(path, stored, ome=True, metadata=metadata, **options)

    return write


def _reordered(data: npt.NDArray[Any], axes: Axes, order: str) -> tuple[npt.NDArray[Any], str]:
    """Bring the axes into an order that TIFF stores; colors stay last, as tifffile's samples S."""
    letters = "".join(letter for letter in order if letter in axes.letters and not (axes.rgb and letter == "C"))
    positions = [axes.letters.index(letter) for letter in letters]
    if axes.rgb:
        positions.append(axes.ndim - 1)
        letters += "S"
    return np.ascontiguousarray(data.transpose(positions)), letters
