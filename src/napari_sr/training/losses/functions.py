"""Losses of an image against the truth, as functions of tensors.

All are computed in float32, whatever the number format of the networks is.
"""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

#: Side, in low-resolution pixels, of the squares over which a periodic pattern is averaged.
_PERIODIC_MEAN = 4
#: Side in pixels of the tiles in which power spectra are measured: the smallest image.
POWER_TILE = 16
#: Power that counts in `pattern`, as a part of the mean power of the fine detail of the truth.
_LEAST_POWER = 0.1
#: Power of rounding to 8 bits, for values from 0 to 1.
_ROUNDING = (1 / 255) ** 2 / 12


def charbonnier(result: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Return the mean of ``sqrt(difference**2 + epsilon**2)``, an L1 loss that is smooth at zero.

    Parameters
    ----------
    result : Tensor
        Result, of any shape.
    truth : Tensor
        Truth, of the same shape.
    epsilon : float, default 1e-3
        Width of the rounded minimum, above 0.

    References
    ----------
    W.-S. Lai et al., "Deep Laplacian pyramid networks", arXiv:1704.03915, section 3.3.
    """
    return torch.sqrt((result - truth) ** 2 + epsilon**2).mean()


def periodic(result: Tensor, truth: Tensor, scale: int) -> Tensor:
    """Return the mean squared part of the difference between result and truth that repeats with the factor.

    Parameters
    ----------
    result, truth : Tensor, shape (N, C, scale Y, scale X)
        Images.
    scale : int
        The factor: the period in pixels.

    Returns
    -------
    Tensor, scalar
        The loss: the variance, over the `scale` x `scale` positions in a low-resolution pixel, of the means over the
        same position in 4 x 4 low-resolution pixels.
    """
    n, channels, height, width = truth.shape
    positions = functional.pixel_unshuffle(result - truth, scale)
    size = min(_PERIODIC_MEAN, height // scale, width // scale)
    means = functional.avg_pool2d(positions, size)
    means = means.reshape(n, channels, scale**2, *means.shape[2:])
    return ((means - means.mean(2, keepdim=True)) ** 2).mean()


def pattern(result: Tensor, truth: Tensor) -> Tensor:
    """Return how much the fine detail of images is concentrated on other frequencies than that of their truths.

    Parameters
    ----------
    result, truth : Tensor, float32, shape (N, C, Y, X)
        Images with values from 0 to 1, of at least 16 x 16 pixels.

    Returns
    -------
    Tensor, scalar
        The loss: the variance of log(power of result / power of truth) over the frequencies at one distance from 0,
        as the mean over the distances of 1/4 cycle per pixel and more. It is about 0 if the powers are proportional at
        each distance, whatever their ratio.

    Notes
    -----
    The power is Welch's, from tiles of 16 x 16 pixels at half their distance with a Hann window, and the mean over
    rotations by 90 degrees and reflections, since a pattern of an upsampling layer has these symmetries. The power of
    rounding to 8 bits is added to it, and a tenth of the mean power of the truth at these frequencies.
    """
    frequencies = torch.fft.fftfreq(POWER_TILE, device=result.device)
    distances = (torch.hypot(frequencies[:, None], frequencies[None, :]) * POWER_TILE).round()
    power, expected = (_symmetric(_power(image)) for image in (result, truth))
    # Without the floor, frequencies at which the truth has hardly any power would be filled with noise.
    floor = _LEAST_POWER * expected[:, distances >= POWER_TILE // 4].mean(1)[:, None, None]
    ratio = torch.log((power + floor) / (expected + floor))
    rings = [distances == distance for distance in range(POWER_TILE // 4, int(distances.max()) + 1)]
    return torch.stack([ratio[:, ring].var(1, correction=0).mean() for ring in rings]).mean()


def _power(image: Tensor) -> Tensor:
    """Return the power of tiles, shape (N, 16, 16), as the mean over the tiles and channels (Welch)."""
    n = len(image)
    window = torch.hann_window(POWER_TILE, device=image.device)
    taper = window[:, None] * window[None, :]
    tiles = functional.unfold(image.float().flatten(0, 1)[:, None], POWER_TILE, stride=POWER_TILE // 2)
    tiles = tiles.reshape(n, -1, POWER_TILE, POWER_TILE, tiles.shape[-1]).movedim(-1, 2)
    level = (tiles * taper).sum((-2, -1), keepdim=True) / taper.sum()
    spectra = torch.fft.fft2((tiles - level) * taper)
    power: Tensor = (spectra.abs() ** 2).mean((1, 2)) / (taper**2).sum()
    return power + _ROUNDING


def _symmetric(power: Tensor) -> Tensor:
    """Return the mean of a power over rotations by 90 degrees and reflections."""
    for axis in (-2, -1):
        power = (power + power.flip(axis).roll(1, axis)) / 2
    return (power + power.transpose(-2, -1)) / 2


def plain_shapes(image: Tensor, sigma: float) -> Tensor:
    """Blur images by a Gaussian of `sigma` pixels and stretch each to 0 to 1; nearly constant ones not as far."""
    image = _blurred(image, sigma)
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return (image - low) / (high - low).clamp_min(1e-3)


def in_bands(
    result: Tensor, reference: Tensor, start: Tensor, *, sigma: float, coarse: float, fine: float, floor: float
) -> Tensor:
    """Return the squared difference between results and a mixture of `reference` and `start` by frequency band.

    In the mixture, the difference ``start - reference`` is multiplied by `coarse` after a Gaussian blur of `sigma`
    pixels, and the rest of it by `fine`. The squared error in each of the two bands is divided by the squared
    difference in it and ``floor**2``, patch by patch; the loss is the mean over the bands and patches.
    """
    difference, found = (_split(image - reference, sigma) for image in (start, result))
    errors = [
        ((own - factor * whole) ** 2).mean((1, 2, 3)) / ((whole**2).mean((1, 2, 3)) + floor**2)
        for own, whole, factor in zip(found, difference, (coarse, fine), strict=True)
    ]
    return torch.stack(errors).mean()


def _split(image: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return images as the sum of a blurred and a fine part."""
    blurred = _blurred(image, sigma)
    return blurred, image - blurred


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Blur images by a Gaussian, mirrored at their borders."""
    reach = min(ceil(3 * sigma), image.shape[-2] - 1, image.shape[-1] - 1)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype) / sigma) ** 2)
    line = (line / line.sum()).expand(image.shape[1], 1, 1, -1)
    for kernel, pad in ((line, (reach, reach, 0, 0)), (line.mT, (0, 0, reach, reach))):
        wide = functional.pad(image, pad, mode="reflect")
        image = functional.conv2d(wide, kernel, groups=image.shape[1])
    return image
