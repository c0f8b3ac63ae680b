"""Tables of a recipe: network, patches, stages and validation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.data import ImageSet
from napari_sr.training.recipe.losses import AdversarialLoss, Loss
from napari_sr.training.recipe.optimizer import Discriminator, Optimizer, Schedule
from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable
from napari_sr.zoo.card import Setting
from napari_sr.zoo.names import Name


class PatchSettings(RecipeTable):
    """Size and number of the patches of a step.

    Parameters
    ----------
    size : int or "auto", default "auto"
        Side of a patch in low-resolution pixels, 4 or more. "auto" is the largest of 48, 32, 24 and 16 with which a
        step stays within `work`; for small images it goes down to 8.
    batch : int, default 8
        Number of patches of a step, over all processes together; 1 or more. If `size` is "auto", it is halved as long
        as a step exceeds `work`.
    work : float, default 20.0
        Limit of the multiplications of one step's forward pass, in 10^9, above 0; for a `size` of "auto".
    flips : bool, default True
        Flip patches at random.
    turns : bool, default True
        Rotate patches at random by multiples of 90 degrees.
    empty : float, default 0.1
        Threshold of an empty patch, 0 or more: a patch is skipped if its standard deviation is below this fraction of
        its plane's.
    """

    size: int | Literal["auto"] = "auto"
    batch: int = Field(default=8, ge=1)
    work: Positive = 20.0
    flips: bool = True
    turns: bool = True
    empty: NonNegative = 0.1

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if self.size != "auto" and self.size < 4:
            raise ValueError(f"a patch of {self.size} pixels is too small: choose 4 or more")
        return self


class Stage(RecipeTable):
    """A part of the training with losses of its own.

    Parameters
    ----------
    name : str, default "training"
        Name in the log.
    steps : int
        Number of steps, 0 or more. A stage of 0 steps stores the weights at its start, such as those of `Recipe.start`,
        as one of the endpoints.
    losses : tuple of losses
        `PixelLoss`, `RelativeLoss`, `PerceptualLoss`, `AdversarialLoss`, `MatchingLoss`, `PeriodicLoss`, `PatternLoss`,
        `EquivarianceLoss` and `BandsLoss`: at least one, of which at most one is adversarial. Their weighted sum is
        minimized.
    optimizer : Optimizer, default Optimizer()
        Optimizer of the generator.
    schedule : Schedule, default Schedule()
        Schedule of the learning rates.
    discriminator : Discriminator, optional
        Discriminator of the adversarial loss; required with such a loss, and not allowed without.
    shift : int, default 0
        Largest number of high-resolution pixels, 0 or more, by which result and truth are both moved before the
        perceptual losses and the discriminator: as many are cut off, a random part of them at the upper left. Layers
        with strides compute their features on a grid; without shifts the grid is the same in every patch, and a
        generator that is trained by them repeats it in its results.
    reference : str, optional
        Name of the endpoint of an earlier stage. Its results take the place of bicubic interpolation in relative
        losses, and are needed for the `evenness` of an adversarial loss and for `BandsLoss`. Losses relative to bicubic
        interpolation leave an adversarial loss much room where there is noise, by which the error of interpolation is
        large; the error of an endpoint that was trained for PSNR is what cannot be restored.
    ema : float, default 0.0
        Decay of the exponential moving average of the weights, at least 0 and below 1; 0 uses the weights themselves.
    clip : float, optional
        Largest norm of the gradient, above 0; longer gradients are scaled to it. By default they are not clipped.
    accumulate : int, default 1
        Number of parts, 1 or more, in which the batch of a step is processed to save memory.
    batch_norm : {"batch", "kept"}, default "batch"
        Statistics of the network's batch normalization. "batch" normalizes by each batch and stores the running means,
        which images are normalized by. "kept" normalizes by the stored ones (0 and 1 in a new network) and does not
        change them, so that patches are processed as images are.
    keep : {"auto", "best", "last"}, default "auto"
        Weights at the end of the stage: those with the best validation PSNR, or the last ones. "auto" is "best" without
        an adversarial loss, and "last" with one, since it lowers the PSNR.
    endpoint : str, optional
        Name under which the weights are stored as one of the two endpoints that alpha mixes.
    """

    name: str = Field(default="training", min_length=1)
    steps: int = Field(ge=0)
    losses: tuple[Loss, ...] = Field(min_length=1)
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    discriminator: Discriminator | None = None
    shift: int = Field(default=0, ge=0)
    reference: Name | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip: Positive | None = None
    accumulate: int = Field(default=1, ge=1)
    batch_norm: Literal["batch", "kept"] = "batch"
    keep: Literal["auto", "best", "last"] = "auto"
    endpoint: Name | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        adversarial = sum(loss.kind == "adversarial" for loss in self.losses)
        if adversarial > 1:
            raise ValueError(f"a stage has at most one adversarial loss, not {adversarial}: leave the others out")
        if not adversarial and any(loss.kind == "matching" for loss in self.losses):
            raise ValueError("the loss matching needs an adversarial one: add it to the losses, or leave it out")
        if adversarial and self.discriminator is None:
            raise ValueError("an adversarial loss needs a discriminator: add the key discriminator to the stage")
        if self.discriminator is not None and not adversarial:
            raise ValueError("a discriminator needs an adversarial loss: add one to the losses, or leave it out")
        if self.adversarial is not None and self.adversarial.evenness and self.reference is None:
            raise ValueError("evenness needs the errors of an endpoint: add the key reference, or leave evenness out")
        if self.adversarial is not None and self.adversarial.noise and not self.adversarial.evenness:
            raise ValueError("the noise of an adversarial loss goes with evenness: add evenness, or leave noise out")
        if self.mixes_bands and self.reference is None:
            raise ValueError("the loss bands needs the results of an endpoint: add the key reference, or leave it out")
        if self.schedule.cycles and sum(self.schedule.cycles) != self.steps:
            raise ValueError(
                f"the cycles add up to {sum(self.schedule.cycles)}, and there are {self.steps} steps: make both equal"
            )
        return self

    @property
    def adversarial(self) -> AdversarialLoss | None:
        """The adversarial loss, or None if there is none."""
        return next((loss for loss in self.losses if isinstance(loss, AdversarialLoss)), None)

    @property
    def mixes_bands(self) -> bool:
        """Whether a loss needs the results of the weights at the start of the stage."""
        return any(loss.kind == "bands" for loss in self.losses)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Names of the losses in the log: their kind, followed by their number if the kind occurs more than once."""
        names: list[str] = []
        for number, loss in enumerate(self.losses, start=1):
            names.append(loss.kind if loss.kind not in names else f"{loss.kind}_{number}")
        return tuple(names)

    @property
    def keeps_best(self) -> bool:
        """Whether the stage ends with its best weights instead of its last ones."""
        return self.adversarial is None if self.keep == "auto" else self.keep == "best"


class Validation(RecipeTable):
    """Measurements during the training, on pixels that are not used for training.

    Parameters
    ----------
    every : int, default 500
        Number of steps between two measurements, 1 or more; a checkpoint is written at each.
    share : float, default 0.1
        Fraction of the blocks of all images that are kept for validation, above 0 and up to 0.5.
    block : int, default 48
        Side of a block in low-resolution pixels, 12 or more.
    gap : int, default 8
        Distance between a block and the nearest training patch, in low-resolution pixels, 0 or more.
    most : int, default 16
        Largest number of blocks, or of planes of `images`; 1 or more.
    images : tuple of ImageSet, default ()
        Images in files that are used for validation instead of blocks of the training images. They are not used if
        the training is given other images than those of the recipe.
    """

    every: int = Field(default=500, ge=1)
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    block: int = Field(default=48, ge=12)
    gap: int = Field(default=8, ge=0)
    most: int = Field(default=16, ge=1)
    images: tuple[ImageSet, ...] = ()


class Network(RecipeTable):
    """A new network.

    Parameters
    ----------
    name : str
        Class of the network, as on a model's card; such as "SRCNN", "SRResNet" or "RRDBNet".
    settings : dict, default {}
        Keyword arguments of the class: numbers, strings, booleans or lists of integers.
    deviation : float, optional
        Standard deviation, above 0, of the normal distribution from which the weights of the convolutions are drawn;
        their biases are then 0 (SRCNN: 0.001). By default the initialization of the network's class.
    start_as_interpolation : bool, default False
        Initialize the network as an interpolation; for SRCNN and SRResNet, and for RRDBNet with a `skip`. In networks
        that add their output to an interpolation of the image, the weights of the last convolution are divided by 10.
    """

    name: str
    settings: dict[str, Setting] = Field(default_factory=dict)
    deviation: Positive | None = None
    start_as_interpolation: bool = False
