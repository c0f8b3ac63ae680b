"""Images as a discriminator is shown them: in the contrast of their patch, and beside the inputs of the generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.patch_networks import deviation_of

#: Blur in low-resolution pixels that is shown to the discriminator as 1: the largest one of the bundled models.
_UNIT_BLUR = 1.6


def cut_shifted(image: Tensor, offset: tuple[int, int], shift: int) -> Tensor:
    """Cut pixels off the border of images, so that they are moved on the grid of strided layers.

    Parameters
    ----------
    image : Tensor, shape (N, C, Y, X)
        Images.
    offset : (int, int)
        Number of rows and columns that are cut off at the upper left, 0 to `shift`.
    shift : int
        Number of rows and columns that are cut off in total, 0 or more.
    """
    top, left = offset
    return image[..., top : image.shape[-2] - shift + top, left : image.shape[-1] - shift + left]


def input_channels(colors: int, *, conditional: bool, conditioned: bool) -> int:
    """Return the number of channels that a discriminator is shown.

    Parameters
    ----------
    colors : int
        Number of channels of the images.
    conditional : bool
        Whether the inputs of the generator are shown too.
    conditioned : bool
        Whether noise and blur are among them.

    Returns
    -------
    int
        The number of channels.
    """
    return 2 * colors + 2 * conditioned if conditional else colors


def in_patch_contrast(image: Tensor, batch: Batch) -> Tensor:
    """Scale images of a conditioned network so that their low-resolution patches have mean 0 and standard deviation 1.

    Dim patches then count as much as bright ones. Images of other networks are returned as they are.
    """
    if batch.noise is None:
        return image
    return (image - batch.low.mean((1, 2, 3), keepdim=True)) / deviation_of(batch.low)


def beside_inputs(image: Tensor, interpolated: Tensor, batch: Batch) -> Tensor:
    """Return images with the inputs of the generator as further channels.

    Parameters
    ----------
    image : Tensor, shape (N, C, Y, X)
        Images from `in_patch_contrast`.
    interpolated : Tensor, shape (N, C, Y, X)
        Bicubic interpolations of the low-resolution patches, from `in_patch_contrast`.
    batch : Batch
        The patches, with noise and blur if the generator takes them.

    Returns
    -------
    Tensor, shape (N, C', Y, X)
        The channels.
    """
    shown = [image, interpolated]
    if batch.noise is not None and batch.blur is not None:
        noise = batch.noise / deviation_of(batch.low)
        shown.append(functional.interpolate(noise, size=image.shape[-2:], mode="nearest"))
        shown.append((batch.blur / _UNIT_BLUR).view(-1, 1, 1, 1).expand(-1, 1, *image.shape[-2:]))
    return torch.cat(shown, 1)
