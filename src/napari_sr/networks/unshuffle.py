"""Pixel unshuffle of images of any size: padding before it, and the crop of the result."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PadUnshuffle(nn.Module):
    """Pixel unshuffle of an image that is padded with its edge pixels to a multiple of the factor.

    Parameters
    ----------
    factor : int
        Side of the square of pixels that become the channels of one pixel.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C factor^2, ceil(H / factor), ceil(W / factor))."""
        below, right = (-n % self.factor for n in x.shape[-2:])
        if below or right:
            x = functional.pad(x, (0, right, 0, below), mode="replicate")
        return functional.pixel_unshuffle(x, self.factor)


class CropTo(nn.Module):
    """Crop of a result to the size without the padding of `PadUnshuffle`.

    Parameters
    ----------
    scale : int
        Upsampling factor of the whole network.
    group : int
        Factor of the pixel unshuffle.
    """

    def __init__(self, scale: int, group: int) -> None:
        super().__init__()
        self.scale = scale
        self.group = group

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Crop `x` to `scale` times the height and width of `like`."""
        height, width = like.shape[-2:]
        return x[..., : height * self.scale, : width * self.scale]
