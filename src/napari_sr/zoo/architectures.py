"""Networks by name: what a card's `architecture` stands for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from napari_sr.errors import CheckpointError
from napari_sr.networks import SRCNN, MSRResNet, RRDBNet, SqueezeNetFeatures, SRResNet, SRVGGNetCompact
from napari_sr.zoo.card import Architecture

#: The networks that a card can name.
NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (SRCNN, SRResNet, MSRResNet, RRDBNet, SRVGGNetCompact, SqueezeNetFeatures)
}


def build(architecture: Architecture) -> nn.Module:
    """Build a network with fresh weights.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.

    Returns
    -------
    nn.Module
        In training mode, on torch's default device.

    Raises
    ------
    CheckpointError
        If there is no such network, or it does not take these settings.
    """
    name, network = architecture.network, _network(architecture.network)
    settings: dict[str, Any] = dict(architecture.settings)
    known = inspect.signature(network).parameters
    for setting in settings:
        if setting not in known:
            raise CheckpointError(f"{name} has no setting called {setting}: it has {', '.join(known) or 'none'}.")
    try:
        return network(**settings)
    except (TypeError, ValueError, RuntimeError, KeyError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(f"{name} cannot be built with {settings}: {str(error).rstrip('.')}.") from error


def complete(architecture: Architecture) -> Architecture:
    """Fill in the settings that are left at the network's defaults, so that equal networks have equal architectures.

    Raises
    ------
    CheckpointError
        If there is no such network.
    """
    parameters = inspect.signature(_network(architecture.network)).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    return Architecture(network=architecture.network, settings={**defaults, **architecture.settings})


def _network(name: str) -> type[nn.Module]:
    if name not in NETWORKS:
        raise CheckpointError(f"There is no network called {name}: the networks are {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def build_empty(architecture: Architecture) -> nn.Module:
    """Build a network without weights: it has sizes, and nothing to compute with.

    It allots no memory and draws no random numbers, so that training going on elsewhere is undisturbed. It is shared
    by all who ask for this architecture, and not to be changed.

    Raises
    ------
    CheckpointError
        As `build`.
    """
    return _build_empty(architecture.model_dump_json())


# Even without memory, ESRGAN's 351 convolutions take a third of a second, too long for each step of an alpha slider.
@lru_cache(maxsize=16)
def _build_empty(architecture: str) -> nn.Module:
    with torch.device("meta"):
        return build(Architecture.model_validate_json(architecture))


def build_with(architecture: Architecture, tensors: Mapping[str, Tensor], *, checked: bool = False) -> nn.Module:
    """Build a network around given weights.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.
    tensors : mapping of str to Tensor
        The state dict, in our names; it is copied.
    checked : bool
        Whether it is known to be this network's.

    Returns
    -------
    nn.Module
        In evaluation mode, float32, on the CPU, without gradients.

    Raises
    ------
    CheckpointError
        If the weights are not this network's; the sentence names the first tensor that does not fit.
    """
    network = deepcopy(build_empty(architecture))
    if not checked:
        check_tensors(network, tensors)
    own = {key: (t.float() if t.is_floating_point() else t).detach().clone() for key, t in tensors.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def check_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Check that a state dict is this network's, key by key and shape by shape.

    Raises
    ------
    CheckpointError
        Naming the first tensor that is missing, too many, or of another shape.
    """
    name = type(network).__name__
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in tensors:
            raise CheckpointError(f"The weights are not those of this {name}: the tensor {key} is missing.")
        if tensor.shape != tensors[key].shape:
            found, wanted = tuple(tensors[key].shape), tuple(tensor.shape)
            raise CheckpointError(f"The weights are not those of this {name}: {key} is {found} and should be {wanted}.")
    for key in tensors:
        if key not in expected:
            raise CheckpointError(f"The weights are not those of this {name}: it has no tensor called {key}.")
