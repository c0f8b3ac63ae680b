"""SRResNet, the generator of SRGAN: residual blocks with batch normalization, and sub-pixel convolutions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from napari_sr.networks.identity_init import init_identity, init_linear_upsampling, init_mostly_identity
from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import upsampling_factors


class ResidualBlock(nn.Module):
    """Residual block: convolution, batch normalization, PReLU, convolution and batch normalization, plus the input.

    Parameters
    ----------
    features : int
        Number of features.
    batch_norm_eps : float
        Epsilon of the batch normalizations.
    shared_prelu : bool
        Whether the PReLU has one slope for all features.

    References
    ----------
    C. Ledig et al., arXiv:1609.04802, figure 4.
    """

    def __init__(self, features: int, batch_norm_eps: float, shared_prelu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(features, eps=batch_norm_eps)
        self.prelu = nn.PReLU(1 if shared_prelu else features)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(features, eps=batch_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        out: Tensor = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x))))) + x
        return out


class SubPixelBlock(nn.Module):
    """Upsampling by one prime factor: convolution, pixel shuffle and PReLU, in the order of the paper's figure 4.

    Parameters
    ----------
    features : int
        Number of features of the input and the output.
    factor : int
        Upsampling factor.
    shared_prelu : bool
        Whether the PReLU has one slope for all features.
    """

    def __init__(self, features: int, factor: int, shared_prelu: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(features, features * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)
        self.prelu = nn.PReLU(1 if shared_prelu else features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to (N, features, factor H, factor W)."""
        out: Tensor = self.prelu(self.shuffle(self.conv(x)))
        return out


class SRResNet(nn.Module):
    """The generator of Ledig et al.: SRResNet if it is trained on the MSE alone, SRGAN with the adversarial loss.

    Parameters
    ----------
    scale : {1, 2, 3, 4, 8}, default 4
        Upsampling factor, with one sub-pixel block for each of its prime factors.
    in_channels, out_channels : int, default 3
        Number of channels of the images.
    features, blocks : int
        Number of features and of residual blocks; by default 64 and 16, as in the paper.
    batch_norm_eps : float, default 1e-5
        Epsilon of the batch normalizations: 1e-5 in torch, 1e-3 in weights from Keras.
    shared_prelu : bool, default False
        Whether a PReLU has one slope for all features, which is torch's default; the paper does not define it.
    middle : {"batch_norm", "prelu"}, default "batch_norm"
        Layer behind the convolution after the blocks: batch normalization in the paper, PReLU in some published
        weights.
    output : {"linear", "tanh"}, default "linear"
        "tanh" computes ``(tanh(x) + 1) / 2``, for weights trained with high-resolution images in [-1, 1].

    Raises
    ------
    ValueError
        If the factor is another one.

    References
    ----------
    C. Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
    arXiv:1609.04802, figure 4.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        blocks: int = 16,
        batch_norm_eps: float = 1e-5,
        shared_prelu: bool = False,
        middle: Literal["batch_norm", "prelu"] = "batch_norm",
        output: Literal["linear", "tanh"] = "linear",
    ) -> None:
        super().__init__()
        factors = upsampling_factors(scale)
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.alignment = 1
        tail = [step for f in factors for step in (ConvolutionReach(1), UpsamplingReach(f))]
        self.receptive_radius = receptive_radius(
            [ConvolutionReach(4), ConvolutionReach(1, 2 * blocks + 1), *tail, ConvolutionReach(4)]
        )
        slopes = 1 if shared_prelu else features
        self.conv_in = nn.Conv2d(in_channels, features, 9, padding=4)
        self.prelu_in = nn.PReLU(slopes)
        self.body = nn.Sequential(*(ResidualBlock(features, batch_norm_eps, shared_prelu) for _ in range(blocks)))
        self.conv_mid = nn.Conv2d(features, features, 3, padding=1)
        self.middle = middle
        if middle == "batch_norm":
            self.bn_mid = nn.BatchNorm2d(features, eps=batch_norm_eps)
        else:
            self.prelu_mid = nn.PReLU(slopes)
        self.up = nn.Sequential(*(SubPixelBlock(features, f, shared_prelu) for f in factors))
        self.conv_out = nn.Conv2d(features, out_channels, 9, padding=4)
        self.output = output
        self.tanh = nn.Tanh()

    @torch.no_grad()
    def init_as_interpolation(self) -> None:
        """Initialize the network close to the linear interpolation of its input, for values of 0 or more.

        One feature of each layer is a copy of a channel, which the sub-pixel convolutions interpolate linearly. The
        residual blocks add nothing to it at first, and the weights of the other features in the last layer are scaled
        by 0.1. The paper starts from random weights; a short training reaches a lower loss from this start.

        Raises
        ------
        ValueError
            If there are fewer features than channels, other output channels than input channels, or the output is not
            linear.
        """
        channels = self.in_channels
        if self.conv_in.out_channels < channels or self.out_channels != channels or self.output != "linear":
            raise ValueError(
                "To start as an interpolation, SRResNet needs a feature for each channel, as many output channels as "
                "input channels, and a linear output."
            )
        self.conv_in.weight -= self.conv_in.weight.mean((2, 3), keepdim=True)
        init_identity(self.conv_in, channels)
        # The weights of the batch normalization, not of the convolution before it, whose zeros would be normalized.
        for parameter in (self.bn_mid if self.middle == "batch_norm" else self.conv_mid).parameters():
            parameter[:channels] = 0
        for block in self.up:
            assert isinstance(block, SubPixelBlock)
            init_linear_upsampling(block.conv, channels, block.shuffle.upscale_factor)
        init_mostly_identity(self.conv_out, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W); trained with values in [0, 1]."""
        first = self.prelu_in(self.conv_in(x))
        deep = self.conv_mid(self.body(first))
        deep = self.bn_mid(deep) if self.middle == "batch_norm" else self.prelu_mid(deep)
        out: Tensor = self.conv_out(self.up(deep + first))
        return (self.tanh(out) + 1) / 2 if self.output == "tanh" else out
