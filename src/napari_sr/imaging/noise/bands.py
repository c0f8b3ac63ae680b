"""Energies of small tiles in bands of frequency, and the energies that structure can have in them.

White noise has the same energy in every band. Structure that was imaged by optics and pixels has less energy in finer
bands. By this difference noise is separated from structure where no part of an image is flat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

Array = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating[Any]]
Pixels = npt.NDArray[np.number[Any] | np.bool_]

#: Order of the binomial filters: filter k has k differences and 4 - k sums of neighbors, over five pixels.
ORDER = 4
#: The bands, as the orders of their filters along one axis and the other (both ways are averaged): finest first.
BANDS = ((4, 4), (3, 4), (3, 3), (2, 4), (1, 4), (0, 4), (2, 3), (2, 2), (1, 3))
#: A fine band in both of its directions: its energies differ where pixels share noise along one axis.
DIRECTED = ((2, 4), (4, 2))
#: A coarse band, the slope over five pixels, in which there is mostly structure. It hardly overlaps the bands above.
COARSE = (0, 1)
#: Side of a tile, in pixels.
TILE = 8
#: Approximate number of independent values of a tile in a band, in which neighboring pixels are correlated.
FREEDOM = 9
# Models of structure: power falls with an exponent of the frequency, is blurred by a Gaussian (width in pixels),
# averaged over the area of a pixel and sampled, with aliasing.
_EXPONENTS = (1.5, 2.5, 3.5)
_BLURS = (0.0, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
# Structure of an image that was reduced by an antialiasing interpolation: its exponent, and the width of the roll-off
# of the amplitude, which is one half at the Nyquist frequency along either axis.
_SHRUNK_EXPONENT, _ROLL_OFF = 1.0, 0.052
# Exponents of structure that is nearly white.
_FINEST_EXPONENTS = (0.75, 1.0, 1.25)
_FREQUENCIES = 64
# Largest width of a filter of noise, in pixels.
_WIDEST = 1.5


def tile_energies(plane: Values, stride: int) -> tuple[dict[tuple[int, int], Array], Array]:
    """Compute the mean energy of each tile in each band. The energy of white noise is its variance.

    Parameters
    ----------
    plane : array of float, shape (Y, X)
        At least 12 x 12 pixels, without NaN.
    stride : 4 or 8
        Distance between tiles of 8 x 8 pixels.

    Returns
    -------
    energies : dict of array of float64, shape (tiles,)
        For each of `BANDS` and for `COARSE`, the mean of both directions.
    directed : array of float64, shape (tiles, 2)
        For each of `DIRECTED`.
    """
    energies: dict[tuple[int, int], Array] = {}
    directed: dict[tuple[int, int], Array] = {}
    wanted = {*BANDS, COARSE}
    for down, rows in enumerate(_filtered(plane, axis=0)):
        for right, values in enumerate(_filtered(rows, axis=1)):
            band = (min(down, right), max(down, right))
            if band in wanted:
                energy = tile_means(np.square(values, out=values), stride)
                energies[band] = energy if band not in energies else (energies[band] + energy) / 2
                directed[down, right] = energy
    return energies, np.stack([directed[band] for band in DIRECTED], axis=1)


def filtered(plane: Values, down: int, right: int) -> Values:
    """Apply the binomial filters of one band.

    Parameters
    ----------
    plane : array of float, shape (Y, X)
        At least 5 x 5 pixels.
    down, right : int
        Orders of the filters along rows and columns, from 0 to 4.

    Returns
    -------
    array of the same type, shape (Y - 4, X - 4)
        The values, whose variance is that of the plane for white noise.
    """
    return _filtered(_filtered(plane, axis=0)[down], axis=1)[right]


def tile_means(values: Pixels, stride: int) -> Array:
    """Compute the means over tiles of 8 x 8 pixels.

    Parameters
    ----------
    values : array, shape (Y, X)
        Values of the pixels.
    stride : 4 or 8
        Distance between tiles in pixels; with 4 they overlap.

    Returns
    -------
    array of float64, shape (tiles,)
        Means, row by row. Pixels beyond the last whole tile are left out.
    """
    height, width = (size // stride * stride for size in values.shape)
    blocks = values[:height, :width].reshape(height // stride, stride, width // stride, stride)
    means: Array = blocks.mean(axis=3).mean(axis=1, dtype=np.float64)
    if stride < TILE:
        means = (means[1:, 1:] + means[:-1, 1:] + means[1:, :-1] + means[:-1, :-1]) / 4
    return means.ravel()


def centers(values: Pixels) -> Pixels:
    """Return the pixels of a plane that are centers of the filters."""
    half = ORDER // 2
    return values[half : values.shape[0] - half, half : values.shape[1] - half]


@cache
def structure_spectra(*, finest: bool = False) -> Array:
    """Return the energies in `BANDS` of the models of structure. The largest energy of each model is 1.

    Parameters
    ----------
    finest : bool
        Whether to include structure that is nearly white, as in images that were binned without any blur. It can hardly
        be distinguished from noise.

    Returns
    -------
    array of float64, shape (structures, bands)
        The energies.
    """
    frequency = (np.arange(_FREQUENCIES) - _FREQUENCIES // 2) / _FREQUENCIES
    gains = [np.abs(np.fft.fftshift(np.fft.fft(_binomial(k), _FREQUENCIES))) ** 2 for k in range(ORDER + 1)]
    responses = np.stack([(np.outer(gains[i], gains[j]) + np.outer(gains[j], gains[i])).ravel() for i, j in BANDS])
    powers = [_folded(partial(_blurred, exponent, blur), frequency) for exponent in _EXPONENTS for blur in _BLURS]
    powers.append(_folded(_shrunk, frequency))
    if finest:
        powers += [_folded(partial(_blurred, exponent, 0.0), frequency) for exponent in _FINEST_EXPONENTS]
    spectra = np.array([responses @ power.ravel() for power in powers])
    return np.asarray(spectra / spectra.max(axis=1, keepdims=True))


@cache
def shared_spectra() -> tuple[Array, Array]:
    """Return the energies in `BANDS` of noise that neighboring pixels share, of variance 1.

    Returns
    -------
    widths : array of float64, shape (widths,)
        Standard deviations of the Gaussians by which white noise was filtered, in pixels, from 0.
    energies : array of float64, shape (widths, bands)
        The energies.
    """
    widths = np.arange(0, _WIDEST + 1e-9, 0.05)
    impulse = np.zeros(_FREQUENCIES)
    impulse[_FREQUENCIES // 2] = 1
    responses = [np.abs(np.fft.fft(_binomial(k), _FREQUENCIES)) ** 2 for k in range(ORDER + 1)]
    energies = []
    for width in widths:
        taps = gaussian_filter1d(impulse, width) if width else impulse
        power = np.abs(np.fft.fft(taps)) ** 2
        passed = [float(response @ power / power.sum()) for response in responses]
        energies.append([passed[down] * passed[right] for down, right in BANDS])
    return widths, np.array(energies)


def _folded(power: Callable[[Array, Array], Array], frequency: Array) -> Array:
    """Return the power after sampling, with aliasing of the frequencies above the Nyquist frequency."""
    places = [(frequency[:, None] + down, frequency[None] + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return np.asarray(sum(power(*place) for place in places))


def _blurred(exponent: float, blur: float, down: Array, right: Array) -> Array:
    radius = np.maximum(np.hypot(down, right), 0.5 / _FREQUENCIES)
    pixel = (np.sinc(down) * np.sinc(right)) ** 2
    return np.asarray(radius**-exponent * np.exp(-((2 * np.pi * blur * radius) ** 2)) * pixel)


def _shrunk(down: Array, right: Array) -> Array:
    radius = np.maximum(np.hypot(down, right), 0.5 / _FREQUENCIES)
    passed = expit((0.5 - np.abs(down)) / _ROLL_OFF) * expit((0.5 - np.abs(right)) / _ROLL_OFF)
    return np.asarray(radius**-_SHRUNK_EXPONENT * passed**2)


@cache
def _binomial(differences: int) -> Array:
    """Return the binomial filter with a number of differences, of energy 1."""
    taps = np.ones(1)
    for number in range(ORDER):
        taps = np.convolve(taps, [1, -1] if number < differences else [1, 1])
    return np.asarray(taps / np.sqrt((taps**2).sum()))


def _filtered(values: Values, axis: int) -> list[Values]:
    """Apply all five binomial filters along an axis; each result is four pixels shorter."""
    before = (slice(None),) * axis + (slice(None, -1),)
    after = (slice(None),) * axis + (slice(1, None),)
    parts: list[Values] = [values]
    for _ in range(ORDER):
        last = parts[-1]
        parts = [*(np.add(part[after], part[before]) for part in parts), np.subtract(last[after], last[before])]
    # The outermost tap of each is 1 before it is normalized.
    outermost = np.array([abs(_binomial(k)[0]) for k in range(ORDER + 1)], values.dtype)
    return [np.asarray(part * tap) for part, tap in zip(parts, outermost, strict=True)]
