"""Tables of a recipe: network, patches, stages and validation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.data import ImageSet
from napari_sr.training.recipe.losses import AdversarialLoss, Loss
from napari_sr.training.recipe.optimizer import Discriminator, Optimizer, Schedule
from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable
from napari_sr.zoo.card import Setting


class PatchSettings(RecipeTable):
    """What one step sees.

    Parameters
    ----------
    size : int or "auto"
        Side in low-resolution pixels; "auto" is the largest of 48, 32, 24 and 16 that keeps a step within `work`.
    batch : int
        Patches a step, over all processes together; with an "auto" size it is halved while a step exceeds `work`.
    work : float
        For an "auto" size: multiplications of one step's forward pass, in 10^9.
    flips, turns : bool
        Show patches flipped and turned by quarters.
    empty : float
        A patch whose standard deviation is below this share of its image's is empty, and skipped.
    """

    size: int | Literal["auto"] = "auto"
    batch: int = Field(default=8, ge=1)
    work: Positive = 20.0
    flips: bool = True
    turns: bool = True
    empty: NonNegative = 0.1

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if self.size != "auto" and self.size < 4:
            raise ValueError(f"a patch of {self.size} pixels is too small: 4 or more")
        return self


class Stage(RecipeTable):
    """A part of the training with losses of its own.

    Parameters
    ----------
    name : str
        For logs.
    steps : int
        How many. A stage of 0 only hands on the weights that it finds: those of `Recipe.start` as one of the endpoints.
    losses : tuple
        Added with their weights.
    optimizer, schedule
        Of the generator.
    discriminator : Discriminator or None
        Given exactly when there is an adversarial loss.
    ema : float
        Decay of the running average of the weights; 0 for none.
    clip : float or None
        Longest gradient.
    accumulate : int
        A step's batch goes through in so many parts.
    batch_norm : {"batch", "kept"}
        What the network's batch normalizations divide by: the statistics of each batch, whose running means are kept
        for images; or those that the network has, unchanged (0 and 1 in a new one), so that patches go through it as
        images do.
    keep : {"auto", "best", "last"}
        Which weights it hands on: those with the best validation PSNR, or the last; "auto" is "last" with an
        adversarial loss, which lowers PSNR on purpose, and "best" without.
    endpoint : str or None
        Name under which they are stored as one of the two that alpha mixes.
    """

    name: str = Field(default="training", min_length=1)
    steps: int = Field(ge=0)
    losses: tuple[Loss, ...] = Field(min_length=1)
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    discriminator: Discriminator | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip: Positive | None = None
    accumulate: int = Field(default=1, ge=1)
    batch_norm: Literal["batch", "kept"] = "batch"
    keep: Literal["auto", "best", "last"] = "auto"
    endpoint: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        adversarial = sum(loss.kind == "adversarial" for loss in self.losses)
        if adversarial > 1:
            raise ValueError("a stage has at most one adversarial loss")
        if bool(adversarial) != (self.discriminator is not None):
            raise ValueError("a stage has a discriminator exactly when it has an adversarial loss")
        if self.schedule.cycles and sum(self.schedule.cycles) != self.steps:
            raise ValueError(f"the cycles add up to {sum(self.schedule.cycles)}, and there are {self.steps} steps")
        return self

    @property
    def adversarial(self) -> AdversarialLoss | None:
        """The adversarial loss, where there is one."""
        return next((loss for loss in self.losses if isinstance(loss, AdversarialLoss)), None)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """A name for each loss, by which it is told: its kind, with its number where a kind comes again."""
        names: list[str] = []
        for number, loss in enumerate(self.losses, start=1):
            names.append(loss.kind if loss.kind not in names else f"{loss.kind}_{number}")
        return tuple(names)

    @property
    def keeps_best(self) -> bool:
        """Whether the best weights are handed on, and not the last."""
        return self.adversarial is None if self.keep == "auto" else self.keep == "best"


class Validation(RecipeTable):
    """What is measured on the way, on pixels that nothing is learned from.

    Parameters
    ----------
    every : int
        Steps between two measurements; checkpoints are written then.
    share : float
        Share of the blocks of each image that are kept for it.
    block : int
        Side of a block, in low-resolution pixels.
    gap : int
        Low-resolution pixels between a block and the nearest patch that is learned from.
    most : int
        At most so many blocks.
    images : tuple of ImageSet
        Whole images instead of blocks.
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
    name, settings
        Class and keyword arguments, as on a model's card.
    deviation : float or None
        Draw the convolutions from a normal distribution of this width with biases of 0 (SRCNN: 0.001); None leaves each
        network its own.
    start_as_interpolation : bool
        Begin as an interpolation, which is then changed (SRCNN, SRResNet); without it, as noise.
    """

    name: str
    settings: dict[str, Setting] = Field(default_factory=dict)
    deviation: Positive | None = None
    start_as_interpolation: bool = False
