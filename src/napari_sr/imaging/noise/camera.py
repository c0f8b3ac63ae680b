"""The noise of a camera: gain and read noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from napari_sr.errors import InputError
from napari_sr.imaging.noise.measurement import NoiseMeasurement, measure_noise

# Standard errors are not taken to be smaller than this fraction of a variance.
_LEAST_ERROR = 1e-3


def estimate_noise(planes: list[npt.NDArray[Any]], *, offset: float = 0.0) -> tuple[float, float]:
    """Estimate gain and read noise of a camera: ``variance = gain (mean - offset) + read**2``.

    Parameters
    ----------
    planes : list of array, shape (Y, X) or (Y, X, C)
        Planes of one camera, in its own values; each color has noise of its own.
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
        If the planes are too small or too uniform for a measurement.

    Notes
    -----
    The line of `measure_noise` is replaced by the nearest one with a gain and a squared read noise of 0 or more.
    """
    measured = measure_noise(planes, stack=False)
    if not measured.known:
        raise InputError(
            "The image is too small or too uniform to estimate its noise: give gain and read noise as numbers."
        )
    gain, square = _not_negative(measured, offset)
    return gain, float(np.sqrt(square))


def _not_negative(measured: NoiseMeasurement, offset: float) -> tuple[float, float]:
    """Return gain and squared read noise, 0 or more, nearest to a measurement in units of its standard errors."""
    ends = np.array([measured.darkest, measured.brightest])
    if not ends[1] > ends[0]:
        return 0.0, max(0.0, measured.c0 + measured.c1 * ends[0])
    variances = measured.c0 + measured.c1 * ends
    change = np.stack([np.ones(2), ends], axis=1)
    v00, v01, v11 = measured.covariance
    covariance = change @ np.array([[v00, v01], [v01, v11]]) @ change.T
    covariance += np.diag(np.full(2, (_LEAST_ERROR * variances.max()) ** 2 + 1e-300))
    weights = np.linalg.inv(np.linalg.cholesky(covariance))
    gain, square = nnls(weights @ np.stack([ends - offset, np.ones(2)], axis=1), weights @ variances)[0]
    return float(gain), float(square)
