"""Affine maps from the values of an image to the range in which a network was trained, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.array_like import check_real
from napari_sr.imaging.rounding import ends_of, to_integers

#: From this value on, a float64 does not hold every integer and its half.
_EXACT = 2**52


@dataclass(frozen=True)
class IntensityMap:
    """An affine map from the values of an image to the range in which a network was trained.

    Parameters
    ----------
    low, high : float
        Values of the image that are mapped to the ends of `to`; low < high, both finite. Values beyond them are mapped
        beyond `to`, not clipped.
    to : (float, float), default (0.0, 1.0)
        Range of the network, from its card; first < second, both finite.

    Raises
    ------
    InputError
        If low is not less than high, or a bound is not finite.

    Notes
    -----
    The arithmetic is in float64, the result of `forward` in float32. For a range that starts at 0, a value v is
    restored within ``|v - low| * 2**-24``: uint8 and uint16 values exactly, with any bounds in the range of the dtype,
    32-bit integers to the 24 bits of a float32, and 64-bit integers to the 53 bits of a float64. If low is an int of
    2**52 or more, 64-bit integers are counted from it, so that an offset does not cost bits.
    """

    low: float
    high: float
    to: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Check that the bounds define an affine map."""
        _check_bounds(self.low, self.high, "intensity")
        _check_bounds(*self.to, "network")
        if not (0 < self._gain < np.inf and self.high - self.low < np.inf):
            raise InputError(
                f"The intensity range ({self.low}, {self.high}) is too narrow or too wide for float64: rescale the "
                "values of the image, or give another range."
            )

    @property
    def _gain(self) -> float:
        with np.errstate(over="ignore", divide="ignore"):
            return float(np.float64(self.to[1] - self.to[0]) / np.float64(self.high - self.low))

    def forward(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map values of the image to the range of the network, without clipping.

        Parameters
        ----------
        values : array of bool, int or float, any shape
            Values of the image.

        Returns
        -------
        array of float32, same shape
            ``to[0] + (values - low) * (to[1] - to[0]) / (high - low)``; infinite beyond the range of float32.

        Raises
        ------
        InputError
            If the values are complex or not numbers.
        """
        array = np.asarray(values)
        check_real(array.dtype)
        base = self._base(array.dtype)
        mapped = array.astype(np.float64) if base is None else _difference(array, base)
        with np.errstate(over="ignore", invalid="ignore"):
            mapped -= self.low if base is None else float(self.low - base)
            mapped *= self._gain
            mapped += self.to[0]
            return mapped.astype(np.float32)

    def inverse(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], int]:
        """Map values of the network back to values of the image, in the dtype of the image.

        Parameters
        ----------
        values : array of float, any shape
            Values in the range of the network, or beyond it.
        dtype : dtype
            The dtype of the image. Values for an integer dtype are rounded to the nearest integer, ties to the even
            one; a bool is True where the value is more than 0.5; floats are not rounded.

        Returns
        -------
        array of `dtype`, same shape
            Values of the image, clipped only at the ends of the dtype.
        clipped : int
            Number of values that were beyond the ends of the dtype by more than rounding.

        Raises
        ------
        InputError
            If the dtype is complex or not a number, or a value is NaN and the dtype cannot hold it.
        """
        target = np.dtype(dtype)
        check_real(target)
        base = self._base(target)
        restored = np.array(values, dtype=np.float64)
        with np.errstate(over="ignore"):
            restored -= self.to[0]
            restored /= self._gain
            restored += self.low if base is None else float(self.low - base)
        if target.kind == "f":
            return _to_float(restored, target)
        return _to_integer(restored, target) if base is None else _to_offset_integer(restored, base, target)

    def _base(self, dtype: np.dtype[Any]) -> int | None:
        """Return the integer from which 64-bit integers are counted; None where float64 holds them well enough."""
        if dtype.kind not in "iu" or dtype.itemsize < 8 or abs(self.low) < _EXACT:
            return None
        base, ends = int(self.low), np.iinfo(dtype)
        return base if ends.min <= base <= ends.max else None


def _check_bounds(low: float, high: float, name: str) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"The {name} range ({low}, {high}) is not finite: give two numbers.")
    if not low < high:
        raise InputError(f"The {name} range ({low}, {high}) is empty: give a low value less than the high one.")


def _difference(array: npt.NDArray[Any], base: int) -> npt.NDArray[np.float64]:
    """Subtract an integer from 64-bit integers without an intermediate float64."""
    bits = array.astype(array.dtype.newbyteorder("=")).view(np.uint64)
    with np.errstate(over="ignore"):
        # Modulo 2**64, so that neither sign overflows.
        above = np.subtract(bits, np.uint64(base % 2**64))
        below = np.negative(above)
    return np.where(array < base, -below.astype(np.float64), above.astype(np.float64))


def _check_defined(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> None:
    undefined = int(np.count_nonzero(np.isnan(values)))
    if undefined:
        raise InputError(
            f"The result has {undefined} NaN values, which {dtype} cannot represent: run again with precision float32."
        )


def _to_integer(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    _check_defined(values, dtype)
    least, most = ends_of(dtype)
    rounded = np.rint(values, out=values)
    clipped = int(np.count_nonzero((rounded < least) | (rounded > most)))
    return to_integers(rounded, dtype), clipped


def _to_offset_integer(
    offsets: npt.NDArray[np.float64], base: int, dtype: np.dtype[Any]
) -> tuple[npt.NDArray[Any], int]:
    """Add float64 offsets to a 64-bit integer, modulo 2**64 so that nothing overflows before the ends are restored."""
    _check_defined(offsets, dtype)
    ends = np.iinfo(dtype)
    least, most = float(ends.min - base), float(ends.max - base)
    rounded = np.rint(offsets, out=offsets)
    clipped = int(np.count_nonzero((rounded < least) | (rounded > most)))
    magnitude = to_integers(np.abs(rounded), np.dtype(np.uint64))
    start = np.uint64(base % 2**64)
    with np.errstate(over="ignore"):
        bits = np.where(rounded < 0, np.subtract(start, magnitude), np.add(start, magnitude))
    result = bits.view(dtype.newbyteorder("="))
    result = np.where(rounded <= least, np.array(ends.min, dtype), result)
    return np.where(rounded >= most, np.array(ends.max, dtype), result).astype(dtype), clipped


def _to_float(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    # The cast rounds a value beyond the end of the dtype by less than half a step to the end, others to infinity.
    with np.errstate(over="ignore"):
        result = values.astype(dtype)
    beyond = np.isinf(result)
    clipped = int(np.count_nonzero(beyond))
    if clipped:
        limit = np.finfo(dtype).max
        result = np.where(beyond, np.copysign(limit, result), result)
    return result, clipped
