"""Affine maps from the values of an image to the range in which a network was trained, and back.

A map is chosen once for the whole image, before any tile is cut. Values are not clipped on the way in, and the map is
undone in the result. No range is guessed from the largest value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity_spec import SPECS, IntensitySpec, Percentiles

# np.bincount makes an int64 copy of its input; in blocks that copy takes 32 MB.
_BLOCK = 1 << 22


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
    32-bit integers to the 24 bits of a float32, and 64-bit integers to the 53 bits of a float64.
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
                f"The intensity range ({self.low}, {self.high}) is too narrow or too wide: give another one."
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
            ``to[0] + (values - low) * (to[1] - to[0]) / (high - low)``.

        Raises
        ------
        InputError
            If the values are complex or not numbers.
        """
        array = np.asarray(values)
        _check_real(array.dtype)
        mapped = array.astype(np.float64)
        mapped -= self.low
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
        _check_real(target)
        restored = np.array(values, dtype=np.float64)
        restored -= self.to[0]
        restored /= self._gain
        restored += self.low
        return _to_float(restored, target) if target.kind == "f" else _to_integer(restored, target)


def intensity_maps(
    spec: IntensitySpec,
    image: ImageArray,
    axes: Axes,
    *,
    to: tuple[float, float] = (0.0, 1.0),
    contrast_limits: tuple[float, float] | None = None,
    cancel: Callable[[], bool] = lambda: False,
) -> dict[int | None, IntensityMap]:
    """Choose the intensity map of a whole image, one for each separate channel.

    Parameters
    ----------
    spec : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (low, high)
        "dtype" takes the ends of the integer dtype. "percentile" takes the 0.1 and 99.9 percentiles of all finite
        values: of each separate channel alone, of the three colors of RGB(A) together, without alpha. `Percentiles`
        are other ones of the same values. "contrast" takes `contrast_limits`. A pair is taken as it is, in values of
        the image. "auto" is "dtype" for uint8, bool and integer RGB, (0, 1) for float RGB, and "percentile" for
        everything else.
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array. Its values are read only for percentiles, one plane at a time.
    axes : Axes
        Axes of the image.
    to : (float, float), default (0.0, 1.0)
        Range in which the network was trained.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for "contrast".
    cancel : callable, optional
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    dict of (int or None) to IntensityMap
        The map of each separate channel by its number, or of the whole image by None: ``maps[axes.channel_of(index)]``
        is the map of a plane. Channels share one map unless percentiles are taken.

    Raises
    ------
    InputError
        If the spec is unknown or does not fit the image: "dtype" for floats, "contrast" without limits, low not less
        than high, no finite value, or a dtype that is not a real number.
    Cancelled
        If `cancel` returned True.
    """
    dtype = np.dtype(image.dtype)
    _check_real(dtype)
    channels: tuple[int | None, ...] = (None,) if axes.channel is None else tuple(range(axes.shape[axes.channel]))
    chosen: object = _automatic(dtype, axes) if isinstance(spec, str) and spec == "auto" else spec
    if isinstance(chosen, str) and chosen == "percentile":
        chosen = Percentiles()
    if isinstance(chosen, Percentiles):
        readable = _Cancellable(image, cancel)
        return {channel: _percentile_map(readable, axes, channel, chosen, to) for channel in channels}
    shared = IntensityMap(*_bounds(chosen, dtype, contrast_limits), to=to)
    return dict.fromkeys(channels, shared)


def check_finite(image: ImageArray, axes: Axes) -> None:
    """Check that all values of an image are finite.

    Parameters
    ----------
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array, which is read one plane at a time. Integers are not read.
    axes : Axes
        Axes of the image.

    Raises
    ------
    InputError
        If there are NaN or infinite values; the message gives the number of each.
    """
    if np.dtype(image.dtype).kind != "f":
        return
    nan = infinite = 0
    for index in axes.plane_indices():
        plane = axes.plane(image, index)
        nan += int(np.count_nonzero(np.isnan(plane)))
        infinite += int(np.count_nonzero(np.isinf(plane)))
    found = [f"{count} {name}" for count, name in ((nan, "NaN"), (infinite, "infinite")) if count]
    if found:
        plural = "value" if nan + infinite == 1 else "values"
        raise InputError(
            f"The image has {' and '.join(found)} {plural}: replace them first, for example with numpy.nan_to_num."
        )


def _check_bounds(low: float, high: float, name: str) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"The {name} range ({low}, {high}) is not finite: give two numbers.")
    if not low < high:
        raise InputError(f"The {name} range ({low}, {high}) is empty: give a low value less than the high one.")


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "buif":
        raise InputError(f"The image has the type {dtype}: convert it to integers or floats first.")


def _to_integer(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    undefined = int(np.count_nonzero(np.isnan(values)))
    if undefined:
        raise InputError(
            f"The result has {undefined} NaN values, which {dtype} cannot represent: run again with precision float32."
        )
    least, most = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    # 2**63 - 1 and 2**64 - 1 are not float64 numbers; the next larger one would overflow in the cast.
    top = float(most) if int(float(most)) <= most else float(np.nextafter(float(most), 0.0))
    rounded = np.rint(values, out=values)
    clipped = int(np.count_nonzero((rounded < least) | (rounded > most)))
    return np.clip(rounded, least, top, out=rounded).astype(dtype), clipped


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


def _automatic(dtype: np.dtype[Any], axes: Axes) -> IntensitySpec:
    if dtype.kind == "b" or dtype == np.uint8:
        return "dtype"
    if axes.rgb:
        return (0.0, 1.0) if dtype.kind == "f" else "dtype"
    return "percentile"


def _bounds(spec: object, dtype: np.dtype[Any], contrast_limits: tuple[float, float] | None) -> tuple[float, float]:
    if not isinstance(spec, str):
        return _pair(spec)
    if spec == "dtype":
        if dtype.kind == "f":
            raise InputError(
                f'An image of {dtype} has no range of its own: choose "percentile" or give a pair (low, high).'
            )
        return (0.0, 1.0) if dtype.kind == "b" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    if spec == "contrast":
        if contrast_limits is None:
            raise InputError('The intensity "contrast" needs a layer with contrast limits: choose "percentile".')
        return _pair(contrast_limits)
    names = ", ".join(f'"{name}"' for name in SPECS)
    raise InputError(f'The intensity "{spec}" is unknown: choose one of {names} or give the pair (low, high).')


def _pair(bounds: Any) -> tuple[float, float]:
    try:
        low, high = bounds
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise InputError(f"The intensity range {bounds!r} is not a pair of numbers: give (low, high).") from error


class _Cancellable:
    """View of an array that calls `cancel` before each read."""

    def __init__(self, array: ImageArray, cancel: Callable[[], bool]) -> None:
        self._array, self._cancel = array, cancel
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index: Any, /) -> Any:
        if self._cancel():
            raise Cancelled("The work was cancelled; nothing was changed.")
        return self._array[index]


def _percentile_map(
    image: ImageArray, axes: Axes, channel: int | None, percentiles: Percentiles, to: tuple[float, float]
) -> IntensityMap:
    small = np.dtype(image.dtype).kind in "biu" and np.dtype(image.dtype).itemsize <= 2
    low, high = (_from_histogram if small else _from_values)(image, axes, channel, percentiles)
    if not low < high:
        where = "The image" if channel is None else f"Channel {channel} of the image"
        raise InputError(
            f"{where} has {low:g} as both its {percentiles.low:g} and {percentiles.high:g} percentiles: "
            "give the intensity as a pair (low, high)."
        )
    return IntensityMap(low, high, to)


def _planes(image: ImageArray, axes: Axes, channel: int | None) -> Iterator[npt.NDArray[Any]]:
    for index in axes.plane_indices():
        if axes.channel_of(index) == channel:
            plane = axes.plane(image, index)
            yield plane[..., :3] if axes.rgb else plane


def _from_histogram(
    image: ImageArray, axes: Axes, channel: int | None, percentiles: Percentiles
) -> tuple[float, float]:
    dtype = np.dtype(image.dtype)
    least = 0 if dtype.kind == "b" else int(np.iinfo(dtype).min)
    histogram = np.zeros(1 << (8 * dtype.itemsize), np.int64)
    for plane in _planes(image, axes, channel):
        rows = max(1, _BLOCK // max(1, plane[0].size))
        for start in range(0, len(plane), rows):
            levels = plane[start : start + rows].ravel().astype(np.int64) - least
            histogram += np.bincount(levels, minlength=len(histogram))
    cumulative = np.cumsum(histogram)
    ranks = _ranks(percentiles, int(cumulative[-1]))
    return _between(ranks, lambda rank: least + int(np.searchsorted(cumulative, rank, side="right")))


def _ranks(percentiles: Percentiles, count: int) -> tuple[float, ...]:
    """Return the position of each percentile among `count` sorted values, from 0, as `numpy.percentile` does."""
    return tuple(percentile / 100 * (count - 1) for percentile in (percentiles.low, percentiles.high))


def _between(ranks: tuple[float, ...], value_at: Callable[[int], float]) -> tuple[float, float]:
    """Interpolate between the two values next to each rank."""
    low, high = (
        float(value_at(floor(rank))) * (1 - rank % 1) + float(value_at(ceil(rank))) * (rank % 1) for rank in ranks
    )
    return low, high


def _from_values(image: ImageArray, axes: Axes, channel: int | None, percentiles: Percentiles) -> tuple[float, float]:
    size = sum(1 for index in axes.plane_indices() if axes.channel_of(index) == channel)
    size *= axes.shape[axes.y] * axes.shape[axes.x] * (3 if axes.rgb else 1)
    values = np.empty(size, np.dtype(image.dtype))
    count = 0
    for plane in _planes(image, axes, channel):
        finite = plane[np.isfinite(plane)]
        values[count : count + finite.size] = finite
        count += finite.size
    if count == 0:
        raise InputError("The image has no finite value: choose another layer or replace its NaN and infinite values.")
    # Not np.percentile: the difference of two int32 overflows in it, and a float64 copy would double the memory.
    finite_values = values[:count]
    ranks = _ranks(percentiles, count)
    finite_values.partition(sorted({neighbor(rank) for rank in ranks for neighbor in (floor, ceil)}))
    return _between(ranks, lambda rank: finite_values[rank])
