"""Estimation of a camera's noise from an image: how its variance increases with brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve

from napari_sr.errors import InputError

#: Side of the tiles whose variance is measured, in pixels.
_TILE = 8
#: Number of groups of equally bright tiles.
_GROUPS = 24
# Structure only increases the variance of a tile, so the quieter part of each group is used. For pure noise, the lower
# quartile of the tiles' variances is this fraction of their mean (by simulation; 8 x 8 pixels under the mask below).
_QUARTILE = 0.769
#: A mask that removes planes and slopes, so that smooth structure gives zero. The squares of its weights add up to 1.
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6.0


def estimate_noise(planes: list[npt.NDArray[Any]], *, offset: float = 0.0) -> tuple[float, float]:
    """Estimate gain and read noise of a camera: ``variance = gain (mean - offset) + read**2``.

    Parameters
    ----------
    planes : list of array, shape (Y, X) or (Y, X, C)
        Planes of one camera, in their own values; colors are averaged.
    offset : float, default 0.0
        Dark level of the camera, in values.

    Returns
    -------
    gain : float
        Values per photon, 0 or more.
    read : float
        Standard deviation of the noise that does not depend on brightness, in values, 0 or more.

    Raises
    ------
    InputError
        If the planes are too small, or too uniform to show how the noise depends on brightness.

    Notes
    -----
    The residual of Immerkaer's mask is squared and averaged in tiles of 8 x 8 pixels. The tiles are sorted into groups
    of equal brightness; the lower quartile of each group gives its variance, and a line is fitted to the groups.
    Texture as fine as a pixel is counted as noise.

    References
    ----------
    J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2), 1996.
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
    # The spread of a variance is proportional to the variance, so each group is weighted by its inverse.
    weight = 1 / np.maximum(noise, 1e-3 * noise.max() + 1e-12)
    gain, read_squared = np.polyfit(bright, noise, 1, w=weight)
    if gain < 0:
        gain, read_squared = 0.0, float(np.average(noise, weights=weight))
    elif read_squared < 0:
        read_squared = 0.0
        gain = float(np.sum(weight**2 * bright * noise) / np.sum(weight**2 * bright**2))
    return max(0.0, float(gain)), float(np.sqrt(max(0.0, float(read_squared))))
