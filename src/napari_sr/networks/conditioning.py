"""Conditioning of networks on the noise of each pixel (a second input) and on the blur (factors on channels).

A network without biases, whose first kernels sum to zero over the image plane (with a replicated border), with ReLU,
LeakyReLU or PReLU, added to the bicubic interpolation of its input, satisfies f(a x + b, a s) = a f(x, s) + b for every
a > 0 and every b, where s is the standard deviation of the noise of each pixel. The result then does not depend on
contrast, offset and units of an image. This does not hold with batch normalization and tanh.

References
----------
S. Mohan, Z. Kadkhodaie, E. P. Simoncelli, C. Fernandez-Granda, "Robust and interpretable blind image denoising via
bias-free convolutional neural networks", ICLR 2020 (networks without biases).
K. Zhang, W. Zuo, L. Zhang, "FFDNet: Toward a fast and flexible solution for CNN-based image denoising", IEEE TIP 2018
(the noise level as an input plane).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side in pixels of the square around a pixel over which the local mean is computed.
LOCAL_MEAN = 5


class BlurGate(nn.Sequential):
    """Factors on the output channels of convolutions, computed from the width of the blur to remove.

    Parameters
    ----------
    hidden : int
        Number of units of the hidden layer.
    channels : int
        Number of factors.

    Notes
    -----
    The factors are 1 plus the output of a network of two layers. They multiply outputs of convolutions before any sum
    or activation, so that they can be multiplied into the weights for a known width.
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
            Number of output channels of each convolution.

        Returns
        -------
        tuple of Tensor, shape (N, C, 1, 1)
            The factors of each convolution.
        """
        factors: Tensor = 1 + self(blur.reshape(-1, 1))
        return torch.split(factors[:, :, None, None], list(sizes), dim=1)


def zero_sum(weight: Tensor, channels: int) -> Tensor:
    """Subtract the mean of every kernel over each of the first planes, so that the level of those planes has no effect.

    Parameters
    ----------
    weight : Tensor, shape (C', C, k, k)
        Weights of a convolution.
    channels : int
        Number of image planes; other planes are not changed.

    Returns
    -------
    Tensor, same shape
        The weights, whose kernels over the image planes have sums of zero.
    """
    image = weight[:, :channels]
    return torch.cat((image - image.mean((2, 3), keepdim=True), weight[:, channels:]), 1)


def gated(x: Tensor, factor: Tensor | None) -> Tensor:
    """Multiply the output of a convolution by the factors of a gate, if there is one."""
    return x if factor is None else x * factor.to(x.dtype)


@torch.no_grad()
def fold(convolutions: Sequence[nn.Conv2d], factors: Sequence[Tensor]) -> None:
    """Multiply the weights of convolutions by the factors for one blur, in place.

    Parameters
    ----------
    convolutions : sequence of nn.Conv2d
        Convolutions without biases.
    factors : sequence of Tensor, shape (1, C, 1, 1)
        Factors from `BlurGate.factors`.
    """
    for convolution, factor in zip(convolutions, factors, strict=True):
        convolution.weight.mul_(factor.reshape(-1, 1, 1, 1))


class ConditionedNetwork(nn.Module, ABC):
    """A network that can take the noise of each pixel and the width of the blur beside the image.

    Attributes
    ----------
    in_channels : int
        Number of image planes.
    zero_sum : bool
        Whether the mean over each image plane is subtracted from the first kernels.
    gate : BlurGate or None
        Computes the factors of the outputs of the gated convolutions.
    """

    in_channels: int
    zero_sum: bool
    gate: BlurGate | None

    @abstractmethod
    def _gated(self) -> list[nn.Conv2d]:
        """Return the convolutions that a gate multiplies, in the order of its factors; the first is on the input."""

    def new_gate(self, hidden: int) -> BlurGate | None:
        """Make the gate for the convolutions; None for 0 hidden units."""
        return BlurGate(hidden, sum(layer.out_channels for layer in self._gated())) if hidden else None

    def gates(self, blur: Tensor | None) -> list[Tensor | None]:
        """Return the factors by which the outputs of the convolutions are multiplied.

        Parameters
        ----------
        blur : Tensor, shape (N,), or None
            Standard deviation of the blur to remove in each image, in its pixels; required with a gate.

        Returns
        -------
        list of Tensor, shape (N, features, 1, 1), or of None
            One for each convolution; None without a gate.

        Raises
        ------
        ValueError
            If the network has a gate and the blur is missing.
        """
        if self.gate is None:
            return [None] * len(self._gated())
        if blur is None:
            raise ValueError("A network with a gate needs the blur: give it, or use `folded`.")
        return list(self.gate.factors(blur, [layer.out_channels for layer in self._gated()]))

    def _first(self, x: Tensor) -> Tensor:
        """Apply the first convolution."""
        layer = self._gated()[0]
        if not self.zero_sum:
            out: Tensor = layer(x)
            return out
        side = int(layer.padding[0])
        if side:
            x = functional.pad(x, (side,) * 4, "constant" if layer.padding_mode == "zeros" else layer.padding_mode)
        return functional.conv2d(x, zero_sum(layer.weight, self.in_channels), layer.bias)

    @torch.no_grad()
    def folded(self, blur: float = 0.0) -> Self:
        """Return the network for one blur, without a gate, with first kernels that are stored with sums of zero.

        Parameters
        ----------
        blur : float, default 0.0
            Standard deviation of the blur to remove, in pixels of the input; it has no effect without a gate.

        Returns
        -------
        ConditionedNetwork
            The network in evaluation mode, without gradients. Its outputs equal those of this network to rounding.
        """
        plain = deepcopy(self).eval().requires_grad_(False)
        if self.zero_sum:
            first = plain._gated()[0]
            first.weight.copy_(zero_sum(first.weight, self.in_channels))
            plain.zero_sum = False
        if self.gate is not None:
            factors = plain.gates(torch.tensor([blur]))
            fold(plain._gated(), [factor for factor in factors if factor is not None])
            plain.gate = None
        return plain


class NoiseLevels:
    """Noise of the planes of a batch: variance = max(constant + slope x local mean, floor).

    It is shared by all copies of a network, so that it can be set for each batch.

    Parameters
    ----------
    constant, slope, floor : sequence of float
        A number for each plane of the batch, in values of the network, squared for constant and floor.
    """

    def __init__(
        self, constant: Sequence[float] = (0.0,), slope: Sequence[float] = (0.0,), floor: Sequence[float] = (0.0,)
    ) -> None:
        self.set(constant, slope, floor)

    def set(self, constant: Sequence[float], slope: Sequence[float], floor: Sequence[float]) -> None:
        """Set the noise of the next batch.

        Parameters
        ----------
        constant, slope, floor : sequence of float
            A number for each plane of the batch, in values of the network, squared for constant and floor.
        """
        self.values = tuple(
            torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1) for values in (constant, slope, floor)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> NoiseLevels:
        return self

    def deviation(self, mean: Tensor) -> Tensor:
        """Compute the standard deviation of the noise, shape (N, 1, H, W), from the local mean."""
        constant, slope, floor = (value.to(mean.device) for value in self.values)
        variance = torch.maximum(constant + slope * mean.float(), floor)
        return variance.sqrt_().to(mean.dtype)


class NoiseDeviation(nn.Module):
    """The standard deviation of the noise of each pixel as a function of the local mean.

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
    """A network with a noise plane that is computed from the image, so that the image is the only input.

    Parameters
    ----------
    network : nn.Module
        A network of one channel, called with (image, noise).
    levels : NoiseLevels
        Noise of the batch.

    Notes
    -----
    The local mean is over 5 x 5 pixels, with the border replicated. It is part of the network, so that it is the same
    in strips, bands, tiles and parts of an image.
    """

    def __init__(self, network: nn.Module, levels: NoiseLevels) -> None:
        super().__init__()
        self.network = network
        self.scale: int = network.scale  # type: ignore[assignment]
        self.alignment: int = network.alignment  # type: ignore[assignment]
        self.in_channels = self.out_channels = 1
        self.receptive_radius = int(network.receptive_radius) + LOCAL_MEAN // 2  # type: ignore[arg-type]
        # On the meta device no random number is drawn for weights that are replaced.
        self.local_mean = nn.Conv2d(
            1, 1, LOCAL_MEAN, padding=LOCAL_MEAN // 2, padding_mode="replicate", bias=False, device="meta"
        )
        mean = torch.full((1, 1, LOCAL_MEAN, LOCAL_MEAN), 1 / LOCAL_MEAN**2)
        self.local_mean.weight = nn.Parameter(mean, requires_grad=False)
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
    """Return a network for one blur, without a gate, with first kernels that are stored with sums of zero.

    Parameters
    ----------
    network : nn.Module
        Any network of this package; one without conditioning is returned itself.
    blur : float
        Standard deviation of the blur to remove, in pixels of the input.

    Returns
    -------
    nn.Module
        A copy in evaluation mode, without gradients.
    """
    make: Callable[[float], nn.Module] | None = getattr(network, "folded", None)
    return network if make is None else make(blur)
