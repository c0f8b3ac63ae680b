"""Calibration of an image: the facts of the whole image that a job needs, measured once before any part is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.imaging.analysis.sharpness import Sharpness
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity import (
    CancellableImage,
    ChannelValues,
    IntensityMap,
    choose_intensity,
    describe_missing,
    own_range,
    read_values,
    single_value,
)
from napari_sr.imaging.missing import FILL_FROM
from napari_sr.imaging.noise import NoiseMeasurement
from napari_sr.imaging.part import Range, crop
from napari_sr.inference.channels import CARRIED, separate_colors
from napari_sr.inference.facts.channel_facts import measure_channel
from napari_sr.inference.facts.given_noise import given_noise, stated_noise, total_noise
from napari_sr.inference.facts.training_range import sharper_than_blur, unlike_training
from napari_sr.inference.region import Region
from napari_sr.progress import Cancel, never
from napari_sr.settings import JobSettings
from napari_sr.zoo.card import Card

# Values of the network beyond this magnitude would overflow in sums of float32.
_LARGEST = 1e37


@dataclass(frozen=True)
class Calibration:
    """Facts of a whole image.

    Parameters
    ----------
    maps : mapping of (int or None) to IntensityMap
        Intensity map of each separate channel by its number, or of the whole image by None; channels without different
        values may be left out.
    noise : mapping of (int or None) to tuple of NoiseMeasurement
        Noise of each separate channel by its number, or of the whole image by None: one measurement, or one for each
        color of an RGB image. It includes noise that neighboring pixels share, where that is recognized. Empty for
        models that do not take it.
    values : mapping of (int or None) to ChannelValues
        Extremes and missing values by channel, where the image was read for its intensity; empty otherwise.
    constants : mapping of (int or None) to tuple of float
        The value or color of channels with a single one, NaN if all values are missing. They are not passed through
        the network.
    warnings : mapping of (int or None) to str
        Sentences by channel where black and white were chosen by an assumption.
    unlike : mapping of (int or None) to tuple of str
        Sentences by channel about properties that the training images of the model did not have; only where the noise
        was measured.
    sharpness : mapping of (int or None) to tuple of Sharpness
        Sharpness by channel, of each color; only where the noise was measured.
    correlated_fraction : float
        Fraction of the measured noise that neighboring pixels share which the network is given
        (`Conditioning.correlated`).
    """

    maps: Mapping[int | None, IntensityMap]
    noise: Mapping[int | None, tuple[NoiseMeasurement, ...]] = field(default_factory=dict)
    values: Mapping[int | None, ChannelValues] = field(default_factory=dict)
    constants: Mapping[int | None, tuple[float, ...]] = field(default_factory=dict)
    warnings: Mapping[int | None, str] = field(default_factory=dict)
    unlike: Mapping[int | None, tuple[str, ...]] = field(default_factory=dict)
    sharpness: Mapping[int | None, tuple[Sharpness, ...]] = field(default_factory=dict)
    correlated_fraction: float = 1.0

    def network_noise(self, channel: int | None, blur: float = 0.0) -> tuple[NoiseMeasurement, ...]:
        """Return the noise of a channel that a network is given, in the values of the image.

        Parameters
        ----------
        channel : int or None
            Number of the channel; None without separate channels.
        blur : float, default 0.0
            Standard deviation in pixels of the blur to remove. Of measured noise that neighboring pixels share, a
            larger variance is given with it.

        Returns
        -------
        tuple of NoiseMeasurement
            One for each color, by `given_noise.given_noise`. Noise that the settings state is unchanged.
        """
        return tuple(given_noise(noise, self.correlated_fraction, blur) for noise in self.noise[channel])

    def noise_levels(self, channel: int | None, denoise: float, blur: float = 0.0) -> list[tuple[float, float, float]]:
        """Return the noise of a channel in the values of the network.

        Parameters
        ----------
        channel : int or None
            Number of the channel; None without separate channels.
        denoise : float
            Factor on the standard deviation, 0 or more.
        blur : float, default 0.0
            Standard deviation in pixels of the blur to remove.

        Returns
        -------
        list of (float, float, float)
            Constant, slope and floor of the variance over the local mean, for each color.
        """
        mapping = self.maps[channel]
        gain = (mapping.to[1] - mapping.to[0]) / (mapping.high - mapping.low)
        levels = []
        for noise in self.network_noise(channel, blur):
            scaled = noise.scaled(gain, mapping.to[0] - gain * mapping.low)
            levels.append((denoise**2 * scaled.c0, denoise**2 * scaled.c1, denoise**2 * scaled.floor))
        return levels


@dataclass(frozen=True)
class RegionValues:
    """Facts of the pixels that a job reads.

    Parameters
    ----------
    missing : int
        Number of missing values.
    carried : bool
        Whether values may lie so far beyond black or white that they are carried around the network.
    warnings : tuple of str
        Sentences about the values.
    """

    missing: int = 0
    carried: bool = False
    warnings: tuple[str, ...] = ()


def calibrate(
    card: Card,
    settings: JobSettings,
    image: ImageArray,
    axes: Axes,
    contrast_limits: tuple[float, float] | None = None,
    *,
    cancel: Cancel = never,
) -> Calibration:
    """Measure the facts of a whole image.

    Parameters
    ----------
    card : Card
        Card of the model.
    settings : JobSettings
        Settings of the job.
    image : array
        The whole image. Its values are read for percentiles, for RGB other than uint8 and for the noise; with other
        intensities but a pair of values, block by block until two different ones are found.
    axes : Axes
        Axes of the image.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for ``intensity="contrast"``.
    cancel : callable
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Raises
    ------
    InputError
        If the intensity does not fit the image.
    Cancelled
        If `cancel` returned True.
    """
    spec = settings.intensity
    if card.conditioning is not None and spec == "auto":
        # The values that stand for black and white have no effect on such a model but for rounding, which is least
        # where they are close to those of the image.
        spec = "percentile"
    chosen = choose_intensity(spec, image, axes, contrast_limits=contrast_limits, cancel=cancel)
    readable = CancellableImage(image, cancel)
    constants: dict[int | None, tuple[float, ...]] = {}
    for channel, intensity in chosen.items():
        if intensity.values is not None:
            missing = (float("nan"),) * (3 if axes.rgb else 1)
            single = intensity.values.constant if intensity.values.least else missing
        else:
            # Black and white that the caller gives are an instruction to use the network.
            single = None if isinstance(spec, tuple) else single_value(readable, axes, channel)
        if single is not None:
            constants[channel] = single
    calibration = Calibration(
        {channel: intensity.map for channel, intensity in chosen.items() if intensity.map is not None},
        values={channel: intensity.values for channel, intensity in chosen.items() if intensity.values is not None},
        constants=constants,
        warnings={channel: intensity.warning for channel, intensity in chosen.items() if intensity.warning is not None},
    )
    if card.conditioning is None or card.conditioning.noise is None:
        return calibration
    colors = 3 if axes.rgb and separate_colors(card) else 1
    computed = {channel: mapping for channel, mapping in calibration.maps.items() if channel not in constants}
    if settings.noise == "auto":
        measured = {channel: measure_channel(image, axes, channel, colors) for channel in computed}
        noise = {channel: tuple(map(total_noise, one)) for channel, (one, _) in measured.items()}
        unlike = {channel: unlike_training(card, *facts) for channel, facts in measured.items()}
        sharpness = {channel: one for channel, (_, one) in measured.items()}
        fraction = card.conditioning.correlated
        return replace(calibration, noise=noise, unlike=unlike, sharpness=sharpness, correlated_fraction=fraction)
    noise = {channel: (stated_noise(settings.noise, mapping.low),) * colors for channel, mapping in computed.items()}
    return replace(calibration, noise=noise)


def check_region(
    calibration: Calibration,
    settings: JobSettings,
    image: ImageArray,
    region: Region,
    radius: int,
    *,
    cancel: Cancel = never,
) -> RegionValues:
    """Check the values of the pixels that a job reads.

    Parameters
    ----------
    calibration : Calibration
        Facts of the whole image.
    settings : JobSettings
        Settings of the job.
    image : array
        The whole image. The pixels of the job are read if the calibration has not their extremes and missing
        values, and the data type does not exclude values that need care.
    region : Region
        The region of the job.
    radius : int
        Receptive radius of the network, in pixels.
    cancel : callable
        Called before each channel is read; returning True ends the work with `Cancelled`.

    Raises
    ------
    InputError
        If values are missing and `settings.missing` is "refuse", or a value cannot be represented in the range of the
        network.
    Cancelled
        If `cancel` returned True.
    """
    axes = region.axes
    channels = [None] if axes.channel is None else list(range(*region.ranges[axes.channel]))
    readable, limit = CancellableImage(image, cancel), fill_limit(settings)
    ranges = region.read(radius, 1)
    values = {channel: calibration.values[channel] for channel in channels if channel in calibration.values}
    if len(values) == len(channels):
        missing = _all(values)
        if missing.missing and not region.whole:
            missing = _all(_read_part(readable, axes, ranges, limit))
    elif _needs_reading(calibration, channels, np.dtype(image.dtype)):
        if settings.missing == "fill":
            # A missing pixel takes the value of the nearest other pixel of its whole plane.
            planes = {axes.y: (0, axes.shape[axes.y]), axes.x: (0, axes.shape[axes.x])}
            ranges = tuple(planes.get(axis, span) for axis, span in enumerate(ranges))
        values = _read_part(readable, axes, ranges, limit)
        missing = _all(values)
    else:
        missing = ChannelValues()
    if missing.missing and settings.missing == "refuse":
        measured = ", or divide the values by a number if they are measured" if missing.fill else ""
        raise InputError(
            f'The image has {describe_missing(missing)}: choose missing="fill" to fill such pixels before upscaling '
            f"and mark them in the result{measured}."
        )
    warnings, carried = [], False
    for channel in channels:
        name = "" if channel is None else f"Channel {channel}: "
        if channel in calibration.warnings:
            warnings.append(name + calibration.warnings[channel])
        warnings.extend(name + sentence for sentence in calibration.unlike.get(channel, ()))
        if (blurred := sharper_than_blur(settings.blur, calibration.sharpness.get(channel, ()))) is not None:
            warnings.append(name + blurred)
        if channel in calibration.constants:
            warnings.append(name + _about_constant(calibration.constants[channel]))
        elif channel in values and (far := _about_far_values(calibration.maps[channel], values[channel])) is not None:
            warnings.append(name + far)
            carried = True
    if missing.missing:
        warnings.append("Missing pixels were filled from the nearest other ones and are NaN in the result.")
    return RegionValues(missing.missing, carried, tuple(warnings))


def fill_limit(settings: JobSettings) -> float:
    """Return the largest magnitude of a value that is not missing.

    Returns
    -------
    float
        1e30, or more where black and white are given as larger values.
    """
    given = settings.intensity if isinstance(settings.intensity, tuple) else (0.0,)
    return max(FILL_FROM, *(abs(value) for value in given))


def _all(values: Mapping[int | None, ChannelValues]) -> ChannelValues:
    """Join the values of all channels."""
    joined = ChannelValues()
    for one in values.values():
        joined = joined.joined(one)
    return joined


def _read_part(
    image: ImageArray, axes: Axes, ranges: tuple[Range, ...], limit: float
) -> dict[int | None, ChannelValues]:
    """Read the values of a part of an image, by the numbers of the channels in the whole image."""
    part = crop(image, ranges)
    inside = Axes(axes.letters, tuple(stop - start for start, stop in ranges))
    if axes.channel is None:
        return {None: read_values(part, inside, None, ordered=False, limit=limit)[0]}
    first, last = ranges[axes.channel]
    return {
        first + number: read_values(part, inside, number, ordered=False, limit=limit)[0]
        for number in range(last - first)
    }


def _needs_reading(calibration: Calibration, channels: Sequence[int | None], dtype: np.dtype[Any]) -> bool:
    """Whether a data type holds missing values, or values far beyond black and white."""
    ends = own_range(dtype, rgb=False)
    if ends is None:
        return True
    return any(_far(calibration.maps[channel], np.array(ends)) for channel in channels if channel in calibration.maps)


def _far(intensity: IntensityMap, extremes: NDArray[Any]) -> bool:
    least, largest = intensity.forward(extremes)
    return bool(least < CARRIED[0] or largest > CARRIED[1])


def _about_far_values(intensity: IntensityMap, values: ChannelValues) -> str | None:
    """Return a sentence about values that are carried around the network; None without such values."""
    if not values.least:
        return None
    least, largest = min(values.least), max(values.largest)
    black, white = float(intensity.low), float(intensity.high)
    # Python numbers become 64-bit integers or float64 in numpy, without loss.
    extremes = np.array([least, largest])
    for value, mapped in zip((least, largest), intensity.forward(extremes), strict=True):
        if not abs(mapped) <= _LARGEST:
            raise InputError(
                f"The value {float(value):g} is too far from black ({black:g}) and white ({white:g}) for float32: give "
                "the intensity as two values that include it, or replace it."
            )
    if not _far(intensity, extremes):
        return None
    return (
        f"There are values far beyond black or white, from {float(least):g} to {float(largest):g}: they are "
        "interpolated, as far as they exceed 16 times the range, and not passed through the network."
    )


def _about_constant(value: tuple[float, ...]) -> str:
    if all(isnan(color) for color in value):
        return "All pixels are missing."
    shown = ", ".join(f"{color:g}" for color in value)
    return f"All pixels have the value {shown}, which was copied without the network."
