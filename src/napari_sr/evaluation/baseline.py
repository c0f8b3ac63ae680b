"""Interpolation without a network, the baseline for every model."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from napari_sr.conversion import read_scale
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.resize import KERNELS, Kernel, resize

BASELINES: tuple[Kernel, ...] = KERNELS
"""Names of the interpolations that can be used in place of a model."""


def interpolate(
    image: npt.NDArray[Any], scale: int, kernel: Kernel = "bicubic", *, axes: str | None = None
) -> npt.NDArray[Any]:
    """Upscale an image by interpolation, in its own dtype.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any range: (Y, X), (Y, X, C) for RGB(A), or with the given axes.
    scale : int
        Factor along Y and X, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation kernel.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension; by default those that follow from the shape (`parse_axes`).

    Returns
    -------
    ndarray
        With the same axes and dtype, and `scale` times the length along Y and X. uint8 is rounded between the two
        passes as in MATLAB. Colors, and alpha as well, are interpolated separately.

    Raises
    ------
    InputError
        If the factor is less than 1, there is no such kernel, or the axes do not describe the image.
    """
    factor = read_scale(scale)
    parsed = parse_axes(axes, image.shape)
    return resize(image, factor=factor, kernel=kernel, axes=(parsed.y, parsed.x))


def bicubic(image: npt.NDArray[Any], scale: int, *, axes: str | None = None) -> npt.NDArray[Any]:
    """Upscale an image by the bicubic interpolation of MATLAB, the baseline of the papers.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any range: (Y, X), (Y, X, C) for RGB(A), or with the given axes.
    scale : int
        Factor along Y and X, 1 or more.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension; by default those that follow from the shape (`parse_axes`).

    Returns
    -------
    ndarray
        With the same axes and dtype, and `scale` times the length along Y and X.

    Raises
    ------
    InputError
        If the factor is less than 1 or the axes do not describe the image.
    """
    return interpolate(image, scale, "bicubic", axes=axes)
