"""What a training tells while it runs. The listener is called on the training's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

CropImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """The images are ready.

    Parameters
    ----------
    patches : int
        How many places there are to learn from.
    scenes : int
        How many parts are validated on.
    size, batch : int
        Side of a patch in low-resolution pixels, patches a step.
    steps : int
        Of the whole recipe.
    resumed_at : int
        Step from which the training goes on; 0 for a new one.
    warnings, notes : tuple of str
        Sentences.
    """

    patches: int
    scenes: int
    size: int
    batch: int
    steps: int
    resumed_at: int = 0
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepDone:
    """A step is over.

    Parameters
    ----------
    step, steps : int
        Of all stages: how many are done, how many there are.
    stage : str
        Name.
    losses : mapping of str to float
        Unweighted, by the recipe's kinds; "total" is the weighted sum, "discriminator" the discriminator's own.
    rate : float
        The generator's.
    seconds_left : float
        At the pace so far.
    """

    step: int
    steps: int
    stage: str
    losses: Mapping[str, float]
    learning_rate: float
    seconds_left: float


@dataclass(frozen=True)
class ValidationCrop:
    """A validation scene in pictures, (Y, X) or (Y, X, 3), black at 0 and white at 1.

    `before` is the result of the weights that the training began with, `now` that of the present ones.
    """

    name: str
    low: CropImage
    bicubic: CropImage
    before: CropImage
    now: CropImage
    truth: CropImage


@dataclass(frozen=True)
class Validated:
    """A measurement on pixels that nothing is learned from; PSNR in decibel.

    `best` says whether it is the best of its stage so far; `stage` is the name, `step` counts over all stages.
    """

    step: int
    stage: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float
    best: bool
    crops: tuple[ValidationCrop, ...] = field(default=(), repr=False)

    @property
    def better_than_bicubic(self) -> bool:
        """Whether the network is worth its name on these pixels."""
        return self.psnr > self.bicubic_psnr

    def sentence(self) -> str:
        """Say it in words."""
        verdict = "" if self.better_than_bicubic else "; it is worse than bicubic interpolation so far"
        return (
            f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.4f}; bicubic {self.bicubic_psnr:.2f} dB, "
            f"{self.bicubic_ssim:.4f}{verdict}."
        )


@dataclass(frozen=True)
class CheckpointWritten:
    """The training can go on from here."""

    step: int


@dataclass(frozen=True)
class LearningRateLowered:
    """A loss was not a number: the last good state is back, and the rate is halved for the rest."""

    step: int
    back_to: int


@dataclass(frozen=True)
class Paused:
    """Nothing is computed until it is resumed."""

    step: int


@dataclass(frozen=True)
class Resumed:
    """It goes on after a pause."""

    step: int


Event = Prepared | StepDone | Validated | CheckpointWritten | LearningRateLowered | Paused | Resumed
EventListener = Callable[[Event], Any]
