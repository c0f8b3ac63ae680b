"""The convolutional part of SqueezeNet 1.1, for perceptual losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Fire(nn.Module):
    """Fire module: a 1 x 1 convolution, then a 1 x 1 and a 3 x 3 convolution whose features are concatenated.

    Parameters
    ----------
    channels : int
        Number of channels of the input.
    squeezed, expanded : int
        Number of features of the first convolution, and of each of the other two.

    References
    ----------
    F. Iandola et al., arXiv:1602.07360, figure 1.
    """

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, 2 expanded, H, W)."""
        x = self.relu(self.squeeze(x))
        return torch.cat((self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))), 1)


class SqueezeNetFeatures(nn.Module):
    """The convolutional part of SqueezeNet 1.1: 512 features at a sixteenth of the resolution.

    Notes
    -----
    The Caffe weights were trained on blue, green and red from 0 to 255, less (104, 117, 123). Pooling is 3 x 3 with
    stride 2 in ceil mode, and the first convolution has stride 2 and no padding.

    References
    ----------
    F. Iandola et al., "SqueezeNet", arXiv:1602.07360.
    """

    def __init__(self) -> None:
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            pool(),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            pool(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            pool(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W), blue first, to about (N, 512, H / 16, W / 16)."""
        out: Tensor = self.features(x)
        return out
