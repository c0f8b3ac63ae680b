"""Events of a running training. The listener is called on the thread of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

CropImage = npt.NDArray[np.float32]
#: Lattice from which on the sentence of a measurement states it. Without one it varies up to about 1.2.
_MUCH_LATTICE = 1.5


@dataclass(frozen=True)
class Prepared:
    """The images are read, and the training begins.

    Parameters
    ----------
    patches : int
        Number of positions in the images at which a patch can be drawn.
    scenes : int
        Number of parts of images that are used for validation.
    size : int
        Side of a patch in low-resolution pixels.
    batch : int
        Number of patches of a step, over all processes.
    steps : int
        Number of steps of the whole recipe.
    resumed_at : int, default 0
        Step from which a run continues; 0 for a new one.
    warnings : tuple of str, default ()
        Sentences about images that the user should check.
    notes : tuple of str, default ()
        Sentences about the images, such as the shift of a pair.
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
    """A step was completed.

    Parameters
    ----------
    step : int
        Number of completed steps, over all stages.
    steps : int
        Number of steps of the whole recipe.
    stage : str
        Name of the stage.
    losses : mapping of str to float
        Losses of the step, without their weights, by their names in the stage (`Stage.loss_names`). "total" is the
        weighted sum, and "discriminator" the loss of the discriminator.
    learning_rate : float
        Learning rate of the generator in this step.
    seconds_left : float or None
        Estimate of the remaining time in seconds, without pauses; None during the first seconds.
    """

    step: int
    steps: int
    stage: str
    losses: Mapping[str, float]
    learning_rate: float
    seconds_left: float | None


@dataclass(frozen=True)
class ValidationCrop:
    """The middle of a validation scene at each stage of the processing.

    Images have the shape (Y, X) or (Y, X, 3), dtype float32, and are black at 0 and white at 1.

    Parameters
    ----------
    name : str
        Name of the image.
    low : array
        Low-resolution image.
    bicubic : array
        Result of bicubic interpolation.
    before : array
        Result of the weights at the start of the training.
    now : array
        Result of the present weights.
    truth : array
        High-resolution image.
    """

    name: str
    low: CropImage
    bicubic: CropImage
    before: CropImage
    now: CropImage
    truth: CropImage


@dataclass(frozen=True)
class Validated:
    """A measurement on pixels that are not used for training, averaged over all validation scenes.

    Parameters
    ----------
    step : int
        Number of completed steps, over all stages.
    stage : str
        Name of the stage.
    psnr : float
        PSNR of the results in decibel.
    ssim : float
        SSIM of the results, up to 1.
    bicubic_psnr : float
        PSNR of bicubic interpolation in decibel.
    bicubic_ssim : float
        SSIM of bicubic interpolation.
    best : bool
        Whether the PSNR is the best of the stage so far.
    start_psnr : float or None, default None
        PSNR of the weights with which the training began, in decibel; None in checkpoints of earlier versions.
    lattice : float or None, default None
        Lattice of the results (`napari_sr.evaluation.lattice`), 1 without one; None if the scenes are too small, and in
        checkpoints of earlier versions.
    crops : tuple of ValidationCrop, default ()
        Images of up to three scenes.
    """

    step: int
    stage: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float
    best: bool
    start_psnr: float | None = None
    lattice: float | None = None
    crops: tuple[ValidationCrop, ...] = field(default=(), repr=False)

    @property
    def worse_than_bicubic(self) -> bool:
        """Whether the PSNR is below that of bicubic interpolation."""
        return self.psnr < self.bicubic_psnr

    def sentence(self) -> str:
        """Return the measurement as a sentence.

        Returns
        -------
        str
            PSNR and SSIM beside those of bicubic interpolation, with a remark if the PSNR is below the latter, and
            one if the results have a lattice.
        """
        verdict = "; it is worse than bicubic interpolation so far" if self.worse_than_bicubic else ""
        woven = self.lattice is not None and self.lattice > _MUCH_LATTICE
        grid = f"; it has a lattice of {self.lattice:.2f}, 1 is none" if woven else ""
        return (
            f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.4f}; bicubic {self.bicubic_psnr:.2f} dB, "
            f"{self.bicubic_ssim:.4f}{verdict}{grid}."
        )


@dataclass(frozen=True)
class CheckpointWritten:
    """A checkpoint was written, from which the training can continue.

    Parameters
    ----------
    step : int
        Number of completed steps, over all stages.
    """

    step: int


@dataclass(frozen=True)
class LearningRateLowered:
    """A loss was not a number: the last checkpoint is restored, and the rest of the stage has half the learning rate.

    Parameters
    ----------
    step : int
        Step of the loss that was not a number.
    back_to : int
        Step of the restored checkpoint.
    """

    step: int
    back_to: int


@dataclass(frozen=True)
class Paused:
    """The training waits, and computes nothing until it is resumed.

    Parameters
    ----------
    step : int
        Number of completed steps, over all stages.
    """

    step: int


@dataclass(frozen=True)
class Resumed:
    """The training continues after a pause.

    Parameters
    ----------
    step : int
        Number of completed steps, over all stages.
    """

    step: int


Event = Prepared | StepDone | Validated | CheckpointWritten | LearningRateLowered | Paused | Resumed
EventListener = Callable[[Event], Any]
