"""SRResNet: the generator of SRGAN, residual blocks with batch normalization and sub-pixel convolutions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from napari_sr.networks.identity_init import init_identity, init_linear_upsampling, init_mostly_identity
from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsampling_factors import upsampling_factors


class ResidualBlock(nn.Module):
    """conv - batch-norm - PReLU - conv - batch-norm, added to its input (Ledig et al., figure 4)."""

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
    """conv - pixel shuffle - PReLU: enlargement by one prime factor, in the order of the paper's figure 4."""

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
    """The generator of Ledig et al.; trained on MSE alone it is SRResNet, with the adversarial loss SRGAN.

    Parameters
    ----------
    scale : {1, 2, 3, 4, 8}
        Factor; each doubling is one sub-pixel block.
    in_channels, out_channels : int
        Channels of the images.
    features, blocks : int
        Features throughout, and number of residual blocks; 64 and 16 in the paper.
    batch_norm_eps : float
        Epsilon of the batch normalizations: 1e-5 in torch, 1e-3 in weights that come from Keras.
    shared_prelu : bool
        One slope for all features, as torch's default, where the paper does not say.
    middle : {"batch_norm", "prelu"}
        What follows the convolution after the blocks: batch-norm in the paper, a PReLU in some published weights.
    output : {"linear", "tanh"}
        "tanh" gives ``(tanh(x) + 1) / 2``, for weights trained with high-resolution images in [-1, 1].

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
        """Change the weights so that values of 0 or more come out interpolated, with a little of what was drawn.

        One feature of each layer hands on a channel, which the sub-pixel convolutions interpolate linearly; the
        residual blocks begin with nothing to add to it, and the last layer heeds the other features a tenth as much as
        it would. The paper begins with noise; a short training that begins here comes further.

        Raises
        ------
        ValueError
            If there are fewer features than channels, or the output is not linear.
        """
        channels = self.in_channels
        if self.conv_in.out_channels < channels or self.out_channels != channels or self.output != "linear":
            raise ValueError(
                "To begin as an interpolation SRResNet needs a feature for each channel, as many channels out as in, "
                "and a linear output."
            )
        self.conv_in.weight -= self.conv_in.weight.mean((2, 3), keepdim=True)
        init_identity(self.conv_in, channels)
        # The batch-norm's factor, not the convolution before it: a batch-norm of nothing would divide by nothing.
        for parameter in (self.bn_mid if self.middle == "batch_norm" else self.conv_mid).parameters():
            parameter[:channels] = 0
        for block in self.up:
            assert isinstance(block, SubPixelBlock)
            init_linear_upsampling(block.conv, channels, block.shuffle.upscale_factor)
        init_mostly_identity(self.conv_out, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W), values in [0, 1] as trained."""
        first = self.prelu_in(self.conv_in(x))
        deep = self.conv_mid(self.body(first))
        deep = self.bn_mid(deep) if self.middle == "batch_norm" else self.prelu_mid(deep)
        out: Tensor = self.conv_out(self.up(deep + first))
        return (self.tanh(out) + 1) / 2 if self.output == "tanh" else out
