"""How low-resolution images are made from the truths: blur, noise and reduction, with fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from comparison.truths import DataSet, Plane, Truth, truths_of
from napari_sr.imaging.resize import resize

SEED = 20261126
#: Levels of flat fields and standard deviations of their noise, in gray levels of 8 bits.
FLATS = tuple((level, noise) for level in (5, 20, 128, 220, 250) for noise in (2, 5, 10, 20))
FLAT_SIDE = 128


@dataclass(frozen=True)
class Condition:
    """Blur in result pixels, gain and read noise in gray levels of 255; ranges are drawn from evenly.

    `correlation` is the width in pixels, along columns and rows, of the Gaussian by which the noise is filtered.
    """

    name: str
    blur: tuple[float, float] = (0.0, 0.0)
    gain: tuple[float, float] = (0.0, 0.0)
    read: tuple[float, float] = (0.0, 0.0)
    reduction: str = "binning"
    correlation: tuple[float, float] = (0.0, 0.0)

    @property
    def clean(self) -> bool:
        """Whether there is no noise."""
        return not any((*self.gain, *self.read))

    def __str__(self) -> str:
        noise = "no noise, truths made clean" if self.clean else f"gain {_range(self.gain)}, read {_range(self.read)}"
        widths = " x ".join(f"{width:g}" for width in dict.fromkeys(self.correlation))
        spread = f", all noise filtered by a Gaussian of {widths} pixels" if any(self.correlation) else ""
        return f"{self.name}: blur of {_range(self.blur)} result pixels, {self.reduction}, {noise}{spread}"


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g} to {ends[1]:g}"


CONDITIONS = (
    Condition("matched", (0.8, 1.6), (0.1, 2.0), (0.2, 3.0)),
    Condition("heavy", (1.4, 1.4), (6.0, 6.0), (8.0, 8.0)),
    Condition("binning"),
    Condition("bicubic", reduction="bicubic"),
    Condition("heavy blur", (2.4, 4.8), (0.1, 2.0), (0.2, 3.0)),
    Condition("correlated", (0.8, 1.6), (0.1, 2.0), (0.2, 3.0), correlation=(0.7, 0.7)),
    Condition("clean blur", (0.6, 1.6)),
)
#: Conditions that are measured by their names only: noise that neighboring pixels share weakly, or along rows, as in a
#: scanning microscope.
FURTHER = (
    Condition("weakly correlated", (0.8, 1.6), (0.1, 2.0), (0.2, 3.0), correlation=(0.5, 0.5)),
    Condition("along rows", (0.8, 1.6), (0.1, 2.0), (0.2, 3.0), correlation=(0.0, 0.7)),
)


@dataclass(frozen=True)
class Case:
    """A truth under a condition.

    `blur` is the standard deviation of the blur in source pixels; the variance of the noise is c0 + c1 x value.
    """

    truth: Truth
    low: Plane
    blur: float
    c0: float
    c1: float
    scale: int

    @property
    def clean(self) -> bool:
        """Whether there is no noise."""
        return self.c0 == self.c1 == 0

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """The low-resolution image in floating point, so that results are not rounded."""
        return self.low.astype(np.float32)


def degraded(truth: Truth, condition: Condition, scale: int, seed: int) -> Case:
    """Make the low-resolution image of a truth."""
    rng = np.random.default_rng([SEED, seed])
    sigma, gain, read = (float(rng.uniform(*ends)) for ends in (condition.blur, condition.gain, condition.read))
    gain, read = gain * truth.unit, read * truth.unit
    values = truth.values
    if sigma:
        values = ndimage.gaussian_filter(values, sigma, mode="reflect", truncate=4.0)
    height, width = (n // scale for n in values.shape)
    if condition.reduction == "binning":
        low = values.reshape(height, scale, width, scale).mean((1, 3))
    else:
        low = resize(values, (height, width), axes=(0, 1))
    noisy = low
    if gain:
        # The pedestal carries no photons.
        noisy = np.minimum(low, truth.dark) + gain * rng.poisson(np.maximum(low - truth.dark, 0) / gain)
    if read:
        noisy = noisy + read * rng.standard_normal(low.shape)
    if any(condition.correlation):
        noisy = low + correlated(noisy - low, condition.correlation)
    ends = np.iinfo(truth.dtype)
    counts = np.clip(np.rint(noisy), ends.min, ends.max).astype(truth.dtype)
    return Case(truth, counts, sigma / scale, read**2 - gain * truth.dark, gain, scale)


def correlated(noise: npt.NDArray[np.float64], sigma: float | tuple[float, float]) -> npt.NDArray[np.float64]:
    """Filter white noise by a Gaussian, with its variance restored."""
    impulse = np.zeros((33, 33))
    impulse[16, 16] = 1
    power = (ndimage.gaussian_filter(impulse, sigma) ** 2).sum()
    filtered: npt.NDArray[Any] = ndimage.gaussian_filter(noise, sigma, mode="wrap") / np.sqrt(power)
    return filtered


def cases_of(data_set: DataSet, condition: Condition, scale: int, store: Path | None = None) -> list[Case]:
    """Return all images of a data set under a condition."""
    # Seeds belong to the place in the list of all conditions, whichever of them are run.
    place = [known.name for known in (*CONDITIONS, *FURTHER)].index(condition.name)
    truths = truths_of(data_set, scale, condition.clean, store)
    return [degraded(truth, condition, scale, 1000 * place + number) for number, truth in enumerate(truths)]


def flat_case(level: int, noise: int, scale: int) -> Case:
    """Return a flat field of 8 bits with white noise."""
    rng = np.random.default_rng([level, noise])
    noisy = level + noise * rng.standard_normal((FLAT_SIDE, FLAT_SIDE))
    low = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    truth = Truth(f"flat {level}", np.full((FLAT_SIDE * scale,) * 2, float(level)), low.dtype)
    return Case(truth, low, 0.0, float(noise**2), 0.0, scale)
