"""Where the spectrum of an image ends, and what was done to it before: blur, interpolation, JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, median_filter, uniform_filter
from scipy.signal.windows import blackmanharris

from napari_sr.imaging.noise import NoiseMeasurement, measure_noise
from napari_sr.imaging.noise.sampling import PlaneLike, windows

Array = npt.NDArray[np.float64]

# Side of the squares whose spectra are averaged, and of the smallest ones, in pixels.
_SQUARE, _LEAST_SQUARE = 128, 32
# Rings of frequency from 0 to Nyquist.
_RINGS = 32
# The spectrum has ended where structure has less than this part of the noise's power in two rings that follow.
_VISIBLE = 0.5
# Noise below this part of the image's variance counts as this much: so far from 1 no spectrum is believed.
_LEAST_POWER = 1e-9
# Power of objects without blur falls with this exponent of the frequency: mean, and how much kinds differ.
_EXPONENT, _EXPONENTS_DIFFER = 2.5, 0.5
# How well a power law times a Gaussian describes a ring's power, as a fraction of it.
_LIKENESS = 0.15
# Noise measured is right within this fraction of its variance.
_NOISE_KNOWN = 0.1
# The lowest frequency that takes part; below it, illumination and the square's border show.
_LOWEST = 0.04
# Logarithm of the fine coefficients' size beside JPEG's grid over that on it (99 % of other images are below 0.16).
_JPEG, _APART = 0.2, 1.05
# Peak over the median power of the profile of differences (99 % of images as taken are below 20).
_PERIODIC = 60.0
# Periods are looked for from 1.3 to 5 pixels.
_SLOWEST = 0.18
# Parts, and rows and columns of each, that are looked at for JPEG and periods.
_PARTS, _MOST = 4, 512
_LEAST_SIDE = 64


@dataclass(frozen=True)
class Sharpness:
    """How sharp one channel of an image is.

    Parameters
    ----------
    cutoff : float
        Where structure sinks below the noise, as a fraction of the Nyquist frequency; 1 where it never does.
    width : float
        Standard deviation, in pixels, of the Gaussian blur that makes the spectrum of ordinary objects fall as this
        one does. It is what blur there can be, not what there is: smooth objects look the same.
    width_error : float
        Standard error of `width`; infinite if it cannot be told.
    upsampled : float
        Factor by which the image was enlarged before by interpolation; 1 if there is no sign of it. A factor f below
        2 is given as f / (f - 1), which leaves the same signs; twofold enlargement leaves the fewest.
    jpeg : bool
        Whether blocks of 8 x 8 pixels were compressed, as JPEG does.
    """

    cutoff: float
    width: float
    width_error: float
    upsampled: float = 1.0
    jpeg: bool = False


def measure_sharpness(planes: Sequence[PlaneLike], *, noise: NoiseMeasurement | None = None) -> Sharpness:
    """Measure how sharp one channel of an image is.

    Parameters
    ----------
    planes : sequence of array of bool, integer or float, shape (Y, X) or (Y, X, C)
        Of one channel; numpy, dask or zarr. Parts with NaN or infinite values are left out. At most about a million
        pixels are read.
    noise : NoiseMeasurement, optional
        Of these planes; measured if it isn't given.

    Returns
    -------
    Sharpness
        With a width_error of infinity for an image of one value or below 32 x 32 pixels.

    Notes
    -----
    Correlated noise counts as structure, so `cutoff` is too high and `width` too small then.

    References
    ----------
    A. C. Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", CRV 2005 (periods).
    Z. Fan, R. L. de Queiroz, "Identification of bitmap compression history", IEEE TIP 12(2), 2003 (JPEG's grid).
    """
    noise = measure_noise(planes, stack=False) if noise is None else noise
    parts = [part.values for part in windows(planes, stack=False)] if len(planes) else []
    parts = [part for part in parts if min(part.shape) >= _LEAST_SQUARE and np.isfinite(part).all()]
    parts = [part.astype(np.float64) for part in parts if part.min() < part.max()]
    if not parts:
        return Sharpness(1.0, 0.0, float("inf"))
    frequency, power, count, weighted = radial_spectrum(parts, [noise.sigma(_smoothed(part)) ** 2 for part in parts])
    variance = float(np.mean([part.var() for part in parts]))
    floor = max(weighted, noise.floor, _LEAST_POWER * variance)
    end = _end(frequency, power - floor, floor)
    jpeg = float(np.median([jpeg_blocks(part) for part in parts[:_PARTS]])) > _JPEG
    width, error = _width(frequency, power, floor, end, count)
    # The empty places of a mosaic have a period of two pixels, too.
    return Sharpness(end, width, error, 1.0 if noise.mosaic else _upsampled(parts[:_PARTS], jpeg), jpeg)


def cutoff(planes: Sequence[PlaneLike]) -> float:
    """Where structure sinks below the noise, as a fraction of the Nyquist frequency.

    Parameters
    ----------
    planes : sequence of array, shape (Y, X) or (Y, X, C)
        Of one channel.

    Returns
    -------
    float
        Above 0; 1 where the spectrum does not end.
    """
    return measure_sharpness(planes).cutoff


def radial_spectrum(parts: Sequence[Array], variances: Sequence[Array]) -> tuple[Array, Array, Array, float]:
    """Mean power of squares of an image over the radius of frequency.

    Parameters
    ----------
    parts : sequence of array of float64, shape (Y, X)
        At least 32 x 32 pixels each.
    variances : sequence of array of float64, shape (Y, X)
        Of the noise of each pixel.

    Returns
    -------
    frequency : array, shape (rings,)
        Middle of each ring, as a fraction of the Nyquist frequency.
    power : array, shape (rings,)
        That of white noise is its variance.
    count : array, shape (rings,)
        Independent values in each mean, about.
    noise : float
        Power of the noise, as the squares weight it.
    """
    total, number, noise = np.zeros(_RINGS), np.zeros(_RINGS), []
    for part, variance in zip(parts, variances, strict=True):
        side = min(_SQUARE, *part.shape)
        # Steep spectra need a window whose side lobes stay below 1e-9 of the power.
        taper = blackmanharris(side)
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


def jpeg_blocks(part: Array) -> float:
    """How much smaller the fine coefficients of 8 x 8 blocks are on one grid than on the 63 others.

    Parameters
    ----------
    part : array of float64, shape (Y, X)

    Returns
    -------
    float
        Logarithm of the ratio; 0 for parts below 64 x 64 pixels.
    """
    part = part[:_MOST, :_MOST]
    if min(part.shape) < _LEAST_SIDE:
        return 0.0
    place = np.arange(8)
    bases = {order: np.cos((2 * place + 1) * order * np.pi / 16) / 2 for order in (4, 5, 6, 7)}
    rows = {order: correlate1d(part, base, axis=1, mode="nearest") for order, base in bases.items()}
    fine = [(down, right) for down in bases for right in bases if down + right >= 9]
    size = np.zeros(part.shape)
    for down, right in fine:
        size += np.abs(correlate1d(rows[right], bases[down], axis=0, mode="nearest"))
    down, right = (side // 8 - 2 for side in part.shape)
    blocks = size[8 : 8 * down + 8, 8 : 8 * right + 8].reshape(down, 8, right, 8)
    grids: Array = np.quantile(blocks, 0.3, axis=(0, 2)).ravel() + 1e-9 * float(np.ptp(part))
    best = int(np.argmin(grids))
    # Pixels repeated two or four times are as smooth on the grid half a block away.
    away = 8 * ((best // 8 + 4) % 8) + (best % 8 + 4) % 8
    return float(np.log(np.median(grids) / grids[best])) if grids[away] > _APART * grids[best] else 0.0


def _halfway(size: int, side: int) -> list[int]:
    """Starts of squares that overlap by half."""
    count = max(1, -(-2 * size // side) - 1)
    return [round(start) for start in np.linspace(0, size - side, count)]


def _smoothed(part: Array) -> Array:
    return np.asarray(uniform_filter(part, 5, mode="nearest"))


def _end(frequency: Array, structure: Array, floor: float) -> float:
    hidden = structure <= _VISIBLE * floor
    for ring in range(2, _RINGS - 1):
        if hidden[ring] and hidden[ring + 1]:
            return float(frequency[ring])
    return 1.0


def _width(frequency: Array, power: Array, floor: float, end: float, count: Array) -> tuple[float, float]:
    """Width and standard error of a Gaussian times a power law, fitted to the logarithm of the power."""
    structure = power - floor
    used = (frequency > _LOWEST) & (frequency < end) & (structure > _NOISE_KNOWN * floor)
    if used.sum() < 3:
        return 0.0, float("inf")
    ring, structure = frequency[used], structure[used]
    error = np.sqrt(
        (power[used] / structure) ** 2 / count[used] + (_NOISE_KNOWN * floor / structure) ** 2 + _LIKENESS**2
    )
    # log power = a - exponent log f - width^2 (pi f)^2, and the exponent is near what it usually is.
    rows = np.stack([np.ones(len(ring)), -np.log(ring), -((np.pi * ring) ** 2)], axis=1) / error[:, None]
    rows = np.vstack([rows, [0, 1 / _EXPONENTS_DIFFER, 0]])
    values = np.append(np.log(structure) / error, _EXPONENT / _EXPONENTS_DIFFER)
    covariance = np.linalg.inv(rows.T @ rows)
    square = float((covariance @ (rows.T @ values))[2])
    spread = float(np.sqrt(covariance[2, 2]))
    width = float(np.sqrt(max(0.0, square)))
    return width, float(np.sqrt(width**2 + spread) - width)


def _upsampled(parts: list[Array], jpeg: bool) -> float:
    """Factor of an earlier enlargement, from the period with which interpolation smooths; 1 if there is none."""
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
    """Strongest period of differences along an axis: peak over the median power, and frequency."""
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
