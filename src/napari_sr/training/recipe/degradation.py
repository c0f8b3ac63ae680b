"""Tables of a recipe: the degradation, by which low-resolution images are computed from high-resolution ones."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.table import Positive, RecipeTable, Spread, Widths


class GaussianBlur(RecipeTable):
    """A Gaussian point spread function.

    Parameters
    ----------
    kind : {"gaussian"}, default "gaussian"
        Kind of the blur.
    sigma : float or (float, float)
        Standard deviation in high-resolution pixels, from 0 to 1000; a number, or the ends of a range.
    """

    kind: Literal["gaussian"] = "gaussian"
    sigma: Widths


class OpticsBlur(RecipeTable):
    """The Gaussian nearest to the point spread function of a wide-field fluorescence microscope.

    Parameters
    ----------
    kind : {"optics"}
        Kind of the blur.
    numerical_aperture : float
        Numerical aperture of the objective, above 0.
    wavelength : float
        Wavelength of the emitted light, above 0, in the unit of the pixel size. Of images whose unit is known, one that
        is not that of light is refused.
    pixel_size : float, optional
        Size of a high-resolution pixel in the specimen, above 0; by default that of the image.

    References
    ----------
    B. Zhang, J. Zerubia, J.-C. Olivo-Marin, "Gaussian approximations of fluorescence microscope point-spread function
    models", Applied Optics 46(10), 2007.
    """

    kind: Literal["optics"]
    numerical_aperture: Positive
    wavelength: Positive
    pixel_size: Positive | None = None


class Noise(RecipeTable):
    """Poisson and Gaussian noise of a camera, in the values of the image.

    Parameters
    ----------
    gain : float, (float, float) or "estimate"
        Values per photon, 0 or more; 0 leaves the Poisson noise out. A number, the ends of a range, or "estimate",
        which estimates it from each image.
    read : float, (float, float) or "estimate"
        Standard deviation of the Gaussian noise in values, 0 or more. Either both keys are "estimate", or neither.
    """

    gain: Spread | Literal["estimate"]
    read: Spread | Literal["estimate"]

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.gain == "estimate") != (self.read == "estimate"):
            raise ValueError('gain and read are estimated together: set both to "estimate", or neither')
        return self


class Degradation(RecipeTable):
    """The way from a high-resolution image to a low-resolution one: blur, fewer pixels, noise.

    Parameters
    ----------
    blur : GaussianBlur or OpticsBlur, optional
        Point spread function; by default no blur.
    shrink : {"bicubic", "binning"}, default "bicubic"
        Reduction of the pixels: MATLAB's antialiased bicubic interpolation, or the mean over blocks of pixels, as a
        camera with larger pixels measures it.
    noise : Noise, optional
        Noise, which is drawn anew for every patch; by default none.
    offset : float or (float, float), default 0.0
        Dark level of the camera in values, 0 or more: only values above it have Poisson noise.
    variants : int, default 4
        Number of blurs that are computed of each image if the blur is a range, at evenly spaced points of the range; 1
        or more.

    Examples
    --------
    >>> Degradation(blur=GaussianBlur(sigma=1.0), shrink="binning", noise=Noise(gain=0.5, read=2.0)).offset
    0.0
    """

    blur: Annotated[GaussianBlur | OpticsBlur, Field(discriminator="kind")] | None = None
    shrink: Literal["bicubic", "binning"] = "bicubic"
    noise: Noise | None = None
    offset: Spread = 0.0
    variants: int = Field(default=4, ge=1)
