"""Interpolation without a network: what every model has to beat."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.resize import KERNELS, Kernel, resize

BASELINES: tuple[Kernel, ...] = KERNELS
"""Names of the interpolations that stand in for a model."""


def interpolate(
    image: npt.NDArray[Any], scale: int, kernel: Kernel = "bicubic", *, axes: str | None = None
) -> npt.NDArray[Any]:
    """Enlarge an image by interpolation alone, in its own dtype.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any range; (Y, X), (Y, X, C) for RGB(A), or with the axes that `axes` names.
    scale : int
        Factor in Y and X, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension; by default read from the shape (`parse_axes`).

    Returns
    -------
    ndarray
        Same axes and dtype, `scale` times as long in Y and X. uint8 is rounded between the two passes as MATLAB does;
        colors, alpha too, are enlarged each alone.

    Raises
    ------
    InputError
        If the factor is less than 1, the kernel is unknown or the axes do not describe the image.
    """
    if scale < 1:
        raise InputError(f"The factor {scale} does not enlarge an image: give 1 or more.")
    meaning = parse_axes(axes, image.shape)
    return resize(image, factor=scale, kernel=kernel, axes=(meaning.y, meaning.x))


def bicubic(image: npt.NDArray[Any], scale: int, *, axes: str | None = None) -> npt.NDArray[Any]:
    """Enlarge an image by MATLAB's bicubic interpolation: the baseline of the papers.

    Parameters
    ----------
    image : ndarray
        Integers or floats of any range; (Y, X), (Y, X, C) for RGB(A), or with the axes that `axes` names.
    scale : int
        Factor in Y and X, 1 or more.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension.

    Returns
    -------
    ndarray
        Same axes and dtype, `scale` times as long in Y and X.

    Raises
    ------
    InputError
        If the factor is less than 1 or the axes do not describe the image.
    """
    return interpolate(image, scale, "bicubic", axes=axes)
