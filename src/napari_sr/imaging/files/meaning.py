"""Interpretation of the samples of a TIFF as gray values, RGB(A) or separate channels.

`KINDS` is a table of the kinds of samples, by the tag PhotometricInterpretation. Kinds that are not in the table are
refused by their names.
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
    """The storage of the samples in a TIFF page.

    Parameters
    ----------
    photometric : int or None
        The tag PhotometricInterpretation; None if the page does not have it.
    dtype : dtype
        Type of the decoded samples.
    bits : int
        Bits of a sample in the file.
    samples : int, default 1
        Number of samples of a pixel; 1 for a page without an axis of samples.
    extra : tuple of int, optional
        The tag ExtraSamples.
    table : array of uint16, shape (n, 3), optional
        The tag ColorMap.
    profile : bytes, optional
        The ICC profile.
    measured : bool, default False
        Whether the format (OME-TIFF, ImageJ and other microscopy formats) contains measured values, so that a color map
        is for display only.
    inks : int, default 1
        The tag InkSet; 1 is CMYK.
    white : (float, float), optional
        Chromaticity of the white point of L*a*b*; by default D50.
    weights : (float, float, float), optional
        Luminance weights of YCbCr; by default those of ITU-R BT.601.
    reference : tuple of float, length 6, optional
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
    """One kind of samples, a row of the table.

    Parameters
    ----------
    name : str
        Name of the kind in messages.
    samples : int
        Number of samples that are the color of a pixel.
    color : bool
        Whether the pixels become RGB; gray values otherwise.
    dtypes : tuple of str or None
        Names of the data types for which the kind is defined; None for all real numbers.
    convert : callable
        Function of samples of shape (..., samples) and a `Stored`, which returns colors of shape (..., 3) or gray
        values of shape (..., 1).
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


def _from_palette(values: Array, stored: Stored) -> Array:
    assert stored.table is not None
    return conversion.palette_to_rgb(values[..., 0], stored.table)


def _from_cmyk(values: Array, stored: Stored) -> Array:
    if stored.profile is not None and icc.is_cmyk_profile(stored.profile):
        return icc.cmyk_by_profile(values, stored.profile)
    return conversion.by_blocks(conversion.cmyk_to_rgb, values)


def _from_lab(values: Array, stored: Stored, *, icc: bool) -> Array:
    return conversion.by_blocks(partial(conversion.lab_to_rgb, white=stored.white, icc=icc), values)


def _from_ycbcr(values: Array, stored: Stored) -> Array:
    convert = partial(conversion.ycbcr_to_rgb, weights=stored.weights, reference=stored.reference)
    return conversion.by_blocks(convert, values)


#: The kinds of samples by the tag PhotometricInterpretation.
KINDS: dict[int, Kind] = {
    WHITE_IS_ZERO: Kind("gray values with white as 0", 1, False, ("bool", *_INTEGERS, "uint32"), _inverted),
    BLACK_IS_ZERO: Kind("gray values", 1, False, None, _unchanged),
    RGB: Kind("RGB", 3, True, None, _unchanged),
    PALETTE: Kind("a color palette", 1, True, _INTEGERS, _from_palette),
    CMYK: Kind("CMYK", 4, True, _INTEGERS, _from_cmyk),
    YCBCR: Kind("YCbCr", 3, True, _INTEGERS, _from_ycbcr),
    LAB: Kind("CIE L*a*b*", 3, True, _INTEGERS, partial(_from_lab, icc=False)),
    ICC_LAB: Kind("ICC L*a*b*", 3, True, _INTEGERS, partial(_from_lab, icc=True)),
}


@dataclass(frozen=True)
class Meaning:
    """The interpretation of the samples of a page.

    Parameters
    ----------
    kind : Kind
        Row of the table.
    alpha : {"straight", "premultiplied"} or None
        Kind of the alpha channel, which follows the color; None without one.
    channels : bool
        Whether the samples are separate channels, because the kind of one of them is not specified.
    """

    kind: Kind
    alpha: Alpha | None
    channels: bool

    @property
    def color(self) -> bool:
        """Whether the pixels become RGB or RGBA on a last axis."""
        return not self.channels and (self.kind.color or self.alpha is not None)


def meaning_of(stored: Stored, name: str) -> Meaning:
    """Determine the interpretation of the samples of a page, before they are read.

    Returns
    -------
    Meaning
        The interpretation, for `interpreted`.

    Raises
    ------
    InputError
        If the kind is not in the table or not defined for the data type, or there are samples of an unknown kind.
    """
    kind = _kind(stored, name)
    if stored.dtype.kind not in "buif":
        raise InputError(f"The file {name} has values of {stored.dtype}: save their real part or magnitude.")
    if kind.dtypes is not None and stored.dtype.name not in kind.dtypes:
        raise InputError(
            f"The file {name} has {kind.name} in {stored.dtype}, which is not defined: save it as gray or RGB."
        )
    if kind is KINDS[PALETTE] and (stored.table is None or len(stored.table) < 2**stored.bits):
        raise InputError(f"The file {name} has a color palette without its colors: save it as RGB.")
    if kind is KINDS[CMYK] and stored.inks != 1:
        raise InputError(f"The file {name} has inks other than CMYK: save it as RGB.")
    if stored.samples < kind.samples:
        raise InputError(
            f"The file {name} has {kind.name} with {stored.samples} of {kind.samples} samples: save it as gray or RGB."
        )
    return _with_extra(kind, stored, name)


def _kind(stored: Stored, name: str) -> Kind:
    photometric = stored.photometric
    if photometric is None:
        # The same defaults as in libtiff.
        photometric = {1: BLACK_IS_ZERO, 3: RGB}.get(stored.samples)
        if photometric is None:
            raise InputError(
                f"The file {name} has {stored.samples} samples for each pixel, of a kind that it does not name: "
                "save it as RGB."
            )
    if photometric == PALETTE and stored.measured and stored.samples == 1:
        photometric = BLACK_IS_ZERO
    if photometric not in KINDS:
        try:
            kind = tifffile.PHOTOMETRIC(photometric).name
        except ValueError:
            kind = str(photometric)
        raise InputError(f"The file {name} has pixels of the unknown kind {kind}: save it as gray or RGB.")
    if photometric == RGB and stored.samples == 1:
        # Formats with their own description of the channels (LSM) have this tag as well.
        photometric = BLACK_IS_ZERO
    return KINDS[photometric]


def _with_extra(kind: Kind, stored: Stored, name: str) -> Meaning:
    """Determine the interpretation of the samples beyond the color."""
    count = stored.samples - kind.samples
    if count == 0:
        return Meaning(kind, None, False)
    if count == 1 and stored.extra in ((_STRAIGHT,), (_PREMULTIPLIED,)):
        premultiplied = stored.extra == (_PREMULTIPLIED,)
        plain = kind in (KINDS[BLACK_IS_ZERO], KINDS[RGB]) and stored.dtype.kind in "uf"
        if premultiplied and not plain:
            raise InputError(
                f"The file {name} has {kind.name} in {stored.dtype} with premultiplied alpha, which cannot be read: "
                "save it as RGBA with straight alpha."
            )
        return Meaning(kind, "premultiplied" if premultiplied else "straight", False)
    if kind in (KINDS[BLACK_IS_ZERO], KINDS[RGB]) and all(code == _UNSPECIFIED for code in stored.extra):
        return Meaning(kind, None, True)
    raise InputError(f"The file {name} has {kind.name} and {count} samples of an unknown kind: save it without them.")


def interpreted(values: Array, stored: Stored, meaning: Meaning) -> Array:
    """Convert stored samples to gray values, RGB(A) or separate channels.

    Parameters
    ----------
    values : array, shape (..., S)
        The samples; S is 1 for a page without an axis of samples.
    stored : Stored
        Storage of the samples.
    meaning : Meaning
        Interpretation of the samples, from `meaning_of`.

    Returns
    -------
    array
        RGB of shape (..., 3), RGBA with straight alpha of shape (..., 4), separate channels of shape (..., S), or gray
        values of shape (..., 1).
    """
    if meaning.channels:
        return values
    count = meaning.kind.samples
    if meaning.alpha == "premultiplied":
        values = conversion.by_blocks(conversion.to_straight_alpha, values)
    colors = meaning.kind.convert(values[..., :count], stored)
    if meaning.alpha is None:
        return colors
    alpha = values[..., count : count + 1]
    if alpha.dtype != colors.dtype:
        alpha = ((alpha.astype(np.uint32) + 128) // 257).astype(colors.dtype)
    if not meaning.kind.color:
        colors = np.repeat(colors, 3, axis=-1)
    return np.concatenate([colors, alpha], axis=-1)


def profile_of(stored: Stored, meaning: Meaning) -> bytes | None:
    """Return the ICC profile of interpreted samples.

    Parameters
    ----------
    stored : Stored
        Storage of the samples.
    meaning : Meaning
        Interpretation of the samples, from `meaning_of`.

    Returns
    -------
    bytes or None
        The profile of the file if it applies to the pixels, or that of sRGB if they were converted to it.
    """
    if meaning.channels:
        return None
    if meaning.kind in (KINDS[CMYK], KINDS[LAB], KINDS[ICC_LAB]):
        return icc.srgb_profile()
    profile = icc.fitting_profile(stored.profile, color=meaning.color)
    return profile or (icc.srgb_profile() if meaning.kind is KINDS[YCBCR] else None)


def decoded_photometric(photometric: int, compression: int, planar: int, extra: tuple[int, ...]) -> int:
    """Return the kind of the samples after decompression.

    Parameters
    ----------
    photometric, compression, planar : int
        The tags PhotometricInterpretation, Compression and PlanarConfiguration.
    extra : tuple of int
        The tag ExtraSamples.

    Returns
    -------
    int
        RGB for YCbCr with JPEG compression, because the decoder converts it; `photometric` otherwise.
    """
    converted = photometric == YCBCR and compression in _JPEG and planar == 1 and not extra
    return RGB if converted else photometric
