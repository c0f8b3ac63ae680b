"""Tables of a recipe: the degradation that makes low-resolution images from high-resolution ones."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.table import Positive, RecipeTable, Spread


class GaussianBlur(RecipeTable):
    """A point spread function by its standard deviation, in high-resolution pixels."""

    kind: Literal["gaussian"] = "gaussian"
    sigma: Spread


class OpticsBlur(RecipeTable):
    """A point spread function by the optics: the Gaussian nearest to a wide-field microscope's.

    Parameters
    ----------
    numerical_aperture : float
        Of the objective.
    wavelength : float
        Of the emitted light, in the unit of the pixel size.
    pixel_size : float or None
        Of a high-resolution pixel; None takes the layer's own.
    """

    kind: Literal["optics"]
    numerical_aperture: Positive
    wavelength: Positive
    pixel_size: Positive | None = None


class Noise(RecipeTable):
    """Poisson-Gaussian noise of a camera, in the image's own values.

    Parameters
    ----------
    gain : float, (float, float) or "estimate"
        Values per photon; 0 leaves the Poisson part out.
    read : float, (float, float) or "estimate"
        Standard deviation of the Gaussian part. Both are estimated, or neither.
    """

    gain: Spread | Literal["estimate"]
    read: Spread | Literal["estimate"]

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.gain == "estimate") != (self.read == "estimate"):
            raise ValueError("gain and read noise are estimated together: say estimate for both, or for neither")
        return self


class Degradation(RecipeTable):
    """How a low-resolution image comes from a high-resolution one: blur, fewer pixels, noise.

    Parameters
    ----------
    blur : GaussianBlur, OpticsBlur or None
        The point spread function.
    shrink : {"bicubic", "binning"}
        MATLAB's antialiased bicubic, or the mean over a camera's pixels.
    noise : Noise or None
        Drawn anew for every patch.
    offset : float or (float, float)
        The camera's dark level: only what lies above it is photons.
    variants : int
        A range of blurs is met by so many copies of an image, at evenly spread points of the range.
    """

    blur: Annotated[GaussianBlur | OpticsBlur, Field(discriminator="kind")] | None = None
    shrink: Literal["bicubic", "binning"] = "bicubic"
    noise: Noise | None = None
    offset: Spread = 0.0
    variants: int = Field(default=4, ge=1)
