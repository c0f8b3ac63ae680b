"""SRCNN: interpolation to the target size, then three convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_sr.imaging.resize import Kernel
from napari_sr.networks.identity_init import init_identity, init_mostly_identity
from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample


class SRCNN(nn.Module):
    """The network of Dong et al.: patch extraction, nonlinear mapping and reconstruction.

    Parameters
    ----------
    scale : int, default 1
        Factor of the interpolation; 1 for images that are interpolated already.
    channels : int, default 1
        1 for luminance (the paper's default), 3 for RGB.
    kernels : sequence of three odd ints, default (9, 5, 5)
        Kernel sizes f1, f2, f3: 9-1-5, 9-3-5 or 9-5-5 in the paper.
    features : sequence of two ints, default (64, 32)
        Number of features n1, n2; 64 and 32 in the paper.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation before the first convolution; bicubic in the paper.

    Raises
    ------
    ValueError
        If there are not three odd kernel sizes and two numbers of features.

    Notes
    -----
    The convolutions have no padding, as in the paper. The interpolated image is padded once with its edge pixels, so
    that the output covers the whole image.

    References
    ----------
    C. Dong, C. C. Loy, K. He, X. Tang, "Image Super-Resolution Using Deep Convolutional Networks", arXiv:1501.00092,
    section 3.1 (the three layers) and 4.3 (kernel sizes).
    """

    def __init__(
        self,
        *,
        scale: int = 1,
        channels: int = 1,
        kernels: Sequence[int] = (9, 5, 5),
        features: Sequence[int] = (64, 32),
        upsampling: Kernel = "bicubic",
    ) -> None:
        super().__init__()
        if len(kernels) != 3 or len(features) != 2 or any(k % 2 == 0 for k in kernels):
            raise ValueError("SRCNN has three odd kernel sizes and two numbers of features.")
        self.scale = scale
        self.in_channels = self.out_channels = channels
        self.upsampling: Kernel = upsampling
        self.alignment = 1
        radius = sum(k // 2 for k in kernels)
        self.receptive_radius = receptive_radius((UpsamplingReach(scale, upsampling), ConvolutionReach(radius)))
        self.upsample = Upsample(scale, upsampling)
        self.pad = nn.ReplicationPad2d(radius)
        self.conv1 = nn.Conv2d(channels, features[0], kernels[0])
        self.conv2 = nn.Conv2d(features[0], features[1], kernels[1])
        self.conv3 = nn.Conv2d(features[1], channels, kernels[2])
        self.relu = nn.ReLU()

    @torch.no_grad()
    def init_as_interpolation(self) -> None:
        """Initialize the network close to the interpolation of its input, for values of 0 or more.

        One feature of each layer is a copy of a channel. The kernels of the other features of the first layer have a
        mean of 0, and the weights of these features in the last layer are scaled by 0.1. Training then starts from the
        interpolation and learns the difference to it.

        Raises
        ------
        ValueError
            If there are fewer features than channels.
        """
        if min(self.conv1.out_channels, self.conv2.out_channels) < self.in_channels:
            raise ValueError("To start as an interpolation, SRCNN needs a feature for each channel.")
        self.conv1.weight -= self.conv1.weight.mean((2, 3), keepdim=True)
        init_identity(self.conv1, self.in_channels)
        init_identity(self.conv2, self.in_channels)
        init_mostly_identity(self.conv3, self.in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, channels, scale H, scale W); trained with values in [0, 1]."""
        x = self.pad(self.upsample(x))
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        out: Tensor = self.conv3(x)
        return out
