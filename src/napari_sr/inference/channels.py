"""How the channels of an image meet those of a network (contract 3).

What lies before and after the network, a change of color space or a replication, is put around it as layers, so that
the whole is one network: it can be streamed, and nothing has to wait for the whole image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.imaging.color import GRAY_WEIGHTS, STUDIO_SWING, rgb_to_ycbcr, ycbcr_to_rgb
from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample
from napari_sr.zoo.card import Card


def check_channels(card: Card) -> None:
    """Refuse a model that can take neither gray nor RGB planes.

    Raises
    ------
    InputError
        If the model's channels are neither 1 nor 3.
    """
    if card.channels not in (1, 3):
        raise InputError(
            f"The model {card.name!r} takes images of {card.channels} channels, which no layer has: "
            "choose a model of 1 or 3 channels."
        )


def separate_colors(card: Card) -> bool:
    """Whether the three colors of an RGB plane go through the network one by one, as planes of their own."""
    return card.channels == 1 and card.color != "luma"


def network_for(network: nn.Module, card: Card, colors: int, *, luma: bool = False) -> nn.Module:
    """Put around a network what planes of 1 or 3 colors need, black at 0 and white at 1 outside.

    Parameters
    ----------
    network : nn.Module
        The model's network; it is shared, not copied.
    card : Card
        Of the model: its channels, what one channel means to it, and its ranges.
    colors : {1, 3}
        Colors of a plane; an RGB plane of `separate_colors` counts as three of 1.
    luma : bool
        Whether a plane of one color is luma already, taken out of colors, with black at 16/255 and white at 235/255.

    Returns
    -------
    nn.Module
        From (N, colors, Y, X) to (N, colors, scale Y, scale X).

    Notes
    -----
    One channel into a network of three: replicated, and the luminance taken back with weights that sum to 1, so that
    gray stays gray and keeps its value. Three colors into a luminance network: Y goes through it, CbCr are enlarged by
    bicubic interpolation, as in SRCNN's paper (arXiv:1501.00092, section 4.4.2). Gray into a luminance network: it has
    seen nothing below luma's black, 16/255, and would lift a dark background, so gray goes through as luma does, and
    comes out as the same image in RGB would.
    """
    if card.intensity_range != (0.0, 1.0) or card.output_range != (0.0, 1.0):
        network = InRange(network, card.intensity_range, card.output_range)
    if colors == 1 and card.channels == 3:
        return GrayThroughColor(network)
    if card.color == "luma":
        if colors == 3:
            return LumaOfColor(network)
        if not luma:
            return InRange(network, STUDIO_SWING, STUDIO_SWING)
    return network


class Around(nn.Module):
    """Something around a network; it has the network's own factor and alignment."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.in_channels = self.out_channels = channels
        self.scale: int = network.scale  # type: ignore[assignment]
        self.alignment: int = network.alignment  # type: ignore[assignment]
        self.receptive_radius: int = network.receptive_radius  # type: ignore[assignment]


class InRange(Around):
    """A network trained with other values than 0 for black and 1 for white."""

    def __init__(self, network: nn.Module, inward: tuple[float, float], outward: tuple[float, float]) -> None:
        super().__init__(network, int(network.in_channels))  # type: ignore[arg-type]
        self.inward, self.outward = inward, outward

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) with black at 0 and white at 1 to the same, larger."""
        x = x * (self.inward[1] - self.inward[0]) + self.inward[0]
        out: Tensor = (self.network(x) - self.outward[0]) / (self.outward[1] - self.outward[0])
        return out


class GrayThroughColor(Around):
    """A network of three channels for gray planes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, 1)
        self.replicate = _pointwise(np.ones((3, 1)), np.zeros(3))
        self.weigh = _pointwise(np.array([GRAY_WEIGHTS]), np.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, H, W) to (N, 1, scale H, scale W)."""
        out: Tensor = self.weigh(self.network(self.replicate(x)))
        return out


class LumaOfColor(Around):
    """A luminance network for RGB planes, with the colors interpolated."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, 3)
        # The two changes of color space are affine: where they take the axes and the origin says all.
        offset = rgb_to_ycbcr(np.zeros((1, 3)))[0]
        matrix = (rgb_to_ycbcr(np.eye(3)) - offset).T
        back = ycbcr_to_rgb(np.zeros((1, 3)))[0]
        inverse = (ycbcr_to_rgb(np.eye(3)) - back).T
        self.to_luma = _pointwise(matrix[:1], offset[:1])
        self.to_chroma = _pointwise(matrix[1:], offset[1:])
        self.to_rgb = _pointwise(inverse, back)
        self.upsample = Upsample(self.scale, "bicubic")
        own = receptive_radius([UpsamplingReach(self.upsample.factor, "bicubic"), ConvolutionReach(0)])
        self.receptive_radius = max(own, self.receptive_radius)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 3, scale H, scale W)."""
        luma = self.network(self.to_luma(x))
        out: Tensor = self.to_rgb(torch.cat((luma, self.upsample(self.to_chroma(x))), 1))
        return out


def _pointwise(matrix: NDArray[Any], offset: NDArray[Any]) -> nn.Conv2d:
    """A matrix applied to the channels of every pixel."""
    layer = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1)
    layer.weight.data = torch.from_numpy(matrix[..., None, None].astype(np.float32))
    layer.bias = nn.Parameter(torch.from_numpy(offset.astype(np.float32)))
    return layer.requires_grad_(False)
