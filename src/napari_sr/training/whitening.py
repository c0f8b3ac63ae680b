"""A first layer that learns in the basis in which what it reads is white.

Neighboring pixels are nearly alike: over the patches that a first layer reads, the mean varies some million times as
much as the finest detail. Steps that are as long for every weight then learn the detail last, and super-resolution is
detail. In a basis in which all directions vary alike, they are learned together. The network and its weights stay what
they are; only the optimizer's steps are taken in the other basis.

References
----------
Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998, section 4.3 (inputs that are decorrelated and
of one variance).
G. Desjardins, K. Simonyan, R. Pascanu, K. Kavukcuoglu, "Natural Neural Networks", arXiv:1507.00210 (weights learned
in a whitened basis, the function unchanged).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

#: Added to the variances, of values in [0, 1]. What varies by less than a hundredth is hardly ever read: without a
#: floor its weights could grow without anything to hold them, and spoil the first image that has it.
_FLOOR = 1e-4


@dataclass(frozen=True)
class Whitening:
    """How what a layer reads becomes white: x -> basis (x - mean).

    Parameters
    ----------
    mean : Tensor, float32, shape (D,)
        Of the D = channels x kernel values that each of its features reads; 0 for a layer without bias.
    basis : Tensor, float32, shape (D, D)
        The inverse square root of their covariance + 1e-4, symmetric.
    """

    mean: Tensor
    basis: Tensor


@torch.no_grad()
def measure_whitening(network: nn.Module, layer: nn.Conv2d, images: Iterable[Tensor]) -> Whitening:
    """Measure what a layer reads.

    Parameters
    ----------
    network : nn.Module
        That the images go through; it is left as it was.
    layer : nn.Conv2d
        One of its layers, of one group.
    images : iterable of Tensor
        Batches (N, C, Y, X).
    """
    size = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    total, products = torch.zeros(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    count = 0

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal count
        values = inputs[0].float()
        # Borders that the layer invents are no images, unless a patch has nothing else to read.
        fits = all(n >= k for n, k in zip(values.shape[2:], layer.kernel_size, strict=True))
        padding = (0, 0) if fits else tuple(k // 2 for k in layer.kernel_size)
        # Beside one another, not overlapping: neighbors tell the same twice.
        read = nn.functional.unfold(values, layer.kernel_size, layer.dilation, padding, stride=layer.kernel_size)
        vectors = read.transpose(1, 2).reshape(-1, size).cpu().double()
        total.add_(vectors.sum(0))
        products.add_(vectors.T @ vectors)
        count += len(vectors)

    hook = layer.register_forward_pre_hook(look)
    training = network.training
    network.eval()
    try:
        for batch in images:
            network(batch)
    finally:
        network.train(training)
        hook.remove()
    mean = total / count if layer.bias is not None else torch.zeros_like(total)
    variances, directions = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    basis = directions * (variances.clamp_min(0) + _FLOOR).rsqrt() @ directions.T
    return Whitening(mean.float(), basis.float())


def whiten_steps(optimizer: torch.optim.Optimizer, layer: nn.Conv2d, white: Whitening) -> None:
    """Have an optimizer take the steps of a layer's weights where what it reads is white.

    The layer computes W x + b = V B (x - m) + c, with V = W B⁻¹ and c = b + W m. The gradient for V is that for W, less
    m times that for b, times B; a step of V is one of W times B, and b follows so that c goes its own way. So the
    gradients are turned before the optimizer's own step, and the step after it. Mean and basis are part of the
    optimizer's state: a run that goes on has the same.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Whose first group holds the layer's weights, and nothing else.
    layer : nn.Conv2d
        The layer.
    white : Whitening
        Of what it reads.
    """
    weight, bias = layer.weight, layer.bias
    group = optimizer.param_groups[0]
    assert [id(p) for p in group["params"]] == [id(p) for p in layer.parameters()]
    group["mean"], group["basis"] = white.mean, white.basis
    before: list[Tensor] = []

    def kept() -> tuple[Tensor, Tensor]:
        # Not from `white`: a state that was loaded since has brought its own.
        now = optimizer.param_groups[0]
        return now["mean"].to(weight.device), now["basis"].to(weight.device)

    def turn_gradient(*_: Any) -> None:
        mean, basis = kept()
        assert weight.grad is not None
        gradient = weight.grad.flatten(1)
        if bias is not None:
            assert bias.grad is not None
            gradient = gradient - torch.outer(bias.grad, mean)
        weight.grad.copy_((gradient @ basis).view(weight.shape))
        before.append(weight.detach().clone())

    @torch.no_grad()
    def turn_step(*_: Any) -> None:
        mean, basis = kept()
        old = before.pop()
        step = (weight - old).flatten(1) @ basis
        weight.copy_(old + step.view(weight.shape))
        if bias is not None:
            bias.sub_(step @ mean)

    optimizer.register_step_pre_hook(turn_gradient)
    optimizer.register_step_post_hook(turn_step)
