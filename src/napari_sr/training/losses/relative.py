"""Errors of patches relative to those of bicubic interpolation, and the shift of uniform patches."""

from __future__ import annotations

from torch import Tensor

#: Largest value of a squared shift of a uniform patch over the variance of its noise.
_LARGEST_SHIFT = 1.0
#: Smallest variance of the noise that a shift is divided by, as a fraction of the variance of the patch.
_LEAST_NOISE = 1e-6
#: One gray level of 8 bits in the range from black at 0 to white at 1.
_GRAY_LEVEL = 1 / 255


def relative_error(
    result: Tensor, truth: Tensor, interpolated: Tensor, deviation: Tensor, *, floor: float, absolute: float
) -> Tensor:
    """Return the squared error of each patch, divided by that of bicubic interpolation.

    Parameters
    ----------
    result, truth, interpolated : Tensor, shape (N, C, Y, X)
        Results of the network, truths, and bicubic interpolations of the low-resolution patches, black at 0 and white
        at 1.
    deviation : Tensor, shape (N, 1, 1, 1)
        Standard deviations of the low-resolution patches, above 0.
    floor : float
        Error that is added to that of bicubic interpolation, in gray levels of 1/255, above 0.
    absolute : float
        Weight of the squared error divided by the squared standard deviation, 0 or more, which is added.
    """
    own = _squared(result - truth)
    bicubic = _squared(interpolated - truth)
    return own / (bicubic + (floor * _GRAY_LEVEL) ** 2) + absolute * own / deviation.flatten() ** 2


def shift_of_mean(result: Tensor, interpolated: Tensor, noise: Tensor, deviation: Tensor) -> Tensor:
    """Return the squared difference between the means of result and interpolation, divided by the noise's variance."""
    shift = (result - interpolated).mean((1, 2, 3)) ** 2
    variance = _squared(noise)
    return (shift / variance.maximum(_LEAST_NOISE * deviation.flatten() ** 2)).clamp_max(_LARGEST_SHIFT)


def _squared(difference: Tensor) -> Tensor:
    return (difference**2).mean((1, 2, 3))
