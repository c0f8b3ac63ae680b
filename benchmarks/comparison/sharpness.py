"""Measures of fine detail: power, spectrum, lattice, pattern and displacement of a result against its truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, uniform_filter

from napari_sr.evaluation import lattice
from napari_sr.evaluation.lattice import tile_power
from napari_sr.imaging.color import luma

Image = npt.NDArray[Any]
#: A number for a result and its truth.
Measure = Callable[[Image, Image], float]
#: Power of rounding to 8 bits: less detail is not seen.
_ROUNDING = 1 / 12
#: Side of the tiles in which the pattern of an image is measured, in pixels.
_TILE = 32
#: Width (sigma) of the filter before displacements are measured, and the border that is left out, in pixels.
_SMOOTHING, _BORDER = 2.0, 8


def gray_levels(image: Image) -> npt.NDArray[np.float64]:
    """Return the luma of a color image, or a gray one itself, both from 0 to 255."""
    return np.asarray(luma(image / 255.0) * 255 if image.ndim == 3 else image, np.float64)


def spectrum(image: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the power, with a window against the border, and the frequencies in cycles per pixel."""
    y = gray_levels(image)
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    power = np.abs(np.fft.fft2((y - y.mean()) * window)) ** 2 / (window**2).sum() + _ROUNDING
    return power, np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None, :])


def fine_power(image: Image) -> float:
    """Return the power above half the Nyquist frequency."""
    power, radius = spectrum(image)
    return float(power[(radius > 0.25) & (radius <= 0.5)].sum())


def spectrum_error(image: Image, truth: Image) -> float:
    """Return the mean distance of the radial power spectra in decades, from a quarter of Nyquist up."""
    (power, radius), (expected, _) = spectrum(image), spectrum(truth)
    rings = np.linspace(0.125, 0.5, 13)
    inside = [(radius > low) & (radius <= high) for low, high in pairwise(rings)]
    return float(np.mean([abs(np.log10(power[ring].mean() / expected[ring].mean())) for ring in inside]))


def relative_lattice(image: Image, truth: Image, scale: int) -> float:
    """Return the lattice of an image over the larger of its truth's and that of white noise."""
    found, expected = (lattice(gray_levels(i), scale=scale, data_range=255) for i in (image, truth))
    return found / max(1.0, expected)


def pattern(image: Image) -> float:
    """Return how much the fine detail of an image is concentrated on few frequencies, as rows of dots are.

    The largest power at one distance from frequency 0 over the geometric mean at that distance, as the geometric mean
    over the distances from half of Nyquist to Nyquist. 1 is detail that is equal in all directions. The power is
    Welch's, from tiles of 32 pixels, and the mean over rotations by 90 degrees and reflections: those of the pattern of
    an upsampling layer, and not of structures, each of which has a direction of its own.
    """
    power = tile_power(gray_levels(image), _TILE) + _ROUNDING
    for axis in (0, 1):
        power = (power + np.roll(np.flip(power, axis), 1, axis)) / 2
    power = (power + power.T) / 2
    frequencies = np.fft.fftfreq(_TILE, 1 / _TILE)
    distances = np.round(np.hypot(frequencies[:, None], frequencies[None, :]))
    rings = [power[distances == distance] for distance in range(_TILE // 4, _TILE // 2 + 1)]
    return float(np.exp(np.mean([np.log(ring.max()) - np.log(ring).mean() for ring in rings])))


def displacement(image: Image, truth: Image) -> float:
    """Return the length of the displacement of an image against its truth, in pixels.

    Least squares over the whole image (Lucas and Kanade, IJCAI 1981), for small displacements: truth - image =
    slope x displacement + gain x mean + offset, with the slope of the mean of both. Both are smoothed first, so that
    the linear expansion holds and added or missing fine detail has little weight. The border is left out.

    Phase correlation is no measure here: it weights all frequencies alike, and results have no power at the highest.
    """
    moved, still = gray_levels(image), gray_levels(truth)
    mean = (moved + still) / 2
    inside = (slice(_BORDER, -_BORDER),) * 2

    def smoothed(values: npt.NDArray[np.float64], order: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float64]:
        return gaussian_filter(values, _SMOOTHING, order=order)[inside].ravel()

    columns = [smoothed(mean, (1, 0)), smoothed(mean, (0, 1)), smoothed(mean), np.ones(mean[inside].size)]
    solution, *_ = np.linalg.lstsq(np.column_stack(columns), smoothed(still - moved), rcond=None)
    return float(np.hypot(*solution[:2]))


def measures(features: Mapping[str, Measure], scale: int) -> Mapping[str, Measure]:
    """Return the measures of a result against its truth, by the names of their columns; features come last."""
    found: dict[str, Measure] = {
        "fine detail": lambda image, truth: fine_power(image) / fine_power(truth),
        "spectrum error": spectrum_error,
        "lattice": lambda image, truth: relative_lattice(image, truth, scale),
        "pattern": lambda image, truth: pattern(image) / pattern(truth),
        "moved": displacement,
        "brightness": lambda image, truth: float(image.mean() - truth.mean()),
    }
    return {**found, **features}


def busiest(image: Image, side: int) -> tuple[int, int, int]:
    """Return top, left and side of the square with the largest variance."""
    values = image.astype(float)
    spread = uniform_filter(values**2, side) - uniform_filter(values, side) ** 2
    half = side // 2
    inner = spread[half : spread.shape[0] - half + 1, half : spread.shape[1] - half + 1]
    top, left = np.unravel_index(np.argmax(inner), inner.shape)
    return int(min(top, image.shape[0] - side)), int(min(left, image.shape[1] - side)), side
