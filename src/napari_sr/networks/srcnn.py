"""SRCNN: interpolation to the target size, then three or more convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_sr.imaging.resize import Kernel
from napari_sr.networks.conditioning import ConditionedNetwork, gated
from napari_sr.networks.identity_init import init_identity, init_mostly_identity
from napari_sr.networks.receptive import ConvolutionReach, UpsamplingReach, receptive_radius
from napari_sr.networks.upsample import Upsample


class SRCNN(ConditionedNetwork):
    """The network of Dong et al.: patch extraction, nonlinear mapping and reconstruction.

    Extensions of the paper's network are off by default.

    Parameters
    ----------
    scale : int, default 1
        Factor of the interpolation; 1 for images that are interpolated already.
    channels : int, default 1
        1 for luminance (the paper's default), 3 for RGB.
    kernels : sequence of three or more odd ints, default (9, 5, 5)
        Kernel sizes, one for each convolution: f1, f2, f3 are 9-1-5, 9-3-5 or 9-5-5 in the paper. All between the first
        and the last are convolutions of the nonlinear mapping; the paper's deeper networks have two or three of them.
    features : sequence of ints, default (64, 32)
        Number of features of each convolution but the last: n1, n2 are 64 and 32 in the paper.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, default "bicubic"
        Interpolation before the first convolution; bicubic in the paper.
    bias : bool, default True
        Whether the convolutions have biases, as in the paper.
    zero_sum : bool, default False
        Whether the mean over each image plane is subtracted from the first kernels.
    residual : bool, default False
        Whether the output of the convolutions is added to the interpolated image; in the paper it replaces the image.
    noise_plane : bool, default False
        Whether a second input is the standard deviation of the noise of each pixel; it is interpolated like the image.
    gate : int, default 0
        Number of hidden units of a `BlurGate`, which multiplies the outputs of all convolutions; 0 for no gate.

    Raises
    ------
    ValueError
        If there are fewer than three kernel sizes, an even one, or not one number of features less; or if a gate is
        combined with biases.

    Notes
    -----
    The convolutions have no padding, as in the paper. The interpolated image is padded once with its edge pixels, so
    that the output covers the whole image. With ``bias=False, zero_sum=True, residual=True`` ("residual SRCNN") the
    network f satisfies f(a x + b, a s) = a f(x, s) + b (`napari_sr.networks.conditioning`).

    References
    ----------
    C. Dong, C. C. Loy, K. He, X. Tang, "Image Super-Resolution Using Deep Convolutional Networks", arXiv:1501.00092,
    section 3.1 (the three layers), 4.3.2 (kernel sizes) and 4.3.3 (more layers).
    """

    def __init__(
        self,
        *,
        scale: int = 1,
        channels: int = 1,
        kernels: Sequence[int] = (9, 5, 5),
        features: Sequence[int] = (64, 32),
        upsampling: Kernel = "bicubic",
        bias: bool = True,
        zero_sum: bool = False,
        residual: bool = False,
        noise_plane: bool = False,
        gate: int = 0,
    ) -> None:
        super().__init__()
        if len(kernels) < 3 or len(features) != len(kernels) - 1 or any(k % 2 == 0 for k in kernels):
            raise ValueError("SRCNN has three or more odd kernel sizes, and a number of features for all but the last.")
        if gate and bias:
            raise ValueError("A gate is for convolutions without biases: set bias to False.")
        self.scale = scale
        self.in_channels = self.out_channels = channels
        self.upsampling: Kernel = upsampling
        self.zero_sum, self.residual, self.noise_plane = zero_sum, residual, noise_plane
        self.alignment = 1
        radius = sum(k // 2 for k in kernels)
        self.receptive_radius = receptive_radius((UpsamplingReach(scale, upsampling), ConvolutionReach(radius)))
        self.upsample = Upsample(scale, upsampling)
        self.pad = nn.ReplicationPad2d(radius)
        widths = [channels + noise_plane, *features, channels]
        for number, (size, inputs, outputs) in enumerate(zip(kernels, widths, widths[1:], strict=False), 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, size, bias=bias))
        self.relu = nn.ReLU()
        self.gate = self.new_gate(gate)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The convolutions ``conv1``, ``conv2`` and so on, from the first to the last."""
        return [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]

    def _gated(self) -> list[nn.Conv2d]:
        """All convolutions."""
        return self.convolutions

    @torch.no_grad()
    def init_as_interpolation(self) -> None:
        """Initialize the network close to the interpolation of its input, for values of 0 or more.

        One feature of each layer is a copy of a channel. The kernels of the other features of the first layer have a
        mean of 0, and the weights of these features in the last layer are scaled by 0.1. Training then starts from the
        interpolation and learns the difference to it.

        Raises
        ------
        ValueError
            If there are fewer features than channels, or the network is residual.
        """
        if self.residual:
            raise ValueError("A residual SRCNN starts as an interpolation already.")
        *before, last = self.convolutions
        if min(layer.out_channels for layer in before) < self.in_channels:
            raise ValueError("To start as an interpolation, SRCNN needs a feature for each channel.")
        before[0].weight -= before[0].weight.mean((2, 3), keepdim=True)
        for layer in before:
            init_identity(layer, self.in_channels)
        init_mostly_identity(last, self.in_channels)

    def forward(self, x: Tensor, noise: Tensor | None = None, blur: Tensor | None = None) -> Tensor:
        """Map (N, channels, H, W) to (N, channels, scale H, scale W); trained with values in [0, 1].

        Parameters
        ----------
        x : Tensor, shape (N, channels, H, W)
            Images.
        noise : Tensor, shape (N, 1, H, W), optional
            Standard deviation of the noise of each pixel; required with `noise_plane`.
        blur : Tensor, shape (N,), optional
            Standard deviation of the blur to remove in each image, in its pixels; required with `gate`.

        Returns
        -------
        Tensor, shape (N, channels, scale H, scale W)
            The upscaled images.
        """
        large = self.upsample(x)
        read = large
        if self.noise_plane:
            assert noise is not None
            read = torch.cat((large, self.upsample(noise)), 1)
        out = self.mapped(self._first(self.pad(read)), blur)
        return out + large if self.residual else out

    def mapped(self, first: Tensor, blur: Tensor | None) -> Tensor:
        """Map the output of the first convolution to that of the last.

        Parameters
        ----------
        first : Tensor, shape (N, features, Y, X)
            Output of the first convolution, without activation.
        blur : Tensor, shape (N,), or None
            Standard deviation of the blur to remove in each image, in its pixels; required with `gate`.

        Returns
        -------
        Tensor, shape (N, channels, Y - border, X - border)
            Output of the last convolution.
        """
        gates = self.gates(blur)
        out = gated(first, gates[0])
        for layer, factors in zip(self.convolutions[1:], gates[1:], strict=True):
            out = gated(layer(self.relu(out)), factors)
        return out
