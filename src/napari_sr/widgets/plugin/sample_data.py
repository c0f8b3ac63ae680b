"""The samples under File > Open Sample: one field of view at low and at high resolution, in the same place."""

from __future__ import annotations

from typing import Any

from napari_sr.samples import Sample, load_sample

LayerData = tuple[Any, dict[str, Any], str]


def fluorescence_low() -> list[LayerData]:
    """Return the fluorescence sample at low resolution, as napari calls it."""
    return [low_layer(load_sample("fluorescence"))]


def fluorescence_high() -> list[LayerData]:
    """Return the fluorescence sample at high resolution, as napari calls it."""
    return [high_layer(load_sample("fluorescence"))]


def electron_low() -> list[LayerData]:
    """Return the electron microscopy sample at low resolution, as napari calls it."""
    return [low_layer(load_sample("electron"))]


def electron_high() -> list[LayerData]:
    """Return the electron microscopy sample at high resolution, as napari calls it."""
    return [high_layer(load_sample("electron"))]


def high_layer(sample: Sample) -> LayerData:
    """Return the high-resolution layer of a sample, whose first pixel has its center at the origin of the world."""
    size, unit = _high_pixel(sample)
    return _layer(sample, sample.high, "high", size, 0.0, unit)


def low_layer(sample: Sample) -> LayerData:
    """Return the low-resolution layer of a sample, which covers the same area as `high_layer`.

    A pixel covers factor x factor high-resolution pixels, so the center of the first one is at (factor - 1) / 2
    high-resolution pixels.
    """
    size, unit = _high_pixel(sample)
    return _layer(sample, sample.low, "low", size * sample.factor, size * (sample.factor - 1) / 2, unit)


def _high_pixel(sample: Sample) -> tuple[float, str]:
    """Return the size of a high-resolution pixel and its unit; in low-resolution pixels if the size is not known."""
    # A layer without units makes napari 0.9 drop the units of all layers, so an unknown one is "pixel".
    if sample.pixel_size is None or sample.unit is None:
        return 1.0 / sample.factor, "pixel"
    return sample.pixel_size / sample.factor, sample.unit


def _layer(sample: Sample, image: Any, resolution: str, size: float, shift: float, unit: str) -> LayerData:
    kwargs: dict[str, Any] = {
        "name": f"{sample.name}, {resolution} resolution",
        "scale": (size, size),
        "translate": (shift, shift),
        "units": (unit, unit),
        "axis_labels": ("y", "x"),
        "rgb": False,
        # With another interpolation, the screen would smooth the pixels that are compared.
        "interpolation2d": "nearest",
        "metadata": {"title": sample.title, "source": sample.source, "license": sample.license},
    }
    return image, kwargs, "image"
