"""Low-resolution patches under random blur and noise, with the noise plane and the blur that a network is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve, gaussian_filter, uniform_filter
from scipy.special import ndtr

from napari_sr.training.data.conditions.artificial import two_noise_levels
from napari_sr.training.data.conditions.truths import WHITE
from napari_sr.training.data.degradation import shrink
from napari_sr.training.data.noise_levels import ROUNDING, NoiseLevel, noise_plane, passed_on
from napari_sr.training.recipe import BlurConditions, Conditions, NoiseConditions
from napari_sr.training.recipe.table import PositiveSpread, value_at

Floats = npt.NDArray[np.float32]

# A mask that removes planes and slopes, so that smooth structure gives zero. The squares of its weights add up to 1.
_SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6.0
#: Side of the tiles in which fine texture is measured, the distance of their centers, and the quantile of their
#: variances that counts as noise.
_TILE, _STRIDE, _QUANTILE = 6, 3, 0.2
#: Range of the fraction of that texture that is counted.
_COUNTED = (0.3, 1.3)
#: Fraction of the patches with correlated noise whose noise is recognized, and range of the measured over the true
#: standard deviation then, since structure adds to it.
_RECOGNIZED, _IN_FULL = 0.5, (0.8, 1.6)
#: Otherwise a power of the part that second differences show is measured, in this range: finer differences than these
#: decide.
_UNRECOGNIZED = (0.5, 2.0)
#: Fraction of artificial patches with two levels of noise.
_TWO_LEVELS = 0.3


@dataclass(frozen=True)
class Observation:
    """A patch at both resolutions, in gray levels of 8 bits, with the inputs of the network.

    Parameters
    ----------
    low : array of float32, shape (Y, X)
        Low-resolution patch.
    noise : array of float32, shape (Y, X)
        Its noise plane: standard deviations.
    truth : array of float32, shape (scale Y, scale X)
        High-resolution patch.
    blur : float
        Blur as a standard deviation in low-resolution pixels.
    """

    low: Floats
    noise: Floats
    truth: Floats
    blur: float


@dataclass(frozen=True)
class Camera:
    """Noise of a camera.

    Parameters
    ----------
    gain : float
        Gray levels per photon; 0 for no Poisson noise.
    read : float
        Standard deviation of the Gaussian noise in gray levels; 0 for none.
    """

    gain: float
    read: float

    @property
    def noisy(self) -> bool:
        """Whether there is any noise."""
        return self.gain > 0 or self.read > 0


def observe(
    square: Floats,
    own: NoiseLevel,
    conditions: Conditions,
    generator: np.random.Generator,
    *,
    scale: int,
    halo: int,
    artificial: bool = False,
) -> Observation:
    """Draw conditions, and compute the low-resolution patch of a truth under them.

    Parameters
    ----------
    square : array of float32, shape (Y + 2 halo, X + 2 halo)
        The truth with its surroundings, in gray levels of 8 bits.
    own : NoiseLevel
        Its own noise.
    conditions : Conditions
        The distribution of the conditions.
    generator : numpy.random.Generator
        Source of the random numbers.
    scale : int
        Factor of the network.
    halo : int
        Width of the surroundings in high-resolution pixels, a multiple of `scale`.
    artificial : bool, default False
        Whether the truth is artificial: it always has noise, and its texture is not measured.
    """
    if conditions.smooth is not None and not artificial and generator.random() < conditions.smooth.fraction:
        square, own = _smoothed(square, own, value_at(conditions.smooth.sigma, generator.random()))
    sigma = draw_blur(conditions.blur, scale, generator)
    blurred = gaussian_filter(square, sigma, mode="reflect") if sigma else square
    clean = shrink(blurred, scale, "binning" if generator.random() < conditions.binning else "bicubic")
    camera = draw_camera(conditions.noise, generator, always=artificial)
    low, measured = _with_noise(clean, camera, conditions.noise, generator)
    left = passed_on(sigma, scale)
    level = NoiseLevel(camera.read**2 + left * own.constant, camera.gain + left * own.slope)
    texture = 0.0
    if not artificial and generator.random() < conditions.noise.texture:
        texture = texture_variance(clean) * float(generator.uniform(*_COUNTED))
    truth = square[halo : square.shape[0] - halo, halo : square.shape[1] - halo]
    invertible = camera.noisy and not artificial
    low, truth, level = _recorded(low, truth, level, conditions, generator, camera.noisy, invertible)
    edge = halo // scale
    low = low[edge : low.shape[0] - edge, edge : low.shape[1] - edge]
    jitter = _jitter(conditions.noise, generator) if camera.noisy else (1.0, 1.0)
    stated = NoiseLevel((level.constant + texture) * jitter[0], level.slope * jitter[1], level.floor)
    noise = noise_plane(low, stated) * np.float32(measured)
    if artificial and generator.random() < _TWO_LEVELS:
        low, noise = two_noise_levels(generator, low, noise, truth)
    error = generator.normal(0, conditions.blur.jitter) * min(1.0, sigma) if sigma and conditions.blur else 0.0
    return Observation(low, noise, truth, max(0.0, sigma / scale + float(error)))


def draw_blur(blur: BlurConditions | None, scale: int, generator: np.random.Generator) -> float:
    """Draw the width of a blur.

    Returns
    -------
    float
        Standard deviation in high-resolution pixels; 0 for no blur.
    """
    if blur is None or generator.random() < blur.absent:
        return 0.0
    if generator.random() < blur.result_fraction:
        return value_at(blur.result, generator.random())
    return value_at(blur.source, generator.random()) * scale


def draw_camera(noise: NoiseConditions, generator: np.random.Generator, *, always: bool = False) -> Camera:
    """Draw the noise of a camera."""
    if generator.random() < noise.absent and not always:
        return Camera(0.0, 0.0)
    gain = 0.0 if generator.random() < noise.without_gain else _log_uniform(noise.gain, generator)
    read = 0.0 if gain and generator.random() < noise.without_read else _log_uniform(noise.read, generator)
    return Camera(gain, read)


def texture_variance(clean: Floats) -> float:
    """Return a variance that a measurement of the noise may find in a patch without noise.

    It simulates errors of a measurement for the noise plane of a training; images are measured by
    `napari_sr.imaging.noise`.

    Parameters
    ----------
    clean : array of float32, shape (Y, X)
        The patch, of at least 12 x 12 pixels; 0 is returned for smaller ones.

    Returns
    -------
    float
        Lower fifth of the variances of second differences in tiles of 6 x 6 pixels.
    """
    squares = convolve(clean, _SECOND_DIFFERENCES.astype(np.float32), mode="nearest") ** 2
    inner = slice(_TILE // 2, -(_TILE // 2), _STRIDE)
    tiles = uniform_filter(squares, _TILE)[inner, inner]
    return float(np.quantile(tiles, _QUANTILE)) if tiles.size else 0.0


def clipped_mean(mean: npt.NDArray[Any], deviation: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:
    """Return the means of normally distributed values that are clipped to a range, from those before clipping."""
    lower, upper = (low - mean) / deviation, (high - mean) / deviation
    below, above = ndtr(lower), ndtr(-upper)
    density = (np.exp(-0.5 * lower**2) - np.exp(-0.5 * upper**2)) / np.sqrt(2 * np.pi)
    return np.asarray(low * below + high * above + mean * (1 - below - above) + deviation * density)


def _smoothed(square: Floats, own: NoiseLevel, sigma: float) -> tuple[Floats, NoiseLevel]:
    """Blur a truth; its own noise decreases with it."""
    return gaussian_filter(square, sigma, mode="reflect"), own.times(min(1.0, 1 / (4 * np.pi * sigma**2)))


def _with_noise(
    clean: Floats, camera: Camera, noise: NoiseConditions, generator: np.random.Generator
) -> tuple[Floats, float]:
    """Add noise; return the fraction of its standard deviation that a measurement shows, too."""
    low = clean
    if camera.gain:
        photons = generator.poisson(np.maximum(clean, 0) / camera.gain)
        low = (camera.gain * photons + np.minimum(clean, 0)).astype(np.float32)
    if camera.read:
        low = low + np.float32(camera.read) * generator.standard_normal(clean.shape, np.float32)
    if not camera.noisy or generator.random() >= noise.correlated:
        return low, 1.0
    # All of the noise: filters, color cameras and registrations act on the recorded image.
    width = round(value_at(noise.correlation, generator.random()), 2)
    spread = gaussian_filter(low - clean, width, mode="reflect") / np.float32(np.sqrt(passed_on(width, 1)))
    if generator.random() < _RECOGNIZED:
        return clean + spread, value_at(_IN_FULL, generator.random())
    return clean + spread, _seen_of_correlated(width) ** float(generator.uniform(*_UNRECOGNIZED))


@lru_cache
def _seen_of_correlated(width: float) -> float:
    """Return the fraction of its standard deviation that second differences show of noise filtered by a Gaussian."""
    impulse = np.zeros((33, 33))
    impulse[16, 16] = 1
    spread = gaussian_filter(impulse, width)
    return float(np.sqrt((convolve(spread, _SECOND_DIFFERENCES) ** 2).sum() / (spread**2).sum()))


def _recorded(
    low: Floats,
    truth: Floats,
    level: NoiseLevel,
    conditions: Conditions,
    generator: np.random.Generator,
    noisy: bool,
    invertible: bool,
) -> tuple[Floats, Floats, NoiseLevel]:
    """Clip, round and invert a patch, as a camera and a user do."""
    rounding = ROUNDING if generator.random() < conditions.rounded else 0.0
    if noisy and generator.random() < conditions.clipped:
        # The mean of what the camera records is the best truth: a network cannot predict values beyond the range.
        deviation = np.sqrt(np.maximum(level.constant + level.slope * np.maximum(truth, 0), 1e-6))
        truth = clipped_mean(truth, deviation, 0.0, WHITE).astype(np.float32)
        low = np.clip(low, 0, WHITE)
    if rounding:
        low = np.rint(low)
    level = NoiseLevel(level.constant + rounding, level.slope, rounding)
    if invertible and generator.random() < conditions.inverted_after:
        return WHITE - low, WHITE - truth, level.scaled(-1.0, WHITE)
    return low, truth, level


def _jitter(noise: NoiseConditions, generator: np.random.Generator) -> tuple[float, float]:
    """Draw the errors of constant and slope of a measured level."""
    deviation = noise.outlier_jitter if generator.random() < noise.outliers else noise.jitter
    first, second = np.exp(2 * generator.normal(0, deviation, 2))
    return float(first), float(second)


def _log_uniform(spread: PositiveSpread, generator: np.random.Generator) -> float:
    ends = spread if isinstance(spread, tuple) else (spread, spread)
    return float(np.exp(generator.uniform(*np.log(ends))))
