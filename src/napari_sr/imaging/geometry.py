"""World coordinates of images, as napari computes them.

napari maps a pixel p, whose center is at whole numbers, to ``world = affine(R H (scale * p) + translate)``, where R is
the rotation and H the shear of the layer. An image with f pixels for each pixel of its source covers the same extent if
its pixel q is at ``origin + (q + 1/2) / f - 1/2`` in the source. With ``L = R H diag(scale)`` it follows that
``scale' = scale / f`` and ``translate' = translate + L (origin + (1/f - 1)/2)``; rotate, shear and affine are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError

Vector = npt.NDArray[np.float64]


def linear_part(scale: npt.ArrayLike, rotate: Any = None, shear: Any = None) -> Vector:
    """Return the linear part R H diag(scale) of the transform of a layer, as napari composes it.

    Parameters
    ----------
    scale : array of float, shape (n,)
        World units per pixel along each axis.
    rotate : float, (float, float, float) or array of shape (m, m), optional
        An angle in degrees in the plane of the last two axes, three angles (yaw, pitch, roll) of the last three axes,
        or a rotation matrix of the last m axes.
    shear : array of shape (m (m - 1) / 2,) or (m, m), optional
        The upper triangle, row by row, or a triangular matrix with ones on its diagonal.

    Returns
    -------
    array of float64, shape (n, n)
        The matrix from pixels to world coordinates, without translate and affine.

    Raises
    ------
    InputError
        If a matrix is not square or is larger than the number of axes, or a shear is not an upper triangle.
    """
    sizes = np.asarray(scale, dtype=np.float64)
    ndim = len(sizes)
    return _embedded(_rotation(rotate), ndim) @ _embedded(_shear(shear), ndim) @ np.diag(sizes)


def upscaled_transform(
    scale: npt.ArrayLike,
    translate: npt.ArrayLike,
    rotate: Any,
    shear: Any,
    factors: npt.ArrayLike,
    origin: npt.ArrayLike | None = None,
) -> tuple[Vector, Vector]:
    """Return the scale and translate of an upscaled image that covers the extent of its source.

    Parameters
    ----------
    scale, translate : array of float, shape (n,)
        Scale and translate of the source, in world units per pixel and in world units.
    rotate : float, (float, float, float), array or None
        Rotation of the source, as for `linear_part`; it is the same for the result, like the affine of the layer.
    shear : array or None
        Shear of the source, as for `linear_part`; it is the same for the result.
    factors : array of float, shape (n,)
        Number of new pixels per source pixel along each axis; 1 where nothing changes.
    origin : array of float, shape (n,), optional
        First source pixel of a crop; by default that of the whole image.

    Returns
    -------
    scale, translate : array of float64, shape (n,)
        Scale and translate of the result. With a rotation or a shear, any component of translate may change.

    Raises
    ------
    InputError
        If the vectors differ in length, or a factor is not more than 0.
    """
    sizes, shift = np.asarray(scale, dtype=np.float64), np.asarray(translate, dtype=np.float64)
    factor = np.asarray(factors, dtype=np.float64)
    first = np.zeros_like(sizes) if origin is None else np.asarray(origin, dtype=np.float64)
    if not sizes.shape == shift.shape == factor.shape == first.shape:
        raise InputError("Scale, translate, factors and origin differ in length: give one number for each axis.")
    if not np.all(np.isfinite(factor) & (factor > 0)):
        raise InputError(f"The factors {factor.tolist()} cannot be used: give numbers more than 0.")
    moved = linear_part(sizes, rotate, shear) @ (first + (1 / factor - 1) / 2)
    return sizes / factor, shift + moved


def _embedded(matrix: Vector, ndim: int) -> Vector:
    """Extend a matrix of the last axes to all axes."""
    size = matrix.shape[0]
    if matrix.ndim != 2 or matrix.shape[1] != size or size > ndim:
        raise InputError(f"A matrix of the shape {matrix.shape} cannot act on {ndim} axes: give a smaller square one.")
    full = np.eye(ndim)
    full[ndim - size :, ndim - size :] = matrix
    return full


def _rotation(rotate: Any) -> Vector:
    """Return the rotation matrix of the last axes."""
    if rotate is None:
        return np.eye(1)
    given = np.asarray(rotate, dtype=np.float64)
    if given.ndim == 0:
        return _rotation_in_plane(float(given), 0, 1, 2)
    if given.shape == (3,):
        # In the order of napari, about the last axis first; the pitch has the opposite sign.
        yaw, pitch, roll = (float(angle) for angle in given)
        return (
            _rotation_in_plane(yaw, 0, 1, 3) @ _rotation_in_plane(-pitch, 0, 2, 3) @ _rotation_in_plane(roll, 1, 2, 3)
        )
    return given


def _rotation_in_plane(degrees: float, first: int, second: int, ndim: int) -> Vector:
    """Return the matrix of a rotation in the plane of two axes."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(ndim)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def _shear(shear: Any) -> Vector:
    """Return the shear matrix of the last axes."""
    if shear is None:
        return np.eye(1)
    given = np.asarray(shear, dtype=np.float64)
    if given.ndim != 1:
        return given
    ndim = round((1 + np.sqrt(1 + 8 * len(given))) / 2)
    if ndim * (ndim - 1) // 2 != len(given):
        raise InputError(f"A shear of {len(given)} numbers is not an upper triangle: give 1, 3, 6 or 10, or a matrix.")
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, k=1)] = given
    return matrix
