"""Conditions of a network: the noise of each pixel as a second input, and the width of the blur as factors on channels.

A network without biases, whose first kernels sum to zero over the image plane (with a replicated border), with ReLU,
LeakyReLU or PReLU, added to the bicubic interpolation of its input, satisfies f(a x + b, a s) = a f(x, s) + b for every
a > 0 and every b, where s is the plane of the noise's standard deviation. Contrast, offset and units of an image then
do not matter. Batch normalization and tanh break this.

References
----------
S. Mohan, Z. Kadkhodaie, E. P. Simoncelli, C. Fernandez-Granda, "Robust and interpretable blind image denoising via
bias-free convolutional neural networks", ICLR 2020 (networks without biases).
K. Zhang, W. Zuo, L. Zhang, "FFDNet: Toward a fast and flexible solution for CNN-based image denoising", IEEE TIP 2018
(the noise level as an input plane).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side of the square over which the brightness of a pixel's surroundings is averaged, in pixels.
LOCAL_MEAN = 5


class BlurGate(nn.Sequential):
    """Factors on the output channels of convolutions, from the width of the blur that is to be removed.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    channels : int
        Number of factors.

    Notes
    -----
    The factors are 1 plus the output of a network of two layers. They multiply outputs of convolutions before any sum
    or activation, so that they can be multiplied into the weights once the width is known.
    """

    def __init__(self, hidden: int, channels: int) -> None:
        super().__init__(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, channels))
        last = self[2]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.zero_()

    def factors(self, blur: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
        """Compute the factors of several convolutions.

        Parameters
        ----------
        blur : Tensor, shape (N,)
            Standard deviation of a Gaussian blur in pixels of the input, 0 or more.
        sizes : sequence of int
            Output channels of each convolution.

        Returns
        -------
        tuple of Tensor, shape (N, C, 1, 1)
        """
        found: Tensor = 1 + self(blur.reshape(-1, 1))
        return torch.split(found[:, :, None, None], list(sizes), dim=1)


def zero_sum(weight: Tensor, channels: int) -> Tensor:
    """Subtract the mean of every kernel over each of the first planes, so that the level of those planes has no effect.

    Parameters
    ----------
    weight : Tensor, shape (C', C, k, k)
        Weights of a convolution.
    channels : int
        Number of image planes; planes after them stay as they are.

    Returns
    -------
    Tensor, same shape
    """
    image = weight[:, :channels]
    return torch.cat((image - image.mean((2, 3), keepdim=True), weight[:, channels:]), 1)


def gated(x: Tensor, factor: Tensor | None) -> Tensor:
    """Multiply the output of a convolution by the factors of a gate; without one it stays as it is."""
    return x if factor is None else x * factor.to(x.dtype)


@torch.no_grad()
def fold(convolutions: Sequence[nn.Conv2d], factors: Sequence[Tensor]) -> None:
    """Multiply factors for one blur into the weights of their convolutions, in place.

    Parameters
    ----------
    convolutions : sequence of nn.Conv2d
        Without biases.
    factors : sequence of Tensor, shape (1, C, 1, 1)
        From `BlurGate.factors`.
    """
    for convolution, factor in zip(convolutions, factors, strict=True):
        convolution.weight.mul_(factor.reshape(-1, 1, 1, 1))


class NoiseLevels:
    """Noise of the planes of a batch: variance = max(constant + slope x local mean, floor).

    Shared by all copies of a network, so that it can be set for each batch.

    Parameters
    ----------
    constant, slope, floor : sequence of float
        One for each plane of the batch, in the network's values (squared for constant and floor).
    """

    def __init__(
        self, constant: Sequence[float] = (0.0,), slope: Sequence[float] = (0.0,), floor: Sequence[float] = (0.0,)
    ) -> None:
        self.set(constant, slope, floor)

    def set(self, constant: Sequence[float], slope: Sequence[float], floor: Sequence[float]) -> None:
        """Set the noise of the next batch."""
        self.values = tuple(
            torch.tensor(one, dtype=torch.float32).reshape(-1, 1, 1, 1) for one in (constant, slope, floor)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> NoiseLevels:
        return self

    def deviation(self, mean: Tensor) -> Tensor:
        """Compute the standard deviation of the noise, shape (N, 1, H, W), from the local mean."""
        constant, slope, floor = (value.to(mean.device) for value in self.values)
        variance = torch.maximum(constant + slope * mean.float(), floor)
        return variance.sqrt_().to(mean.dtype)


class NoiseDeviation(nn.Module):
    """The standard deviation of each pixel's noise as a function of the local mean, pixel by pixel.

    Parameters
    ----------
    levels : NoiseLevels
        Noise of the batch.
    """

    def __init__(self, levels: NoiseLevels) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, mean: Tensor) -> Tensor:
        """Map the local mean, (N, 1, H, W), to the standard deviation."""
        return self.levels.deviation(mean)


class WithNoise(nn.Module):
    """A network with a noise plane, as a network of one input: the plane is computed from the image.

    Parameters
    ----------
    network : nn.Module
        Called with (image, noise); of one channel.
    levels : NoiseLevels
        Noise of the batch.

    Notes
    -----
    The local mean is over 5 x 5 pixels, with the border replicated. It is part of the network, so that strips, bands,
    tiles and parts of an image all see the same plane.
    """

    def __init__(self, network: nn.Module, levels: NoiseLevels) -> None:
        super().__init__()
        self.network = network
        self.scale: int = network.scale  # type: ignore[assignment]
        self.alignment: int = network.alignment  # type: ignore[assignment]
        self.in_channels = self.out_channels = 1
        self.receptive_radius = int(network.receptive_radius) + LOCAL_MEAN // 2  # type: ignore[arg-type]
        self.local_mean = nn.Conv2d(
            1, 1, LOCAL_MEAN, padding=LOCAL_MEAN // 2, padding_mode="replicate", bias=False
        ).requires_grad_(False)
        nn.init.constant_(self.local_mean.weight, 1 / LOCAL_MEAN**2)
        self.deviation = NoiseDeviation(levels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, H, W) to (N, 1, scale H, scale W)."""
        out: Tensor = self.network(x, self.deviation(self.local_mean(x)))
        return out


def local_mean(x: Tensor) -> Tensor:
    """Average (N, C, H, W) over 5 x 5 pixels, with the border replicated."""
    reach = LOCAL_MEAN // 2
    return functional.avg_pool2d(functional.pad(x, (reach,) * 4, mode="replicate"), LOCAL_MEAN, 1)


def folded(network: nn.Module, blur: float) -> nn.Module:
    """Return a network for one blur: without a gate, and with the sums of its first kernels at zero.

    Parameters
    ----------
    network : nn.Module
        Any network of this package; one without conditions is returned as it is.
    blur : float
        Standard deviation of the blur to remove, in pixels of the input.

    Returns
    -------
    nn.Module
        A copy in evaluation mode, without gradients.
    """
    make: Callable[[float], nn.Module] | None = getattr(network, "folded", None)
    return network if make is None else make(blur)
