"""Small networks with random weights, and cards for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from napari_sr.zoo.architectures import build
from napari_sr.zoo.card import Architecture, Card

State = dict[str, Tensor]


def draw(architecture: Architecture, seed: int = 0) -> nn.Module:
    """A network with random tensors, also in batch normalizations and PReLUs, so that exchanged keys are noticed."""
    network = build(architecture)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                continue
            drawn = torch.rand(tensor.shape, generator=generator)
            fan = tensor[0].numel() if tensor.ndim > 1 else 1
            tensor.copy_(0.5 + drawn if key.endswith("running_var") else (drawn - 0.4) * 2 / fan**0.5)
    return network.eval()


@pytest.fixture
def draw_network() -> Callable[..., nn.Module]:
    return draw


@pytest.fixture
def small_card() -> Callable[..., Card]:
    """A card of a small RRDBNet x2 with some other fields."""

    def make(**fields: object) -> Card:
        sizes = {"scale": 2, "in_channels": 1, "out_channels": 1, "features": 4, "growth": 2, "blocks": 1}
        defaults: dict[str, object] = {
            "name": "small",
            "family": "esrgan",
            "architecture": Architecture(network="RRDBNet", settings=sizes),
            "scale": 2,
            "channels": 1,
            "color": "gray",
        }
        return Card.model_validate({**defaults, **fields})

    return make


@pytest.fixture
def small_state(small_card: Callable[..., Card]) -> Callable[[int], State]:
    """Random weights of that RRDBNet."""

    def make(seed: int = 0) -> State:
        return dict(draw(small_card().architecture, seed).state_dict())

    return make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty user folder of models."""
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"
