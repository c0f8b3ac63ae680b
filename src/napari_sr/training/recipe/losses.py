"""Tables of a recipe: the losses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable


class PixelLoss(RecipeTable):
    """The mean difference of pixels: absolute, squared, or Charbonnier's.

    Parameters
    ----------
    epsilon : float
        Charbonnier's.
    binned : int
        Squares of so many high-resolution pixels are compared by their means. With the factor of the network, the
        low-resolution image that the result would give is held to the truth's (brightness, places), and what is finer
        is left to the other losses.
    """

    kind: Literal["l1", "mse", "charbonnier"]
    weight: Positive = 1.0
    epsilon: Positive = 1e-3
    binned: int = Field(default=1, ge=1)


class PerceptualLoss(RecipeTable):
    """The difference of features that another network sees.

    Parameters
    ----------
    network : {"vgg19", "vgg16", "squeezenet"}
        Whose features; VGG16 is that of the materials (MINC) variant.
    layers : dict of str to float
        Weights by name: "conv5_4" for VGG, "conv1" and "fire2" to "fire9" for SqueezeNet.
    activation : {"before", "after"}
        Features before the ReLU (ESRGAN) or after it (SRGAN); a fire module's are always after.
    distance : {"l1", "mse"}
        How they are compared.
    rescale : float
        Features are multiplied by it first: SRGAN's 1/12.75.
    weights : str or None
        A file; None is torchvision's file for VGG19, from torch's cache or downloaded.
    """

    kind: Literal["perceptual"]
    weight: Positive = 1.0
    network: Literal["vgg19", "vgg16", "squeezenet"] = "vgg19"
    layers: dict[str, Positive] = Field(default={"conv5_4": 1.0}, min_length=1)
    activation: Literal["before", "after"] = "before"
    distance: Literal["l1", "mse"] = "l1"
    rescale: Positive = 1.0
    weights: str | None = None

    @model_validator(mode="after")
    def _files(self) -> Self:
        if self.network != "vgg19" and self.weights is None:
            raise ValueError(f"weights of {self.network} are given as a file: name it")
        return self


class AdversarialLoss(RecipeTable):
    """What the discriminator says: standard (SRGAN), relativistic average (ESRGAN) or least squares."""

    kind: Literal["adversarial"]
    weight: Positive = 1.0
    form: Literal["standard", "relativistic", "least_squares"] = "relativistic"


class EquivarianceLoss(RecipeTable):
    """The squared difference that half a turn makes: of a patch's result, and of the turned patch's, turned back.

    A network that moves what it sees moves it the other way then. Beside an adversarial loss, which looks at textures
    and not at places, this keeps things where they are. It needs no truth.

    Parameters
    ----------
    blurred : float
        Patches are blurred by a Gaussian of this standard deviation first, in low-resolution pixels, and stretched from
        black to white: images unlike those learned from, plain shapes without noise, are not moved either. 0 takes the
        patches as they are.
    """

    kind: Literal["equivariance"]
    weight: Positive = 1.0
    blurred: NonNegative = 0.0


Loss = Annotated[PixelLoss | PerceptualLoss | AdversarialLoss | EquivarianceLoss, Field(discriminator="kind")]
