"""MSRResNet: SRResNet without batch normalization, as in BasicSR and KAIR."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample, upsampling_factors


class PlainResidualBlock(nn.Module):
    """Residual block: convolution, ReLU and convolution, added to the input.

    Parameters
    ----------
    features : int
        Number of features.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        out: Tensor = self.conv2(self.relu(self.conv1(x))) + x
        return out


class MSRResNet(nn.Module):
    """The PSNR baseline of the ESRGAN authors: residual blocks, pixel shuffles and the upsampled input added.

    Parameters
    ----------
    scale : {1, 2, 3, 4, 8}, default 4
        Upsampling factor.
    in_channels, out_channels : int, default 3
        Number of channels of the images.
    features, blocks : int
        Number of features and of residual blocks; by default 64 and 16, as in the published weights.
    skip : {"bilinear", "none"}, default "bilinear"
        Interpolation of the input that is added to the output.
    last_bias : bool, default True
        Whether the last convolution has a bias.

    Raises
    ------
    ValueError
        If the factor is another one, or the input is added and the numbers of channels differ.

    References
    ----------
    BasicSR, ``srresnet_arch``; C. Ledig et al., arXiv:1609.04802, for the network that it simplifies.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        blocks: int = 16,
        skip: Literal["bilinear", "none"] = "bilinear",
        last_bias: bool = True,
    ) -> None:
        super().__init__()
        if skip == "bilinear" and in_channels != out_channels:
            raise ValueError("A long skip needs as many output channels as input channels.")
        factors = upsampling_factors(scale)
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.alignment = 1
        tail = [step for f in factors for step in (ConvolutionReach(1), UpsamplingReach(f))]
        self.receptive_radius = receptive_radius([ConvolutionReach(1, 1 + 2 * blocks), *tail, ConvolutionReach(1, 2)])
        self.conv_first = nn.Conv2d(in_channels, features, 3, padding=1)
        self.body = nn.Sequential(*(PlainResidualBlock(features) for _ in range(blocks)))
        for n, factor in enumerate(factors):
            setattr(self, f"upconv{n + 1}", nn.Conv2d(features, features * factor**2, 3, padding=1))
        self.shuffles = nn.ModuleList(nn.PixelShuffle(f) for f in factors)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, out_channels, 3, padding=1, bias=last_bias)
        self.lrelu = nn.LeakyReLU(0.1)
        self.skip = Upsample(scale, "bilinear") if skip == "bilinear" else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W); trained with values in [0, 1]."""
        deep = self.body(self.lrelu(self.conv_first(x)))
        for n, shuffle in enumerate(self.shuffles):
            deep = self.lrelu(shuffle(getattr(self, f"upconv{n + 1}")(deep)))
        out: Tensor = self.conv_last(self.lrelu(self.conv_hr(deep)))
        return out if self.skip is None else out + self.skip(x)
