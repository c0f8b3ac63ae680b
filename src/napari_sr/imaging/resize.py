"""Resizing of images by MATLAB's ``imresize``: the rule by which the field makes and compares its images.

The papers make their low-resolution images with it, and their figures can only be reproduced with the same kernel
(Keys' cubic with a = -0.5), the same antialiasing (the kernel stretched by the factor when shrinking), the same
border (symmetric reflection, the edge pixel doubled) and the same rounding (uint8 is rounded between the two passes,
rows first).

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

from napari_sr.errors import InputError

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos3"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)

#: Half the width of each kernel, in pixels of the coarser of the two images.
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
    """Refuse a kernel that is not one of `KERNELS`.

    Raises
    ------
    InputError
        If `kernel` is not known.
    """
    if kernel not in KERNELS:
        raise InputError(f"There is no interpolation kernel {kernel!r}: choose one of {', '.join(KERNELS)}.")


def symmetric_indices(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Indices `start` to `stop` (exclusive), folded into an axis of `length` by reflection that doubles its edge."""
    folded = np.arange(start, stop) % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded).astype(np.intp)


def phase_weights(factor: int, kernel: Kernel) -> NDArray[np.float64]:
    """Weights by which each of the `factor` outputs above one pixel sees its neighbors, for a whole factor.

    Parameters
    ----------
    factor : int
        Whole factor of enlargement, 1 or more.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel.

    Returns
    -------
    ndarray, shape (factor, 2 * reach + 1)
        Row p holds the weights of the pixels at offsets -reach .. reach for output ``factor * i + p``; rows sum to 1.
    """
    check_kernel(kernel)
    reach = 0 if kernel == "nearest" else ceil(SUPPORT[kernel])
    centers = (np.arange(factor) + 0.5) / factor - 0.5
    if kernel == "nearest":
        return np.ones((factor, 1))
    weights = _FUNCTIONS[kernel](centers[:, None] - np.arange(-reach, reach + 1)[None, :])
    normed: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normed


@lru_cache(maxsize=64)
def _resizing_matrix(n_in: int, n_out: int, scale: float, kernel: Kernel, antialias: bool) -> Any:
    """Sparse matrix (n_out, n_in) that resizes one axis; MATLAB's `contributions`."""
    if kernel == "nearest":
        antialias = False
    stretch = scale if antialias and scale < 1 else 1.0
    width = 2 * SUPPORT[kernel] / stretch
    centers = (np.arange(n_out) + 0.5) / scale - 0.5
    left = np.floor(centers - width / 2).astype(np.intp)
    taps = ceil(width) + 2
    positions = left[:, None] + np.arange(taps)[None, :]
    weights = stretch * _FUNCTIONS[kernel](stretch * (centers[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    folded = positions % (2 * n_in)
    folded = np.where(folded < n_in, folded, 2 * n_in - 1 - folded)
    rows = np.repeat(np.arange(n_out), taps)
    return sparse.csr_matrix((weights.ravel(), (rows, folded.ravel())), shape=(n_out, n_in))


def resizing_matrix(n_in: int, n_out: int, kernel: Kernel = "bicubic", antialias: bool = True) -> Any:
    """Weights by which each pixel of a resized axis sees those of the axis it is made of.

    Parameters
    ----------
    n_in, n_out : int
        Pixels before and after; both cover the same extent.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel.
    antialias : bool
        Stretch the kernel when shrinking.

    Returns
    -------
    scipy sparse matrix, shape (n_out, n_in)
        Rows sum to 1; ``resize`` multiplies by it along each axis. It is shared: do not write into it.

    Raises
    ------
    InputError
        If the kernel is unknown.
    """
    check_kernel(kernel)
    return _resizing_matrix(n_in, n_out, n_out / n_in, kernel, antialias)


def _resize_axis(image: NDArray[Any], axis: int, n_out: int, scale: float, kernel: Kernel, antialias: bool) -> Any:
    matrix = _resizing_matrix(image.shape[axis], n_out, scale, kernel, antialias)
    if image.dtype == np.float32:
        matrix = matrix.astype(np.float32)
    front = np.moveaxis(image, axis, 0)
    flat = matrix @ front.reshape(front.shape[0], -1)
    return np.moveaxis(flat.reshape((n_out, *front.shape[1:])), 0, axis)


def round_to(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Round half away from zero, as MATLAB does, and clip at the ends of an integer `dtype`; floats are cast."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    ends = np.iinfo(dtype)
    rounded = np.sign(values) * np.floor(np.abs(values) + 0.5)
    result: NDArray[Any] = np.clip(rounded, ends.min, ends.max).astype(dtype)
    return result


def resize(
    image: NDArray[Any],
    shape: tuple[int, int] | None = None,
    *,
    factor: float | None = None,
    kernel: Kernel = "bicubic",
    antialias: bool = True,
    axes: tuple[int, int] = (-2, -1),
) -> NDArray[Any]:
    """Resize two axes of an array as MATLAB's ``imresize`` does.

    Parameters
    ----------
    image : ndarray
        Integers or floats, any number of axes.
    shape : (int, int), optional
        Lengths of the two axes afterward. Give either this or `factor`.
    factor : float, optional
        Factor of enlargement; below 1 it shrinks. The result has ``ceil(factor * n)`` pixels on each of the two axes.
    kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
        Interpolation kernel. Cubic is Keys' with a = -0.5.
    antialias : bool
        Stretch the kernel when shrinking, so that nothing above the new Nyquist frequency folds back.
    axes : (int, int)
        The row axis and the column axis.

    Returns
    -------
    ndarray
        Same dtype. uint8 is rounded between the passes as MATLAB does; other integers are rounded once, at the end.

    Raises
    ------
    InputError
        If neither or both of `shape` and `factor` are given, if a size is not positive, or the kernel is unknown.
    """
    check_kernel(kernel)
    if (shape is None) == (factor is None):
        raise InputError("Resizing takes either a shape or a factor: give exactly one of them.")
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
    # MATLAB goes through the axis that shrinks most first, and through rows when both shrink alike.
    order = sorted(range(2), key=lambda i: scales[i])
    for n, i in enumerate(order):
        if shape[i] == lengths[i] and scales[i] == 1:
            continue
        work = _resize_axis(work, axes[i], shape[i], scales[i], kernel, antialias)
        if dtype == np.uint8 and n == 0:
            work = round_to(work, np.uint8).astype(np.float64)
    return round_to(work, dtype) if dtype != work.dtype else work


def reach_of(kernel: Kernel, factor: int, low: int, high: int) -> tuple[int, int]:
    """Lowest and highest pixel that outputs `low` to `high` of an enlargement by `factor` see.

    Used for receptive radii: positions may be negative, the border is not looked at.
    """
    if kernel == "nearest" or factor == 1:
        return low // factor, high // factor
    support = SUPPORT[kernel]
    first = (low + 0.5) / factor - 0.5
    last = (high + 0.5) / factor - 0.5
    return floor(first - support) + 1, ceil(last + support) - 1
