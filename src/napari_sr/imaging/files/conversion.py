"""Conversion of stored colors to RGB with straight alpha.

Each function takes an array of any shape whose last axis is the samples of a pixel, and returns one whose last axis is
red, green and blue. Values are scaled to the whole range of the integer type, and computed in float64.

References
----------
TIFF Revision 6.0, Adobe, 1992, sections 16 (CMYK), 18 (associated alpha), 21 (YCbCr) and 23 (CIE L*a*b*).
Specification ICC.1:2010, appendix A (PCS encodings).
IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Chromaticity of the white point of L*a*b* in a TIFF without the tag WhitePoint: D50.
D50: tuple[float, float] = (0.34567, 0.35850)
_D65 = (0.31270, 0.32900)

#: Luminance weights of R, G and B in a TIFF without the tag YCbCrCoefficients: ITU-R BT.601.
BT601: tuple[float, float, float] = (0.299, 0.587, 0.114)

_SRGB_OF_XYZ = np.linalg.inv(
    np.array([[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]])
)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# Number of pixels that are converted at a time, so that the float64 copies of a block need less than 100 MB.
_BLOCK = 1 << 20


def by_blocks(convert: Callable[[Array], Array], stored: Array) -> Array:
    """Apply a function to an image block by block, so that its intermediate arrays are small.

    Parameters
    ----------
    convert : callable
        Function of an array of shape (n, S) that returns an array of shape (n, C).
    stored : array, shape (..., S)
        The image.

    Returns
    -------
    array, shape (..., C)
        The converted image.
    """
    flat = stored.reshape(-1, stored.shape[-1])
    first = convert(flat[:1])
    out = np.empty((len(flat), first.shape[-1]), first.dtype)
    for start in range(0, len(flat), _BLOCK):
        out[start : start + _BLOCK] = convert(flat[start : start + _BLOCK])
    return out.reshape(*stored.shape[:-1], first.shape[-1])


def cmyk_to_rgb(stored: Array) -> Array:
    """Convert CMYK to RGB by the simple formula R = (1 - C)(1 - K).

    Parameters
    ----------
    stored : array of uint8 or uint16, shape (..., 4)
        Amounts of cyan, magenta, yellow and black ink; 0 is no ink.

    Returns
    -------
    array of the same dtype, shape (..., 3)
        Red, green and blue.
    """
    most = np.iinfo(stored.dtype).max
    paper = most - stored.astype(np.float64)
    return _rounded(paper[..., :3] * paper[..., 3:] / most, stored.dtype)


def palette_to_rgb(indices: Array, table: npt.NDArray[np.uint16]) -> Array:
    """Convert indices into a color map to RGB.

    Parameters
    ----------
    indices : array of uint8 or uint16, any shape
        Rows of the table.
    table : array of uint16, shape (n, 3)
        Color map of the TIFF.

    Returns
    -------
    array, shape (..., 3)
        Red, green and blue: uint8 for a table of up to 256 colors, as in PNG; uint16 for a larger one.

    Notes
    -----
    A table without an entry above 255 is taken as one of 8 bits, which some programs write by mistake. libtiff does the
    same.
    """
    if len(table) > 256:
        colors: Array = table
    else:
        colors = (table >> 8 if table.max(initial=0) > 255 else table).astype(np.uint8)
    return colors[indices]


def lab_to_rgb(stored: Array, white: tuple[float, float] = D50, *, icc: bool = False) -> Array:
    """Convert CIE L*a*b* to sRGB.

    Parameters
    ----------
    stored : array of uint8 or uint16, shape (..., 3)
        L* from 0 to 100 over the whole range; a* and b* as signed integers, with 8 fractional bits in 16 bits.
    white : (float, float), optional
        Chromaticity (x, y) of the white point, which is adapted to that of sRGB with Bradford's matrix; by default D50.
    icc : bool, default False
        Whether a* and b* are unsigned with zero in the middle of the range, as in ICC profiles.

    Returns
    -------
    array of the same dtype, shape (..., 3)
        Red, green and blue; colors outside sRGB are clipped.
    """
    bits = 8 * stored.dtype.itemsize
    unit = 2.0 ** (bits - 8)
    # ICC's 16-bit L* reaches 100 at 0xFF00.
    lightness = stored[..., 0] * (100 / (255 * unit if icc else 2.0**bits - 1))
    raw = stored[..., 1:3].astype(np.float64)
    chroma = (raw - 2.0 ** (bits - 1) if icc else np.where(raw >= 2.0 ** (bits - 1), raw - 2.0**bits, raw)) / unit
    middle = (lightness + 16) / 116
    reached = np.stack([middle + chroma[..., 0] / 500, middle, middle - chroma[..., 1] / 200], axis=-1)
    relative = np.where(reached > 6 / 29, reached**3, (reached - 4 / 29) * (3 * (6 / 29) ** 2))
    linear = (relative * _xyz(white)) @ (_SRGB_OF_XYZ @ _adaptation(white, _D65)).T
    linear = np.clip(linear, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return _rounded(encoded * np.iinfo(stored.dtype).max, stored.dtype)


def ycbcr_to_rgb(
    stored: Array,
    weights: tuple[float, float, float] = BT601,
    reference: tuple[float, ...] | None = None,
) -> Array:
    """Convert YCbCr without chroma subsampling to RGB.

    Parameters
    ----------
    stored : array of uint8 or uint16, shape (..., 3)
        Y, Cb and Cr.
    weights : (float, float, float), optional
        Luminance weights of red, green and blue; by default those of ITU-R BT.601.
    reference : tuple of float, length 6, optional
        Codes of black and white for Y, and of zero and the largest value for Cb and for Cr. By default the whole range
        of the integer type.

    Returns
    -------
    array of the same dtype, shape (..., 3)
        Red, green and blue, clipped to the range.
    """
    most = float(np.iinfo(stored.dtype).max)
    half = (most + 1) / 2
    black, white, cb_zero, cb_most, cr_zero, cr_most = reference or (0.0, most, half, most, half, most)
    values = stored.astype(np.float64)
    luma = (values[..., 0] - black) * (most / (white - black))
    blue = (values[..., 1] - cb_zero) * ((most - half) / (cb_most - cb_zero))
    red = (values[..., 2] - cr_zero) * ((most - half) / (cr_most - cr_zero))
    r = luma + red * (2 - 2 * weights[0])
    b = luma + blue * (2 - 2 * weights[2])
    g = (luma - weights[2] * b - weights[0] * r) / weights[1]
    return _rounded(np.clip(np.stack([r, g, b], axis=-1), 0.0, most), stored.dtype)


def to_straight_alpha(stored: Array) -> Array:
    """Convert colors with premultiplied alpha to colors with straight alpha.

    Parameters
    ----------
    stored : array of unsigned integers or floats, shape (..., n + 1)
        Colors or gray values that were multiplied by alpha, and alpha; the largest integer, or 1, is opaque.

    Returns
    -------
    array of the same dtype and shape
        Colors divided by alpha, and alpha. The colors are 0 where alpha is 0.
    """
    opaque = 1.0 if stored.dtype.kind == "f" else float(np.iinfo(stored.dtype).max)
    alpha = stored[..., -1:].astype(np.float64)
    visible = alpha > 0
    colors = np.where(visible, stored[..., :-1] * (opaque / np.where(visible, alpha, 1.0)), 0.0)
    if stored.dtype.kind != "f":
        colors = np.minimum(colors, opaque)
    return np.concatenate([_rounded(colors, stored.dtype), stored[..., -1:]], axis=-1)


def _rounded(values: npt.NDArray[np.float64], dtype: Any) -> Array:
    return (values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype)


def _xyz(chromaticity: tuple[float, float]) -> npt.NDArray[np.float64]:
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(source: tuple[float, float], target: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Bradford's matrix from XYZ with one white point to XYZ with another."""
    gains = (_BRADFORD @ _xyz(target)) / (_BRADFORD @ _xyz(source))
    matrix: npt.NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return matrix
