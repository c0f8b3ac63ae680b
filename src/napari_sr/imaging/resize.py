"""Resizing of images by the rules of MATLAB's ``imresize``.

The papers make their low-resolution images with ``imresize``. Their figures can only be reproduced with the same kernel
(Keys' cubic with a = -0.5), antialiasing (the kernel is stretched by the factor when shrinking), border (reflection
with the edge pixel repeated) and rounding (uint8 is rounded between the two passes, rows first).

References
----------
R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, floor
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_sr.conversion import read_choice
from napari_sr.errors import InputError
from napari_sr.imaging.rounding import round_to

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos3"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)

#: Half the width of each kernel, in pixels of the coarser image.
SUPPORT: dict[str, float] = {"nearest": 0.5, "bilinear": 1.0, "bicubic": 2.0, "lanczos3": 3.0}


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a = np.abs(x)
    near = 1.5 * a**3 - 2.5 * a**2 + 1
    far = -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2
    return np.where(a <= 1, near, np.where(a <= 2, far, 0.0))


def _lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_FUNCTIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "nearest": _box,
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos3": _lanczos3,
}


def check_kernel(kernel: str) -> None:
    """Check that a kernel is one of `KERNELS`.

    Raises
    ------
    InputError
        If there is no such kernel.
    """
    read_choice(kernel, "interpolation kernel", tuple(KERNELS))


def symmetric_indices(positions: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Return the indices into an axis that is reflected at its ends, with the edge pixels repeated.

    Parameters
    ----------
    positions : ndarray of int
        Positions, which may lie outside the axis.
    length : int
        Length of the axis.

    Returns
    -------
    ndarray of int, shape of `positions`
        Indices from 0 to ``length - 1``.
    """
    folded = positions % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded).astype(np.intp)


def phase_weights(factor: int, kernel: Kernel) -> NDArray[np.float64]:
    """Return the weights of the neighbors of a pixel in its `factor` outputs, for a whole factor.

    Parameters
    ----------
    factor : int
        Whole upsampling factor, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel.

    Returns
    -------
    ndarray, shape (factor, 2 * reach + 1)
        Row p has the weights of the pixels at the offsets -reach to reach for the output ``factor * i + p``. Rows sum
        to 1.

    Raises
    ------
    InputError
        If there is no such kernel.
    """
    check_kernel(kernel)
    if kernel == "nearest":
        return np.ones((factor, 1))
    reach = ceil(SUPPORT[kernel])
    centers = (np.arange(factor) + 0.5) / factor - 0.5
    weights = _FUNCTIONS[kernel](centers[:, None] - np.arange(-reach, reach + 1)[None, :])
    normed: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normed


@lru_cache(maxsize=64)
def _resizing_matrix(n_in: int, n_out: int, scale: float, kernel: Kernel) -> Any:
    """Return the sparse matrix (n_out, n_in) that resizes one axis, as `contributions` in MATLAB."""
    # When shrinking, a wider kernel prevents aliasing.
    stretch = scale if kernel != "nearest" and scale < 1 else 1.0
    width = 2 * SUPPORT[kernel] / stretch
    centers = (np.arange(n_out) + 0.5) / scale - 0.5
    left = np.floor(centers - width / 2).astype(np.intp)
    taps = ceil(width) + 2
    positions = left[:, None] + np.arange(taps)[None, :]
    weights = stretch * _FUNCTIONS[kernel](stretch * (centers[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(n_out), taps)
    columns = symmetric_indices(positions.ravel(), n_in)
    return sparse.csr_matrix((weights.ravel(), (rows, columns)), shape=(n_out, n_in))


def resizing_matrix(n_in: int, n_out: int, kernel: Kernel = "bicubic") -> Any:
    """Return the weights of the pixels of an axis in the pixels of the resized axis.

    Parameters
    ----------
    n_in, n_out : int
        Number of pixels before and after; both cover the same extent.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation kernel, stretched when shrinking.

    Returns
    -------
    scipy sparse matrix, shape (n_out, n_in)
        Rows sum to 1; `resize` multiplies by it along each axis. It is cached and must not be modified.

    Raises
    ------
    InputError
        If there is no such kernel.
    """
    check_kernel(kernel)
    return _resizing_matrix(n_in, n_out, n_out / n_in, kernel)


def _resize_axis(image: NDArray[Any], axis: int, n_out: int, scale: float, kernel: Kernel) -> Any:
    matrix = _resizing_matrix(image.shape[axis], n_out, scale, kernel)
    if image.dtype == np.float32:
        matrix = matrix.astype(np.float32)
    front = np.moveaxis(image, axis, 0)
    flat = matrix @ front.reshape(front.shape[0], -1)
    return np.moveaxis(flat.reshape((n_out, *front.shape[1:])), 0, axis)


def resize(
    image: NDArray[Any],
    shape: tuple[int, int] | None = None,
    *,
    factor: float | None = None,
    kernel: Kernel = "bicubic",
    axes: tuple[int, int] = (-2, -1),
) -> NDArray[Any]:
    """Resize two axes of an array by the rules of MATLAB's ``imresize``.

    Parameters
    ----------
    image : ndarray
        Integers or floats, with any number of axes.
    shape : (int, int), optional
        Lengths of the two axes of the result. Give either this or `factor`.
    factor : float, optional
        Factor along both axes, more than 0. The result has ``ceil(factor * n)`` pixels on each of the two axes.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation kernel, stretched when shrinking, which prevents aliasing. "bicubic" is Keys' cubic with a = -0.5.
    axes : (int, int), default (-2, -1)
        The axis of rows and the axis of columns.

    Returns
    -------
    ndarray
        With the dtype of `image`. uint8 is rounded between the two passes as in MATLAB; other integers are rounded
        once, at the end.

    Raises
    ------
    InputError
        If neither or both of `shape` and `factor` are given, a size is not positive, or there is no such kernel.

    Examples
    --------
    >>> import numpy as np
    >>> resize(np.arange(4, dtype=np.uint8).reshape(1, 4) * 60, (1, 8))
    array([[  0,  11,  44,  75, 105, 136, 169, 186]], dtype=uint8)
    """
    check_kernel(kernel)
    if (shape is None) == (factor is None):
        raise InputError("An image is resized to a shape or by a factor: give exactly one of them.")
    lengths = [image.shape[a] for a in axes]
    if shape is None:
        assert factor is not None
        shape = (ceil(lengths[0] * factor - 1e-9), ceil(lengths[1] * factor - 1e-9))
        scales = [float(factor), float(factor)]
    else:
        scales = [s / n for s, n in zip(shape, lengths, strict=True)]
    if min(shape) < 1 or min(lengths) < 1 or min(scales) <= 0:
        raise InputError(
            f"An image of {lengths[0]} x {lengths[1]} pixels cannot be resized to {shape[0]} x {shape[1]}."
        )
    dtype = image.dtype
    work = image if dtype in (np.float32, np.float64) else image.astype(np.float64)
    # MATLAB resizes the axis with the smallest factor first, and rows if the factors are equal.
    order = sorted(range(2), key=lambda i: scales[i])
    for n, i in enumerate(order):
        if shape[i] == lengths[i] and scales[i] == 1:
            continue
        work = _resize_axis(work, axes[i], shape[i], scales[i], kernel)
        if dtype == np.uint8 and n == 0:
            work = round_to(work, np.uint8).astype(np.float64)
    return round_to(work, dtype) if dtype != work.dtype else work


def reach_of(kernel: Kernel, factor: int, low: int, high: int) -> tuple[int, int]:
    """Return the range of input pixels on which a range of outputs depends, for receptive radii.

    Parameters
    ----------
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel.
    factor : int
        Whole upsampling factor.
    low, high : int
        First and last output pixel. The image has no border, so positions may be negative.

    Returns
    -------
    (int, int)
        First and last input pixel.
    """
    if kernel == "nearest" or factor == 1:
        return low // factor, high // factor
    support = SUPPORT[kernel]
    first = (low + 0.5) / factor - 0.5
    last = (high + 0.5) / factor - 0.5
    return floor(first - support) + 1, ceil(last + support) - 1
