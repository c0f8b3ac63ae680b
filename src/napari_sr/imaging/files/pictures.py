"""Reading of PNG, JPEG and other pictures, and of the pages of TIFF that only Pillow decodes."""

from __future__ import annotations

import math
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging.files import conversion, icc, meaning, orientation
from napari_sr.imaging.files.image_file import ImageFile
from napari_sr.imaging.files.series import check_memory, choose_series
from napari_sr.process_settings import OfProcess, Restore

#: Formats that Pillow decodes without loss. It reduces others to 8 bits without a warning. JPEG includes MPO.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "JPEG2000", "PPM", "TGA", "AVIF")

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_BITS, _PNG_COLOR = 24, 25
_GRAY = 0
_JPEG = 7
# First markers of a JPEG 2000 codestream, and the offset of the bits of its first component.
_JPEG2000_START, _JPEG2000_BITS = b"\xff\x4f\xff\x51", 42
_AVIF_CONFIGURATION, _AVIF_DEEP = b"av1C", 0x40
_HEAD = 1 << 16
# Number of bytes of a chunk that are read at a time.
_CHECKED_BYTES = 1 << 20
_LARGEST_8_BIT, _LARGEST_16_BIT = 255, 65535

# Modes of Pillow, and the mode to which each is converted before it becomes an array.
_MODES = {
    **{mode: mode for mode in ("1", "L", "I;16", "I;16B", "I;16L", "I", "F", "RGB", "RGBA", "CMYK")},
    **dict.fromkeys(("LA", "PA", "La", "RGBa"), "RGBA"),
    **dict.fromkeys(("P", "YCbCr", "HSV", "LAB", "RGBX"), "RGB"),
}


def _no_pixel_limit(first: bool) -> Restore | None:
    """Let Pillow open pictures of any size; `check_memory` limits the size instead."""
    if not first:
        return None
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None

    def restore() -> None:
        Image.MAX_IMAGE_PIXELS = limit

    return restore


_WITHOUT_PIXEL_LIMIT = OfProcess(_no_pixel_limit)


def read_picture(source: Path, start: bytes, series: int | str | None) -> ImageFile:
    """Read a picture.

    Parameters
    ----------
    source : Path
        The file.
    start : bytes
        The first 26 bytes of the file.
    series : int, str or None
        Number or name of the picture. Only JPEG files can contain several (MPO); by default the first is read.

    Returns
    -------
    ImageFile
        Gray values, RGB or RGBA, upright, without a pixel size.

    Raises
    ------
    InputError
        If the picture has frames, has more bits than Pillow can read, or does not fit into memory.
    """
    bits = start[_PNG_BITS] if start[:8] == _PNG_START and len(start) > _PNG_COLOR else None
    # Pillow would discard the lower 8 of 16 bits of each color without a warning.
    if bits == 16 and start[_PNG_COLOR] != _GRAY:
        raise InputError(f"{source} is a PNG with 16 bits for each color, which cannot be read: save it as TIFF.")
    if start[:8] == _PNG_START:
        _check_checksums(source)
    Image.init()
    # The available formats depend on the libraries with which Pillow was built.
    formats = [name for name in FORMATS if name in Image.OPEN]
    with _WITHOUT_PIXEL_LIMIT, Image.open(source, formats=formats) as picture:
        number, others = _frame(picture, source, series)
        _check_bits(picture, source)
        _check_picture_memory(picture, source)
        picture.seek(number)
        turn = int(picture.getexif().get(orientation.TAG, 1))
        if turn not in orientation.KNOWN:
            raise InputError(f"The file {source} has the unknown orientation {turn}: save it upright.")
        profile = picture.info.get("icc_profile")
        data, profile = _array(picture, bits, profile if isinstance(profile, bytes) else None, source)
    letters = "YX" if data.ndim == 2 else "YXC"
    data = orientation.upright(data, letters, turn)
    return ImageFile(data, letters, source, number, others, icc_profile=profile)


def can_decode_page(page: Any) -> bool:
    """Whether a page of a TIFF is decoded by Pillow, because tifffile cannot, or needs imagecodecs.

    Returns
    -------
    bool
        True for gray values and color maps of 1, 2 or 4 bits, and for JPEG where imagecodecs is not installed.
    """
    if page.planarconfig != 1 or page.extrasamples or page.is_subifd:
        return False
    photometric, bits = int(page.photometric), page.bitspersample
    if page.samplesperpixel == 1 and bits in (2, 4):
        return photometric in (meaning.WHITE_IS_ZERO, meaning.BLACK_IS_ZERO, meaning.PALETTE)
    if page.samplesperpixel == 1 and bits == 1:
        return photometric == meaning.PALETTE
    jpeg = page.compression == _JPEG and photometric in (meaning.BLACK_IS_ZERO, meaning.RGB, meaning.YCBCR)
    return jpeg and bits == 8 and find_spec("imagecodecs") is None


def decode_pages(source: Path, tiff: tifffile.TiffFile, series: Any) -> npt.NDArray[np.uint8]:
    """Decode the pages of a series with Pillow.

    Parameters
    ----------
    source : Path
        The file.
    tiff : tifffile.TiffFile
        The open file.
    series : tifffile.TiffPageSeries
        A series of pages for which `can_decode_page` is True.

    Returns
    -------
    array of uint8, shape (..., Y, X) or (..., Y, X, 3)
        Gray values with black as 0 and white as 255, or RGB, upright. The leading axes are those of the series.

    Raises
    ------
    InputError
        If the planes are in several files, or not one for each page.
    """
    color = int(series.keyframe.photometric) in (meaning.PALETTE, meaning.RGB, meaning.YCBCR)
    planes = []
    with _WITHOUT_PIXEL_LIMIT, Image.open(source, formats=("TIFF",)) as picture:
        for page in series.pages:
            picture.seek(page.index)
            # Pillow itself rotates the pages of a TIFF upright.
            planes.append(np.array(picture.convert("RGB" if color else "L")))
    lead = [length for letter, length in zip(series.axes, series.shape, strict=True) if letter not in "YXS"]
    if math.prod(lead) != len(planes) or tiff.filename != source.name:
        raise InputError(
            f"The file {source} stores its planes in an order that cannot be read: save it as a plain TIFF."
        )
    return np.stack(planes).reshape(*lead, *planes[0].shape)


def _frame(picture: Image.Image, source: Path, series: int | str | None) -> tuple[int, tuple[str, ...]]:
    """Number of the picture that is read, and descriptions of the others."""
    frames = int(getattr(picture, "n_frames", 1))
    if frames > 1 and picture.format != "MPO":
        raise InputError(f"The file {source} has {frames} frames: save them as a TIFF stack.")
    shapes = [("", (picture.height, picture.width))]
    if frames > 1:
        for number in range(1, frames):
            picture.seek(number)
            shapes.append(("", (picture.height, picture.width)))
        picture.seek(0)
    # The first picture of an MPO is the photograph; the others are a second view or a preview of it.
    return choose_series(shapes, 0 if series is None else series, str(source))


def _check_checksums(source: Path) -> None:
    """Check the checksums of a PNG. Pillow does not check those of the pixels and of some metadata."""
    with source.open("rb") as stream:
        stream.seek(len(_PNG_START))
        kind = b""
        while kind != b"IEND" and len(start := stream.read(8)) == 8:
            length, kind = int.from_bytes(start[:4], "big"), start[4:]
            checksum = zlib.crc32(kind)
            while length > 0 and (block := stream.read(min(length, _CHECKED_BYTES))):
                checksum, length = zlib.crc32(block, checksum), length - len(block)
            if int.from_bytes(stream.read(4), "big") != checksum:
                kind = b""
                break
    if kind != b"IEND":
        raise InputError(
            f"The file {source} cannot be read as an image (a checksum of the PNG is wrong, or its end is missing): "
            "copy it again."
        )


def _check_bits(picture: Image.Image, source: Path) -> None:
    """Refuse pictures of more than 8 bits whose values Pillow would reduce or rescale."""
    deep = False
    with source.open("rb") as stream:
        head = stream.read(_HEAD)
    if picture.format == "JPEG2000" and picture.mode not in ("I;16",):
        first = head.find(_JPEG2000_START)
        deep = first >= 0 and (head[first + _JPEG2000_BITS] & 0x7F) + 1 > 8
    elif picture.format == "AVIF":
        first = head.find(_AVIF_CONFIGURATION)
        deep = first >= 0 and bool(head[first + len(_AVIF_CONFIGURATION) + 2] & _AVIF_DEEP)
    elif picture.format == "PPM":
        # Gray values are rescaled to 16 bits, which changes nothing if their range is the whole one.
        whole = _LARGEST_16_BIT if picture.mode == "I" else _LARGEST_8_BIT
        deep = picture.mode != "F" and _largest_value(head) not in (None, whole)
    if deep:
        raise InputError(
            f"The file {source} has values of a {picture.format} that cannot be read without loss: save it as TIFF."
        )


def _largest_value(head: bytes) -> int | None:
    """Largest value in the header of a PGM or PPM; None for a bitmap, which has none."""
    if head[:2] in (b"P1", b"P4"):
        return None
    numbers = [word for line in head[2:].split(b"\n")[:16] for word in line.split(b"#", 1)[0].split()]
    return int(numbers[2]) if len(numbers) > 2 and numbers[2].isdigit() else None


def _check_picture_memory(picture: Image.Image, source: Path) -> None:
    bands = len(picture.getbands())
    # Pillow stores colors in 4 bytes. In addition there are the array, its converted copy, and the upright copy.
    each = (4 if bands > 1 or picture.mode == "P" else 2) + 3 * max(2, 4 if bands > 1 or picture.mode == "P" else 2)
    check_memory(str(source), (picture.height, picture.width, bands), picture.width * picture.height * each)


def _array(
    picture: Image.Image, bits: int | None, profile: bytes | None, source: Path
) -> tuple[npt.NDArray[Any], bytes | None]:
    """Pixels of a picture, and the profile that applies to them."""
    mode = picture.mode
    if mode not in _MODES:
        raise InputError(f"The file {source} has pixels of the unknown kind {mode}: save it as RGB.")
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int) and mode in ("1", "L", "I;16"):
        gray = np.array(picture)
        return _with_transparent(gray, transparent, bits), icc.fitting_profile(profile, color=True)
    if transparent is not None:
        return np.array(picture.convert("RGBA")), icc.fitting_profile(profile, color=True)
    if mode == "CMYK":
        inks = np.array(picture)
        if profile is not None and icc.is_cmyk_profile(profile):
            return icc.cmyk_by_profile(inks, profile), icc.srgb_profile()
        return conversion.by_blocks(conversion.cmyk_to_rgb, inks), icc.srgb_profile()
    data = np.array(picture if _MODES[mode] == mode else picture.convert(_MODES[mode]))
    if mode.startswith("I;16") or bits == 16 or (mode == "I" and picture.format == "PPM"):
        data = data.astype(np.uint16)
    # The profile of a picture with a color map is that of the colors.
    return data, icc.fitting_profile(profile, color=data.ndim == 3)


def _with_transparent(gray: npt.NDArray[Any], transparent: int, bits: int | None) -> npt.NDArray[Any]:
    """RGBA of gray values, one of which is transparent."""
    if gray.dtype == np.bool_:
        gray, transparent = gray.astype(np.uint8) * np.uint8(_LARGEST_8_BIT), _LARGEST_8_BIT if transparent else 0
    elif gray.dtype != np.uint8:
        gray = gray.astype(np.uint16)
    elif bits in (2, 4):
        # Pillow rescales values of a few bits to 8 bits, but not the transparent value.
        transparent *= _LARGEST_8_BIT // (2**bits - 1)
    opaque = np.iinfo(gray.dtype).max
    alpha = np.where(gray == transparent, 0, opaque).astype(gray.dtype)
    return np.stack([gray, gray, gray, alpha], axis=-1)
