"""Tables of a recipe: the images to train on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_sr.imaging.intensity_spec import IntensitySpec
from napari_sr.training.recipe.table import Positive, RecipeTable


class ImageSet(RecipeTable):
    """Images in files, with what a card has to say of them.

    Parameters
    ----------
    path : str
        A file or a folder, from the data folder that is given to the training.
    low : str or None
        The low-resolution partners, in the same way and under the same names; None makes them by the degradation.
    name, license, source : str or None
        The field's name for the set, the terms of its images, where they come from.
    """

    path: str
    low: str | None = None
    name: str | None = None
    license: str | None = None
    source: str | None = None


class Data(RecipeTable):
    """What is learned from.

    Parameters
    ----------
    images : tuple of ImageSet
        Read when no images are handed to the training.
    color : {"auto", "luma", "rgb", "gray"}
        What becomes of RGB; "auto" is the model's own. Read for new networks; a fine-tuned one keeps its own.
    sizes : tuple of float
        Every high-resolution image is also shown at these sizes; not for pairs.
    intensity : "auto", "dtype", "percentile", "contrast" or (low, high)
        As `napari_sr.upscale` takes it.
    planes : int
        At most so many planes of one image, evenly spread.
    denoise : float or None
        High-resolution images are learned from, and validated against, without their own noise: 0.8 takes nearly all of
        it (`training.denoising`). For adversarial losses on noisy images, whose judge would ask for the noise; what the
        low-resolution twins have is then the degradation's alone.
    """

    images: tuple[ImageSet, ...] = ()
    color: Literal["auto", "luma", "rgb", "gray"] = "auto"
    sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    intensity: IntensitySpec = "auto"
    planes: int = Field(default=64, ge=1)
    denoise: Positive | None = None
