"""Color spaces: YCbCr in studio swing, and the weights of gray in full swing.

The two differ on purpose. `luma` is the Y of ITU-R BT.601 in studio swing, as in MATLAB's ``rgb2ycbcr``, on which
super-resolution papers train and measure. Gray is the luminance in full swing, whose weights sum to 1, so that a gray
image that is replicated to three channels keeps its values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError

FloatArray = npt.NDArray[np.floating[Any]]

GRAY_WEIGHTS: tuple[float, float, float] = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the full-swing luminance (ITU-R BT.601); they sum to 1."""

# ITU-R BT.601 in 8-bit studio swing, with the constants of MATLAB's rgb2ycbcr; rows are Y, Cb, Cr.
_TO_YCBCR = (
    np.array(
        [
            [65.481, 128.553, 24.966],
            [-37.797, -74.203, 112.0],
            [112.0, -93.786, -18.214],
        ]
    )
    / 255.0
)
STUDIO_SWING: tuple[float, float] = (16 / 255, 235 / 255)
"""Luma of black and of white (ITU-R BT.601): the range of gray values for a network that was trained on luma."""
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255.0
_TO_RGB = np.linalg.inv(_TO_YCBCR)


def luma(rgb: npt.ArrayLike) -> FloatArray:
    """Return the luma of an RGB image in studio swing.

    Parameters
    ----------
    rgb : array of float, shape (..., 3)
        Colors in [0, 1], channels last.

    Returns
    -------
    array of float, shape (...)
        Y in [16/255, 235/255]; float64 for float64 input, or else float32.

    Raises
    ------
    InputError
        If the array is not of floats, or its last axis does not have length 3.

    Notes
    -----
    ITU-R BT.601, as MATLAB's ``rgb2ycbcr``.
    """
    colors = _three_floats(rgb, "RGB")
    return _weighted(colors, _TO_YCBCR[0], _OFFSET[0])


def rgb_to_ycbcr(rgb: npt.ArrayLike) -> FloatArray:
    """Convert an RGB image to Y, Cb and Cr in studio swing.

    Parameters
    ----------
    rgb : array of float, shape (..., 3)
        Colors in [0, 1], channels last.

    Returns
    -------
    array of float, shape (..., 3)
        Y in [16/255, 235/255], Cb and Cr in [16/255, 240/255]; float64 for float64 input, or else float32.

    Raises
    ------
    InputError
        If the array is not of floats, or its last axis does not have length 3.

    Notes
    -----
    ITU-R BT.601, as MATLAB's ``rgb2ycbcr``.
    """
    colors = _three_floats(rgb, "RGB")
    return np.stack([_weighted(colors, _TO_YCBCR[row], _OFFSET[row]) for row in range(3)], axis=-1)


def ycbcr_to_rgb(ycbcr: npt.ArrayLike) -> FloatArray:
    """Convert Y, Cb and Cr in studio swing to RGB: the exact inverse of `rgb_to_ycbcr`, without clipping.

    Parameters
    ----------
    ycbcr : array of float, shape (..., 3)
        Y, Cb and Cr as from `rgb_to_ycbcr`, channels last.

    Returns
    -------
    array of float, shape (..., 3)
        Colors, in [0, 1] for the values of an RGB image; float64 for float64 input, or else float32.

    Raises
    ------
    InputError
        If the array is not of floats, or its last axis does not have length 3.

    Notes
    -----
    ITU-R BT.601; the matrix is inverted numerically, because the constants in standards are rounded.
    """
    values = _three_floats(ycbcr, "YCbCr")
    centered = values - _OFFSET.astype(values.dtype)
    return np.stack([_weighted(centered, _TO_RGB[row], 0.0) for row in range(3)], axis=-1)


def _three_floats(colors: npt.ArrayLike, name: str) -> FloatArray:
    array = np.asarray(colors)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"The {name} image has the type {array.dtype}: convert it to floats in [0, 1] first.")
    if array.ndim == 0 or array.shape[-1] != 3:
        raise InputError(
            f"The {name} image has the shape {array.shape}: move its 3 channels to the last axis and leave alpha out."
        )
    if array.dtype.itemsize < 4:
        return array.astype(np.float32)
    return array


def _weighted(colors: FloatArray, weights: npt.NDArray[np.float64], offset: float) -> FloatArray:
    # Weights in the dtype of the colors: float64 weights would promote float32 colors.
    total: FloatArray = colors @ weights.astype(colors.dtype)
    return total + colors.dtype.type(offset)
