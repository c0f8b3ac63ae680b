"""Small models for the tests of inference."""

from typing import Any

import numpy as np
import torch
from torch import nn

from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.zoo.card import Architecture, Card
from napari_sr.zoo.model import Model


def model_of(network: nn.Module, name: str, settings: dict[str, Any], **card: Any) -> Model:
    """Put a network's weights behind a card."""
    architecture = Architecture(network=name, settings=settings)
    written = Card(
        name=card.pop("label", name.lower()),
        family=card.pop("family", "esrgan"),
        architecture=architecture,
        scale=network.scale,
        channels=network.in_channels,
        **card,
    )
    return Model(written, {"weights": network.state_dict()})


def rrdb(scale: int = 2, channels: int = 3, **card: Any) -> Model:
    """A small RRDBNet with drawn weights."""
    torch.manual_seed(scale)
    settings = {
        "scale": scale,
        "in_channels": channels,
        "out_channels": channels,
        "features": 8,
        "growth": 4,
        "blocks": 1,
    }
    color = card.pop("color", "rgb" if channels == 3 else "gray")
    return model_of(RRDBNet(**settings), "RRDBNet", settings, color=color, **card)


def identity(channels: int = 1, color: str = "luma", **card: Any) -> Model:
    """A network that gives back its input: an SRCNN of scale 1 whose kernels are single ones."""
    settings = {"scale": 1, "channels": channels, "kernels": (1, 1, 1), "features": (2 * channels, 2 * channels)}
    network = SRCNN(**settings)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    for c in range(channels):
        # x = relu(x) - relu(-x): values below black come through as well.
        network.conv1.weight.data[2 * c, c] = 1
        network.conv1.weight.data[2 * c + 1, c] = -1
        network.conv2.weight.data[2 * c, 2 * c] = 1
        network.conv2.weight.data[2 * c + 1, 2 * c + 1] = 1
        network.conv3.weight.data[c, 2 * c] = 1
        network.conv3.weight.data[c, 2 * c + 1] = -1
    return model_of(network, "SRCNN", settings, color=color, family="srcnn", **card)


def through(runner: PlaneRunner, plane: np.ndarray) -> np.ndarray:
    """Put one plane (C, Y, X) through a runner, and check that every pixel of the result came once."""
    source = torch.from_numpy(plane)[None]
    parts: list[tuple[int, int, torch.Tensor]] = []
    _, height, width = plane.shape
    runner.run(
        lambda top, bottom, left, right: source[:, :, top:bottom, left:right],
        1,
        height,
        width,
        lambda top, left, part: parts.append((top, left, part)),
    )
    bottom = max(top + part.shape[2] for top, _, part in parts)
    right = max(left + part.shape[3] for _, left, part in parts)
    out = np.full((parts[0][2].shape[1], bottom, right), np.nan, np.float32)
    for top, left, part in parts:
        out[:, top : top + part.shape[2], left : left + part.shape[3]] = part[0].numpy()
    assert not np.isnan(out).any()
    return out
