"""Artificial patches: uniform areas and steps between them, on which a network must not change the brightness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

#: Fraction of patches with any brightness (the others are dark), and the brightest gray level of dark ones.
_ANY, _DARK = 0.6, 15.0
#: Fraction of patches without a step.
_UNIFORM = 0.4
#: Widths of steps as fractions of the side of the patch, and standard deviation of their heights in gray levels.
_WIDTHS, _HEIGHT = (0.002, 0.02, 0.1), 60.0
#: Range of the factor of a second level of noise, and its smallest distance from the border in pixels.
_FACTORS, _BORDER = (0.2, 5.0), 4


def uniform_areas(generator: np.random.Generator, side: int) -> Floats:
    """Draw a uniform patch, or up to three uniform areas side by side with sharp or soft steps between them.

    Returns
    -------
    array of float32, shape (side, side)
        The patch in gray levels of 8 bits; steps may leave the range of 0 to 255.
    """
    uniform = generator.random() < _UNIFORM
    level = generator.uniform(0, 255 if generator.random() < _ANY else _DARK)
    patch = np.full((side, side), level, np.float32)
    if uniform:
        return patch
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    for _ in range(int(generator.integers(1, 3))):
        angle, place = generator.uniform(0, 2 * np.pi), generator.uniform(-0.35, 0.35)
        distance = (np.cos(angle) * columns + np.sin(angle) * rows - place) / generator.choice(_WIDTHS)
        step = 1 / (1 + np.exp(-np.clip(distance, -30, 30)))
        patch += np.float32(generator.normal(0, _HEIGHT)) * step.astype(np.float32)
    return patch


def two_noise_levels(
    generator: np.random.Generator, low: Floats, noise: Floats, truth: Floats
) -> tuple[Floats, Floats]:
    """Multiply the noise on one side of a patch by a factor, so that its level changes where the image does not.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of the random numbers.
    low : array of float32, shape (Y, X)
        Low-resolution patch.
    noise : array of float32, shape (Y, X)
        Its noise plane.
    truth : array of float32, shape (scale Y, scale X)
        High-resolution patch.
    """
    height, width = low.shape
    mean = truth.reshape(height, truth.shape[0] // height, width, truth.shape[1] // width).mean((1, 3))
    border = min(_BORDER, height // 3)
    factor = np.ones(low.shape, np.float32)
    factor[: int(generator.integers(border, height - border))] = np.exp(generator.uniform(*np.log(_FACTORS)))
    if generator.random() < 0.5:
        factor = factor.T
    return mean + (low - mean) * factor, noise * factor
