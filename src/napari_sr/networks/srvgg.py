"""SRVGGNetCompact, the small network of Real-ESRGAN."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample


class SRVGGNetCompact(nn.Module):
    """A chain of convolutions at low resolution and one pixel shuffle, plus the upsampled input.

    Parameters
    ----------
    scale : int, default 4
        Upsampling factor.
    in_channels, out_channels : int, default 3
        Number of channels of the images; equal, because the input is added to the output.
    features, convs : int
        Number of features, and of convolutions between the first and the last: 64 and 16 (the defaults) or 32.
    activation : {"prelu", "relu", "leakyrelu"}, default "prelu"
        Activation after every convolution except the last.

    Raises
    ------
    ValueError
        If the numbers of channels differ, or there is no such activation.

    References
    ----------
    X. Wang et al., "Real-ESRGAN", arXiv:2107.10833; ``srvgg_arch`` in its repository.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        convs: int = 16,
        activation: Literal["prelu", "relu", "leakyrelu"] = "prelu",
    ) -> None:
        super().__init__()
        if in_channels != out_channels:
            raise ValueError("SRVGGNetCompact adds its input to its output: both need the same number of channels.")
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.alignment = 1
        self.receptive_radius = receptive_radius([ConvolutionReach(1, convs + 2), UpsamplingReach(scale)])
        layers: list[nn.Module] = []
        for n in range(convs + 1):
            layers += [
                nn.Conv2d(features if n else in_channels, features, 3, padding=1),
                _activation(activation, features),
            ]
        layers.append(nn.Conv2d(features, out_channels * scale**2, 3, padding=1))
        self.body = nn.Sequential(*layers)
        self.shuffle = nn.PixelShuffle(scale)
        self.skip = Upsample(scale, "nearest")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, channels, scale H, scale W); trained with values in [0, 1]."""
        out: Tensor = self.shuffle(self.body(x)) + self.skip(x)
        return out


def _activation(name: str, features: int) -> nn.Module:
    if name == "prelu":
        return nn.PReLU(features)
    if name == "relu":
        return nn.ReLU()
    if name == "leakyrelu":
        return nn.LeakyReLU(0.1)
    raise ValueError(f"SRVGGNetCompact has no activation {name!r}: choose prelu, relu or leakyrelu.")
