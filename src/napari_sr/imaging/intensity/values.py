"""Values of one channel of an image, read plane by plane: extremes, missing ones, and the order of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity.spec import Percentiles
from napari_sr.imaging.missing import FILL_FROM, missing_mask
from napari_sr.imaging.rounding import ends_of

Number = int | float

# Values of a plane that are examined at a time. np.bincount makes an int64 copy of them, which takes 32 MB.
_BLOCK = 1 << 22
# A single pixel is an outlier if it lies more than this many times the distance of the 1st and 99th percentiles beyond.
_OUTLIER = 20.0
# Fewest values beside a possible outlier and its opposite.
_FEWEST = 8
# From this value on, not every integer is a float64.
_EXACT = 2**52


@dataclass(frozen=True)
class ChannelValues:
    """Extremes and missing values of one channel of an image.

    Parameters
    ----------
    least, largest : tuple of int or float
        Extremes of the values that are not missing, of each color of RGB or of the channel; empty if all are missing.
    nan, infinite, fill : int
        Number of values that are missing: NaN, infinite, and finite ones of a huge magnitude. Opacity is counted too.
    fill_value : float, optional
        The first of the huge finite values.
    """

    least: tuple[Number, ...] = ()
    largest: tuple[Number, ...] = ()
    nan: int = 0
    infinite: int = 0
    fill: int = 0
    fill_value: float | None = None

    @property
    def missing(self) -> int:
        """Number of missing values."""
        return self.nan + self.infinite + self.fill

    @property
    def constant(self) -> tuple[Number, ...] | None:
        """The only color or value of all pixels that are not missing; None if there are several, or no pixel."""
        return self.least if self.least and self.least == self.largest else None

    def joined(self, other: ChannelValues) -> ChannelValues:
        """Join with values of the same channel."""
        pairs = zip(self.least, other.least, strict=False), zip(self.largest, other.largest, strict=False)
        return ChannelValues(
            tuple(min(pair) for pair in pairs[0]) or self.least or other.least,
            tuple(max(pair) for pair in pairs[1]) or self.largest or other.largest,
            self.nan + other.nan,
            self.infinite + other.infinite,
            self.fill + other.fill,
            other.fill_value if self.fill_value is None else self.fill_value,
        )


class OrderedValues:
    """The values of a channel that are not missing, colors together, in their order.

    Parameters
    ----------
    dtype : dtype
        Data type of the values. Those of at most 16 bits are counted, others are kept.
    capacity : int
        Largest number of values.

    Raises
    ------
    InputError
        If values that are kept do not fit into memory.
    """

    def __init__(self, dtype: np.dtype[Any], capacity: int) -> None:
        self.count = 0
        self._counted = dtype.kind in "biu" and dtype.itemsize <= 2
        self._first = ends_of(dtype)[0] if self._counted else 0
        needed, free = capacity * dtype.itemsize, int(psutil.virtual_memory().available)
        if not self._counted and needed > free:
            # The memory is taken as it is filled, and the system would end the process then.
            raise InputError(
                f"The percentiles of {capacity:,} values of {dtype} need {needed / 2**30:.1f} GiB of memory, and "
                f"{free / 2**30:.1f} GiB are free: give the intensity as two values."
            )
        self._array: npt.NDArray[Any]
        self._array = np.zeros(1 << 8 * dtype.itemsize, np.int64) if self._counted else np.empty(capacity, dtype)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add values.

        Parameters
        ----------
        values : array, any shape
            None of them missing.
        """
        if self._counted:
            levels = values.ravel().astype(np.int64) - self._first
            self._array += np.bincount(levels, minlength=len(self._array))
        else:
            self._array[self.count : self.count + values.size] = values.ravel()
        self.count += values.size

    def at(self, ranks: Iterable[int]) -> list[Number]:
        """Return the values at some positions of their order.

        Parameters
        ----------
        ranks : iterable of int
            Positions, from 0 to ``count - 1``.
        """
        chosen = list(ranks)
        if self._counted:
            levels = np.searchsorted(np.cumsum(self._array), chosen, side="right")
            return [self._first + int(level) for level in levels]
        values = self._array[: self.count]
        values.partition(sorted(set(chosen)))
        return [values[rank].item() for rank in chosen]

    def without(self, value: Number) -> OrderedValues:
        """Return the values that differ from one value."""
        if self._counted:
            others = OrderedValues(np.dtype(np.int64), self.count - int(self._array[int(value) - self._first]))
            numbers = np.arange(len(self._array)) + self._first
            others.add(np.repeat(numbers[numbers != value], self._array[numbers != value]))
            return others
        values = self._array[: self.count]
        others = OrderedValues(values.dtype, self.count)
        others.add(values[values != value])
        return others

    def percentiles(self, percentiles: Percentiles, pixel: int = 1) -> tuple[Number, Number, bool]:
        """Return two percentiles, interpolated between neighbors as `numpy.percentile` does.

        Parameters
        ----------
        percentiles : Percentiles
            The percentiles.
        pixel : int, default 1
            Number of values of a pixel. A percentile other than 0 and 100 that would be interpolated with the values
            of a single outlying pixel, in an image of less than about 1000 pixels, is that of the other values.

        Returns
        -------
        low, high : int or float
            The two values.
        outlier : bool
            Whether an outlying pixel was left out.
        """
        low, high = (percentile / 100 * (self.count - 1) for percentile in (percentiles.low, percentiles.high))
        first, last = 0, self.count - 1
        if low < pixel or high > last - pixel:
            first, last = self.without_outliers(pixel)
            first = first if percentiles.low > 0 else 0
            last = last if percentiles.high < 100 else self.count - 1
        outlier = low < first or high > last
        return *self._between(max(low, first), min(high, last)), outlier

    def without_outliers(self, pixel: int = 1) -> tuple[int, int]:
        """Return the positions of the least and the largest value without those of a single outlying pixel.

        Parameters
        ----------
        pixel : int, default 1
            Number of values of a pixel.

        Returns
        -------
        (int, int)
            Positions; 0 and ``count - 1`` without an outlier. An outlier lies farther beyond the 1st or 99th percentile
            of the other values than 20 times their distance, and no other pixel does.
        """
        whole = 0, self.count - 1
        inner = self.count - 2 * pixel
        if inner < _FEWEST:
            return whole
        low, high = self._between(pixel + 0.01 * (inner - 1), pixel + 0.99 * (inner - 1))
        span = float(high) - float(low)
        if not span > 0:
            return whole
        dark = [low - value > _OUTLIER * span for value in self.at(range(pixel + 1))]
        bright = [value - high > _OUTLIER * span for value in self.at(range(self.count - 1 - pixel, self.count))]
        # More outlying values than a pixel has are something of the image.
        return 0 if all(dark) else sum(dark), self.count - 1 - (0 if all(bright) else sum(bright))

    def _between(self, *ranks: float) -> tuple[Number, Number]:
        """Interpolate between the two values next to each of two ranks."""
        values = iter(self.at(neighbor(rank) for rank in ranks for neighbor in (floor, ceil)))
        low, high = (_interpolated(next(values), next(values), rank % 1) for rank in ranks)
        return low, high


def _interpolated(below: Number, above: Number, fraction: float) -> Number:
    if below == above:
        return below if isinstance(below, int) and abs(below) >= _EXACT else float(below)
    if isinstance(below, int) and abs(below) >= _EXACT:
        return below + int((above - below) * fraction)
    return float(below) * (1 - fraction) + float(above) * fraction


def read_values(
    image: ImageArray, axes: Axes, channel: int | None, *, ordered: bool, limit: float = FILL_FROM
) -> tuple[ChannelValues, OrderedValues | None]:
    """Read all values of a channel, one plane at a time.

    Parameters
    ----------
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array.
    axes : Axes
        Axes of the image.
    channel : int or None
        Number of the channel; None without separate channels.
    ordered : bool
        Whether the order of the values is needed.
    limit : float, default FILL_FROM
        Largest magnitude of a value that is not missing.

    Returns
    -------
    values : ChannelValues
        Extremes and missing values.
    order : OrderedValues or None
        The values in their order, without opacity.

    Raises
    ------
    InputError
        If the order is needed and its values do not fit into memory.
    """
    indices = list(axes.plane_indices(channel))
    size = len(indices) * axes.shape[axes.y] * axes.shape[axes.x] * (3 if axes.rgb else 1)
    order = OrderedValues(np.dtype(image.dtype), size) if ordered else None
    values = ChannelValues()
    for index in indices:
        plane = axes.plane(image, index)
        for rows in _row_blocks(plane.shape):
            values = values.joined(_examine(plane[rows], axes.rgb, limit, order))
    return values, order


def single_value(image: ImageArray, axes: Axes, channel: int | None) -> tuple[Number, ...] | None:
    """Return the only value of a channel, or the only color of an RGB image.

    Parameters
    ----------
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array, which is read block by block until a second value is found.
    axes : Axes
        Axes of the image.
    channel : int or None
        Number of the channel; None without separate channels.

    Returns
    -------
    tuple of int or float, or None
        The value of all pixels that are not missing, of each color; NaN if all are missing; None for several values.
    """
    values = ChannelValues()
    shape = axes.shape[axes.y], axes.shape[axes.x]
    for index in axes.plane_indices(channel):
        for rows in _row_blocks(shape):
            block = axes.plane(image, axes.part(index, rows, slice(None)))
            values = values.joined(_examine(block, axes.rgb, FILL_FROM, None))
            if values.least != values.largest:
                return None
    return values.least or (float("nan"),) * (3 if axes.rgb else 1)


def _row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, _BLOCK // max(1, int(np.prod(shape[1:]))))
    return (slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows))


def _examine(block: npt.NDArray[Any], rgb: bool, limit: float, order: OrderedValues | None) -> ChannelValues:
    """Examine a block of a plane, (Y, X) or (Y, X, C), and add its values to their order."""
    colors = [block[..., color] for color in range(3)] if rgb else [block]
    counts: tuple[int, int, int, float | None] = (0, 0, 0, None)
    present = colors
    if block.dtype.kind == "f":
        masks = [missing_mask(color, limit) for color in colors]
        absent = np.concatenate([color[mask] for color, mask in zip(colors, masks, strict=True)])
        if absent.size:
            counts = _counts(absent)
            # A pixel without one of its colors counts as missing.
            pixels = np.logical_or.reduce(masks)
            present = [color[~pixels] for color in colors]
    extremes = present if present[0].size else []
    values = ChannelValues(
        tuple(color.min().item() for color in extremes), tuple(color.max().item() for color in extremes), *counts
    )
    if order is not None:
        for color in present:
            order.add(color)
    if rgb and block.shape[-1] == 4 and block.dtype.kind == "f":
        opacity = block[..., 3]
        values = values.joined(ChannelValues((), (), *_counts(opacity[missing_mask(opacity, limit)])))
    return values


def _counts(absent: npt.NDArray[Any]) -> tuple[int, int, int, float | None]:
    """Numbers of NaN, infinite and huge values, and the first of the huge ones."""
    nan, infinite = np.isnan(absent), np.isinf(absent)
    huge = absent[~(nan | infinite)]
    counts = int(np.count_nonzero(nan)), int(np.count_nonzero(infinite)), int(huge.size)
    return *counts, float(huge[0]) if huge.size else None
