"""Networks as they process patches in training: the weights of a network, computed in another way.

Under autocast, only the trained convolutions behind the first one are computed in the lower precision. The finest
detail of an image would be rounded away by the first convolution, and all of it by the interpolation that is added to
the result.
"""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.networks.conditioning import gated, zero_sum
from napari_sr.networks.rrdbnet import RESIDUAL_SCALE, DenseBlock, RRDBNet
from napari_sr.networks.srcnn import SRCNN

#: Smallest standard deviation by which a patch is divided: half a gray level of 255.
_LEAST_DEVIATION = 0.5 / 255


def is_conditioned(network: nn.Module) -> bool:
    """Return whether a network takes noise or blur as inputs: it has a noise plane or a gate."""
    return bool(getattr(network, "noise_plane", False)) or getattr(network, "gate", None) is not None


class Unpadded(nn.Module):
    """SRCNN with unpadded convolutions, so that patches have no padded border in training.

    References
    ----------
    Dong et al., arXiv:1501.00092, section 4.1.
    """

    def __init__(self, network: SRCNN) -> None:
        super().__init__()
        self.network = network
        self.scale = network.scale
        self.in_channels, self.out_channels = network.in_channels, network.out_channels
        self.alignment, self.receptive_radius = network.alignment, network.receptive_radius
        self.reach = network.upsample.reach
        self.radius = int(network.pad.padding[0])
        #: Margin of a patch that the convolutions consume, in low-resolution pixels.
        self.margin = ceil(self.radius / self.scale) + self.reach

    def forward(self, x: Tensor) -> Tensor:
        """Upscale the inner n x n pixels of patches of the shape (N, C, n + 2 margin, n + 2 margin)."""
        net = self.network
        large = net.upsample.interpolate_padded(x)
        cut = self.scale * (self.margin - self.reach) - self.radius
        if cut:
            large = large[..., cut:-cut, cut:-cut]
        return net.mapped(net.convolutions[0](large), None)


class FirstConvolution(nn.Module):
    """The first convolution of a conditioned network, in the precision of its input.

    Parameters
    ----------
    layer : nn.Conv2d
        The convolution, whose weights are shared.
    channels : int
        Number of image planes among its inputs.
    zero_sum : bool
        Whether the mean over each image plane is subtracted from its kernels.
    """

    def __init__(self, layer: nn.Conv2d, channels: int, zero_sum: bool) -> None:
        super().__init__()
        self.layer, self.channels, self.zero_sum = layer, channels, zero_sum

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of inputs with their border; under autocast they are in its precision."""
        weight = zero_sum(self.layer.weight, self.channels) if self.zero_sum else self.layer.weight
        kind = x.device.type
        with torch.autocast(kind, enabled=False):
            out = functional.conv2d(x, weight, self.layer.bias)
        return out.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else out


class PatchRRDBNet(nn.Module):
    """RRDBNet with features that are padded once, where they are made, instead of by each convolution that reads them.

    It gives the results of the network to rounding, in about half the time.

    Parameters
    ----------
    network : RRDBNet
        The network, whose weights are shared, without a pixel unshuffle and the residuals of ESRGAN+.
    """

    def __init__(self, network: RRDBNet) -> None:
        super().__init__()
        self.network = network
        self.first = FirstConvolution(network.conv_first, network.in_channels, network.zero_sum)

    def forward(self, x: Tensor, noise: Tensor | None = None, blur: Tensor | None = None) -> Tensor:
        """Upscale patches as the network does."""
        net = self.network
        gates = net.gates(blur)
        read = x if noise is None or not net.noise_plane else torch.cat((x, noise), 1)
        first = gated(self.first(self._padded(read, net.conv_first.kernel_size[0] // 2)), gates[0])
        deep = first
        for n, block in enumerate(net.body):
            inner = deep
            for dense, gate in zip(block.children(), gates[1 + 3 * n : 4 + 3 * n], strict=True):
                assert isinstance(dense, DenseBlock)
                inner = self._dense(dense, inner, gate)
            deep = torch.add(deep, inner, alpha=RESIDUAL_SCALE)
        after = 1 + 3 * len(net.body)
        deep = first + gated(self._convolved(net.conv_body, self._padded(deep)), gates[after])
        for n, (enlarge, layer) in enumerate(zip(net.enlarge, net._upsampling(), strict=True)):
            deep = _activated(gated(self._convolved(layer, self._padded(enlarge(deep))), gates[after + 1 + n]))
        deep = _activated(gated(self._convolved(net.conv_hr, self._padded(deep)), gates[-1]))
        out = self._convolved(net.conv_last, self._padded(deep))
        if net.skip is None:
            return out
        with torch.autocast(x.device.type, enabled=False):
            skipped: Tensor = out + net.skip(x)
        return skipped

    def _dense(self, block: DenseBlock, x: Tensor, gate: Tensor | None) -> Tensor:
        read = self._padded(x)
        for layer in (block.conv1, block.conv2, block.conv3, block.conv4):
            read = torch.cat((read, self._padded(_activated(self._convolved(layer, read)))), 1)
        last = self._convolved(block.conv5, read)
        if gate is None:
            return torch.add(x, last, alpha=RESIDUAL_SCALE)
        return torch.addcmul(x, last, (RESIDUAL_SCALE * gate).to(last.dtype))

    def _padded(self, x: Tensor, radius: int = 1) -> Tensor:
        mode = self.network.conv_first.padding_mode
        # Autocast would compute a replicated border in float32 and convert the result.
        with torch.autocast(x.device.type, enabled=False):
            return functional.pad(x, (radius,) * 4, "constant" if mode == "zeros" else mode)

    @staticmethod
    def _convolved(layer: nn.Conv2d, padded: Tensor) -> Tensor:
        return functional.conv2d(padded, layer.weight, layer.bias)


class PatchSRCNN(nn.Module):
    """A conditioned SRCNN for whole patches, with the border of an image."""

    def __init__(self, network: SRCNN) -> None:
        super().__init__()
        self.network = network
        self.first = FirstConvolution(network.convolutions[0], network.in_channels, network.zero_sum)

    def forward(self, x: Tensor, noise: Tensor | None = None, blur: Tensor | None = None) -> Tensor:
        """Upscale patches as the network does."""
        net = self.network
        with torch.autocast(x.device.type, enabled=False):
            large = net.upsample(x if noise is None or not net.noise_plane else torch.cat((x, noise), 1))
            padded = net.pad(large)
        out = net.mapped(self.first(padded), blur)
        return out + large[:, : net.in_channels] if net.residual else out


class Normalized(nn.Module):
    """A conditioned network on images of mean 0 and standard deviation 1.

    Notes
    -----
    For a network whose result follows contrast and brightness (`napari_sr.networks.conditioning`) this only changes the
    rounding.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, noise: Tensor, blur: Tensor) -> Tensor:
        """Upscale images.

        Parameters
        ----------
        x : Tensor, shape (N, C, Y, X)
            Images, black at 0 and white at 1.
        noise : Tensor, shape (N, 1, Y, X)
            Standard deviation of the noise of each pixel.
        blur : Tensor, shape (N,)
            Blur as a standard deviation in pixels.

        Returns
        -------
        Tensor, float32, shape (N, C, scale Y, scale X)
            Results in the range of the images.
        """
        mean = x.mean((1, 2, 3), keepdim=True)
        deviation = deviation_of(x)
        out: Tensor = self.network((x - mean) / deviation, noise / deviation, blur)
        return out.float() * deviation + mean


def deviation_of(x: Tensor) -> Tensor:
    """Return the standard deviation of each image, shape (N, 1, 1, 1), but at least half a gray level of 255."""
    return x.std((1, 2, 3), keepdim=True).clamp_min(_LEAST_DEVIATION)


def patch_network(network: nn.Module) -> nn.Module:
    """Return a network as it processes patches, with shared weights; conditioned ones take noise and blur, too."""
    if not is_conditioned(network):
        return Unpadded(network) if isinstance(network, SRCNN) else network
    if isinstance(network, SRCNN):
        return Normalized(PatchSRCNN(network))
    if isinstance(network, RRDBNet) and network.gather is None and not _has_plus(network):
        return Normalized(PatchRRDBNet(network))
    return Normalized(network)


def _has_plus(network: RRDBNet) -> bool:
    """Whether the dense blocks are those of ESRGAN+."""
    return any(isinstance(block, DenseBlock) and block.conv1x1 is not None for block in network.body.modules())


def _activated(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2, inplace=True)
