"""Calibration of an image: the facts of the whole image that a job needs, measured once before any part is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex
from napari_sr.imaging.intensity import IntensityMap, intensity_maps
from napari_sr.imaging.noise import NoiseMeasurement, measure_noise
from napari_sr.inference.channels import separate_colors
from napari_sr.progress import Cancel
from napari_sr.settings import JobSettings
from napari_sr.zoo.card import Card


@dataclass(frozen=True)
class Calibration:
    """Facts of a whole image.

    Parameters
    ----------
    maps : mapping of (int or None) to IntensityMap
        Intensity map of each separate channel by its number, or of the whole image by None.
    noise : mapping of (int or None) to tuple of NoiseMeasurement
        Noise of each separate channel by its number, or of the whole image by None: one measurement, or one for each
        color of an RGB image. Empty for models that do not take it.
    """

    maps: Mapping[int | None, IntensityMap]
    noise: Mapping[int | None, tuple[NoiseMeasurement, ...]] = field(default_factory=dict)

    def noise_levels(self, channel: int | None, denoise: float) -> list[tuple[float, float, float]]:
        """Return the noise of a channel in the values of the network.

        Parameters
        ----------
        channel : int or None
            Number of the channel; None without separate channels.
        denoise : float
            Factor on the standard deviation, 0 or more.

        Returns
        -------
        list of (float, float, float)
            Constant, slope and floor of the variance over the local mean, for each color.
        """
        mapping = self.maps[channel]
        gain = (mapping.to[1] - mapping.to[0]) / (mapping.high - mapping.low)
        levels = []
        for measured in self.noise[channel]:
            scaled = measured.scaled(gain, mapping.to[0] - gain * mapping.low)
            levels.append((denoise**2 * scaled.c0, denoise**2 * scaled.c1, denoise**2 * scaled.floor))
        return levels


def calibrate(
    card: Card,
    settings: JobSettings,
    image: ImageArray,
    axes: Axes,
    contrast_limits: tuple[float, float] | None = None,
    *,
    cancel: Cancel = lambda: False,
) -> Calibration:
    """Measure the facts of a whole image.

    Parameters
    ----------
    card : Card
        Card of the model.
    settings : JobSettings
        Settings of the job.
    image : array
        The whole image. Its values are read for percentiles and for the noise only.
    axes : Axes
        Axes of the image.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for ``intensity="contrast"``.
    cancel : callable
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    Calibration
        The facts.

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
    maps = intensity_maps(spec, image, axes, contrast_limits=contrast_limits, cancel=cancel)
    if card.conditioning is None or card.conditioning.noise is None:
        return Calibration(maps)
    colors = 3 if axes.rgb and separate_colors(card) else 1
    if settings.noise == "auto":
        return Calibration(maps, {channel: _measured(image, axes, channel, colors) for channel in maps})
    return Calibration(maps, {channel: (_given(settings, mapping),) * colors for channel, mapping in maps.items()})


def _given(settings: JobSettings, mapping: IntensityMap) -> NoiseMeasurement:
    """Return the noise that the settings state."""
    if not isinstance(settings.noise, tuple):
        return NoiseMeasurement(0.0, 0.0)
    deviation, gain = settings.noise
    return NoiseMeasurement(deviation**2 - gain * mapping.low, gain)


def _measured(image: ImageArray, axes: Axes, channel: int | None, colors: int) -> tuple[NoiseMeasurement, ...]:
    """Measure the noise of a channel, of each of its colors."""
    indices = [index for index in axes.plane_indices() if axes.channel_of(index) == channel]
    numbers: list[int | None] = [None] if colors == 1 else list(range(colors))
    views = [[_PlaneView(image, axes, index, color) for index in indices] for color in numbers]
    return tuple(measure_noise(planes) for planes in views)


class _PlaneView:
    """One plane of an image, or one color of it, read where it is indexed."""

    def __init__(self, image: ImageArray, axes: Axes, index: PlaneIndex, color: int | None) -> None:
        self._image, self._axes, self._index, self._color = image, axes, index, color
        self.shape: tuple[int, ...] = (axes.shape[axes.y], axes.shape[axes.x])
        self.dtype = np.dtype(image.dtype)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if not isinstance(rows, slice) or not isinstance(columns, slice):
            return np.asarray(self[:, :][index])
        part = self._axes.plane(self._image, self._axes.part(self._index, rows, columns))
        return part if self._color is None else part[..., self._color]
