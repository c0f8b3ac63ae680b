"""Whether neighboring pixels share noise, and the strength of such noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from napari_sr.imaging.noise.bands import BANDS, FREEDOM, shared_spectra
from napari_sr.imaging.noise.fit import Groups, Line
from napari_sr.imaging.noise.gaussian import is_gaussian, typical_ratio
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import Scale, Tiles

Array = npt.NDArray[np.float64]

_FINE, _MIDDLE = BANDS.index((3, 3)), [BANDS.index((2, 2)), BANDS.index((1, 3))]
# Logarithm of the energy of the fine band over that of a middle band: white noise is above the first, correlated noise
# below the second.
_WHITE_ABOVE, _CORRELATED_BELOW = -0.3, -0.65
# The same of a finer band, below which energies that are distributed as noise are noise: with white noise beside
# structure the finest bands are alike.
_FINER, _FALLING_BELOW = BANDS.index((3, 4)), -1.57
# The finest band over the fine one, and the two directions of one band: noise that neighboring pixels share weakly, or
# along one axis, differs there by more than this logarithm plus a number of standard errors; white noise does not, nor
# white noise beside structure.
_FINEST, _DIFFERENT, _ERRORS = BANDS.index((4, 4)), 0.1, 2.5
# The energy of noise falls more steeply the finer the band, that of texture beside white noise less steeply. From the
# middle to the fine band, noise falls at most this many times as much as from there to the finest.
_OF_FINER = 1.5
# Noise filtered by a Gaussian of 0.7 to 0.9 pixels falls so, while sharp structure falls less, and blurred structure
# without noise mostly more: there the ratio by which noise is recognized may be larger.
_AS_FILTERED, _MOST_AS_FILTERED = (-3.2, -2.2), 1.615
# A band somewhat finer than the first of the middle ones, by which the width of a filter is found: of the filters that
# were tried, as means and medians of 3 x 3 pixels, all are like a Gaussian there, and not in finer bands.
_FINER_MIDDLE = BANDS.index((2, 3))
# Structure that is counted as such noise, as a fraction of its variance in quiet tiles, and smallest fraction of the
# counted variance that is noise.
_OF_STRUCTURE, _LEAST_LEFT = 0.4, 0.35
# Numbers of tiles: of few, none are without structure; of many, this fraction of what was subtracted is added again.
_FEW, _MANY, _ADDED_AGAIN = 50, 225, 0.5
# Logarithm of a high over a low quantile of the energies of tiles. Noise is similar in all tiles, structure is not.
_ALIKE, _QUANTILES = 0.56, (0.7, 0.1)
# Noise that is more than this fraction of the variance of the image makes tiles alike, if there are enough to compare.
# Else it is texture, as in blurred electron micrographs. Weaker noise leaves tiles with structure in them.
_STRONG, _ENOUGH_TILES = 0.16, 250
# Largest fraction for weakly shared noise: fine texture that fills an image has more, as of spots on a grid or foam.
# Texture of strongly reduced electron micrographs beside white noise can have more than the second number. Above that,
# noise that falls in the finest bands is not recognized in few tiles, as of 64 x 64 pixels. In more tiles it is, where
# the ratio of `typical_ratio` exceeds its smallest value by the last number; that of noise does by 0.05.
_MOST_OF_IMAGE, _MUCH_OF_IMAGE, _SURE_BY = 2 / 3, 0.3, 0.04
# Smallest number of tiles, those of 40 x 40 pixels, by which noise and texture are told apart.
_LEAST_TOLD = 64
# Largest ratio of `typical_ratio` of noise that is recognized by alike tiles only; on the held-out images it is 1.54 to
# 1.62. Spots on a regular grid make tiles alike, too, and have a larger one.
_MOST_ALIKE = 1.8
# Smallest standard deviation of noise that is called correlated, as a fraction of the range.
_LEAST_DEVIATION = 0.003
# Smallest number of tiles of a group whose energies are compared.
_LEAST_TILES = 24
# Subtracting the mean of the surroundings reduces the variance of white noise, and its correlation, by this much.
_TAKEN_OFF = 1 / 81


@dataclass(frozen=True)
class Correlation:
    """Correlation of the noise of neighboring pixels.

    Parameters
    ----------
    verdict : "white", "correlated" or "unclear"
        "unclear" where noise and structure cannot be separated.
    right, down : float
        Correlation with the pixel to the right and the pixel below, in the flattest part. Structure adds to it.
    gaussian : bool
        Whether the distribution of correlated noise differs from that of structure, too: middle frequencies are
        distributed as noise at each brightness, and higher ones are weaker.
    fine : bool
        Whether it is noise that is shared weakly or along one axis, as after an interpolation or in a scanning
        microscope: fine frequencies are distributed as noise, too, and weaker the finer they are, or along one axis.
    """

    verdict: str = "unclear"
    right: float = 0.0
    down: float = 0.0
    gaussian: bool = False
    fine: bool = False


def correlation_of(
    tiles: Tiles,
    groups: Groups,
    parts: Sequence[Window],
    scale: Scale,
    *,
    differences: bool = False,
    variance: float = 0.0,
) -> Correlation:
    """Measure the correlation of the noise at the brightness at which tiles are most similar.

    Parameters
    ----------
    tiles : Tiles
        Tiles of the image, or of differences of planes.
    groups : Groups
        The same tiles in groups.
    parts : sequence of Window
        Parts of the image, from which the tiles are.
    scale : Scale
        Center and range of its values.
    differences : bool, default False
        Whether the tiles are those of differences of neighboring planes.
    variance : float, default 0.0
        Variance of white and correlated noise together, if all of it is noise, in squared ranges.
    """
    spreads = [_spread(tiles, every, quiet) for every, quiet in zip(groups.members, groups.quiet, strict=True)]
    best = int(np.argmin(spreads))
    quiet = groups.quiet[best]
    energies = tiles.energies[quiet].mean(axis=0)
    square, right, down = tiles.neighbors[quiet].mean(axis=0)
    middle = _MIDDLE[0]
    if not square > 0 or not energies[middle] > 0:
        return Correlation()
    slope = _fall(energies[_FINE], energies[middle])
    right, down = (float(np.clip(product / square + _TAKEN_OFF, -1, 1)) for product in (right, down))
    verdict = "white" if slope > _WHITE_ABOVE else "unclear"
    if square <= _LEAST_DEVIATION**2 or len(tiles) < _LEAST_TOLD:
        return Correlation(verdict, right, down)
    few, share = len(tiles) < _ENOUGH_TILES, variance / _variance(parts, scale)
    alike = spreads[best] < _ALIKE
    similar = alike or differences or share < _STRONG
    everywhere = np.concatenate(groups.quiet)
    energies = tiles.energies[everywhere].mean(axis=0)
    gaussian = False
    if slope < _CORRELATED_BELOW and (similar or few):
        fall = _fall(energies[_FINER], energies[middle])
        most = _MOST_AS_FILTERED if _AS_FILTERED[0] < fall < _AS_FILTERED[1] else 0.0
        gaussian = fall < _FALLING_BELOW and is_gaussian(parts, scale, differences=differences, most=most)
    falls, one_axis = _unlike_white(tiles, everywhere)
    falls = falls and not gaussian and (share < _MUCH_OF_IMAGE if few else similar)
    fine = (falls or one_axis) and share < _MOST_OF_IMAGE
    fine = fine and all(
        is_gaussian(parts, scale, differences=differences, most=_MOST_AS_FILTERED, fine=one) for one in (True, False)
    )
    alike = alike and slope < _CORRELATED_BELOW
    if (gaussian or fine or alike) and not differences:
        ratio, least = typical_ratio(parts, scale)
        fine = fine and (one_axis or share < _MUCH_OF_IMAGE or ratio > least + _SURE_BY)
        if ratio < least or (ratio > _MOST_ALIKE and not gaussian and not fine):
            return Correlation("unclear", right, down)
    if gaussian or fine or alike:
        return Correlation("correlated", right, down, gaussian or fine, fine)
    return Correlation(verdict, right, down)


def _unlike_white(tiles: Tiles, quiet: npt.NDArray[np.intp]) -> tuple[bool, bool]:
    """Return whether energy falls towards the finest band as that of noise, and whether it differs between the axes."""
    energies = tiles.energies[quiet].mean(axis=0)
    # Of the logarithm of a ratio of two energies. Each tile is in two groups.
    error = float(np.sqrt(8 / (FREEDOM * tiles.worth * len(quiet))))
    least = _DIFFERENT + _ERRORS * error
    before, finest = _fall(energies[_FINE], energies[_MIDDLE[0]]), _fall(energies[_FINEST], energies[_FINE])
    along, across = tiles.directed[quiet].mean(axis=0)
    return finest < min(-least, before / _OF_FINER), abs(_fall(along, across)) > least


def _fall(energy: float, other: float) -> float:
    """Return the logarithm of the energy of a band over that of another one."""
    return float(np.log(max(energy / other, 1e-12))) if other > 0 else 0.0


def all_variances(tiles: Tiles, groups: Groups, line: Line) -> tuple[Array, Array]:
    """Compute the variance of all noise, white and correlated, at both ends of a line.

    Returns
    -------
    seen : array of float64, shape (2,)
        The smaller of the variance of the differences between quiet tiles and their surroundings, and of the variance
        of noise filtered by a Gaussian whose energies in middle bands are those of quiet tiles. Structure adds to both,
        and more to the first where nothing is flat.
    cautious : array of float64, shape (2,)
        The same less a part of the structure, by how much more it adds to the first, and less of it in larger images.
        Filters that are unlike a Gaussian lower it too.
    """
    squares = np.array([tiles.neighbors[quiet, 0].mean() for quiet in groups.quiet]) / (1 - _TAKEN_OFF)
    seen = squares
    energies = np.array([tiles.energies[quiet].mean(axis=0) for quiet in groups.quiet])
    middle = _MIDDLE[0]
    finer, coarser = tiles.energies[np.concatenate(groups.quiet)][:, [_FINER_MIDDLE, middle]].mean(axis=0)
    if finer > 0:
        widths, spectra = shared_spectra()
        falls = np.log(spectra[:, middle] / spectra[:, _FINER_MIDDLE])
        width = np.interp(np.log(max(coarser / finer, 1.0)), falls, widths)
        seen = np.minimum(squares, energies[:, middle] / np.interp(width, widths, spectra[:, middle]))
    cautious = np.maximum((seen - _OF_STRUCTURE * squares) / (1 - _OF_STRUCTURE), _LEAST_LEFT * seen)
    many = np.clip(np.log(len(tiles) * tiles.worth / _FEW) / np.log(_MANY / _FEW), 0, 1)
    cautious += _ADDED_AGAIN * many * (seen - cautious)
    return _at_ends(seen, groups, line), _at_ends(cautious, groups, line)


def _at_ends(squares: Array, groups: Groups, line: Line) -> Array:
    """Fit variances of groups by a line; return its values at the ends."""
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


def _variance(parts: Sequence[Window], scale: Scale) -> float:
    """Return the variance of all values of an image, in squared ranges."""
    return float(np.concatenate([scale.unit(part.values).ravel() for part in parts]).var(dtype=np.float64))
