"""The character of the noise beside its strength: offsets of lines, hot pixels, color mosaics."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from napari_sr.imaging.noise.fit import Line
from napari_sr.imaging.noise.sampling import Window, spread
from napari_sr.imaging.noise.tiles import Scale

# Number of pixels that are searched for hot ones and for mosaics, up to a part of the image.
_BUDGET = 1 << 18
# Distance of a hot or dead pixel from its neighbors, in standard deviations of the noise and in their range.
_HOT, _ALONE = 6.0, 4.0
_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
# Smallest variance for that, in squared ranges.
_LEAST_VARIANCE = 1e-6
# Second differences beyond this number of robust standard deviations are edges.
_EDGE = 3.0
# Offsets of lines are reported from this number of standard errors on.
_SURE = 4.0


def line_offsets(parts: Sequence[Window], scale: Scale, axis: int) -> tuple[float, bool]:
    """Measure the standard deviation of offsets of whole rows (axis 0) or columns (axis 1).

    Parameters
    ----------
    parts : sequence of Window
        Parts of the image.
    scale : Scale
        Center and range of its values.
    axis : 0 or 1
        Rows or columns.

    Returns
    -------
    deviation : float
        The standard deviation in units of the range.
    sure : bool
        Whether it is larger than chance.

    Notes
    -----
    The two halves of each line have the same offset and independent noise. The result is the covariance of their second
    differences.
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
    """Compute the fraction of hot and dead pixels: single pixels far from all of their neighbors.

    Returns
    -------
    float
        The fraction, from 0 to 1.
    """
    found = seen = 0
    slope = 0.0
    if line.brightest > line.darkest:
        slope = float(line.variances[1] - line.variances[0]) / (line.brightest - line.darkest)
    for part in _searched(parts, 3):
        unit = scale.unit(part.values)
        lowest = minimum_filter(unit, footprint=_AROUND, mode="nearest")
        highest = maximum_filter(unit, footprint=_AROUND, mode="nearest")
        # At the value of the pixel, too: single photons in the dark are no hot pixels.
        ends = [line.variances[0] + slope * (mean - line.darkest) for mean in ((lowest + highest) / 2, unit)]
        variance = np.maximum(*ends)
        beyond = np.maximum(unit - highest, lowest - unit)
        bound = np.maximum(_HOT * np.sqrt(np.maximum(variance, _LEAST_VARIANCE)), _ALONE * (highest - lowest))
        found += int(np.sum(beyond > bound))
        seen += unit.size
    return found / seen if seen else 0.0


def mosaic(parts: Sequence[Window], scale: Scale) -> float:
    """Compare the four pixels of squares of 2 x 2 in their distance from their neighbors.

    Returns
    -------
    float
        Logarithm of the ratio of the mean distances from the mean of the four neighbors, of two pixels of a row and of
        two pixels of a column: the smaller one. Above 0.3, a color mosaic was interpolated.
    """
    found = []
    for part in _searched(parts, 16):
        unit = scale.unit(part.values)
        cross = unit[:-2, 1:-1] + unit[2:, 1:-1] + unit[1:-1, :-2] + unit[1:-1, 2:]
        far = np.abs(unit[1:-1, 1:-1] - cross / 4)
        far = np.minimum(far, np.quantile(far, 0.8))
        means = np.array([far[down::2, right::2].mean() for down in (0, 1) for right in (0, 1)])
        # The addition avoids ratios of means that are nearly 0.
        means += 0.02 * means.mean() + 1e-9
        logarithms = np.log(means).reshape(2, 2)
        # Of a mosaic they differ within rows and within columns; where every second row was interpolated, they do not.
        found.append(float(min(np.ptp(logarithms, axis=axis).max() for axis in (0, 1))))
    return float(np.median(found)) if found else 0.0


def _searched(parts: Sequence[Window], least: int) -> list[Window]:
    """Return the parts of at least a number of rows and columns, so many that they have `_BUDGET` pixels."""
    large = [part for part in parts if min(part.values.shape) >= least]
    pixels = sum(part.values.size for part in large)
    return spread(large, ceil(len(large) * _BUDGET / pixels)) if large else []
