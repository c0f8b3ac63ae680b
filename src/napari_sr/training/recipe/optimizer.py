"""Tables of a recipe: optimizer, learning-rate schedule and discriminator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable


class Optimizer(RecipeTable):
    """Adam, or SGD with momentum.

    Parameters
    ----------
    kind, learning_rate, betas, momentum, weight_decay
        As torch has them.
    last_layer_rate : float
        Rate of the last layer as a share of the others' (SRCNN: 0.1).
    whiten : bool
        The generator's first layer learns in the basis in which its patches are white (`training.whitening`).
    """

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 0.0
    last_layer_rate: Positive = 1.0
    whiten: bool = False


class Schedule(RecipeTable):
    """How the rate goes along.

    Parameters
    ----------
    kind : {"constant", "cosine", "milestones"}
        "cosine" falls to zero, once or in every one of `cycles`; "milestones" multiplies by `factor` at each.
    warm_up : int
        Steps over which the rate rises first, in every cycle.
    cycles : tuple of int
        Lengths of the cosine's cycles; they add up to the stage's steps. None is one cycle.
    cycle_rates : tuple of float
        The highest rate of each cycle, as a share of the optimizer's.
    milestones : tuple of int
        Steps.
    factor : float
        At each milestone.
    """

    kind: Literal["constant", "cosine", "milestones"] = "constant"
    warm_up: int = Field(default=0, ge=0)
    cycles: tuple[Annotated[int, Field(ge=1)], ...] = ()
    cycle_rates: tuple[Positive, ...] = ()
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = ()
    factor: Positive = 0.5

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.cycle_rates and len(self.cycle_rates) != len(self.cycles):
            raise ValueError("cycle_rates has one share for each of the cycles")
        if self.cycles and self.kind != "cosine":
            raise ValueError("only a cosine has cycles")
        if self.milestones and self.kind != "milestones":
            raise ValueError("milestones belong to the kind milestones")
        return self


class Discriminator(RecipeTable):
    """The judge of an adversarial loss.

    Parameters
    ----------
    kind : {"srgan", "esrgan", "unet"}
        The papers' own, or Real-ESRGAN's U-Net with spectral norm.
    features : int
        Of its first layer; 64 in the papers.
    synchronize : bool
        Batch normalization over all processes (on GPUs); without it each process normalizes by its own patches.
    optimizer : Optimizer
        Its own; it follows the stage's schedule.
    """

    kind: Literal["srgan", "esrgan", "unet"] = "esrgan"
    features: int = Field(default=64, ge=1)
    synchronize: bool = False
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.optimizer.whiten:
            raise ValueError("white is for the generator's optimizer: leave it out of the discriminator's")
        return self
