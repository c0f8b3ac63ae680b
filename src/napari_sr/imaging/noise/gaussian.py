"""Whether differences of pixels are distributed as noise, by a normal distribution, or more evenly, as texture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter

from napari_sr.imaging.noise.bands import ORDER, centers, filtered
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import Scale

Array = npt.NDArray[np.float64]

# The bands that are compared, of middle frequencies: correlated noise has energy there. Of fine frequencies, in which
# there is less structure: noise that neighboring pixels share weakly has energy there, too.
_BANDS, _FINE_BANDS = ((2, 2), (1, 3), (3, 1)), ((3, 3), (2, 4), (4, 2))
# Groups of pixels of similar brightness, and smallest number of pixels of a group.
_GROUPS, _LEAST_PIXELS = 16, 420
# Width in pixels of the Gaussian by which the brightness of a pixel is found.
_AROUND = 2.0
# Largest mean square over squared mean magnitude; pi / 2 = 1.571 for a normal distribution. With few pixels, groups are
# wider in brightness and therefore less normal: the second number is divided by the square root of the pixels. On the
# held-out images of benchmarks/held_out.py at x2, images without noise have 1.62 to 2, and noise has 1.56 to 1.63.
_MOST, _MOST_OF_FEW = 1.588, 1.6
# Width and reach in pixels of the Gaussian that is subtracted to find texture, and side of the blocks of which the
# ratios are compared. In larger blocks, uneven illumination makes texture less even.
_COARSER, _REACH, _BLOCK = 2.0, 8, 16
# Smallest standard deviation of a block that is not constant, as a fraction of the range.
_LEAST_DEVIATION = 1e-6
# Quantile of the ratios of all blocks that is compared: edges of the structure, in a few blocks, make it far larger.
# Of texture it is smaller than of Gaussian noise (1.573) by the next number, or by the last one over the square root
# of the number of pixels: noise is that far off by chance, too.
_TYPICAL, _NOISE, _BELOW, _BELOW_OF_FEW = 0.6, 1.573, 0.05, 3.3
# Fraction of the blocks that may have less skewness than the shared one. By the next number times its square the ratio
# of texture may be larger; or, of spots, which have hardly more than two values, by the last number than theirs.
# All were chosen on the textures of benchmarks/textures.py, grids of spots, and the images of benchmarks/held_out.py:
# on those nothing changes by them, as no image with recognized noise is taken for texture.
_LESS_SKEWED, _OF_SKEWNESS, _ABOVE_TWO_VALUES = 0.25, 0.12, 0.2


def is_gaussian(
    parts: Sequence[Window], scale: Scale, *, differences: bool = False, most: float = 0.0, fine: bool = False
) -> bool:
    """Return whether the middle or fine frequencies of an image are distributed as noise.

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
    fine : bool, default False
        Whether fine frequencies are compared, in place of middle ones.

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
    bands = _FINE_BANDS if fine else _BANDS
    found = list(_pixels(parts, scale, differences, bands))
    if not found:
        return False
    brightness = np.concatenate([one[0] for one in found])
    groups = min(_GROUPS, len(brightness) // _LEAST_PIXELS)
    if not groups:
        return False
    order = np.argsort(brightness, kind="stable")
    ratios = []
    for band in range(1, 1 + len(bands)):
        values = np.concatenate([one[band] for one in found])[order]
        for group in np.array_split(values, groups):
            magnitude = float(np.abs(group).mean(dtype=np.float64))
            if magnitude:
                ratios.append(float(np.square(group).mean(dtype=np.float64)) / magnitude**2)
    return bool(ratios and np.mean(ratios) < max(most, _MOST + _MOST_OF_FEW / np.sqrt(len(brightness))))


def typical_ratio(parts: Sequence[Window], scale: Scale) -> tuple[float, float]:
    """Compute how evenly the values of an image are spread about their surroundings in most small blocks.

    Returns
    -------
    ratio : float
        Ratio of mean square and squared mean magnitude; 1.573 if there is no block that is not constant, as below 16 x
        16 pixels.
    least : float
        Smallest ratio of noise. Structure that fills an image, as cells, fibers or granules side by side, has a smaller
        one: it has a darkest and a brightest value, and much of it is near to them, while noise has no such bounds.

    Notes
    -----
    Narrow walls, gaps and small spots make the values skewed, and the ratio larger, although they are bounded, too:
    that of two values is 1 plus a quarter of the squared skewness. So `least` grows with the skewness that most blocks
    have in common.

    References
    ----------
    R. C. Geary, as in `is_gaussian`.
    """
    found: list[Array] = []
    for part in parts:
        if min(part.values.shape) < _BLOCK:
            continue
        unit = scale.unit(part.values).astype(np.float64)
        unit -= gaussian_filter(unit, _COARSER, truncate=_REACH / _COARSER)
        near_missing = maximum_filter(~np.isfinite(part.values), 2 * _REACH + 1)
        blocks = _blocks(unit)[~_blocks(near_missing).any(axis=1)]
        found.append(blocks[blocks.std(axis=1) > _LEAST_DEVIATION])
    pixels = sum(blocks.size for blocks in found)
    if not pixels:
        return _NOISE, 0.0
    blocks = np.concatenate(found)
    ratio = np.quantile(np.square(blocks).mean(axis=1) / np.abs(blocks).mean(axis=1) ** 2, _TYPICAL)
    skewness = ((blocks - blocks.mean(axis=1, keepdims=True)) ** 3).mean(axis=1) / blocks.std(axis=1) ** 3
    low, high = np.quantile(skewness, (_LESS_SKEWED, 1 - _LESS_SKEWED))
    squared = max(low, -high, 0.0) ** 2
    least = _NOISE - max(_BELOW, _BELOW_OF_FEW / np.sqrt(pixels)) + _OF_SKEWNESS * squared
    return float(ratio), float(max(least, 1 + squared / 4 + _ABOVE_TWO_VALUES))


def _blocks(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the whole blocks of an image, shape (blocks, pixels of a block)."""
    rows, columns = (side // _BLOCK for side in values.shape)
    cut = values[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return cut.swapaxes(1, 2).reshape(rows * columns, _BLOCK**2)


def _pixels(
    parts: Sequence[Window], scale: Scale, differences: bool, bands: Sequence[tuple[int, int]]
) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    """Yield the brightness of pixels, and their values in each band."""
    for part in parts:
        if min(part.values.shape) <= 2 * ORDER or (differences and part.following is None):
            continue
        unit, whole = scale.unit(part.values), np.isfinite(part.values)
        brightness = unit
        if differences and part.following is not None:
            following = scale.unit(part.following)
            brightness, unit = (unit + following) / np.float32(2), (following - unit) / np.float32(np.sqrt(2))
            whole &= np.isfinite(part.following)
        kept = centers(~maximum_filter(~whole, ORDER + 1))
        around = centers(gaussian_filter(brightness, _AROUND))
        yield (around[kept], *(filtered(unit, down, right)[kept] for down, right in bands))
