"""Intensities: the values of an image that are black and white for a network, and the maps to its range and back."""

from napari_sr.imaging.intensity.choice import (
    CancellableImage,
    ChannelIntensity,
    check_finite,
    choose_intensity,
    describe_missing,
    intensity_maps,
    own_range,
)
from napari_sr.imaging.intensity.mapping import IntensityMap
from napari_sr.imaging.intensity.values import ChannelValues, read_values, single_value

__all__ = [
    "CancellableImage",
    "ChannelIntensity",
    "ChannelValues",
    "IntensityMap",
    "check_finite",
    "choose_intensity",
    "describe_missing",
    "intensity_maps",
    "own_range",
    "read_values",
    "single_value",
]
