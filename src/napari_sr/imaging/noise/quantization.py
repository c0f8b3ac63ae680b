"""The step between neighboring values of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Values with fewer levels have no step: a mask has no noise of quantization.
_LEAST_LEVELS = 3
# More different values than this fraction of the pixels are a continuum.
_CONTINUUM = 0.5
# Levels lie on a grid if none is farther from it than this fraction of a step.
_ON_GRID = 0.1
# Smallest mean number of pixels of a level for which gaps between levels are those of an image that was stretched.
_FILLED = 30


def quantization_step(parts: Sequence[npt.NDArray[Any]]) -> float:
    """Find the step of the values: 1 for integers, k for integers times k, also where they were scaled to floats.

    Parameters
    ----------
    parts : sequence of array of integer or float
        Parts of one image.

    Returns
    -------
    float
        The step, in values; 0 for values without steps.
    """
    values = np.concatenate([part[np.isfinite(part)].ravel() for part in parts])
    levels = np.unique(values)
    if len(levels) < _LEAST_LEVELS:
        return 0.0
    if values.dtype.kind in "biu":
        # Differences of unsigned integers fit their own type; those of signed ones may not.
        step = float(np.gcd.reduce(np.diff(levels if levels.dtype.kind == "u" else levels.astype(object))))
    elif len(levels) > _CONTINUUM * len(values):
        return 0.0
    else:
        step = _grid(levels.astype(np.float64))
    return max(step, _mean_gap(values, levels.astype(np.float64))) if step else 0.0


def _grid(levels: Array) -> float:
    """Return the spacing of the even grid of all levels; 0 if there is none."""
    gaps = np.diff(levels)
    step = float(gaps[gaps < 1.5 * gaps.min()].mean())
    places = levels - levels[0]
    # The error of the step is multiplied by the distance, so the step is refined as the distance grows.
    reach = 16 * step
    while True:
        near = places[places <= reach]
        counts = np.rint(near / step)
        if np.abs(near / step - counts).max() > _ON_GRID:
            return 0.0
        if counts.any():
            step = float(counts @ near / (counts @ counts))
        if reach >= places[-1]:
            return step
        reach *= 2


def _mean_gap(values: npt.NDArray[Any], levels: Array) -> float:
    """Return the mean gap between levels if each level has many pixels, as in a stretched image; else 0."""
    low, high = np.quantile(values, (0.05, 0.95))
    inside = levels[(levels >= low) & (levels <= high)]
    if len(inside) < 8 or len(values) < _FILLED * len(inside):
        return 0.0
    gaps = np.diff(inside)
    # Gaps of a stretched image are similar; other gaps are those of an image with few values.
    return float(gaps.mean()) if gaps.max() <= 2 * gaps.mean() else 0.0
