"""Whether differences of pixels are distributed as noise, by a normal distribution at each brightness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter

from napari_sr.imaging.noise.bands import ORDER, centers, filtered
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import Scale

Array = npt.NDArray[np.float64]

# The bands that are compared, of middle frequencies: correlated noise has energy there.
_BANDS = ((2, 2), (1, 3), (3, 1))
# Groups of pixels of similar brightness, and smallest number of pixels of a group.
_GROUPS, _LEAST_PIXELS = 16, 420
# Width in pixels of the Gaussian by which the brightness of a pixel is found.
_AROUND = 2.0
# Largest number of pixels that are compared.
_BUDGET = 1 << 18
# Largest mean square over squared mean magnitude; pi / 2 = 1.571 for a normal distribution. With few pixels, groups are
# wider in brightness and therefore less normal: the second number is divided by the square root of the pixels. On the
# held-out images of benchmarks/held_out.py at x2, images without noise have 1.62 to 2, and noise has 1.56 to 1.63.
_MOST, _MOST_OF_FEW = 1.588, 1.6


def is_gaussian(parts: Sequence[Window], scale: Scale, *, differences: bool = False, most: float = 0.0) -> bool:
    """Return whether the middle frequencies of an image are distributed as noise.

    Parameters
    ----------
    parts : sequence of Window
        Parts of the image.
    scale : Scale
        Center and range of its values.
    differences : bool, default False
        Whether differences of neighboring planes are compared, in place of planes.
    most : float, default 0.0
        Largest ratio of mean square and squared mean magnitude, if it is larger than the usual one: 1.588 plus 1.6 over
        the square root of the number of pixels.

    Returns
    -------
    bool
        Whether the ratio of mean square and squared mean magnitude is that of a normal distribution. Structure is
        sparse: a few edges and spots have most of its energy, which makes the ratio larger.

    References
    ----------
    R. C. Geary, "The ratio of the mean deviation to the standard deviation as a test of normality", Biometrika 27,
    1935 (the square root of the inverse of the ratio).
    """
    found = list(_pixels(parts, scale, differences))
    if not found:
        return False
    brightness = np.concatenate([one[0] for one in found])
    groups = min(_GROUPS, len(brightness) // _LEAST_PIXELS)
    if not groups:
        return False
    order = np.argsort(brightness, kind="stable")
    ratios = []
    for band in range(1, 1 + len(_BANDS)):
        values = np.concatenate([one[band] for one in found])[order]
        for group in np.array_split(values, groups):
            magnitude = float(np.abs(group).mean(dtype=np.float64))
            if magnitude:
                ratios.append(float(np.square(group).mean(dtype=np.float64)) / magnitude**2)
    return bool(ratios and np.mean(ratios) < max(most, _MOST + _MOST_OF_FEW / np.sqrt(len(brightness))))


def _pixels(parts: Sequence[Window], scale: Scale, differences: bool) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    """Yield the brightness of pixels, and their values in each band."""
    seen = 0
    for part in parts:
        if seen >= _BUDGET or min(part.values.shape) <= 2 * ORDER or (differences and part.following is None):
            continue
        unit, whole = scale.unit(part.values), np.isfinite(part.values)
        brightness = unit
        if differences and part.following is not None:
            following = scale.unit(part.following)
            brightness, unit = (unit + following) / np.float32(2), (following - unit) / np.float32(np.sqrt(2))
            whole &= np.isfinite(part.following)
        kept = centers(~maximum_filter(~whole, ORDER + 1))
        around = centers(gaussian_filter(brightness, _AROUND))
        yield (around[kept], *(filtered(unit, down, right)[kept] for down, right in _BANDS))
        seen += int(kept.sum())
