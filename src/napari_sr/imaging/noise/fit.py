"""A line of the variance of the noise over brightness, fitted to the energies of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from napari_sr.imaging.noise.bands import FREEDOM, structure_spectra
from napari_sr.imaging.noise.tiles import Tiles

Array = npt.NDArray[np.float64]

# Largest number of groups of similar brightness, and smallest number of disjoint tiles in each.
_GROUPS, _LEAST_TILES = 12, 16
# Fraction of the tiles of a group that are quiet: those with the least coarse structure. Smallest number of them.
_QUIET, _LEAST_QUIET = 0.4, 8.0
# Standard deviation of real structure around a mixture of the models, as a fraction of the energy of a band.
_LIKENESS = 0.04
# Largest sum of squares of a group, so that a group off the line does not bend it: small where a group has more energy
# than noise of the variance, since texture adds energy, and large where it has less.
_MOST_BELOW, _MOST_ABOVE = 12.0, 100.0
# Reduction of the sum of squares where all energy is noise (a ratio of 1), and its width. Without it, structure that is
# nearly white would always explain a part.
_BONUS, _BONUS_WIDTH = 2.0, 0.06
# Penalty on slopes: with N photons in a pixel, slope squared over variance is 1 / N.
_PHOTONS = 8.0
# Candidates of the variance, as ratios to the energy in the finest band.
_RATIOS = np.concatenate(
    [[0, 0.03, 0.06], np.arange(0.1, 0.85, 0.05), np.arange(0.85, 1.1, 0.03), [1.1, 1.15, 1.2, 1.3, 1.5, 2, 4]]
)
_STRUCTURE_UP_TO = 1.5
_COARSE_GRID, _FINE_GRID = 64, 81
# Fitted over true variance of white noise, by simulation. Weights of structure are not negative, so that a part of the
# noise is fitted as structure.
_FOUND = 0.975
# Energies below this are rounding errors of float32, in units of the squared range.
_ROUNDING = 1e-14
_TINY = 1e-300
# Weights closer than this are equal, so that rounding does not decide which tiles are used.
_EVEN = 1e-9


@dataclass(frozen=True)
class Groups:
    """Quiet tiles, grouped by brightness.

    Parameters
    ----------
    brightness : array, shape (groups,)
        Mean brightness.
    energies : array, shape (groups, bands)
        Mean energies.
    tiles : array, shape (groups,)
        Equivalent number of disjoint tiles.
    members, quiet : list of array of int
        Indices of all tiles of each group, and of its quiet ones.
    """

    brightness: Array
    energies: Array
    tiles: Array
    members: list[npt.NDArray[np.intp]]
    quiet: list[npt.NDArray[np.intp]]


@dataclass(frozen=True)
class Line:
    """Variance at the ends of the range of brightness.

    Parameters
    ----------
    darkest, brightest : float
        The ends.
    variances : array, shape (2,)
        Variances at the ends, 0 or more.
    covariance : array, shape (2, 2)
        Covariance of the variances.
    """

    darkest: float
    brightest: float
    variances: Array
    covariance: Array

    def at(self, brightness: float) -> tuple[float, float]:
        """Return the variance at a brightness, and its standard error."""
        place = 0.5
        if self.brightest > self.darkest:
            place = (brightness - self.darkest) / (self.brightest - self.darkest)
        weights = np.array([1 - place, place])
        return float(weights @ self.variances), float(np.sqrt(max(0.0, weights @ self.covariance @ weights)))


def group_tiles(tiles: Tiles) -> Groups:
    """Sort tiles into groups of similar brightness, and select the quiet tiles of each.

    Parameters
    ----------
    tiles : Tiles
        The tiles, at least one.

    Returns
    -------
    Groups
        The groups, from dark to bright.
    """
    count = len(tiles)
    low, high = np.quantile(tiles.brightness, (0.005, 0.995))
    place = (_ranks(tiles.brightness) - 0.5) / count
    if high > low:
        # Halfway between equal counts and equal steps of brightness, since there are few bright tiles.
        place = (place + np.clip((tiles.brightness - low) / (high - low), 0, 1)) / 2
    number = int(np.clip(count * tiles.worth / _LEAST_TILES, 1, _GROUPS))
    place = place.clip(0.5 / number, 1 - 0.5 / number)
    found: list[tuple[float, Array, float]] = []
    every, calm = [], []
    for center in (np.arange(number) + 0.5) / number:
        # Triangular weights, so that a tile between two groups belongs to both.
        weight = np.clip(1 - np.abs(place - center) * number, 0, 1)
        members = np.flatnonzero(weight > _EVEN)
        if weight.sum() * tiles.worth < min(2, count * tiles.worth) - _EVEN:
            continue
        members = members[np.argsort(tiles.coarse[members], kind="stable")]
        total = np.cumsum(weight[members])
        quiet = members[total <= max(_QUIET * total[-1], min(_LEAST_QUIET, total[-1])) + _EVEN]
        quiet = members[:1] if not len(quiet) else quiet
        part = weight[quiet] / weight[quiet].sum()
        found.append((part @ tiles.brightness[quiet], part @ tiles.energies[quiet], weight[quiet].sum() * tiles.worth))
        every.append(members)
        calm.append(quiet)
    means, rows, worth = zip(*found, strict=True)
    return Groups(np.array(means), np.array(rows), np.array(worth), every, calm)


def _ranks(values: Array) -> Array:
    """Rank values from 1 on; equal values have the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = np.cumsum(count) - (count - 1) / 2
    return ranks[place]


def fit_line(evidence: Sequence[Groups]) -> Line:
    """Fit the line of the variance over brightness to groups of tiles.

    Parameters
    ----------
    evidence : sequence of Groups
        Groups of the planes, of differences between planes, or of both.

    Returns
    -------
    Line
        The line. Its covariance includes chance, and the amount by which the variances would be lower if structure
        were nearly white.
    """
    line, alternative = _fitted(evidence, finest=False), _fitted(evidence, finest=True)
    lower = np.maximum(line.variances - alternative.variances, 0)
    return replace(line, covariance=line.covariance + np.outer(lower, lower))


def _fitted(evidence: Sequence[Groups], *, finest: bool) -> Line:
    """Fit the line with one set of models of structure.

    Parameters
    ----------
    evidence : sequence of Groups
        The groups.
    finest : bool
        Whether the models include structure that is nearly white.

    Notes
    -----
    For each group and each candidate of the variance, the energies above the variance are fitted by a mixture of the
    models of structure without negative weights. The sum of the squared residuals is the misfit of the candidate. The
    variances at both ends are means over all candidates, weighted by their likelihood.
    """
    brightness = np.concatenate([groups.brightness for groups in evidence])
    energies = np.maximum(np.concatenate([groups.energies for groups in evidence]), _ROUNDING)
    tiles = np.concatenate([groups.tiles for groups in evidence])
    structure = structure_spectra(finest=finest)
    misfits = np.array([_misfits(row, worth, structure) for row, worth in zip(energies, tiles, strict=True)])
    darkest, brightest = float(brightness.min()), float(brightness.max())
    rise = brightest - darkest
    place = (brightness - darkest) / rise if rise > 0 else np.full(len(brightness), 0.5)
    top = 1.3 * float(energies[:, 0].max())
    start = np.concatenate([[0.0], np.geomspace(1e-6 * top, top, _COARSE_GRID - 1)])
    dark, bright = start, start
    for _ in range(2):
        likely = _likelihood(dark, bright, rise, place, energies[:, 0], misfits)
        dark, bright = _around(dark, likely.max(axis=1)), _around(bright, likely.max(axis=0))
    likely = _likelihood(dark, bright, rise, place, energies[:, 0], misfits)
    likely /= likely.sum()
    means = np.array([likely.sum(axis=1) @ dark, likely.sum(axis=0) @ bright])
    means[means <= _ROUNDING] = 0
    dark, bright = dark - means[0], bright - means[1]
    cross = dark @ likely @ bright
    covariance = np.array([[likely.sum(axis=1) @ dark**2, cross], [cross, likely.sum(axis=0) @ bright**2]])
    return Line(darkest, brightest, means / _FOUND, covariance / _FOUND**2)


def _misfits(energies: Array, tiles: float, structure: Array) -> Array:
    """Return the misfit of each candidate of the variance of one group."""
    spectra = (structure / energies).T
    found = np.empty(len(_RATIOS))
    for number, ratio in enumerate(_RATIOS):
        rest = 1 - ratio * energies[0] / energies
        if ratio < _STRUCTURE_UP_TO:
            found[number] = nnls(spectra, rest)[1] ** 2
        else:
            found[number] = np.sum(np.minimum(rest, 0) ** 2)
    found /= _LIKENESS**2 + 2 / (FREEDOM * tiles)
    found -= _BONUS * np.exp(-(((_RATIOS - 1) / _BONUS_WIDTH) ** 2))
    return np.asarray(np.minimum(found - found.min(), np.where(_RATIOS < 1, _MOST_BELOW, _MOST_ABOVE)))


def _likelihood(dark: Array, bright: Array, rise: float, place: Array, finest: Array, misfits: Array) -> Array:
    """Return the likelihood of each pair of variances at both ends."""
    change = bright[None] - dark[:, None]
    if rise > 0:
        total = _PHOTONS * (change / rise) ** 2 / ((bright[None] + dark[:, None]) / 2 + _TINY)
    else:
        total = change**2 / ((bright[None] + dark[:, None]) ** 2 + _TINY)
    for position, energy, misfit in zip(place, finest, misfits, strict=True):
        variance = dark[:, None] * (1 - position) + bright[None] * position
        total = total + np.interp(variance / energy, _RATIOS, misfit)
    likely = np.exp(-0.5 * (total - total.min()))
    # The grids are not even: each point is weighted by its distance from its neighbors.
    return np.asarray(likely * np.gradient(dark)[:, None] * np.gradient(bright)[None])


def _around(values: Array, likely: Array) -> Array:
    """Return a finer, even grid over the likely part of a grid."""
    possible = np.flatnonzero(likely > 1e-4 * likely.max())
    low, high = max(0, possible[0] - 1), min(len(values) - 1, possible[-1] + 1)
    return np.linspace(values[low], values[high], _FINE_GRID)
