"""The table of what a TIFF can store in its samples, and what each becomes: gray values, RGB(A) or separate channels.

A kind that is not in the table is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging.files import conversion, icc

Array = npt.NDArray[Any]
Alpha = Literal["straight", "premultiplied"]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_JPEG = (6, 7, 33007, 34892)
_UNSPECIFIED, _PREMULTIPLIED, _STRAIGHT = 0, 1, 2
_INTEGERS = ("uint8", "uint16")


@dataclass(frozen=True, eq=False)
class Stored:
    """How a TIFF page stores its samples.

    Parameters
    ----------
    photometric : int or None
        The tag PhotometricInterpretation; None if the page has none.
    dtype : dtype
        Type of the decoded samples.
    bits : int
        Bits of a sample in the file.
    samples : int
        Samples of a pixel, on an axis of their own; 1 without such an axis.
    extra : tuple of int
        The tag ExtraSamples.
    table : array of uint16, shape (n, 3), or None
        The tag ColorMap.
    profile : bytes or None
        The ICC profile.
    measured : bool
        Whether the format (OME-TIFF, ImageJ and other microscopy formats) holds measured values, so that a color map
        is for display.
    inks : int
        The tag InkSet; 1 is CMYK.
    white : (float, float)
        Chromaticity of the white of L*a*b*.
    weights : (float, float, float)
        Luminance weights of YCbCr.
    reference : tuple of float or None
        The tag ReferenceBlackWhite.
    """

    photometric: int | None
    dtype: np.dtype[Any]
    bits: int
    samples: int = 1
    extra: tuple[int, ...] = ()
    table: npt.NDArray[np.uint16] | None = None
    profile: bytes | None = None
    measured: bool = False
    inks: int = 1
    white: tuple[float, float] = conversion.D50
    weights: tuple[float, float, float] = conversion.BT601
    reference: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    Parameters
    ----------
    name : str
        Name of the kind for a message.
    samples : int
        Samples that hold the color of a pixel.
    color : bool
        Whether pixels become RGB; gray otherwise.
    dtypes : tuple of str or None
        Names of the types that the kind is defined for; None for all real numbers.
    convert : callable
        Maps samples of shape (..., samples) to the color, shape (..., 3) or (..., 1).
    """

    name: str
    samples: int
    color: bool
    dtypes: tuple[str, ...] | None
    convert: Callable[[Array, Stored], Array]


def _unchanged(values: Array, stored: Stored) -> Array:
    return values


def _inverted(values: Array, stored: Stored) -> Array:
    if values.dtype.kind == "b":
        return ~values
    inverted: Array = values.dtype.type(2**stored.bits - 1) - values
    return inverted


def _colored(values: Array, stored: Stored) -> Array:
    assert stored.table is not None
    return conversion.palette_to_rgb(values[..., 0], stored.table)


def _printed(values: Array, stored: Stored) -> Array:
    if stored.profile is not None and icc.describes_cmyk(stored.profile):
        return icc.cmyk_by_profile(values, stored.profile)
    return conversion.by_blocks(conversion.cmyk_to_rgb, values)


def _from_lab(values: Array, stored: Stored, *, icc: bool) -> Array:
    return conversion.by_blocks(partial(conversion.lab_to_rgb, white=stored.white, icc=icc), values)


def _from_ycbcr(values: Array, stored: Stored) -> Array:
    convert = partial(conversion.ycbcr_to_rgb, weights=stored.weights, reference=stored.reference)
    return conversion.by_blocks(convert, values)


#: By the tag PhotometricInterpretation.
KINDS: dict[int, Kind] = {
    WHITE_IS_ZERO: Kind("gray values with white as 0", 1, False, ("bool", *_INTEGERS, "uint32"), _inverted),
    BLACK_IS_ZERO: Kind("gray values", 1, False, None, _unchanged),
    RGB: Kind("RGB", 3, True, None, _unchanged),
    PALETTE: Kind("a color palette", 1, True, _INTEGERS, _colored),
    CMYK: Kind("CMYK", 4, True, _INTEGERS, _printed),
    YCBCR: Kind("YCbCr", 3, True, _INTEGERS, _from_ycbcr),
    LAB: Kind("CIE L*a*b*", 3, True, _INTEGERS, partial(_from_lab, icc=False)),
    ICC_LAB: Kind("ICC L*a*b*", 3, True, _INTEGERS, partial(_from_lab, icc=True)),
}


@dataclass(frozen=True)
class Meaning:
    """What the samples of a page become.

    Parameters
    ----------
    kind : Kind
        Row of the table.
    alpha : "straight", "premultiplied" or None
        What the sample after the color is, if it is opacity.
    channels : bool
        Whether the samples are separate channels, since one of them is of no known kind.
    """

    kind: Kind
    alpha: Alpha | None
    channels: bool

    @property
    def color(self) -> bool:
        """Whether pixels become RGB or RGBA on a last axis."""
        return not self.channels and (self.kind.color or self.alpha is not None)


def meaning_of(stored: Stored, name: str) -> Meaning:
    """Find what the samples of a page mean, before any is read.

    Parameters
    ----------
    stored : Stored
        How the page stores them.
    name : str
        Path of the file, for messages.

    Returns
    -------
    Meaning
        For `interpreted`.

    Raises
    ------
    InputError
        The kind is not in the table, is not defined for this type of values, or has samples of no known meaning.
    """
    kind = _kind(stored, name)
    if stored.dtype.kind not in "buif":
        raise InputError(f"The file {name} holds values of {stored.dtype}; save their real part or magnitude.")
    if kind.dtypes is not None and stored.dtype.name not in kind.dtypes:
        raise InputError(
            f"The file {name} holds {kind.name} in {stored.dtype}, for which no meaning is defined; "
            "save it as gray or RGB."
        )
    if kind is KINDS[PALETTE] and (stored.table is None or len(stored.table) < 2**stored.bits):
        raise InputError(f"The file {name} holds a color palette without its colors; save it as RGB.")
    if kind is KINDS[CMYK] and stored.inks != 1:
        raise InputError(f"The file {name} holds inks that are not CMYK; save it as RGB.")
    if stored.samples < kind.samples:
        raise InputError(
            f"The file {name} holds {kind.name} with {stored.samples} of {kind.samples} samples; "
            "save it as gray or RGB."
        )
    return _with_extra(kind, stored, name)


def _kind(stored: Stored, name: str) -> Kind:
    photometric = stored.photometric
    if photometric is None:
        # What libtiff takes where the tag is missing.
        photometric = {1: BLACK_IS_ZERO, 3: RGB}.get(stored.samples)
        if photometric is None:
            raise InputError(f"The file {name} does not tell what its {stored.samples} samples are; save it as RGB.")
    if photometric == PALETTE and stored.measured and stored.samples == 1:
        photometric = BLACK_IS_ZERO
    if photometric not in KINDS:
        try:
            known = tifffile.PHOTOMETRIC(photometric).name
        except ValueError:
            known = str(photometric)
        raise InputError(
            f"The file {name} holds pixels of the kind {known}, which is not read; save it as gray or RGB."
        )
    if photometric == RGB and stored.samples == 1:
        # Formats that name their channels themselves (LSM) write RGB all the same.
        photometric = BLACK_IS_ZERO
    return KINDS[photometric]


def _with_extra(kind: Kind, stored: Stored, name: str) -> Meaning:
    """Find what the samples beyond the color are."""
    count = stored.samples - kind.samples
    if count == 0:
        return Meaning(kind, None, False)
    if count == 1 and stored.extra in ((_STRAIGHT,), (_PREMULTIPLIED,)):
        premultiplied = stored.extra == (_PREMULTIPLIED,)
        plain = kind in (KINDS[BLACK_IS_ZERO], KINDS[RGB]) and stored.dtype.kind in "uf"
        if premultiplied and not plain:
            raise InputError(
                f"The file {name} holds {kind.name} in {stored.dtype} that is multiplied by its opacity, "
                "which is not read; save it as RGBA with straight opacity."
            )
        return Meaning(kind, "premultiplied" if premultiplied else "straight", False)
    if kind in (KINDS[BLACK_IS_ZERO], KINDS[RGB]) and all(one == _UNSPECIFIED for one in stored.extra):
        return Meaning(kind, None, True)
    raise InputError(
        f"The file {name} holds {kind.name} with {count} more samples of no known meaning; save it without them."
    )


def interpreted(values: Array, stored: Stored, meaning: Meaning) -> Array:
    """Turn stored samples into what they mean.

    Parameters
    ----------
    values : array, shape (..., S)
        The samples; S is 1 for a page without an axis of samples.
    stored : Stored
        How the page stores them.
    meaning : Meaning
        From `meaning_of`.

    Returns
    -------
    array
        Shape (..., 3) for RGB and (..., 4) for RGBA with straight opacity; (..., S) for separate channels and (..., 1)
        for gray values.
    """
    if meaning.channels:
        return values
    count = meaning.kind.samples
    if meaning.alpha == "premultiplied":
        values = conversion.by_blocks(conversion.straight, values)
    colors = meaning.kind.convert(values[..., :count], stored)
    if meaning.alpha is None:
        return colors
    opacity = values[..., count : count + 1]
    if opacity.dtype != colors.dtype:
        opacity = ((opacity.astype(np.uint32) + 128) // 257).astype(colors.dtype)
    if not meaning.kind.color:
        colors = np.repeat(colors, 3, axis=-1)
    return np.concatenate([colors, opacity], axis=-1)


def profile_of(stored: Stored, meaning: Meaning) -> bytes | None:
    """ICC profile of interpreted samples.

    Parameters
    ----------
    stored : Stored
        How the page stores them.
    meaning : Meaning
        From `meaning_of`.

    Returns
    -------
    bytes or None
        The file's where it still describes the pixels; sRGB's for what was converted to it.
    """
    if meaning.channels:
        return None
    if meaning.kind in (KINDS[CMYK], KINDS[LAB], KINDS[ICC_LAB]):
        return icc.srgb_profile()
    kept = icc.held(stored.profile, color=meaning.color)
    return kept or (icc.srgb_profile() if meaning.kind is KINDS[YCBCR] else None)


def decoded_photometric(photometric: int, compression: int, planar: int, extra: tuple[int, ...]) -> int:
    """Kind of the samples after decompression.

    Parameters
    ----------
    photometric, compression, planar : int
        Tags of the page.
    extra : tuple of int
        The tag ExtraSamples.

    Returns
    -------
    int
        RGB for YCbCr that is compressed as JPEG, whose decoder converts it; the same otherwise.
    """
    converted = photometric == YCBCR and compression in _JPEG and planar == 1 and not extra
    return RGB if converted else photometric
