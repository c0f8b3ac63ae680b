"""Tables of a recipe: the images to train on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.training.recipe.table import Fraction, NonNegative, Positive, RecipeTable


class ImageSet(RecipeTable):
    """A set of images in files, with the details that the model's card lists.

    Parameters
    ----------
    path : str
        A TIFF, PNG or JPEG file or a Zarr store of a high-resolution image, or a folder of such images. A relative path
        starts at the data folder of the training.
    low : str, optional
        A file or store with the low-resolution partner, or a folder with partners of the same names; relative as
        `path`. By default the degradation computes the low-resolution images.
    name : str, optional
        Name of the set on the card; by default `path`.
    license : str, optional
        Terms of use of the images.
    source : str, optional
        Origin of the images: an address or a citation.
    exclude : tuple of str, default ()
        Names of files in the folder that are not used, or patterns such as "plate3_*.tif"; each has to match a file.
    share : float, default 1.0
        Weight of the set, above 0: the fraction of the patches that are drawn from it, relative to the other sets. This
        key and the following ones are for recipes with `Recipe.conditions` only.
    sizes : tuple of float, optional
        Sizes of the set in place of `Data.sizes`.
    noisy : float, optional
        Weight of sizes that are not clean, from 0 to 1, in place of `Conditions.noisy`.
    colors : {"strongest", "separate"}, default "strongest"
        Planes of an RGB image: "strongest" is the color with the largest standard deviation, for one dye that is shown
        in a color; "separate" is a plane of each color, and one of the luminance.

    Examples
    --------
    >>> ImageSet(path="train/nuclei", name="nuclei", license="CC0-1.0").low is None
    True
    """

    path: str
    low: str | None = None
    name: str | None = None
    license: str | None = None
    source: str | None = None
    exclude: tuple[str, ...] = ()
    share: Positive = 1.0
    sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] | None = Field(default=None, min_length=1)
    noisy: Fraction | None = None
    colors: Literal["strongest", "separate"] = "strongest"


class Data(RecipeTable):
    """Training images and their preparation.

    Parameters
    ----------
    images : tuple of ImageSet, default ()
        Images in files, which are used if the training is given no images.
    color : {"auto", "luma", "rgb", "gray"}, default "auto"
        Color model of a new network with one channel: luminance, or each color as a gray plane of its own. "auto" is
        "luma" if an image is RGB, and "gray" otherwise and for networks that take noise or blur as inputs. A network
        with three channels is always "rgb", and a fine-tuned model keeps its color model.
    sizes : tuple of float, default (1.0,)
        Each high-resolution image is used at each of these sizes, at least one, as fractions of its own; above 0, up to
        1. Pairs are used at their own size only.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white, as in `napari_sr.upscale`.
    planes : int, default 64
        Largest number of planes of one image that are used; 1 or more. They are evenly spaced, as many in each
        channel. Of images of more than 2^28 pixels, only these are read; where their planes have more than 2^22 pixels,
        fields of 1024 x 1024 pixels that the seed chooses count as planes.
    denoise : float, optional
        Denoising strength, above 0, for the high-resolution targets of training and validation; 0.8 removes almost all
        noise. Use it with adversarial losses on noisy images, where the discriminator would otherwise reward
        synthesized noise. Low-resolution images that are computed then have the noise of the degradation only; those of
        pairs keep theirs.
    blur : float, default 0.0
        Blur of the low-resolution images of pairs, as a standard deviation in their pixels, 0 or more, that is passed
        to networks that take it as an input. It cannot be measured; 0 means no blur beyond that of the high-resolution
        images.

    References
    ----------
    Denoising is by non-local means: A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising",
    CVPR 2005.
    """

    images: tuple[ImageSet, ...] = ()
    color: Literal["auto", "luma", "rgb", "gray"] = "auto"
    sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(default=(1.0,), min_length=1)
    intensity: IntensitySpec = "auto"
    planes: int = Field(default=64, ge=1)
    denoise: Positive | None = None
    blur: NonNegative = 0.0
