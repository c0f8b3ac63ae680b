"""Measurement of the sharpness of an image: the end of its spectrum, blur, and signs of enlargement and of JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, median_filter, uniform_filter

from napari_sr.imaging.noise import NoiseMeasurement, measure_noise
from napari_sr.imaging.noise.sampling import PlaneLike, spread, windows

Array = npt.NDArray[np.float64]

# Side of the squares whose spectra are averaged, and of the smallest ones, in pixels.
_SQUARE, _LEAST_SQUARE = 128, 32
# Weights of the cosines of the window of the squares.
_BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)
# Number of rings of frequency from 0 to the Nyquist frequency.
_RINGS = 32
# The spectrum ends where structure has less than this fraction of the power of the noise in two successive rings.
_VISIBLE = 0.5
# Smallest power of the noise, as a fraction of the variance of the image. Lower parts of a spectrum are rounding.
_LEAST_POWER = 1e-9
# Power of objects without blur falls with an exponent of the frequency: its mean and standard deviation.
_EXPONENT, _EXPONENTS_DIFFER = 2.5, 0.5
# Standard deviation of the power of a ring around a power law times a Gaussian, as a fraction.
_LIKENESS = 0.15
# Standard error of the measured noise, as a fraction of its variance.
_NOISE_KNOWN = 0.1
# The lowest frequency that is used. Lower ones are affected by illumination, and by the mean through the width of the
# window, four periods in a square.
_LOWEST = 0.06
# Logarithm of the size of fine coefficients beside the grid of JPEG over that on the grid. 99 % of other images are
# below 0.16.
_JPEG, _APART = 0.2, 1.05
# Peak over median power of the profile of differences. 99 % of unprocessed images are below 20.
_PERIODIC = 60.0
# Lowest frequency of a period that is searched, in cycles per pixel: periods are 2 to 5 pixels.
_SLOWEST = 0.18
# Largest number of parts, and of rows and columns of each, that are searched for JPEG and for periods.
_PARTS, _MOST = 4, 512
_LEAST_SIDE = 64
# Of images without noise and without blocks, 95 % are below this number over the square root of the number of blocks,
# and nearly all are below this number of standard errors.
_CHANCE, _ERRORS = 3.6, 5.0
# Quantile of the sizes of the fine coefficients of a grid, and the smallest size, as a fraction of the range: that of
# rounding in 8 bits is larger.
_SMALL, _NO_SIZE = 0.3, 1e-4


@dataclass(frozen=True)
class Sharpness:
    """Sharpness of one channel of an image.

    Parameters
    ----------
    cutoff : float
        Frequency at which structure becomes weaker than the noise, as a fraction of the Nyquist frequency; 1 if it does
        not.
    width : float
        Standard deviation in pixels of the Gaussian blur with which the spectrum of typical objects falls as this one
        does. The blur may be smaller, since smooth objects have the same spectrum.
    width_error : float
        Standard error of `width`; infinite if it could not be measured.
    upsampled : float
        Factor by which the image was enlarged by interpolation; 1 without signs of an enlargement. A factor f below 2
        is given as f / (f - 1), which has the same signs. A factor of 2 has the weakest signs.
    jpeg : bool
        Whether blocks of 8 x 8 pixels were compressed, as by JPEG.
    """

    cutoff: float
    width: float
    width_error: float
    upsampled: float = 1.0
    jpeg: bool = False


def measure_sharpness(planes: Sequence[PlaneLike], *, noise: NoiseMeasurement | None = None) -> Sharpness:
    """Measure the sharpness of one channel of an image.

    Parameters
    ----------
    planes : sequence of array of bool, integer or float, shape (Y, X) or (Y, X, C)
        Planes of one channel: numpy, dask or zarr arrays. Parts with NaN or infinite values are left out. At most about
        a million pixels are used.
    noise : NoiseMeasurement, optional
        Noise of these planes; by default it is measured.

    Returns
    -------
    Sharpness
        The sharpness. `width_error` is infinite for an image with a single value or below 32 x 32 pixels.

    Notes
    -----
    Correlated noise is counted as structure: `cutoff` is then too high and `width` too small.

    References
    ----------
    A. C. Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", CRV 2005 (periods).
    Z. Fan, R. L. de Queiroz, "Identification of bitmap compression history", IEEE TIP 12(2), 2003 (JPEG's grid).
    """
    noise = measure_noise(planes, stack=False) if noise is None else noise
    parts = [part.values for part in windows(planes, stack=False)] if len(planes) else []
    parts = [part.astype(np.float64) for part in parts if min(part.shape) >= _LEAST_SQUARE]
    # Large integers that differ may be equal in float64.
    parts = [part for part in parts if np.isfinite(part).all() and part.min() < part.max()]
    if not parts:
        return Sharpness(1.0, 0.0, float("inf"))
    means = [uniform_filter(part, 5, mode="nearest") for part in parts]
    frequency, power, count, weighted = radial_spectrum(parts, [noise.sigma(mean) ** 2 for mean in means])
    variance = float(np.mean([part.var() for part in parts]))
    floor = max(weighted, noise.floor, _LEAST_POWER * variance)
    end = _end(frequency, power - floor, floor)
    searched = spread(parts, _PARTS)
    jpeg = float(np.median([_beyond_chance(part) for part in searched])) > _JPEG
    width, error = _width(frequency, power, floor, end, count)
    # An interpolated mosaic has a period of two pixels, too.
    return Sharpness(end, width, error, 1.0 if noise.mosaic else _upsampled(searched, jpeg), jpeg)


def radial_spectrum(parts: Sequence[Array], variances: Sequence[Array]) -> tuple[Array, Array, Array, float]:
    """Compute the mean power of squares of an image in rings of frequency.

    Parameters
    ----------
    parts : sequence of array of float64, shape (Y, X)
        Parts of the image, of at least 32 x 32 pixels each.
    variances : sequence of array of float64, shape (Y, X)
        Variance of the noise of each pixel.

    Returns
    -------
    frequency : array, shape (rings,)
        Middle of each ring, as a fraction of the Nyquist frequency.
    power : array, shape (rings,)
        Mean power of each ring; the power of white noise is its variance.
    count : array, shape (rings,)
        Approximate number of independent values of each mean.
    noise : float
        Mean power of the noise in the squares.
    """
    total, number, noise = np.zeros(_RINGS), np.zeros(_RINGS), []
    for part, variance in zip(parts, variances, strict=True):
        side = min(_SQUARE, *part.shape)
        # The side lobes of this window are below 1e-9 of the power, as steep spectra need.
        taper = _blackman_harris(side)
        window = np.outer(taper, taper)
        window /= np.sqrt(np.mean(window**2))
        frequency = np.abs(np.fft.fftfreq(side)) * 2
        ring = (np.hypot(frequency[:, None], frequency[None]) * _RINGS).astype(int)
        seen = ring < _RINGS
        values = np.bincount(ring[seen], minlength=_RINGS)
        for top in _halfway(part.shape[0], side):
            for left in _halfway(part.shape[1], side):
                place = (slice(top, top + side), slice(left, left + side))
                square = part[place] - np.average(part[place], weights=window)
                power = np.abs(np.fft.fft2(square * window)) ** 2 / side**2
                total += np.bincount(ring[seen], power[seen], minlength=_RINGS)
                number += values
                noise.append(float(np.mean(window**2 * variance[place])))
    rings = (np.arange(_RINGS) + 0.5) / _RINGS
    return rings, total / np.maximum(number, 1), number / 4, float(np.mean(noise))


def _blackman_harris(side: int) -> Array:
    """Return the window of four terms by Harris (1978)."""
    phase, taper = np.linspace(-np.pi, np.pi, side), np.zeros(side)
    for n, weight in enumerate(_BLACKMAN_HARRIS):
        taper += weight * np.cos(n * phase)
    return taper


def jpeg_blocks(part: Array) -> float:
    """Compare the fine coefficients of blocks of 8 x 8 pixels on one grid with those on the 63 others.

    Parameters
    ----------
    part : array of float64, shape (Y, X)
        Part of an image.

    Returns
    -------
    float
        Logarithm of the size of the coefficients on the other grids over that on the grid with the smallest; 0 for
        parts below 64 x 64 pixels.
    """
    blocks = _fine_sizes(part)
    return _beside_grid(blocks) if blocks.size else 0.0


def _fine_sizes(part: Array) -> Array:
    """Return the size of the fine coefficients of the block around each pixel, shape (blocks, 8, blocks, 8)."""
    least, part = _NO_SIZE * float(np.ptp(part)), part[:_MOST, :_MOST]
    if min(part.shape) < _LEAST_SIDE:
        return np.zeros((0, 8, 0, 8))
    place = np.arange(8)
    bases = {order: np.cos((2 * place + 1) * order * np.pi / 16) / 2 for order in (4, 5, 6, 7)}
    rows = {order: correlate1d(part, base, axis=1, mode="nearest") for order, base in bases.items()}
    fine = [(down, right) for down in bases for right in bases if down + right >= 9]
    size = np.full(part.shape, least)
    for down, right in fine:
        size += np.abs(correlate1d(rows[right], bases[down], axis=0, mode="nearest"))
    down, right = (side // 8 - 2 for side in part.shape)
    return size[8 : 8 * down + 8, 8 : 8 * right + 8].reshape(down, 8, right, 8)


def _beside_grid(blocks: Array) -> float:
    """Return the logarithm of the size on the other grids over that on the grid with the smallest."""
    grids: Array = np.quantile(blocks, _SMALL, axis=(0, 2)).ravel()
    best = int(np.argmin(grids))
    # Of pixels that were repeated two or four times, the grid half a block away is equal.
    away = 8 * ((best // 8 + 4) % 8) + (best % 8 + 4) % 8
    return float(np.log(np.median(grids) / grids[best])) if grids[away] > _APART * grids[best] else 0.0


def _beyond_chance(part: Array) -> float:
    """Return the result of `jpeg_blocks` less the largest one that few images have by chance."""
    blocks = _fine_sizes(part)
    if not blocks.size:
        return 0.0
    down, right = blocks.shape[0], blocks.shape[2]
    # Sizes of an image without noise differ by orders of magnitude: so do the halves of its blocks, as on a chessboard.
    black = np.indices((down, right)).sum(axis=0) % 2 == 0
    halves = [np.quantile(blocks.transpose(0, 2, 1, 3)[half], _SMALL, axis=0) for half in (black, ~black)]
    error = float(np.median(np.abs(np.log(halves[0] / halves[1])))) / (2 * 0.6745)
    return _beside_grid(blocks) - max(_CHANCE / float(np.sqrt(down * right)), _ERRORS * error)


def _halfway(size: int, side: int) -> list[int]:
    """Return the starts of squares that overlap by half."""
    count = max(1, -(-2 * size // side) - 1)
    return [round(start) for start in np.linspace(0, size - side, count)]


def _end(frequency: Array, structure: Array, floor: float) -> float:
    hidden = structure <= _VISIBLE * floor
    for ring in range(2, _RINGS - 1):
        if hidden[ring] and hidden[ring + 1]:
            return float(frequency[ring])
    return 1.0


def _width(frequency: Array, power: Array, floor: float, end: float, count: Array) -> tuple[float, float]:
    """Fit a Gaussian times a power law to the logarithm of the power; return its width and standard error."""
    structure = power - floor
    used = (frequency > _LOWEST) & (frequency < end) & (structure > _NOISE_KNOWN * floor)
    if used.sum() < 3:
        return 0.0, float("inf")
    ring, structure = frequency[used], structure[used]
    error = np.sqrt(
        (power[used] / structure) ** 2 / count[used] + (_NOISE_KNOWN * floor / structure) ** 2 + _LIKENESS**2
    )
    # log power = a - exponent log f - width^2 (pi f)^2, with a prior on the exponent.
    rows = np.stack([np.ones(len(ring)), -np.log(ring), -((np.pi * ring) ** 2)], axis=1) / error[:, None]
    rows = np.vstack([rows, [0, 1 / _EXPONENTS_DIFFER, 0]])
    values = np.append(np.log(structure) / error, _EXPONENT / _EXPONENTS_DIFFER)
    covariance = np.linalg.inv(rows.T @ rows)
    square = float((covariance @ (rows.T @ values))[2])
    spread = float(np.sqrt(covariance[2, 2]))
    width = float(np.sqrt(max(0.0, square)))
    return width, float(np.sqrt(width**2 + spread) - width)


def _upsampled(parts: list[Array], jpeg: bool) -> float:
    """Return the factor of an enlargement from the period of the smoothing by interpolation; 1 if there is none."""
    found = []
    for part in parts:
        if min(part.shape) < _LEAST_SIDE:
            continue
        for order in (1, 2):
            (height, first), (strength, second) = (_period(part, axis, order, jpeg) for axis in (0, 1))
            if abs(first - second) < 0.02:
                found.append((min(height, strength), (first + second) / 2))
    if not found:
        return 1.0
    strengths = np.array([strength for strength, _ in found])
    if np.sum(strengths > _PERIODIC) < max(1, len(parts) / 2):
        return 1.0
    return float(1 / np.median([frequency for strength, frequency in found if strength > _PERIODIC]))


def _period(part: Array, axis: int, order: int, jpeg: bool) -> tuple[float, float]:
    """Find the strongest period of differences along an axis: its power over the median power, and its frequency."""
    values = np.moveaxis(part[:_MOST, :_MOST], axis, 0)
    change = np.abs(np.diff(values, n=order, axis=0))
    change = np.minimum(change, np.quantile(change, 0.95))
    profile = np.log(change.mean(axis=1) + 1e-6 * float(np.ptp(part)))
    profile = profile - median_filter(profile, 9)
    bound = 4 * float(profile.std())
    power = np.abs(np.fft.rfft(np.clip(profile, -bound, bound) * np.hanning(len(profile)))) ** 2
    frequency = np.arange(len(power)) / len(profile)
    seen = frequency > _SLOWEST
    if jpeg:
        # The grid of JPEG has a period of 8 pixels and its harmonics.
        seen &= np.abs(8 * frequency - np.rint(8 * frequency)) > 0.1
    median = float(np.median(power[seen]))
    peak = int(np.flatnonzero(seen)[np.argmax(power[seen])])
    return float(power[peak]) / (median + 1e-12), float(frequency[peak])
