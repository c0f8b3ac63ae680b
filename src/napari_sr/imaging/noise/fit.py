"""A variance that grows linearly with brightness, fitted to the energies of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import rankdata

from napari_sr.imaging.noise.bands import FREEDOM, structure_spectra
from napari_sr.imaging.noise.tiles import Tiles

Array = npt.NDArray[np.float64]

# Groups of like brightness: so many at most, and so many disjoint tiles in each at least.
_GROUPS, _LEAST_TILES = 12, 16
# Of each group, the fraction of tiles with the least coarse structure, and so many of them at least.
_QUIET, _LEAST_QUIET = 0.4, 8.0
# How well a mixture of the structures that are tried resembles real structure, as a fraction of a band's energy.
_LIKENESS = 0.04
# A group counts as much as this sum of squares at most, so that one that follows no line bends none: little where it
# has more energy than noise of that variance, since texture adds some, and much where it has less.
_MOST_BELOW, _MOST_ABOVE = 12.0, 100.0
# "All of it is noise" is tried first: a bonus of the sum of squares for a ratio of 1, within this width.
_BONUS, _BONUS_WIDTH = 2.0, 0.06
# Against slopes that nothing asks for: with N photons in a pixel, slope squared over variance is 1 / N.
_PHOTONS = 8.0
# Variances that are tried, as ratios to the energy in the finest band.
_RATIOS = np.concatenate(
    [[0, 0.03, 0.06], np.arange(0.1, 0.85, 0.05), np.arange(0.85, 1.1, 0.03), [1.1, 1.15, 1.2, 1.3, 1.5, 2, 4]]
)
_STRUCTURE_UP_TO = 1.5
_COARSE_GRID, _FINE_GRID = 64, 81
# Variance of white noise that the fit finds, over the true one (by simulation): weights are never negative, so that
# chance resembles a little structure.
_FOUND = 0.975
# Energies below this are rounding errors of float32, in units of the squared range.
_ROUNDING = 1e-14
_TINY = 1e-300
# Weights closer than this are the same: rounding must not decide which tiles take part.
_EVEN = 1e-9


@dataclass(frozen=True)
class Groups:
    """Quiet tiles, grouped by brightness.

    Parameters
    ----------
    brightness : array, shape (groups,)
        Means.
    energies : array, shape (groups, bands)
        Mean energies.
    tiles : array, shape (groups,)
        How many disjoint tiles each is worth.
    members, quiet : list of array of int
        Numbers of all tiles of each group, and of its quiet ones.
    """

    brightness: Array
    energies: Array
    tiles: Array
    members: list[npt.NDArray[np.intp]]
    quiet: list[npt.NDArray[np.intp]]


@dataclass(frozen=True)
class Line:
    """Variance at the ends of the brightness that was seen.

    Parameters
    ----------
    darkest, brightest : float
        Brightness.
    variances : array, shape (2,)
        At either end; 0 or more.
    covariance : array, shape (2, 2)
        Of the variances.
    """

    darkest: float
    brightest: float
    variances: Array
    covariance: Array

    def at(self, brightness: float) -> tuple[float, float]:
        """Variance at a brightness, and its standard error."""
        place = 0.5
        if self.brightest > self.darkest:
            place = (brightness - self.darkest) / (self.brightest - self.darkest)
        weights = np.array([1 - place, place])
        return float(weights @ self.variances), float(np.sqrt(max(0.0, weights @ self.covariance @ weights)))


def group_tiles(tiles: Tiles) -> Groups:
    """Sort tiles into groups of like brightness and take the quiet ones of each.

    Parameters
    ----------
    tiles : Tiles
        At least one.

    Returns
    -------
    Groups
        Of an inverted image the same, in reverse order.
    """
    count = len(tiles)
    low, high = np.quantile(tiles.brightness, (0.005, 0.995))
    place = (rankdata(tiles.brightness) - 0.5) / count
    if high > low:
        # Halfway between equal counts and equal steps of brightness: bright tiles are few.
        place = (place + np.clip((tiles.brightness - low) / (high - low), 0, 1)) / 2
    number = int(np.clip(count * tiles.worth / _LEAST_TILES, 1, _GROUPS))
    place = place.clip(0.5 / number, 1 - 0.5 / number)
    found: list[tuple[float, Array, float]] = []
    every, calm = [], []
    for center in (np.arange(number) + 0.5) / number:
        # Hats instead of steps: a tile on a step belongs to both sides alike.
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


def fit_line(evidence: Sequence[Groups]) -> Line:
    """Variance over brightness that all groups agree on best.

    Parameters
    ----------
    evidence : sequence of Groups
        Of planes, or of planes and of differences between them.

    Returns
    -------
    Line
        Its covariance includes chance, and the amount by which the variances would be lower if structure were nearly
        white.
    """
    line, alternative = _fitted(evidence, finest=False), _fitted(evidence, finest=True)
    lower = np.maximum(line.variances - alternative.variances, 0)
    return replace(line, covariance=line.covariance + np.outer(lower, lower))


def _fitted(evidence: Sequence[Groups], *, finest: bool) -> Line:
    """The line for one family of structures.

    Parameters
    ----------
    evidence : sequence of Groups
    finest : bool
        Whether structure that is nearly white is in the family.

    Returns
    -------
    Line

    Notes
    -----
    For each group and each variance that is tried, what the energies have above it is explained by structure: a
    mixture of power laws with several blurs, no weight negative. What is left over, squared, says how well that
    variance fits. The variances at both ends are means over all that fit.
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
    dark, bright = dark - means[0], bright - means[1]
    cross = dark @ likely @ bright
    covariance = np.array([[likely.sum(axis=1) @ dark**2, cross], [cross, likely.sum(axis=0) @ bright**2]])
    return Line(darkest, brightest, means / _FOUND, covariance / _FOUND**2)


def _misfits(energies: Array, tiles: float, structure: Array) -> Array:
    """How badly each variance that is tried fits the energies of one group."""
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
    """How likely each pair of variances at both ends is."""
    change = bright[None] - dark[:, None]
    if rise > 0:
        total = _PHOTONS * (change / rise) ** 2 / ((bright[None] + dark[:, None]) / 2 + _TINY)
    else:
        total = change**2 / ((bright[None] + dark[:, None]) ** 2 + _TINY)
    for position, energy, misfit in zip(place, finest, misfits, strict=True):
        variance = dark[:, None] * (1 - position) + bright[None] * position
        total = total + np.interp(variance / energy, _RATIOS, misfit)
    likely = np.exp(-0.5 * (total - total.min()))
    # The grids are not even: each point stands for what lies around it.
    return np.asarray(likely * np.gradient(dark)[:, None] * np.gradient(bright)[None])


def _around(values: Array, likely: Array) -> Array:
    """A finer, even grid over the part of another that is not unlikely."""
    possible = np.flatnonzero(likely > 1e-4 * likely.max())
    low, high = max(0, possible[0] - 1), min(len(values) - 1, possible[-1] + 1)
    return np.linspace(values[low], values[high], _FINE_GRID)
