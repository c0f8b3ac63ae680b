"""The level of the noise of a plane as a function of its brightness, and the noise plane that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, uniform_filter

from napari_sr.imaging.noise import measure_noise

#: Side of the squares of the local mean, as in `napari_sr.networks.conditioning`, which needs torch.
_LOCAL_MEAN = 5
#: Variance of the rounding to whole numbers.
ROUNDING = 1 / 12


@dataclass(frozen=True)
class NoiseLevel:
    """Noise of a plane: variance = max(constant + slope x local mean, floor), in the plane's own values.

    Parameters
    ----------
    constant : float, default 0.0
        Variance at a mean of 0. It is negative above a dark level, since it belongs to no value that occurs.
    slope : float, default 0.0
        Variance for each value of the local mean; negative in an inverted image.
    floor : float, default 0.0
        Smallest variance, 0 or more.
    """

    constant: float = 0.0
    slope: float = 0.0
    floor: float = 0.0

    def __add__(self, other: NoiseLevel) -> NoiseLevel:
        """Return the level of the sum of two independent noises."""
        return NoiseLevel(self.constant + other.constant, self.slope + other.slope, self.floor + other.floor)

    def times(self, fraction: float) -> NoiseLevel:
        """Return the level of noise whose variance is a fraction of this one's."""
        return NoiseLevel(self.constant * fraction, self.slope * fraction, self.floor * fraction)

    def scaled(self, gain: float, offset: float) -> NoiseLevel:
        """Return the level of the plane times a gain of any sign, plus an offset in values after the gain."""
        constant = gain**2 * self.constant - gain * self.slope * offset
        return NoiseLevel(constant, gain * self.slope, gain**2 * self.floor)

    def variance(self, mean: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the variances, 0 or more, at local means."""
        line = self.constant + self.slope * np.asarray(mean, np.float64)
        return np.asarray(np.maximum(line, max(self.floor, 0.0)))


def noise_plane(plane: npt.NDArray[Any], level: NoiseLevel) -> npt.NDArray[np.float32]:
    """Return the standard deviation of the noise of each pixel, from its mean over 5 x 5 pixels (border replicated)."""
    mean = uniform_filter(plane.astype(np.float64), _LOCAL_MEAN, mode="nearest")
    return np.sqrt(level.variance(mean)).astype(np.float32)


def measured_noise(planes: Sequence[npt.NDArray[Any]]) -> NoiseLevel:
    """Measure the noise of planes of one channel.

    Returns
    -------
    NoiseLevel
        Their noise, as `napari_sr.imaging.noise.measure_noise` measures it; that of rounding for planes that are too
        small or too uniform to show it.
    """
    measured = measure_noise(planes)
    return NoiseLevel(measured.c0, measured.c1, measured.floor) if measured.known else NoiseLevel(floor=measured.floor)


def passed_on(sigma: float, scale: int) -> float:
    """Return the fraction of the variance of white noise that is left after a blur and a mean over blocks of pixels.

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian blur in pixels, 0 or more.
    scale : int
        Side of the blocks in pixels, 1 or more.
    """
    line = np.zeros(8 * max(1, int(np.ceil(sigma))) + 2 * scale + 1)
    middle = len(line) // 2
    line[middle : middle + scale] = 1 / scale
    spread = gaussian_filter(line, sigma, mode="constant") if sigma else line
    return float(np.sum(spread**2) ** 2)
