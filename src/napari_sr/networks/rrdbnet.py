"""RRDBNet, the generator of ESRGAN: residual-in-residual dense blocks without batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from napari_sr.networks.conditioning import ConditionedNetwork, gated
from napari_sr.networks.receptive import ConvolutionReach, UnshufflingReach, UpsamplingReach, receptive_radius
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample, upsampling_factors

Padding = Literal["zeros", "replicate"]

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
    bias : bool
        Whether the convolutions have biases.
    padding : {"zeros", "replicate"}
        Border of the features.
    """

    def __init__(self, features: int, growth: int, plus: bool, bias: bool, padding: Padding) -> None:
        super().__init__()

        def conv(channels: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(channels, outputs, 3, padding=1, padding_mode=padding, bias=bias)

        self.conv1 = conv(features, growth)
        self.conv2 = conv(features + growth, growth)
        self.conv3 = conv(features + 2 * growth, growth)
        self.conv4 = conv(features + 3 * growth, growth)
        self.conv5 = conv(features + 4 * growth, features)
        self.conv1x1 = nn.Conv2d(features, growth, 1, bias=False) if plus else None
        self.lrelu = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """Map (N, features, H, W) to the same shape; `gate` multiplies the output of the last convolution."""
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        if self.conv1x1 is not None:
            x2 = x2 + self.conv1x1(x)
        x3 = self.lrelu(self.conv3(torch.cat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(torch.cat((x, x1, x2, x3), 1)))
        if self.conv1x1 is not None:
            x4 = x4 + x2
        x5 = gated(self.conv5(torch.cat((x, x1, x2, x3, x4), 1)), gate)
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
    bias : bool
        Whether the convolutions have biases.
    padding : {"zeros", "replicate"}
        Border of the features.

    References
    ----------
    X. Wang et al., arXiv:1809.00219, figure 4.
    """

    def __init__(self, features: int, growth: int, plus: bool, bias: bool, padding: Padding) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth, plus, bias, padding)
        self.rdb2 = DenseBlock(features, growth, plus, bias, padding)
        self.rdb3 = DenseBlock(features, growth, plus, bias, padding)

    def forward(self, x: Tensor, gates: Sequence[Tensor | None] = (None, None, None)) -> Tensor:
        """Map (N, features, H, W) to the same shape; `gates` are those of the three dense blocks."""
        deep = self.rdb3(self.rdb2(self.rdb1(x, gates[0]), gates[1]), gates[2])
        out: Tensor = deep * RESIDUAL_SCALE + x
        return out


class RRDBNet(ConditionedNetwork):
    """The generator of ESRGAN, with extensions that are off by default.

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
    skip : {"none", "bilinear", "bicubic"}, default "none"
        Interpolation of the input that is added to the output; the paper has none.
    plus : bool, default False
        Whether the dense blocks are those of ESRGAN+.
    bias : bool, default True
        Whether the convolutions have biases, as in the paper.
    zero_sum : bool, default False
        Whether the mean over each image plane is subtracted from the first kernels, so that only the skip transfers the
        level of an image.
    padding : {"zeros", "replicate"}, default "zeros"
        Border of the image and of all features; the paper pads with zeros.
    noise_plane : bool, default False
        Whether a second input is the standard deviation of the noise of each pixel, in values of the image.
    gate : int, default 0
        Number of hidden units of a `BlurGate`, which computes factors on channels from the width of the blur to remove;
        0 for no gate.
    first_kernel : int, default 3
        Side of the first kernel in pixels, odd.

    Raises
    ------
    ValueError
        If a factor is another one, the input is added and the numbers of channels differ, the first kernel is even, a
        noise plane is combined with a pixel unshuffle, or a gate with biases.

    Notes
    -----
    With ``bias=False, zero_sum=True, padding="replicate", skip="bicubic"`` the network f satisfies
    f(a x + b, a s) = a f(x, s) + b for every a > 0 and b (`napari_sr.networks.conditioning`). A gate multiplies the
    outputs of the first convolution, of the last one of each dense block, of the one after the blocks, of those after
    each upsampling, and of the one before the last, before any sum or activation.

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
        skip: Literal["none", "bilinear", "bicubic"] = "none",
        plus: bool = False,
        bias: bool = True,
        zero_sum: bool = False,
        padding: Padding = "zeros",
        noise_plane: bool = False,
        gate: int = 0,
        first_kernel: int = 3,
    ) -> None:
        super().__init__()
        if unshuffle not in (1, 2, 4):
            raise ValueError(f"RRDBNet has a pixel unshuffle by 1, 2 or 4, not by {unshuffle}.")
        if skip != "none" and in_channels != out_channels:
            raise ValueError("A long skip needs as many output channels as input channels.")
        if first_kernel % 2 == 0:
            raise ValueError(f"The first kernel has an even side of {first_kernel} pixels: choose an odd one.")
        if noise_plane and unshuffle > 1:
            raise ValueError("A noise plane cannot be unshuffled: leave unshuffle at 1.")
        if gate and bias:
            raise ValueError("A gate is for convolutions without biases: set bias to False.")
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.unshuffle = unshuffle
        self.noise_plane, self.zero_sum = noise_plane, zero_sum
        #: A crop that starts at a multiple of this number gives the pixels of the whole image.
        self.alignment = unshuffle
        factors = upsampling_factors(scale * unshuffle)
        gathering = [UnshufflingReach(unshuffle)] if unshuffle > 1 else []
        upsampling = [layer for f in factors for layer in (UpsamplingReach(f), ConvolutionReach(1))]
        first, trunk = ConvolutionReach(first_kernel // 2), ConvolutionReach(1, 15 * blocks + 1)
        deep = receptive_radius([*gathering, first, trunk, *upsampling, ConvolutionReach(1, 2)])
        around = receptive_radius([UpsamplingReach(scale, skip)]) if skip != "none" else 0
        self.receptive_radius = max(deep, around)

        def conv(channels: int, outputs: int, side: int = 3) -> nn.Conv2d:
            return nn.Conv2d(channels, outputs, side, padding=side // 2, padding_mode=padding, bias=bias)

        self.gather = PadUnshuffle(unshuffle) if unshuffle > 1 else None
        self.crop = CropTo(scale, unshuffle) if unshuffle > 1 else None
        self.conv_first = conv(in_channels * unshuffle**2 + noise_plane, features, first_kernel)
        self.body = nn.Sequential(*(RRDB(features, growth, plus, bias, padding) for _ in range(blocks)))
        self.conv_body = conv(features, features)
        self.enlarge = nn.ModuleList(Upsample(f, "nearest") for f in factors)
        for n in range(len(factors)):
            setattr(self, f"conv_up{n + 1}", conv(features, features))
        self.conv_hr = conv(features, features)
        self.conv_last = conv(features, out_channels)
        self.lrelu = nn.LeakyReLU(0.2)
        self.skip = None if skip == "none" else Upsample(scale, skip)
        self.gate = self.new_gate(gate)
        self._initialize()

    def _initialize(self) -> None:
        """Scale the Kaiming initialization of the dense blocks by 0.1 (section 3.1, "smaller initialization")."""
        for block in self.body.modules():
            if isinstance(block, nn.Conv2d):
                nn.init.kaiming_normal_(block.weight)
                block.weight.data.mul_(0.1)
                if block.bias is not None:
                    nn.init.zeros_(block.bias)

    def _upsampling(self) -> list[nn.Conv2d]:
        return [getattr(self, f"conv_up{n + 1}") for n in range(len(self.enlarge))]

    def _gated(self) -> list[nn.Conv2d]:
        """The first convolution, the last one of each dense block, and all behind the blocks but the last of all."""
        blocks = [block for part in self.body for block in (part.rdb1, part.rdb2, part.rdb3)]
        last = [block.conv5 for block in blocks]  # type: ignore[union-attr]
        return [self.conv_first, *last, self.conv_body, *self._upsampling(), self.conv_hr]  # type: ignore[list-item]

    def forward(self, x: Tensor, noise: Tensor | None = None, blur: Tensor | None = None) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W); trained with values in [0, 1].

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, H, W)
            Images.
        noise : Tensor, shape (N, 1, H, W), optional
            Standard deviation of the noise of each pixel; required with `noise_plane`.
        blur : Tensor, shape (N,), optional
            Standard deviation of the blur to remove in each image, in its pixels; required with `gate`.

        Returns
        -------
        Tensor, shape (N, out_channels, scale H, scale W)
            The upscaled images.
        """
        gates = self.gates(blur)
        read = x if self.gather is None else self.gather(x)
        if self.noise_plane:
            assert noise is not None
            read = torch.cat((read, noise), 1)
        first = gated(self._first(read), gates[0])
        deep = first
        for n, block in enumerate(self.body):
            deep = block(deep, gates[1 + 3 * n : 4 + 3 * n])
        after = 1 + 3 * len(self.body)
        deep = first + gated(self.conv_body(deep), gates[after])
        for n, enlarge in enumerate(self.enlarge):
            deep = self.lrelu(gated(self._upsampling()[n](enlarge(deep)), gates[after + 1 + n]))
        out: Tensor = self.conv_last(self.lrelu(gated(self.conv_hr(deep), gates[-1])))
        if self.crop is not None:
            out = self.crop(out, x)
        return out if self.skip is None else out + self.skip(x)
