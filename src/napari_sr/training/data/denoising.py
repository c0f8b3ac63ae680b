"""Denoising of high-resolution targets, for losses that would otherwise reward synthesized noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.restoration import denoise_nl_means

from napari_sr.imaging.noise import measure_noise

#: Side of the compared squares, and the largest distance between two of them, in pixels.
_SQUARE, _DISTANCE = 5, 9


def without_noise(plane: npt.NDArray[Any], strength: float) -> npt.NDArray[Any]:
    """Denoise a plane by non-local means.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        The plane in its own values.
    strength : float
        Filter strength h as a fraction of the standard deviation of the plane's noise, above 0; 0.8 removes almost all
        noise.

    Returns
    -------
    array
        The denoised plane, of the same shape and dtype.

    Notes
    -----
    The standard deviation of the noise is measured by `measure_noise`, at the median of the plane. One value is used
    for the whole plane: if the noise depends strongly on brightness, dark parts are smoothed too much and bright parts
    too little.

    References
    ----------
    A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising", CVPR 2005.
    J. Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008.
    """
    values = plane.astype(np.float64)
    measured = measure_noise([plane], stack=False)
    noise = float(measured.sigma(np.median(values)))
    if not measured.known or noise == 0:
        return plane
    # The fast algorithm shifts the image by a tenth of a pixel; the mean over rotations by 0 and 180 degrees has no
    # shift.
    results = [np.rot90(_filtered(np.rot90(values, turns), strength * noise, noise), turns) for turns in (0, 2)]
    clean = (results[0] + results[1]) / 2
    if plane.dtype.kind in "iu":
        limits = np.iinfo(plane.dtype)
        clean = np.rint(clean).clip(limits.min, limits.max)
    return np.asarray(clean.astype(plane.dtype))


def _filtered(values: npt.NDArray[np.float64], strength: float, noise: float) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = denoise_nl_means(
        np.ascontiguousarray(values),
        patch_size=_SQUARE,
        patch_distance=_DISTANCE,
        h=strength,
        sigma=noise,
        fast_mode=True,
        channel_axis=-1 if values.ndim == 3 else None,
    )
    return result
