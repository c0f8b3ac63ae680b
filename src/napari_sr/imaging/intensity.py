"""How a layer's values map to the range a network was trained in, and back.

The map is affine, chosen once for the whole layer before any tile is cut, never clipped on the way in and undone on the
way out. Nothing here guesses a range from the largest value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import Axes, ImageArray


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of all finite values that go to the ends of the network's range.

    Parameters
    ----------
    low, high : float
        0 to 100, low < high.

    Raises
    ------
    InputError
        They are not.
    """

    low: float = 0.1
    high: float = 99.9

    def __post_init__(self) -> None:
        """Refuse what are no two percentiles."""
        if not 0 <= self.low < self.high <= 100:
            raise InputError(f"The percentiles {self.low:g} and {self.high:g} do not rise between 0 and 100.")


IntensitySpec = Literal["auto", "dtype", "percentile", "contrast"] | tuple[float, float] | Percentiles
SPECS = ("auto", "dtype", "percentile", "contrast")
PERCENTILES: tuple[float, float] = (Percentiles().low, Percentiles().high)
"""The percentiles of all finite values that "percentile" maps to the ends of the network's range."""

# np.bincount makes an int64 copy of what it counts; a block at a time keeps that copy at 32 MB.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class IntensityMap:
    """An affine map from a layer's values to the range a network was trained in.

    Parameters
    ----------
    low, high : float
        The layer's values that go to the ends of `to`; low < high, both finite. They bound nothing: values beyond them
        are mapped beyond `to`.
    to : (float, float)
        The network's range, as its card says; first < second, both finite.

    Raises
    ------
    InputError
        low is not less than high, or a bound is not finite.

    Notes
    -----
    The arithmetic is in float64, the result of `forward` in float32. A value v comes back within
    ``|v - low| * 2**-24`` for a range that starts at 0: every uint8 and uint16 value comes back bit for bit with any
    bounds in the dtype's range, 32-bit integers only to the 24 bits that a float32 holds, and 64-bit integers only
    within the 53 bits of float64.
    """

    low: float
    high: float
    to: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse bounds between which no affine map exists."""
        _check_bounds(self.low, self.high, "intensity")
        _check_bounds(*self.to, "network")
        if not (0 < self._gain < np.inf and self.high - self.low < np.inf):
            raise InputError(
                f"The intensity range ({self.low}, {self.high}) is too narrow or too wide; give another one."
            )

    @property
    def _gain(self) -> float:
        with np.errstate(over="ignore", divide="ignore"):
            return float(np.float64(self.to[1] - self.to[0]) / np.float64(self.high - self.low))

    def forward(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map the layer's values to the network's range, without clipping.

        Parameters
        ----------
        values : array of bool, integer or float, any shape
            The layer's values.

        Returns
        -------
        array of float32, same shape
            ``to[0] + (values - low) * (to[1] - to[0]) / (high - low)``.

        Raises
        ------
        InputError
            The values are complex or no numbers.
        """
        array = np.asarray(values)
        _check_real(array.dtype)
        mapped = array.astype(np.float64)
        mapped -= self.low
        mapped *= self._gain
        mapped += self.to[0]
        return mapped.astype(np.float32)

    def inverse(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], int]:
        """Map the network's values back to the layer's, in the layer's dtype.

        Parameters
        ----------
        values : array of float, any shape
            Values in the network's range, or beyond it.
        dtype : dtype
            The layer's dtype. Integers are rounded to the nearest, a tie to the even one. A bool is 1 where the value
            is more than 0.5. Floats are kept as they are.

        Returns
        -------
        array of `dtype`, same shape
            The layer's values, clipped only at the dtype's ends.
        clipped : int
            How many values lay beyond the dtype's ends by more than rounding.

        Raises
        ------
        InputError
            The dtype is complex or no number, or a value is NaN and the dtype cannot hold it.
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
    """Choose the intensity map of a whole layer, one for each separate channel.

    Parameters
    ----------
    spec : "auto", "dtype", "percentile", "contrast", Percentiles or (low, high)
        "dtype" takes the ends of an integer dtype; "percentile" the 0.1 and 99.9 percentiles of all finite values of
        the layer, of each separate channel alone, of the three colors of RGB(A) together, without alpha; `Percentiles`
        are others of the same; "contrast" takes `contrast_limits`; a pair is taken as it is, in the layer's values.
        "auto" is "dtype" for uint8, bool and integer RGB, (0, 1) for float RGB, and "percentile" for everything else.
    image : array, shape ``axes.shape``
        numpy, dask or zarr; only "percentile" reads its values, a plane at a time.
    axes : Axes
        Which axis is what.
    to : (float, float)
        The range the network was trained in.
    contrast_limits : (float, float), optional
        The layer's contrast limits, for "contrast".
    cancel : callable
        Asked before each plane that is read.

    Returns
    -------
    dict
        The map of each separate channel by its number, or of the whole image by None: ``maps[axes.channel_of(index)]``
        is the map of a plane. Channels share one map unless the percentiles are taken.

    Raises
    ------
    InputError
        An unknown spec, "dtype" on floats, "contrast" without limits, low not less than high, no finite value, or a
        dtype that is no real number.
    Cancelled
        If `cancel` said yes.
    """
    dtype = np.dtype(image.dtype)
    _check_real(dtype)
    channels: tuple[int | None, ...] = (None,) if axes.channel is None else tuple(range(axes.shape[axes.channel]))
    chosen: object = _automatic(dtype, axes) if isinstance(spec, str) and spec == "auto" else spec
    if isinstance(chosen, str) and chosen == "percentile":
        chosen = Percentiles()
    if isinstance(chosen, Percentiles):
        watched = _Watched(image, cancel)
        return {channel: _percentile_map(watched, axes, channel, chosen, to) for channel in channels}
    shared = IntensityMap(*_bounds(chosen, dtype, contrast_limits), to=to)
    return dict.fromkeys(channels, shared)


def check_finite(image: ImageArray, axes: Axes) -> None:
    """Refuse an image with NaN or infinite values, before any work starts.

    Parameters
    ----------
    image : array, shape ``axes.shape``
        numpy, dask or zarr, read a plane at a time; integers are not read at all.
    axes : Axes
        Which axis is what.

    Raises
    ------
    InputError
        There are such values; the sentence says how many of which kind.
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
            f"The image holds {' and '.join(found)} {plural}; replace them first, for example with numpy.nan_to_num."
        )


def _check_bounds(low: float, high: float, name: str) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"The {name} range ({low}, {high}) is not finite; give two numbers.")
    if not low < high:
        raise InputError(f"The {name} range ({low}, {high}) is empty; give a low value less than the high one.")


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "buif":
        raise InputError(f"The image is of {dtype}; convert it to integers or floats first.")


def _to_integer(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    undefined = int(np.count_nonzero(np.isnan(values)))
    if undefined:
        raise InputError(
            f"The result holds {undefined} NaN values, which {dtype} cannot hold; run again with precision float32."
        )
    least, most = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    # 2**63 - 1 and 2**64 - 1 are no float64; the next one up would overflow in the cast.
    top = float(most) if int(float(most)) <= most else float(np.nextafter(float(most), 0.0))
    rounded = np.rint(values, out=values)
    clipped = int(np.count_nonzero((rounded < least) | (rounded > most)))
    return np.clip(rounded, least, top, out=rounded).astype(dtype), clipped


def _to_float(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    # A value beyond the dtype's end by less than half a step is rounded to the end by the cast, the others to infinity.
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
                f'An image of {dtype} has no range of its own; pick "percentile" or give a pair (low, high).'
            )
        return (0.0, 1.0) if dtype.kind == "b" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    if spec == "contrast":
        if contrast_limits is None:
            raise InputError('The intensity "contrast" needs a layer with contrast limits; pick "percentile" instead.')
        return _pair(contrast_limits)
    names = ", ".join(f'"{name}"' for name in SPECS)
    raise InputError(f'The intensity "{spec}" is unknown; pick one of {names} or give the pair (low, high).')


def _pair(bounds: Any) -> tuple[float, float]:
    try:
        low, high = bounds
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise InputError(f"The intensity range {bounds!r} is no pair of numbers; give (low, high).") from error


class _Watched:
    """An array that asks whether to go on each time it is read."""

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
            f"{where} has {low:g} as both its {percentiles.low:g} and {percentiles.high:g} percentiles; "
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
    """Place of each percentile among so many sorted values, counted from 0 as `numpy.percentile` does."""
    return tuple(percentile / 100 * (count - 1) for percentile in (percentiles.low, percentiles.high))


def _between(ranks: tuple[float, ...], value_at: Callable[[int], float]) -> tuple[float, float]:
    """Interpolate between the values on either side of each rank."""
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
        raise InputError("The image holds no finite value; pick another layer or replace its NaN and infinite values.")
    # Not np.percentile: the difference of two int32 overflows in it, and a float64 copy would double the memory.
    found = values[:count]
    ranks = _ranks(percentiles, count)
    found.partition(sorted({place(rank) for rank in ranks for place in (floor, ceil)}))
    return _between(ranks, lambda rank: found[rank])
