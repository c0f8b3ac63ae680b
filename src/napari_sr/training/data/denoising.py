"""Images without their own noise, for judges that would take it for structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve
from skimage.restoration import denoise_nl_means

from napari_sr.training.data.noise import SECOND_DIFFERENCES

#: Sides of the squares that are compared, and how far away they are looked for, in pixels.
_SQUARE, _DISTANCE = 5, 9


def without_noise(plane: npt.NDArray[Any], strength: float) -> npt.NDArray[Any]:
    """Take the noise of a plane away by the mean of what looks alike (non-local means).

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        In its own values.
    strength : float
        How unlike two squares may be and still be averaged, as a share of the plane's noise; 0.8 takes nearly all of
        it.

    Returns
    -------
    array
        Of the same shape and dtype.

    Notes
    -----
    How strong the noise is, the plane itself says: the median of its second differences. One figure holds for the whole
    plane; where brightness changes the noise much, dark parts are smoothed more than they need and bright ones less.

    References
    ----------
    A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising", CVPR 2005.
    J. Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008.
    """
    values = plane.astype(np.float64)
    mask = SECOND_DIFFERENCES[..., None] if plane.ndim == 3 else SECOND_DIFFERENCES
    noise = float(np.median(np.abs(convolve(values, mask, mode="reflect")))) / 0.6745
    if noise == 0:
        return plane
    # The fast algorithm moves everything by a tenth of a pixel to one side; turned by half a turn, to the other.
    ways = [np.rot90(_averaged(np.rot90(values, turns), strength * noise, noise), turns) for turns in (0, 2)]
    clean = (ways[0] + ways[1]) / 2
    if plane.dtype.kind in "iu":
        limits = np.iinfo(plane.dtype)
        clean = np.rint(clean).clip(limits.min, limits.max)
    return np.asarray(clean.astype(plane.dtype))


def _averaged(values: npt.NDArray[np.float64], unlike: float, noise: float) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = denoise_nl_means(
        np.ascontiguousarray(values),
        patch_size=_SQUARE,
        patch_distance=_DISTANCE,
        h=unlike,
        sigma=noise,
        fast_mode=True,
        channel_axis=-1 if values.ndim == 3 else None,
    )
    return found
