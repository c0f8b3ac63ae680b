"""Convolutions that hand channels on as they are, so that a network begins as an interpolation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def init_identity(layer: nn.Conv2d, channels: int) -> None:
    """Have the first features of a convolution be its first channels, unchanged; nothing else comes into them.

    Parameters
    ----------
    layer : nn.Conv2d
        Of odd kernel; its biases become 0.
    channels : int
        How many are handed on; as many features are taken for it.
    """
    middle = layer.kernel_size[0] // 2
    one = torch.zeros(layer.kernel_size)
    one[middle, middle] = 1
    _copy_channels(layer, channels, one[None])


@torch.no_grad()
def init_linear_upsampling(layer: nn.Conv2d, channels: int, factor: int) -> None:
    """The same for a convolution of 3 x 3 before a pixel shuffle: channels come out interpolated linearly.

    Parameters
    ----------
    layer : nn.Conv2d
        Of ``factor²`` features for each that the shuffle makes.
    channels : int
        How many are handed on.
    factor : int
        Of the shuffle.
    """
    # Where the new pixels' middles lie, from that of the pixel they divide.
    places = (torch.arange(factor) + 0.5) / factor - 0.5
    line = (1 - (places[:, None] - torch.arange(-1, 2)).abs()).clamp_min(0)
    _copy_channels(layer, channels, torch.einsum("ay,bx->abyx", line, line).flatten(0, 1))


def _copy_channels(layer: nn.Conv2d, channels: int, kernels: Tensor) -> None:
    if layer.bias is not None:
        layer.bias.zero_()
    for channel in range(channels):
        taken = slice(channel * len(kernels), (channel + 1) * len(kernels))
        layer.weight[taken] = 0
        layer.weight[taken, channel] = kernels.to(layer.weight)


@torch.no_grad()
def init_mostly_identity(layer: nn.Conv2d, channels: int, share: float = 0.1) -> None:
    """Have a network's last convolution hand on the first channels, and heed all others a little.

    Parameters
    ----------
    layer : nn.Conv2d
        Of as many features as channels are handed on.
    channels : int
        How many.
    share : float
        Of what the layer would heed the others.
    """
    others = layer.weight[:, channels:] * share
    init_identity(layer, channels)
    layer.weight[:, channels:] = others
