"""The convolutional part of VGG, for perceptual losses."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

#: Number of convolutions in each of the five groups, which end with a pooling (Simonyan & Zisserman, table 1, D and E).
_GROUPS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


class VGGFeatures(nn.Module):
    """The convolutional part of VGG16 or VGG19, with the keys of torchvision (``features.N.weight``).

    Parameters
    ----------
    depth : {16, 19}, default 19
        Number of layers in the name of the network.

    Notes
    -----
    No ReLU is in place, so that the features before a ReLU can be used.

    References
    ----------
    K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556.
    """

    def __init__(self, *, depth: Literal[16, 19] = 19) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        #: Index in `features` of each convolution, "conv1_1" to "conv5_4"; its ReLU has the next index.
        self.places: dict[str, int] = {}
        before = 3
        for group, (count, width) in enumerate(zip(_GROUPS[depth], _WIDTHS, strict=True), start=1):
            for number in range(1, count + 1):
                self.places[f"conv{group}_{number}"] = len(layers)
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 512, H // 32, W // 32)."""
        out: Tensor = self.features(x)
        return out
