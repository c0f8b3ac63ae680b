"""Conversion of computed values to a data type, whose ends replace the values beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ends_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the smallest and the largest value of integers; 0 and 1 of bool."""
    if dtype.kind == "b":
        return 0, 1
    ends = np.iinfo(dtype)
    return int(ends.min), int(ends.max)


def round_to(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Convert values to a dtype as MATLAB does.

    Parameters
    ----------
    values : ndarray of float
        The values.
    dtype : dtype
        For integers, halves are rounded away from zero and values are clipped at the ends of the dtype. A bool is True
        where the value is more than 0.5. Finite floats are clipped at the ends of the dtype, too.

    Returns
    -------
    ndarray of `dtype`
        With the shape of `values`.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind not in "iu":
        with np.errstate(over="ignore"):
            cast = values.astype(dtype, copy=False)
        if dtype.itemsize >= values.dtype.itemsize:
            return cast
        beyond = np.isinf(cast) & np.isfinite(values)
        return np.where(beyond, np.copysign(np.finfo(dtype).max, cast), cast) if beyond.any() else cast
    return to_integers(np.sign(values) * np.floor(np.abs(values) + 0.5), dtype)


def to_integers(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Cast whole numbers to an integer dtype; those beyond its ends become the ends.

    Parameters
    ----------
    values : ndarray of float
        Whole numbers, of any size.
    dtype : dtype
        Integers or bool.

    Returns
    -------
    ndarray of `dtype`
        With the shape of `values`.
    """
    dtype = np.dtype(dtype)
    least, most = ends_of(dtype)
    top = values.dtype.type(most)
    if int(top) <= most:
        clipped: NDArray[Any] = np.clip(values, least, most).astype(dtype)
        return clipped
    # The largest integers of the dtype are no floats: the next larger float, which is, would wrap around in the cast.
    inside = np.clip(values, values.dtype.type(least), np.nextafter(top, values.dtype.type(0))).astype(dtype)
    return np.where(values >= top, np.array(most, dtype), inside)
