"""Adapters between the channels of an image and those of a network.

The conversion before and after the network, of color space or number of channels, is added as layers, so that the
result is one network, which can be streamed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.imaging.color import GRAY_WEIGHTS, STUDIO_SWING, rgb_to_ycbcr, ycbcr_to_rgb
from napari_sr.networks.receptive import UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample
from napari_sr.zoo.card import Card

#: Values of the network between which it is applied; the rest is carried around it by interpolation. Black is 0 and
#: white is 1.
CARRIED = (-16.0, 17.0)


def check_channels(card: Card) -> None:
    """Check that a model can be applied to gray or RGB planes.

    Raises
    ------
    InputError
        If the model has neither 1 nor 3 channels.
    """
    if card.channels not in (1, 3):
        raise InputError(
            f"The model {card.name!r} is for images of {card.channels} channels, which cannot be upscaled here: "
            "choose a model of 1 or 3 channels."
        )


def separate_colors(card: Card) -> bool:
    """Return whether the network is applied to each color of an RGB plane separately.

    Returns
    -------
    bool
        True for a model of one channel that is not luma.
    """
    return card.channels == 1 and card.color != "luma"


def network_for(network: nn.Module, card: Card, colors: int, *, luma: bool = False) -> nn.Module:
    """Adapt a network to planes of 1 or 3 colors, with black at 0 and white at 1.

    Parameters
    ----------
    network : nn.Module
        The network of the model; it is shared, not copied.
    card : Card
        The card of the model: its channels, the meaning of a single channel, and its ranges of values.
    colors : {1, 3}
        Colors of a plane; 1 for the planes of `separate_colors`.
    luma : bool, default False
        Whether planes of one color are luma of RGB already, with black at 16/255 and white at 235/255.

    Returns
    -------
    nn.Module
        A network from (N, colors, Y, X) to (N, colors, scale Y, scale X).

    Notes
    -----
    Gray planes and a network of three channels: the plane is replicated, and the luminance of the result is computed
    with weights that sum to 1, so that gray values are preserved.

    RGB planes and a luma network: Y is passed through the network, and Cb and Cr are enlarged by bicubic interpolation,
    as in the paper of SRCNN [1]_, section 4.4.2.

    Gray planes and a luma network: the network was trained without values below the black of luma, 16/255, and would
    make a dark background brighter. Gray values are therefore mapped to the range of luma, and the result is that of
    the same image in RGB.

    References
    ----------
    .. [1] C. Dong, C. C. Loy, K. He, X. Tang, "Image super-resolution using deep convolutional networks", IEEE TPAMI 38
       (2016), arXiv:1501.00092.
    """
    if card.intensity_range != (0.0, 1.0) or card.output_range != (0.0, 1.0):
        network = RangeAdapter(network, card.intensity_range, card.output_range)
    if colors == 1 and card.channels == 3:
        return GrayAdapter(network)
    if card.color == "luma":
        if colors == 3:
            return LumaAdapter(network)
        if not luma:
            return RangeAdapter(network, STUDIO_SWING, STUDIO_SWING)
    return network


class Adapter(nn.Module):
    """Base class of the layers around a network; factor, alignment and radius are those of the network.

    Parameters
    ----------
    network : nn.Module
        The network.
    channels : int
        Channels of input and output.
    """

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.in_channels = self.out_channels = channels
        self.scale: int = network.scale  # type: ignore[assignment]
        self.alignment: int = network.alignment  # type: ignore[assignment]
        self.receptive_radius: int = network.receptive_radius  # type: ignore[assignment]


class RangeAdapter(Adapter):
    """A linear map from 0 to 1 to the range of a network's input, and from the range of its output to 0 to 1.

    Parameters
    ----------
    network : nn.Module
        The network.
    inward, outward : (float, float)
        Black and white of its input, and of its output.
    """

    def __init__(self, network: nn.Module, inward: tuple[float, float], outward: tuple[float, float]) -> None:
        super().__init__(network, int(network.in_channels))  # type: ignore[arg-type]
        self.inward, self.outward = inward, outward

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, scale H, scale W), with black at 0 and white at 1."""
        x = x * (self.inward[1] - self.inward[0]) + self.inward[0]
        out: Tensor = (self.network(x) - self.outward[0]) / (self.outward[1] - self.outward[0])
        return out


class GrayAdapter(Adapter):
    """A network of three channels, applied to gray planes.

    Parameters
    ----------
    network : nn.Module
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, 1)
        self.replicate = _pointwise(np.ones((3, 1)), np.zeros(3))
        self.weigh = _pointwise(np.array([GRAY_WEIGHTS]), np.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, H, W) to (N, 1, scale H, scale W)."""
        out: Tensor = self.weigh(self.network(self.replicate(x)))
        return out


class LumaAdapter(Adapter):
    """A luma network, applied to RGB planes, with bicubic interpolation of the chroma.

    Parameters
    ----------
    network : nn.Module
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, 3)
        # Both color conversions are affine, so their matrices follow from the images of the axes and the origin.
        offset = rgb_to_ycbcr(np.zeros((1, 3)))[0]
        matrix = (rgb_to_ycbcr(np.eye(3)) - offset).T
        back = ycbcr_to_rgb(np.zeros((1, 3)))[0]
        inverse = (ycbcr_to_rgb(np.eye(3)) - back).T
        self.to_luma = _pointwise(matrix[:1], offset[:1])
        self.to_chroma = _pointwise(matrix[1:], offset[1:])
        self.to_rgb = _pointwise(inverse, back)
        self.upsample = Upsample(self.scale, "bicubic")
        chroma_radius = receptive_radius([UpsamplingReach(self.upsample.factor, "bicubic")])
        self.receptive_radius = max(chroma_radius, self.receptive_radius)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 3, scale H, scale W)."""
        luma = self.network(self.to_luma(x))
        out: Tensor = self.to_rgb(torch.cat((luma, self.upsample(self.to_chroma(x))), 1))
        return out


class CarryAdapter(Adapter):
    """A network whose input is limited, with bilinear interpolation of the rest.

    A network answers a hot pixel of a million times white with rings of that size. Values beyond `CARRIED` are
    therefore limited, and their distance from the limit is interpolated and added to the result.

    Parameters
    ----------
    network : nn.Module
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, int(network.in_channels))  # type: ignore[arg-type]
        self.limit = nn.Hardtanh(*CARRIED)
        self.upsample = Upsample(self.scale, "bilinear")
        radius = receptive_radius([UpsamplingReach(self.upsample.factor, "bilinear")])
        self.receptive_radius = max(radius, self.receptive_radius)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, scale H, scale W)."""
        inside = self.limit(x)
        out: Tensor = self.network(inside) + self.upsample(x - inside)
        return out


def _pointwise(matrix: NDArray[Any], offset: NDArray[Any]) -> nn.Conv2d:
    """A 1 x 1 convolution that applies a matrix to the channels of every pixel."""
    # On the meta device no random number is drawn for weights that are replaced.
    layer = nn.Conv2d(matrix.shape[1], matrix.shape[0], 1, device="meta")
    layer.weight = nn.Parameter(torch.from_numpy(matrix[..., None, None].astype(np.float32)))
    layer.bias = nn.Parameter(torch.from_numpy(offset.astype(np.float32)))
    return layer.requires_grad_(False)
