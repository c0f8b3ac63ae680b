"""The way into a network that gathers pixels in groups, and the way out again."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PadUnshuffle(nn.Module):
    """Repeat the last rows and columns up to whole groups, then make each group of pixels the channels of one.

    Parameters
    ----------
    factor : int
        Side of a group.
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
    """Cut off what padding to whole groups had added.

    Parameters
    ----------
    scale : int
        Factor of the whole network.
    group : int
        Side of the groups that the image was filled up to.
    """

    def __init__(self, scale: int, group: int) -> None:
        super().__init__()
        self.scale = scale
        self.group = group

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Cut `x` to `scale` times the height and width of `like`."""
        height, width = like.shape[-2:]
        return x[..., : height * self.scale, : width * self.scale]
