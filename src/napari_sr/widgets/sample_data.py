"""The samples under File > Open Sample: one field of view at low and at high resolution, coinciding in the world."""

from __future__ import annotations

from typing import Any

from napari_sr.samples import Sample, load_sample

LayerData = tuple[Any, dict[str, Any], str]


def fluorescence_low() -> list[LayerData]:
    """Give the fluorescence sample at low resolution."""
    return [low_layer(load_sample("fluorescence"))]


def fluorescence_high() -> list[LayerData]:
    """Give the fluorescence sample at high resolution."""
    return [high_layer(load_sample("fluorescence"))]


def electron_low() -> list[LayerData]:
    """Give the electron microscopy sample at low resolution."""
    return [low_layer(load_sample("electron"))]


def electron_high() -> list[LayerData]:
    """Give the electron microscopy sample at high resolution."""
    return [high_layer(load_sample("electron"))]


def high_layer(sample: Sample) -> LayerData:
    """Layer of a sample's high-resolution image, whose first pixel's center is the origin of the world."""
    size, unit = _high_pixel(sample)
    return _layer(sample, sample.high, "high", size, 0.0, unit)


def low_layer(sample: Sample) -> LayerData:
    """Layer of a sample's low-resolution image, over the same part of the world as `high_layer`.

    A low-resolution pixel covers factor x factor pixels of the other: its center lies (factor - 1) / 2 of them on.
    """
    size, unit = _high_pixel(sample)
    return _layer(sample, sample.low, "low", size * sample.factor, size * (sample.factor - 1) / 2, unit)


def _high_pixel(sample: Sample) -> tuple[float, str]:
    # On napari 0.9 a layer without units makes the viewer drop them for all; unknown is "pixel", one per low pixel.
    if sample.pixel_size is None or sample.unit is None:
        return 1.0 / sample.factor, "pixel"
    return sample.pixel_size / sample.factor, sample.unit


def _layer(sample: Sample, image: Any, which: str, size: float, shift: float, unit: str) -> LayerData:
    kwargs: dict[str, Any] = {
        "name": f"{sample.name}, {which} resolution",
        "scale": (size, size),
        "translate": (shift, shift),
        "units": (unit, unit),
        "axis_labels": ("y", "x"),
        "rgb": False,
        # Pixels are what this is about: the screen must not smooth them.
        "interpolation2d": "nearest",
        "metadata": {"title": sample.title, "source": sample.source, "license": sample.license},
    }
    return image, kwargs, "image"
