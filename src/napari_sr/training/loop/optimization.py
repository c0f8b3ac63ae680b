"""The optimizer of a network, and the mean of its gradients over processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import nn

from napari_sr.accelerators import has_fused_optimizers
from napari_sr.errors import InputError
from napari_sr.networks.conditioning import BlurGate
from napari_sr.training import recipe


def make_optimizer(network: nn.Module, settings: recipe.Optimizer, fabric: Fabric) -> torch.optim.Optimizer:
    """Make the optimizer of a network.

    Returns
    -------
    torch.optim.Optimizer
        An optimizer with up to three groups of weights: the first layer if it is whitened, then all layers without an
        own group, then the last layer if it has another learning rate. The learning rate of a group without schedule is
        its entry "full_learning_rate".
    """
    layers = _layers(network)
    last = {id(p) for p in layers[-1].parameters()} if settings.last_layer_rate != 1.0 else set()
    whitened = {id(p) for p in layers[0].parameters()} if settings.whiten else set()
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = []
    for fraction, chosen in (
        (1.0, [p for p in parameters if id(p) in whitened]),
        (1.0, [p for p in parameters if id(p) not in whitened | last]),
        (settings.last_layer_rate, [p for p in parameters if id(p) in last]),
    ):
        if chosen:
            rate = settings.learning_rate * fraction
            groups.append({"params": chosen, "lr": rate, "full_learning_rate": rate})
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay)
    # The fused kernel is faster, but the gradient scaler of float16 cannot clip gradients with it.
    scaled = getattr(fabric.strategy.precision, "scaler", None) is not None
    # None leaves the choice to torch, which updates all weights in a few kernels; False would update one after another.
    fused = True if has_fused_optimizers(fabric.device) and not scaled else None
    return torch.optim.Adam(groups, betas=settings.betas, weight_decay=settings.weight_decay, fused=fused)


def first_convolution(network: nn.Module) -> nn.Conv2d:
    """Return the first layer of a network, for whitening.

    Raises
    ------
    InputError
        If the layer is not a convolution.
    """
    layer = _layers(network)[0]
    if not isinstance(layer, nn.Conv2d):
        raise InputError(
            f"The first layer of {type(network).__name__} is not a convolution and cannot be whitened: leave whiten "
            "out of the recipe."
        )
    return layer


def average_gradients(network: nn.Module) -> None:
    """Replace the gradients of a network by their means over all processes, in one message."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def _layers(network: nn.Module) -> list[nn.Module]:
    """Return the layers with weights of their own, in the order in which they were made, without those of a gate."""
    gates = {id(layer) for gate in network.modules() if isinstance(gate, BlurGate) for layer in gate.modules()}
    return [
        layer
        for layer in network.modules()
        if id(layer) not in gates and next(layer.parameters(recurse=False), None) is not None
    ]
