"""Networks by name, from the `architecture` of a card."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from napari_sr.conversion import shorten
from napari_sr.errors import CheckpointError, one_line
from napari_sr.networks import (
    SRCNN,
    AnchoredRegression,
    Interpolation,
    MSRResNet,
    RichardsonLucy,
    RRDBNet,
    SqueezeNetFeatures,
    SRResNet,
    SRVGGNetCompact,
    Wiener,
)
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.checkpoint.limits import memory_of
from napari_sr.zoo.names import shown

#: Networks for the `architecture` of a card, by class name.
NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network
    for network in (
        SRCNN,
        SRResNet,
        MSRResNet,
        RRDBNet,
        SRVGGNetCompact,
        SqueezeNetFeatures,
        AnchoredRegression,
        Interpolation,
        Wiener,
        RichardsonLucy,
    )
}


#: Largest upsampling factor of a network.
LARGEST_SCALE = 16
#: Settings that are the number of equal parts of a network, and the largest number.
_DEPTHS, _DEEPEST = ("blocks", "convs"), 512
#: Largest number of features, channels and units of a layer.
_WIDEST = 8192


def build(architecture: Architecture) -> nn.Module:
    """Build a network with new random weights.

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
    _check_settings(name, settings)
    try:
        with memory_of(name):
            return network(**settings)
    except (TypeError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        if isinstance(error, CheckpointError):
            raise
        reason = one_line(error).rstrip(".")
        raise CheckpointError(f"{name} cannot be built with {_listed(settings)}: {reason}.") from error


def _check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Check names, types and sizes of the settings of a network, so that building it ends within seconds."""
    known = inspect.signature(_network(name)).parameters
    for setting, value in settings.items():
        if setting not in known:
            raise CheckpointError(
                f"{name} has no setting called {shown(setting)}: it has {', '.join(known) or 'none'}."
            )
        default = known[setting].default
        several = isinstance(default, tuple)
        if isinstance(value, list | tuple) != several or not all(
            _is_of_type(part, default[0] if several else default) for part in (value if several else (value,))
        ):
            expected = "whole numbers" if several else f"of the type {type(default).__name__}"
            raise CheckpointError(f"{name} cannot be built with {setting} = {shorten(value)}: it has to be {expected}.")
        largest = _DEEPEST if setting in _DEPTHS else _WIDEST
        if setting in ("scale", "unshuffle") and name != "Interpolation":
            largest = LARGEST_SCALE
        least = 0 if setting in (*_DEPTHS, "gate") else 1
        for number in value if several else (value,):
            if type(number) is int and not least <= number <= largest:
                raise CheckpointError(
                    f"{name} cannot be built with {setting} = {shorten(value)}: "
                    f"it has to be between {least} and {largest}."
                )
        if setting == "batch_norm_eps" and not 0 < value < 1:
            raise CheckpointError(f"{name} cannot be built with {setting} = {value}: it has to be between 0 and 1.")


def _is_of_type(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {shorten(value)}" for name, value in settings.items()) or "its defaults"


def check_depth(architecture: Architecture, tensors: Mapping[str, Tensor]) -> None:
    """Check that there are about as many tensors as in a network, before a network of any depth is built.

    The values of the state dict are not used. Raises `CheckpointError` if it has less than half of the tensors of a
    network with these settings, or the settings are not valid.
    """
    full = complete(architecture)
    for setting in _DEPTHS:
        depth = full.settings.get(setting)
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 3:
            continue
        # All parts are equal: the networks with one and with two of them give the number for any depth.
        one, two = (
            len(build_empty(Architecture(network=full.network, settings={**full.settings, setting: n})).state_dict())
            for n in (1, 2)
        )
        expected = one + (depth - 1) * (two - one)
        # A few missing tensors are found, and named, when the network is there.
        if expected > 2 * len(tensors):
            raise CheckpointError(
                f"The weights are not those of this {full.network}: {setting} = {shorten(depth)} needs {expected} "
                f"tensors, and there are {len(tensors)}."
            )


def complete(architecture: Architecture) -> Architecture:
    """Add the default settings of the network, so that equal networks have equal architectures.

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
        raise CheckpointError(f"There is no network called {shown(name)}: the networks are {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def build_empty(architecture: Architecture) -> nn.Module:
    """Build a network on the meta device, whose tensors have sizes and no values.

    No memory is allocated and no random number is drawn, so that a training in another thread is not affected.

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


class _WithoutDrawing(TorchFunctionMode):
    """Tensors are not filled with random numbers.

    On the meta device ``normal_`` would do nothing else than import the compiler of torch, which takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


# Cached: the 351 convolutions of ESRGAN take 0.3 s even on the meta device, too long for a step of the alpha slider.
@lru_cache(maxsize=32)
def _build_empty(architecture: str) -> nn.Module:
    with torch.device("meta"), _WithoutDrawing():
        return build(Architecture.model_validate_json(architecture))


def build_with(architecture: Architecture, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build a network with given weights.

    Parameters
    ----------
    architecture : Architecture
        Class name and keyword arguments.
    tensors : mapping of str to Tensor
        State dict of the network, as `check_tensors` has accepted it; it is copied.

    Returns
    -------
    nn.Module
        The network in evaluation mode, in float32, on the CPU, without gradients.
    """
    network = deepcopy(build_empty(architecture))
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
        If a tensor is missing, unknown, of another shape, or no float where the network has floats; the message names
        the first one.
    """
    name = type(network).__name__
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in tensors:
            raise CheckpointError(f"The weights are not those of this {name}: the tensor {key} is missing.")
        if tensor.shape != tensors[key].shape:
            shapes = f"{key} is {tuple(tensors[key].shape)} and should be {tuple(tensor.shape)}"
            raise CheckpointError(f"The weights are not those of this {name}: {shapes}.")
        if tensor.is_floating_point() != tensors[key].is_floating_point():
            kinds = f"{key} has the type {str(tensors[key].dtype).removeprefix('torch.')}"
            raise CheckpointError(f"The weights are not those of this {name}: {kinds}.")
    for key in tensors:
        if key not in expected:
            raise CheckpointError(f"The weights are not those of this {name}: it has no tensor called {key}.")
