"""The noise of a camera, read off an image: how much its variance grows with its brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve

from napari_sr.errors import InputError

#: Side of the tiles that are looked at, in pixels.
_TILE = 8
#: How many groups of like brightness they are sorted into.
_GROUPS = 24
# Structure adds to a tile's variance and never takes away: of each group the quieter part is believed. The lower
# quartile of tiles of pure noise lies this far below their mean (by simulation; 8 x 8 pixels under the mask below).
_QUARTILE = 0.769
# Takes out planes and slopes, so that smooth structure leaves nothing; its weights' squares add up to 36.
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6.0


def estimate_noise(planes: list[npt.NDArray[Any]], *, offset: float = 0.0) -> tuple[float, float]:
    """Estimate gain and read noise: ``variance = gain (mean - offset) + read**2``.

    Parameters
    ----------
    planes : list of array, shape (Y, X) or (Y, X, C)
        Of one camera, in its own values; colors are averaged.
    offset : float
        The camera's dark level.

    Returns
    -------
    gain, read : float
        Values per photon, and the standard deviation of what does not depend on the light; both 0 or more.

    Raises
    ------
    InputError
        If the planes are too small, or too uniform to see how the noise depends on brightness.

    Notes
    -----
    The residual of J. Immerkaer's mask ("Fast noise variance estimation", CVIU 64(2), 1996) in tiles of 8 x 8 pixels;
    in each group of equally bright tiles the lower quartile of the variances, and a line through the groups. Texture as
    fine as a pixel counts as noise.
    """
    means: list[npt.NDArray[np.float64]] = []
    variances: list[npt.NDArray[np.float64]] = []
    for plane in planes:
        values = plane.astype(np.float64)
        values = values.mean(axis=2) if values.ndim == 3 else values
        height, width = (n // _TILE * _TILE for n in values.shape)
        residual = convolve(values, SECOND_DIFFERENCES, mode="reflect") ** 2
        for source, target in ((values, means), (residual, variances)):
            tiles = source[:height, :width].reshape(height // _TILE, _TILE, width // _TILE, _TILE)
            target.append(tiles.mean(axis=(1, 3)).ravel())
    mean, variance = np.concatenate(means), np.concatenate(variances)
    if len(mean) < 4 * _GROUPS:
        raise InputError(
            f"The image has only {len(mean)} tiles of {_TILE} x {_TILE} pixels to estimate noise from: "
            "give gain and read noise as numbers."
        )
    order = np.argsort(mean, kind="stable")
    groups = np.array_split(order, _GROUPS)
    bright = np.array([mean[group].mean() for group in groups]) - offset
    noise = np.array([np.quantile(variance[group], 0.25) for group in groups]) / _QUARTILE
    if not np.ptp(bright) > 0:
        raise InputError("The image is too uniform to estimate its noise: give gain and read noise as numbers.")
    # Variances scatter in proportion to themselves: each group counts by its own.
    weight = 1 / np.maximum(noise, 1e-3 * noise.max() + 1e-12)
    gain, read_squared = np.polyfit(bright, noise, 1, w=weight)
    if gain < 0:
        gain, read_squared = 0.0, float(np.average(noise, weights=weight))
    elif read_squared < 0:
        read_squared = 0.0
        gain = float(np.sum(weight**2 * bright * noise) / np.sum(weight**2 * bright**2))
    return max(0.0, float(gain)), float(np.sqrt(max(0.0, float(read_squared))))
