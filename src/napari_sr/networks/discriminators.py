"""Discriminators of adversarial losses: networks that distinguish true images from generated ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


def _side_after(side: int, kernel: int, count: int) -> int:
    """Return the side of a patch after `count` convolutions of stride 2 and padding 1."""
    for _ in range(count):
        side = (side + 2 - kernel) // 2 + 1
    return side


class Discriminator(nn.Module, ABC):
    """A network whose output is the larger, the more likely an image is true."""

    @abstractmethod
    def logits_and_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute the output, before any sigmoid, and the features of the inner layers.

        Parameters
        ----------
        x : Tensor, shape (N, C, Y, X)
            Images.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, Y, X) to the output, before any sigmoid."""
        return self.logits_and_features(x)[0]


class PatchDiscriminator(Discriminator):
    """A discriminator of convolutions, followed by fully connected layers, for patches of one size.

    Parameters
    ----------
    convolutions : sequence of nn.Conv2d
        The convolutions; all but the first are followed by batch normalization, and each by a LeakyReLU.
    side : int
        Side of the features of the last convolution in pixels.
    hidden : int
        Number of units of the first fully connected layer.

    Raises
    ------
    ValueError
        If no pixel is left.
    """

    def __init__(self, convolutions: Sequence[nn.Conv2d], side: int, hidden: int) -> None:
        super().__init__()
        if side < 1:
            raise ValueError("The patch is too small for this discriminator.")
        layers: list[nn.Module] = []
        for n, convolution in enumerate(convolutions):
            layers.append(convolution)
            if n:
                layers.append(nn.BatchNorm2d(convolution.out_channels))
            layers.append(nn.LeakyReLU(0.2))
        self.features = nn.Sequential(*layers)
        inputs = convolutions[-1].out_channels * side**2
        self.classifier = nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map (N, channels, patch, patch) to the logits (N, 1), and return the features after each activation."""
        features = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return self.classifier(x.flatten(1)), features


class SRGANDiscriminator(PatchDiscriminator):
    """The discriminator of SRGAN, for patches of one size.

    Parameters
    ----------
    channels : int, default 3
        Number of channels of the images.
    patch : int, default 96
        Side of a high-resolution patch in pixels, at least 9; 96 in the paper.
    features : int, default 64
        Number of features of the first layer; 64 in the paper.

    Raises
    ------
    ValueError
        If the patch is too small.

    References
    ----------
    C. Ledig et al., arXiv:1609.04802, figure 4.
    """

    def __init__(self, *, channels: int = 3, patch: int = 96, features: int = 64) -> None:
        widths = [channels, *(features * n for n in (1, 1, 2, 2, 4, 4, 8, 8))]
        convolutions = [
            nn.Conv2d(before, width, 3, stride=1 + n % 2, padding=1)
            for n, (before, width) in enumerate(pairwise(widths))
        ]
        super().__init__(convolutions, _side_after(patch, 3, 4), 1024)


class ESRGANDiscriminator(PatchDiscriminator):
    """The VGG-style discriminator of ESRGAN, for patches of one size.

    Parameters
    ----------
    channels : int, default 3
        Number of channels of the images.
    patch : int, default 128
        Side of a high-resolution patch in pixels, at least 32; 128 in the paper.
    features : int, default 64
        Number of features of the first layer; 64 in the paper.

    Raises
    ------
    ValueError
        If the patch is too small.

    References
    ----------
    X. Wang et al., arXiv:1809.00219, section 4.1, and the authors' ``Discriminator_VGG_128``.
    """

    def __init__(self, *, channels: int = 3, patch: int = 128, features: int = 64) -> None:
        widths = [channels, *(features * n for n in (1, 1, 2, 2, 4, 4, 8, 8, 8, 8))]
        # Alternately 3 x 3, and 4 x 4 with stride 2; only the first has a bias.
        convolutions = [
            nn.Conv2d(before, width, *((3, 1), (4, 2))[n % 2], padding=1, bias=n == 0)
            for n, (before, width) in enumerate(pairwise(widths))
        ]
        super().__init__(convolutions, _side_after(patch, 4, 5), 100)


class UNetDiscriminator(Discriminator):
    """A U-Net with spectral normalization that classifies every pixel.

    Parameters
    ----------
    channels : int, default 3
        Number of channels of the images.
    features : int, default 64
        Number of features of the first layer; 64 as published.

    References
    ----------
    X. Wang et al., "Real-ESRGAN", arXiv:2107.10833, section 3.3; T. Miyato et al., "Spectral normalization for
    generative adversarial networks", arXiv:1802.05957.
    """

    def __init__(self, *, channels: int = 3, features: int = 64) -> None:
        super().__init__()
        n = features

        def conv(inward: int, outward: int, kernel: int = 3, stride: int = 1) -> nn.Module:
            layer: nn.Module = spectral_norm(nn.Conv2d(inward, outward, kernel, stride, padding=1, bias=False))
            return layer

        self.first = nn.Conv2d(channels, n, 3, padding=1)
        self.down = nn.ModuleList([conv(n, 2 * n, 4, 2), conv(2 * n, 4 * n, 4, 2), conv(4 * n, 8 * n, 4, 2)])
        self.up = nn.ModuleList([conv(8 * n, 4 * n), conv(4 * n, 2 * n), conv(2 * n, n)])
        self.after = nn.Sequential(conv(n, n), nn.LeakyReLU(0.2), conv(n, n), nn.LeakyReLU(0.2))
        self.last = nn.Conv2d(n, 1, 3, padding=1)

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map (N, channels, H, W), H and W at least 8, to the logits of every pixel, (N, 1, H, W), and the features."""
        levels = [functional.leaky_relu(self.first(x), 0.2)]
        for down in self.down:
            levels.append(functional.leaky_relu(down(levels[-1]), 0.2))
        features = list(levels)
        deep = levels.pop()
        for up in self.up:
            skip = levels.pop()
            deep = functional.interpolate(deep, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            deep = functional.leaky_relu(up(deep), 0.2) + skip
            features.append(deep)
        return self.last(self.after(deep)), features


class ProjectedDiscriminator(Discriminator):
    """Small networks with spectral normalization on features of a network that is trained already and stays as it is.

    Parameters
    ----------
    frozen : nn.Module
        Maps images to their features by the names of layers. It moves to devices with this module, but is not a part
        of it: its weights are neither among the parameters nor in the state.
    layers : mapping of str to int
        Number of channels of each layer.
    colors : int, default 3
        Number of channels of the images.
    conditional : bool, default False
        Whether as many further channels of the input are an interpolated image, whose features are shown beside those
        of the first. No gradient is computed for it.
    planes : int, default 0
        Number of channels of the input after the images; their local means are shown beside the features.
    features : int, default 64
        Number of features of each small network.

    Notes
    -----
    Features are divided by their root mean square over channels and pixels of the image, so that all layers count
    alike. The logits of layers with fewer pixels are repeated up to the size of the largest one.

    References
    ----------
    A. Sauer, K. Chitta, J. Mueller, A. Geiger, "Projected GANs converge faster", arXiv:2111.01007, equation 2, without
    the random projections of section 3.2; T. Miyato et al., arXiv:1802.05957 (spectral normalization).
    """

    def __init__(
        self,
        frozen: nn.Module,
        layers: Mapping[str, int],
        *,
        colors: int = 3,
        conditional: bool = False,
        planes: int = 0,
        features: int = 64,
    ) -> None:
        super().__init__()
        self._frozen = (frozen,)  # in a tuple, which torch does not search for modules
        self._colors, self._images = colors, 1 + conditional
        self.heads = nn.ModuleDict(
            {
                name: nn.ModuleList(
                    [
                        spectral_norm(nn.Conv2d(self._images * channels + planes, features, 1)),
                        spectral_norm(nn.Conv2d(features, features, 3, padding=1)),
                        nn.Conv2d(features, 1, 3, padding=1),
                    ]
                )
                for name, channels in layers.items()
            }
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Self:
        self._frozen[0]._apply(fn)
        moved: Self = super()._apply(fn, *args, **kwargs)
        return moved

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map (N, images and planes, H, W) to a logit for each layer and position, (N, layers, h, w), and features."""
        image, *interpolated = x[:, : self._images * self._colors].split(self._colors, 1)
        planes = x[:, self._images * self._colors :]
        found, features, logits = [self._frozen[0](image)], [], []
        # Gradients for an image that does not depend on any weights would be computed for nothing.
        with torch.no_grad():
            found += [self._frozen[0](other) for other in interpolated]
        for name, head in self.heads.items():
            assert isinstance(head, nn.ModuleList)
            first, second, last = head
            shown = [_of_unit_mean_square(levels[name]) for levels in found]
            if planes.shape[1]:
                height, width = shown[0].shape[-2:]
                shown.append(functional.adaptive_avg_pool2d(planes, (height, width)))
            for convolution in (first, second):
                shown = [functional.leaky_relu(convolution(torch.cat(shown, 1)), 0.2)]
                features += shown
            logits.append(last(shown[0]))
        size = logits[0].shape[-2:]
        return torch.cat([functional.interpolate(logit, size=size) for logit in logits], 1), features


def _of_unit_mean_square(features: Tensor) -> Tensor:
    """Divide features by their root mean square over channels and pixels of each image."""
    return features / features.float().square().mean((1, 2, 3), keepdim=True).add(1e-8).sqrt().to(features.dtype)
