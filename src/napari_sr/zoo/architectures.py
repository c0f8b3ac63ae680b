"""Networks by name, from the `architecture` of a card."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from napari_sr.errors import CheckpointError
from napari_sr.networks import SRCNN, Interpolation, MSRResNet, RRDBNet, SqueezeNetFeatures, SRResNet, SRVGGNetCompact
from napari_sr.zoo.card import Architecture

#: Networks for the `architecture` of a card, by class name.
NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network
    for network in (SRCNN, SRResNet, MSRResNet, RRDBNet, SRVGGNetCompact, SqueezeNetFeatures, Interpolation)
}


def build(architecture: Architecture) -> nn.Module:
    """Build a network with new random weights.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.

    Returns
    -------
    nn.Module
        The network in training mode, on the default device of torch.

    Raises
    ------
    CheckpointError
        If there is no such network, or the settings are not valid for it.
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
    """Add the default settings of the network, so that equal networks have equal architectures.

    Parameters
    ----------
    architecture : Architecture
        Class name and some keyword arguments.

    Returns
    -------
    Architecture
        Class name and all keyword arguments.

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
    """Build a network on the meta device, whose tensors have sizes and no values.

    No memory is allocated and no random number is drawn, so that a training in another thread is not affected.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.

    Returns
    -------
    nn.Module
        The network. It is cached and must not be modified.

    Raises
    ------
    CheckpointError
        If there is no such network, or the settings are not valid for it.
    """
    return _build_empty(architecture.model_dump_json())


# Cached: the 351 convolutions of ESRGAN take 0.3 s even on the meta device, too long for a step of the alpha slider.
@lru_cache(maxsize=16)
def _build_empty(architecture: str) -> nn.Module:
    with torch.device("meta"):
        return build(Architecture.model_validate_json(architecture))


def build_with(architecture: Architecture, tensors: Mapping[str, Tensor], *, checked: bool = False) -> nn.Module:
    """Build a network with given weights.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.
    tensors : mapping of str to Tensor
        State dict of the network; it is copied.
    checked : bool, default False
        Whether `check_tensors` has been called for these weights.

    Returns
    -------
    nn.Module
        The network in evaluation mode, in float32, on the CPU, without gradients.

    Raises
    ------
    CheckpointError
        If the weights do not fit the network; the message names the first tensor that does not fit.
    """
    network = deepcopy(build_empty(architecture))
    if not checked:
        check_tensors(network, tensors)
    copied = {key: (t.float() if t.is_floating_point() else t).detach().clone() for key, t in tensors.items()}
    network.load_state_dict(copied, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def check_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Check that a state dict has the keys and shapes of a network.

    Parameters
    ----------
    network : nn.Module
        The network; it may be on the meta device.
    tensors : mapping of str to Tensor
        The state dict.

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown or of another shape; the message names the first one.
    """
    name = type(network).__name__
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in tensors:
            raise CheckpointError(f"The weights are not those of this {name}: the tensor {key} is missing.")
        if tensor.shape != tensors[key].shape:
            shapes = f"{key} is {tuple(tensors[key].shape)} and should be {tuple(tensor.shape)}"
            raise CheckpointError(f"The weights are not those of this {name}: {shapes}.")
    for key in tensors:
        if key not in expected:
            raise CheckpointError(f"The weights are not those of this {name}: it has no tensor called {key}.")
