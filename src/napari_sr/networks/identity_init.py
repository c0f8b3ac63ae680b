"""Initialization of convolutions as the identity on some channels, so that a network starts as an interpolation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def init_identity(layer: nn.Conv2d, channels: int) -> None:
    """Initialize a convolution as the identity on its first channels.

    The first `channels` features become copies of the first `channels` channels. The weights of the other features stay
    as they are, and all biases become 0.

    Parameters
    ----------
    layer : nn.Conv2d
        A convolution with an odd kernel.
    channels : int
        Number of channels that are copied, at most the number of features.
    """
    middle = layer.kernel_size[0] // 2
    kernel = torch.zeros(layer.kernel_size)
    kernel[middle, middle] = 1
    _copy_channels(layer, channels, kernel[None])


@torch.no_grad()
def init_linear_upsampling(layer: nn.Conv2d, channels: int, factor: int) -> None:
    """Initialize a 3 x 3 convolution before a pixel shuffle as linear interpolation of its first channels.

    Parameters
    ----------
    layer : nn.Conv2d
        A convolution with ``factor**2`` features for each feature behind the pixel shuffle; its biases become 0.
    channels : int
        Number of channels that are interpolated.
    factor : int
        Factor of the pixel shuffle.
    """
    # Centers of the new pixels, relative to the center of the pixel that they divide.
    centers = (torch.arange(factor) + 0.5) / factor - 0.5
    line = (1 - (centers[:, None] - torch.arange(-1, 2)).abs()).clamp_min(0)
    _copy_channels(layer, channels, torch.einsum("ay,bx->abyx", line, line).flatten(0, 1))


def _copy_channels(layer: nn.Conv2d, channels: int, kernels: Tensor) -> None:
    """Set the features of the first channels to these channels, each convolved with all of `kernels`."""
    if layer.bias is not None:
        layer.bias.zero_()
    for channel in range(channels):
        features = slice(channel * len(kernels), (channel + 1) * len(kernels))
        layer.weight[features] = 0
        layer.weight[features, channel] = kernels.to(layer.weight)


@torch.no_grad()
def init_mostly_identity(layer: nn.Conv2d, channels: int) -> None:
    """Initialize a convolution as the identity on its first channels, and divide the weights of all others by 10.

    Parameters
    ----------
    layer : nn.Conv2d
        A convolution with `channels` features; its biases become 0.
    channels : int
        Number of channels that are copied.
    """
    others = layer.weight[:, channels:] * 0.1
    init_identity(layer, channels)
    layer.weight[:, channels:] = others
