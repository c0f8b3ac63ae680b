"""What kind of noise it is: white or correlated, in lines, in single pixels, of a color mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.optimize import nnls

from napari_sr.imaging.noise.bands import BANDS
from napari_sr.imaging.noise.fit import Groups, Line
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import Scale, Tiles

Array = npt.NDArray[np.float64]

_FINE, _MIDDLE = BANDS.index((3, 3)), [BANDS.index((2, 2)), BANDS.index((1, 3))]
# Logarithm of the fine band's energy over a middle band's: white noise is above, correlated noise below.
_WHITE_ABOVE, _CORRELATED_BELOW = -0.3, -0.65
# Logarithm of a high over a low quantile of tiles' energies: noise fills all tiles alike, structure does not.
_ALIKE, _QUANTILES = 0.66, (0.7, 0.1)
# Weaker noise than this fraction of the range is not looked at.
_LEAST_DEVIATION = 0.003
# A group shows how alike its tiles are from so many on.
_LEAST_TILES = 24
# The surroundings' mean takes this much off the variance of white noise, and this much off its correlation.
_TAKEN_OFF = 1 / 81
# Pixels that are looked at for hot ones and for mosaics.
_BUDGET = 1 << 18
# A hot or dead pixel is so many standard deviations, and so many times their range, beyond its neighbors.
_HOT, _ALONE = 6.0, 4.0
_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
# No noise is taken to be weaker than a thousandth of the range here.
_LEAST_VARIANCE = 1e-6
# Second differences beyond so many robust standard deviations are edges.
_EDGE = 3.0
# Lines are told from chance by so many standard errors.
_SURE = 4.0


@dataclass(frozen=True)
class Correlation:
    """How alike noise is in neighboring pixels.

    Parameters
    ----------
    verdict : "white", "correlated" or "unclear"
        "unclear" where no part of the image is flat enough to tell noise from structure.
    right, down : float
        Correlation with the pixel to the right and the one below, in the flattest part. Structure adds to it.
    """

    verdict: str = "unclear"
    right: float = 0.0
    down: float = 0.0


def correlation_of(tiles: Tiles, groups: Groups) -> Correlation:
    """Correlation of the noise, from the brightness at which tiles are most alike.

    Parameters
    ----------
    tiles : Tiles
    groups : Groups

    Returns
    -------
    Correlation
    """
    spreads = [_spread(tiles, every, quiet) for every, quiet in zip(groups.members, groups.quiet, strict=True)]
    best = int(np.argmin(spreads))
    quiet = groups.quiet[best]
    energies = tiles.energies[quiet].mean(axis=0)
    square, right, down = tiles.neighbors[quiet].mean(axis=0)
    middle = energies[_MIDDLE[0]]
    if not square > 0 or not middle > 0:
        return Correlation()
    slope = float(np.log(max(energies[_FINE] / middle, 1e-12)))
    neighbors = [float(np.clip(product / square + _TAKEN_OFF, -1, 1)) for product in (right, down)]
    if slope > _WHITE_ABOVE:
        return Correlation("white", *neighbors)
    seen = square > _LEAST_DEVIATION**2
    return Correlation(
        "correlated" if slope < _CORRELATED_BELOW and spreads[best] < _ALIKE and seen else "unclear", *neighbors
    )


def all_variances(tiles: Tiles, groups: Groups, line: Line) -> Array:
    """Variances at both ends of a line, with all that quiet tiles differ from their surroundings.

    Parameters
    ----------
    tiles : Tiles
    groups : Groups
    line : Line
        Says where its ends are.

    Returns
    -------
    array, shape (2,)
        Of correlated noise too; structure adds to it.
    """
    squares = np.array([tiles.neighbors[quiet, 0].mean() for quiet in groups.quiet]) / (1 - _TAKEN_OFF)
    if not line.brightest > line.darkest:
        return np.full(2, squares.mean())
    place = (groups.brightness - line.darkest) / (line.brightest - line.darkest)
    weights = 1 / np.maximum(squares, 1e-3 * squares.max() + 1e-14)
    return np.asarray(nnls(np.stack([(1 - place) * weights, place * weights], axis=1), squares * weights)[0])


def _spread(tiles: Tiles, members: npt.NDArray[np.intp], quiet: npt.NDArray[np.intp]) -> float:
    if len(members) * tiles.worth < _LEAST_TILES and len(members) < len(tiles):
        return np.inf
    levels = tiles.energies[quiet][:, _MIDDLE].mean(axis=0)
    if not levels.all():
        return np.inf
    high, low = np.quantile((tiles.energies[members][:, _MIDDLE] / levels).sum(axis=1), _QUANTILES)
    return float(np.log(high / low)) if low > 0 else np.inf


def line_offsets(parts: Sequence[Window], scale: Scale, axis: int) -> tuple[float, bool]:
    """Standard deviation of what whole rows (axis 0) or columns (axis 1) have in common, beyond structure.

    Parameters
    ----------
    parts : sequence of Window
    scale : Scale
    axis : 0 or 1

    Returns
    -------
    deviation : float
        In units of the range.
    sure : bool
        Whether it is more than chance.

    Notes
    -----
    The two halves of each line share its offset, not their noise: the covariance of their second differences.
    """
    products, powers = [], []
    for part in parts:
        unit = scale.unit(part.values)
        unit = unit if axis == 0 else unit.T
        if min(unit.shape) < 16:
            continue
        change = (unit[:-2] - 2 * unit[1:-1] + unit[2:]) / np.sqrt(6)
        bound = _EDGE * 1.4826 * float(np.median(np.abs(change)))
        change = np.clip(change, -bound, bound)
        half = unit.shape[1] // 2
        first, second = change[:, :half].mean(axis=1), change[:, half:].mean(axis=1)
        products.append(first * second)
        powers.append(first**2 * second**2)
    if not products:
        return 0.0, False
    shared = np.concatenate(products)
    # Neighboring second differences of lines are correlated: 35/18 of the variance of independent ones.
    error = float(np.sqrt(np.concatenate(powers).sum() * 35 / 18)) / len(shared)
    mean = float(shared.mean())
    return float(np.sqrt(max(0.0, mean))), mean > _SURE * error


def hot_pixels(parts: Sequence[Window], scale: Scale, line: Line) -> float:
    """Fraction of single pixels far from all around them.

    Parameters
    ----------
    parts : sequence of Window
    scale : Scale
    line : Line

    Returns
    -------
    float
        0 to 1.
    """
    found = seen = 0
    slope = 0.0
    if line.brightest > line.darkest:
        slope = float(line.variances[1] - line.variances[0]) / (line.brightest - line.darkest)
    for part in parts:
        if seen >= _BUDGET or min(part.values.shape) < 3:
            break
        unit = scale.unit(part.values)
        lowest = minimum_filter(unit, footprint=_AROUND, mode="nearest")
        highest = maximum_filter(unit, footprint=_AROUND, mode="nearest")
        variance = line.variances[0] + slope * ((lowest + highest) / 2 - line.darkest)
        beyond = np.maximum(unit - highest, lowest - unit)
        bound = np.maximum(_HOT * np.sqrt(np.maximum(variance, _LEAST_VARIANCE)), _ALONE * (highest - lowest))
        found += int(np.sum(beyond > bound))
        seen += unit.size
    return found / seen if seen else 0.0


def mosaic(parts: Sequence[Window], scale: Scale) -> float:
    """How differently the four pixels of 2 x 2 follow their neighbors: above 0.3 a color mosaic was filled in.

    Parameters
    ----------
    parts : sequence of Window
    scale : Scale

    Returns
    -------
    float
        Logarithm of the largest mean distance from the four neighbors' mean, over the smallest.
    """
    found, seen = [], 0
    for part in parts:
        if seen >= _BUDGET or min(part.values.shape) < 16:
            break
        unit = scale.unit(part.values)
        cross = unit[:-2, 1:-1] + unit[2:, 1:-1] + unit[1:-1, :-2] + unit[1:-1, 2:]
        far = np.abs(unit[1:-1, 1:-1] - cross / 4)
        far = np.minimum(far, np.quantile(far, 0.8))
        means = np.array([far[down::2, right::2].mean() for down in (0, 1) for right in (0, 1)])
        # Steps of quantization keep the smallest mean from 0; without any distance there is nothing to compare.
        means += 0.02 * means.mean() + 1e-9
        found.append(float(np.log(means.max() / means.min())))
        seen += unit.size
    return float(np.median(found)) if found else 0.0
