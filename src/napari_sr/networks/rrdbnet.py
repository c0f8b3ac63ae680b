"""RRDBNet, the generator of ESRGAN: residual-in-residual dense blocks without batch normalization."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from napari_sr.networks.receptive import ConvolutionReach, UnshufflingReach, UpsamplingReach, receptive_radius
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample, upsampling_factors

#: Factor on every residual (Wang et al., section 3.1, "residual scaling").
RESIDUAL_SCALE = 0.2


class DenseBlock(nn.Module):
    """Dense block: five convolutions, each of all outputs before it, added to the input after scaling by 0.2.

    Parameters
    ----------
    features : int
        Number of features of the input and the output.
    growth : int
        Number of features that each convolution adds.
    plus : bool
        Whether the block has the inner residuals of ESRGAN+ (Rakotonirina & Rasoanaivo, arXiv:2001.08073).
    """

    def __init__(self, features: int, growth: int, plus: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)
        self.conv1x1 = nn.Conv2d(features, growth, 1, bias=False) if plus else None
        self.lrelu = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        if self.conv1x1 is not None:
            x2 = x2 + self.conv1x1(x)
        x3 = self.lrelu(self.conv3(torch.cat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(torch.cat((x, x1, x2, x3), 1)))
        if self.conv1x1 is not None:
            x4 = x4 + x2
        x5 = self.conv5(torch.cat((x, x1, x2, x3, x4), 1))
        out: Tensor = x5 * RESIDUAL_SCALE + x
        return out


class RRDB(nn.Module):
    """Residual-in-residual dense block: three dense blocks, added to the input after scaling by 0.2.

    Parameters
    ----------
    features, growth : int
        Number of features, and number of features that each convolution adds.
    plus : bool
        Whether the dense blocks are those of ESRGAN+.

    References
    ----------
    X. Wang et al., arXiv:1809.00219, figure 4.
    """

    def __init__(self, features: int, growth: int, plus: bool) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth, plus)
        self.rdb2 = DenseBlock(features, growth, plus)
        self.rdb3 = DenseBlock(features, growth, plus)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape."""
        out: Tensor = self.rdb3(self.rdb2(self.rdb1(x))) * RESIDUAL_SCALE + x
        return out


class RRDBNet(nn.Module):
    """The generator of ESRGAN.

    Parameters
    ----------
    scale : {1, 2, 3, 4, 8}, default 4
        Upsampling factor of the whole network.
    in_channels, out_channels : int, default 3
        Number of channels of the images.
    features, growth, blocks : int
        Number of features of the trunk, number of features that each dense convolution adds, and number of RRDBs; by
        default 64, 32 and 23, as in the paper.
    unshuffle : {1, 2, 4}, default 1
        Factor of a pixel unshuffle before the first convolution: 2 in Real-ESRGAN's x2 model, whose first convolution
        has 12 channels, 4 in its x1 model, and 1 for none. The image is padded with its edge pixels to a multiple of
        the factor, and the result is cropped.
    skip : {"none", "bilinear"}, default "none"
        Interpolation of the input that is added to the output; the paper has none.
    plus : bool, default False
        Whether the dense blocks are those of ESRGAN+.

    Raises
    ------
    ValueError
        If a factor is another one, or the input is added and the numbers of channels differ.

    References
    ----------
    X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", arXiv:1809.00219, section 3.1.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        growth: int = 32,
        blocks: int = 23,
        unshuffle: int = 1,
        skip: Literal["none", "bilinear"] = "none",
        plus: bool = False,
    ) -> None:
        super().__init__()
        if unshuffle not in (1, 2, 4):
            raise ValueError(f"RRDBNet has a pixel unshuffle by 1, 2 or 4, not by {unshuffle}.")
        if skip == "bilinear" and in_channels != out_channels:
            raise ValueError("A long skip needs as many output channels as input channels.")
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.unshuffle = unshuffle
        #: A crop that starts at a multiple of this number gives the pixels of the whole image.
        self.alignment = unshuffle
        factors = upsampling_factors(scale * unshuffle)
        unshuffling = [UnshufflingReach(unshuffle)] if unshuffle > 1 else []
        ups = [step for f in factors for step in (UpsamplingReach(f), ConvolutionReach(1))]
        self.receptive_radius = receptive_radius(
            [*unshuffling, ConvolutionReach(1, 15 * blocks + 2), *ups, ConvolutionReach(1, 2)]
        )
        self.gather = PadUnshuffle(unshuffle) if unshuffle > 1 else None
        self.crop = CropTo(scale, unshuffle) if unshuffle > 1 else None
        self.conv_first = nn.Conv2d(in_channels * unshuffle**2, features, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(features, growth, plus) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.enlarge = nn.ModuleList(Upsample(f, "nearest") for f in factors)
        for n in range(len(factors)):
            setattr(self, f"conv_up{n + 1}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, out_channels, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2)
        self.skip = Upsample(scale, "bilinear") if skip == "bilinear" else None
        self._initialize()

    def _initialize(self) -> None:
        """Scale the Kaiming initialization of the dense blocks by 0.1 (section 3.1, "smaller initialization")."""
        for block in self.body.modules():
            if isinstance(block, nn.Conv2d):
                nn.init.kaiming_normal_(block.weight)
                block.weight.data.mul_(0.1)
                if block.bias is not None:
                    nn.init.zeros_(block.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W); trained with values in [0, 1]."""
        first = self.conv_first(x if self.gather is None else self.gather(x))
        deep = first + self.conv_body(self.body(first))
        for n, enlarge in enumerate(self.enlarge):
            deep = self.lrelu(getattr(self, f"conv_up{n + 1}")(enlarge(deep)))
        out: Tensor = self.conv_last(self.lrelu(self.conv_hr(deep)))
        if self.crop is not None:
            out = self.crop(out, x)
        return out if self.skip is None else out + self.skip(x)
