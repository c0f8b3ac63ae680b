"""The choice of the values of an image that are black and white.

They are chosen once for the whole image, before any tile is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_sr.conversion import shorten
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.array_like import check_real
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity.mapping import IntensityMap
from napari_sr.imaging.intensity.spec import IntensitySpec, Percentiles, format_limits, parse_intensity
from napari_sr.imaging.intensity.values import ChannelValues, Number, OrderedValues, read_values
from napari_sr.imaging.rounding import ends_of
from napari_sr.progress import Cancel, never

#: White of RGB images whose data type has no such range: of 0 to 1, of 8, 10, 12, 14 and 16 bits.
_WHITES_OF_FLOATS = (1, 255, 4095, 65535)
_WHITES_OF_INTEGERS = (255, 1023, 4095, 16383, 65535)
# Values of interpolated floats lie beyond black by up to this fraction of white, and up to one half above it.
_BELOW_BLACK = 0.1


@dataclass(frozen=True)
class ChannelIntensity:
    """Black and white of one channel.

    Parameters
    ----------
    map : IntensityMap or None
        The map to the range of the network; None where the values do not determine one, because they are all equal or
        all missing.
    values : ChannelValues, optional
        Extremes and missing values of the channel, if they were read.
    warning : str, optional
        A sentence where the range was chosen by an assumption that may be wrong.
    """

    map: IntensityMap | None
    values: ChannelValues | None = None
    warning: str | None = None


class CancellableImage:
    """View of an image that calls `cancel` before each read.

    Parameters
    ----------
    array : array
        A numpy, dask or zarr array.
    cancel : callable
        Returning True ends the work with `Cancelled`.
    """

    def __init__(self, array: ImageArray, cancel: Cancel) -> None:
        self._array, self._cancel = array, cancel
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index: Any, /) -> Any:
        if self._cancel():
            raise Cancelled
        return self._array[index]


def choose_intensity(
    spec: IntensitySpec,
    image: ImageArray,
    axes: Axes,
    *,
    contrast_limits: tuple[float, float] | None = None,
    cancel: Cancel = never,
) -> dict[int | None, ChannelIntensity]:
    """Choose black and white of a whole image, for each separate channel.

    Parameters
    ----------
    spec : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (low, high)
        "dtype" takes the ends of the integer dtype. "percentile" takes the 0.1 and 99.9 percentiles of all values that
        are not missing: of each separate channel alone, of the three colors of RGB(A) together, without alpha.
        `Percentiles` are other ones of the same values. "contrast" takes `contrast_limits`. A pair is taken as it is,
        in values of the image. "auto" is "dtype" for uint8 and bool, a usual range for other RGB, and "percentile" for
        everything else.
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array. Its values are read only for percentiles and for RGB other than uint8, one plane
        at a time.
    axes : Axes
        Axes of the image.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for "contrast".
    cancel : callable, optional
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    dict of (int or None) to ChannelIntensity
        By the number of the channel, or None for the whole image.

    Raises
    ------
    InputError
        If the spec is unknown or does not fit the image: "dtype" for floats, "contrast" without limits, low not less
        than high, or a dtype that is not a real number.
    Cancelled
        If `cancel` returned True.

    Notes
    -----
    The usual ranges of RGB are 0 to 1, and 8, 10, 12, 14 and 16 bits: the smallest that holds the largest value, except
    a single outlying pixel. Colors below black, or above 16 bits, get percentiles.

    Where both percentiles are the same value and others exist (sparse images), the extremes are taken. A percentile
    that would be interpolated with a single outlying pixel is that of the other pixels.
    """
    dtype = np.dtype(image.dtype)
    check_real(dtype)
    spec = parse_intensity(spec)
    if spec == "auto":
        own = dtype.kind == "b" or dtype == np.uint8
        if axes.rgb and not own:
            return {None: _of_colors(CancellableImage(image, cancel), axes)}
        spec = "dtype" if own else "percentile"
    if spec == "percentile":
        spec = Percentiles()
    if isinstance(spec, Percentiles):
        readable = CancellableImage(image, cancel)
        return {channel: _by_percentiles(readable, axes, channel, spec) for channel in axes.channels}
    shared = ChannelIntensity(IntensityMap(*_bounds(spec, dtype, contrast_limits)))
    return dict.fromkeys(axes.channels, shared)


def intensity_maps(
    spec: IntensitySpec,
    image: ImageArray,
    axes: Axes,
    *,
    contrast_limits: tuple[float, float] | None = None,
) -> dict[int | None, IntensityMap]:
    """Choose the intensity map of a whole image, one for each separate channel.

    Parameters
    ----------
    spec, image, axes, contrast_limits : object
        As for `choose_intensity`.

    Returns
    -------
    dict of (int or None) to IntensityMap
        The map of each separate channel by its number, or of the whole image by None: ``maps[axes.channel_of(index)]``
        is the map of a plane. Channels share one map unless percentiles are taken.

    Raises
    ------
    InputError
        If the spec is unknown or does not fit the image, or all values of a channel are equal or missing and do not
        determine a range.
    """
    maps = {}
    chosen = choose_intensity(spec, image, axes, contrast_limits=contrast_limits)
    for channel, intensity in chosen.items():
        if intensity.map is None:
            where = "The image" if channel is None else f"Channel {channel} of the image"
            values = intensity.values
            if values is None or values.constant is None:
                raise InputError(f"{where} has no finite value: choose another one, or replace its missing values.")
            raise InputError(
                f"{where} has the single value {values.constant[0]:g}: choose another one, or give the intensity as a "
                "pair (low, high)."
            )
        maps[channel] = intensity.map
    return maps


def check_finite(image: ImageArray, axes: Axes) -> None:
    """Check that no value of an image is missing.

    Parameters
    ----------
    image : array, shape ``axes.shape``
        A numpy, dask or zarr array, which is read one plane at a time. Integers are not read.
    axes : Axes
        Axes of the image.

    Raises
    ------
    InputError
        If there are NaN, infinite or huge values; the message gives the number of each.
    """
    if np.dtype(image.dtype).kind != "f":
        return
    values = ChannelValues()
    for channel in axes.channels:
        values = values.joined(read_values(image, axes, channel, ordered=False)[0])
    if values.missing:
        raise InputError(f"The image has {describe_missing(values)}: replace them by numbers first.")


def describe_missing(values: ChannelValues) -> str:
    """Describe the missing values of an image.

    Returns
    -------
    str
        Such as "3 NaN and 1 infinite values".
    """
    found = [f"{count} {name}" for count, name in ((values.nan, "NaN"), (values.infinite, "infinite")) if count]
    if values.fill:
        found.append(f"{values.fill} huge")
    text = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
    plural = "value" if values.missing == 1 else "values"
    if not values.fill:
        return f"{text} {plural}"
    return f"{text} {plural} ({values.fill_value:g}, which stands for a missing pixel in files)"


def _bounds(
    spec: str | tuple[float, float], dtype: np.dtype[Any], contrast_limits: tuple[float, float] | None
) -> tuple[float, float]:
    """Return black and white for "dtype", for "contrast", and for two values."""
    if isinstance(spec, tuple):
        return spec
    if spec == "dtype":
        own = own_range(dtype, rgb=False)
        if own is None:
            raise InputError(
                f'An image of {dtype} has no range of its own: choose "percentile" or give a pair (low, high).'
            )
        return own
    if contrast_limits is None:
        raise InputError('The intensity "contrast" needs a layer with contrast limits: choose "percentile".')
    try:
        low, high = contrast_limits
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The contrast limits {shorten(contrast_limits)} are not a pair of numbers: give (low, high)."
        ) from error


def own_range(dtype: np.dtype[Any], *, rgb: bool) -> tuple[float, float] | None:
    """Return black and white of a data type.

    Returns
    -------
    (float, float) or None
        The ends of an integer data type; 0 and 1 for bool, and for floats in RGB; None for other floats.
    """
    if dtype.kind == "f":
        return (0.0, 1.0) if rgb else None
    least, most = ends_of(dtype)
    return float(least), float(most)


def _by_percentiles(image: ImageArray, axes: Axes, channel: int | None, percentiles: Percentiles) -> ChannelIntensity:
    values, order = read_values(image, axes, channel, ordered=True)
    assert order is not None
    return _of_percentiles(values, order, percentiles, 3 if axes.rgb else 1)


def _of_percentiles(
    values: ChannelValues, order: OrderedValues, percentiles: Percentiles, pixel: int
) -> ChannelIntensity:
    """Percentiles of values, or their extremes where both are one value and others exist."""
    if not values.least or (least := min(values.least)) == (largest := max(values.largest)):
        return ChannelIntensity(None, values)
    warning = None
    low, high, outlier = order.percentiles(percentiles, pixel)
    if low == high:
        others = order.without(low)
        first, last = others.at(others.without_outliers(pixel))
        low, high = min(low, first), max(high, last)
        outlier = least < low or largest > high
        black, white = format_limits(float(low), float(high))
        warning = (
            f"Both percentiles are the same value, so black is the least value, {black}, and white the largest, "
            f"{white}."
        )
    if outlier:
        extreme = largest if largest - high > low - least else least
        warning = f"A pixel of {float(extreme):g}, far from all others, was left out of the choice of black and white."
    return ChannelIntensity(IntensityMap(low, high), values, warning)


def _of_colors(image: ImageArray, axes: Axes) -> ChannelIntensity:
    """Black and white of RGB whose data type is not that of 0 to 255."""
    dtype = np.dtype(image.dtype)
    floats = dtype.kind == "f"
    values, order = read_values(image, axes, None, ordered=not floats)
    if not values.least:
        return ChannelIntensity(None, values)
    least, largest = min(values.least), max(values.largest)
    white = _usual_white(least, largest, floats)
    if white == 1:
        return ChannelIntensity(IntensityMap(0.0, 1.0), values)
    if order is None:
        _, order = read_values(image, axes, None, ordered=True)
        assert order is not None
    # One hot pixel must not make all others dark.
    least, largest = order.at(order.without_outliers(3))
    white = _usual_white(least, largest, floats)
    range_of_values = f"The colors have values from {float(least):g} to {float(largest):g}"
    if white is None:
        chosen = _of_percentiles(values, order, Percentiles(), 3)
        if chosen.map is None:
            return chosen
        black, shown_white = format_limits(float(chosen.map.low), float(chosen.map.high))
        warning = (
            f"{range_of_values}, which is no usual range, so black and white are their percentiles, {black} and "
            f"{shown_white}: give the intensity as two values if that is wrong."
        )
        return ChannelIntensity(chosen.map, values, warning)
    chosen_map = IntensityMap(0.0, float(white))
    if (0.0, float(white)) == own_range(dtype, rgb=True):
        return ChannelIntensity(chosen_map, values)
    warning = (
        f"{range_of_values}, so 0 is taken as black and {white} as white: give the intensity as two values if that is "
        "wrong."
    )
    return ChannelIntensity(chosen_map, values, warning)


def _usual_white(least: Number, largest: Number, floats: bool) -> int | None:
    """White of the smallest usual range that holds the values; None if there is none."""
    for white in _WHITES_OF_FLOATS if floats else _WHITES_OF_INTEGERS:
        if largest <= (white + 0.5 if floats else white):
            return white if least >= (-_BELOW_BLACK * white if floats else 0) else None
    return None
