"""The relation between the brightness of the two images of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.resize import resize

Array = npt.NDArray[Any]
#: Side of the tiles over which the brightness of two images is compared, in low-resolution pixels.
_TILE = 8


def fit_brightness(pairs: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
    """Fit the brightness of high-resolution planes to that of their partners: ``high = gain low + offset``.

    Parameters
    ----------
    pairs : sequence of (low, high)
        Planes of the same field, of shape (Y, X) or (Y, X, C) and (scale Y, scale X) or (scale Y, scale X, C).

    Raises
    ------
    InputError
        If one of the images is constant, or the two images do not become brighter together.

    Notes
    -----
    A least-squares line is flattened by the noise of the low-resolution image. The means of the tiles are therefore
    computed from each half of the pixels, in a checkerboard. Their noise is independent, so that their covariance is
    the variance of the image without noise.
    """
    halves: tuple[list[Array], list[Array]] = ([], [])
    highs: list[Array] = []
    for low, high in pairs:
        small = resize(high.astype(np.float64), low.shape[:2], axes=(0, 1))
        black, white = _checkerboard(low.astype(np.float64))
        for plane, target in ((black, halves[0]), (white, halves[1]), (_tiles(small), highs)):
            target.append(plane)
    first, second, y = (np.concatenate(parts) for parts in (*halves, highs))
    x = (first + second) / 2
    if not np.ptp(x) > 0:
        raise InputError("The low-resolution image is constant: give images with structures.")
    # The resized planes of a constant image differ by rounding errors.
    if all(np.ptp(high) == 0 for _, high in pairs):
        raise InputError("The high-resolution image is constant: give images with structures.")
    common = np.cov(first, second)[0, 1]
    gain = np.cov(x, y)[0, 1] / common if common > 0 else 0.0
    if not gain > 0:
        raise InputError("The two images do not become brighter together: give images of the same field and channel.")
    offset = y.mean() - gain * x.mean()
    return float(gain), float(offset)


def _tiles(plane: npt.NDArray[np.float64], counted: npt.NDArray[np.float64] | None = None) -> Array:
    """Return the means over tiles, weighted by `counted` if it is given."""
    values = plane.mean(axis=2) if plane.ndim == 3 else plane
    counts = np.ones_like(values) if counted is None else counted
    tile = min(_TILE, *values.shape)
    height, width = (n // tile * tile for n in values.shape)
    sums = [
        part[:height, :width].reshape(height // tile, tile, width // tile, tile).sum(axis=(1, 3))
        for part in (values * counts, counts)
    ]
    means: Array = (sums[0] / sums[1]).ravel()
    return means


def _checkerboard(plane: npt.NDArray[np.float64]) -> tuple[Array, Array]:
    """Return the means over tiles of the pixels of each color of a checkerboard."""
    rows, columns = np.indices(plane.shape[:2])
    white = np.asarray((rows + columns) % 2, np.float64)
    return _tiles(plane, 1 - white), _tiles(plane, white)
