"""Weights with which a new network starts: random ones, an interpolation, or those of another model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.networks.rrdbnet import RRDBNet
from napari_sr.networks.srcnn import SRCNN
from napari_sr.networks.srresnet import SRResNet
from napari_sr.training.recipe import Network
from napari_sr.zoo.architectures import build, check_tensors, complete
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.model import Model

#: Factor of the weights of the last convolution of a network that adds its output to an interpolation.
_SMALL = 0.1


def new_network(settings: Network, architecture: Architecture, seed: int) -> nn.Module:
    """Build a network with new weights.

    Raises
    ------
    InputError
        If the network cannot start as an interpolation.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(architecture)
        if settings.deviation is not None:
            _init_normal(network, settings.deviation)
        if settings.start_as_interpolation:
            _init_as_interpolation(network, settings.name)
    return network


def load_start(network: nn.Module, architecture: Architecture, model: Model) -> None:
    """Load the weights of a model of the same network, or of an RRDBNet of half the factor, into a new network.

    Raises
    ------
    InputError
        If the model is of another network.
    """
    state = dict(model.network.state_dict())
    if isinstance(network, RRDBNet) and _is_half(model.card.architecture, architecture):
        state = _with_second_upsampling(state, network)
    try:
        check_tensors(network, state)
    except Exception as error:
        raise InputError(f"The training cannot start with the weights of {model.name}: {error}") from error
    network.load_state_dict(state)


def _is_half(start: Architecture, architecture: Architecture) -> bool:
    """Whether an architecture is that of a network of factor 2, and the other one the same for factor 4."""
    first, second = complete(start), complete(architecture)
    scales = (first.settings.get("scale"), second.settings.get("scale"))
    others = [{k: v for k, v in a.settings.items() if k != "scale"} for a in (first, second)]
    return first.network == second.network and scales == (2, 4) and others[0] == others[1]


def _with_second_upsampling(state: dict[str, Tensor], network: RRDBNet) -> dict[str, Tensor]:
    """Add a second upsampling convolution that is an identity, with the factors of the convolution that follows."""
    layer = network.conv_up2
    assert isinstance(layer, nn.Conv2d)
    identity = nn.init.dirac_(torch.zeros_like(layer.weight))
    added = {"conv_up2.weight": identity}
    if layer.bias is not None:
        added["conv_up2.bias"] = torch.zeros_like(layer.bias)
    if network.gate is not None:
        features = layer.out_channels
        for key in ("gate.2.weight", "gate.2.bias"):
            added[key] = torch.cat((state[key], state[key][-features:]))
    return {**state, **added}


def _init_as_interpolation(network: nn.Module, name: str) -> None:
    last = _last_of_residual(network)
    if last is not None:
        with torch.no_grad():
            last.weight.mul_(_SMALL)
        return
    if not isinstance(network, SRCNN | SRResNet):
        raise InputError(
            f"{name} cannot start as an interpolation, only SRCNN, SRResNet and RRDBNet with a skip can: "
            "leave network.start_as_interpolation out of the recipe."
        )
    try:
        network.init_as_interpolation()
    except ValueError as error:
        raise InputError(
            f"{error} Change network.settings in the recipe, or leave network.start_as_interpolation out."
        ) from error


def _last_of_residual(network: nn.Module) -> nn.Conv2d | None:
    """Return the last convolution of a network that adds its output to an interpolation of the image."""
    if isinstance(network, SRCNN) and network.residual:
        return network.convolutions[-1]
    if isinstance(network, RRDBNet) and network.skip is not None:
        return network.conv_last
    return None


def _init_normal(network: nn.Module, deviation: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
