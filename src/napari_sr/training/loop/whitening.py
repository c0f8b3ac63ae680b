"""Train the first convolution in a basis where its input patches have identity covariance (input whitening).

Neighboring pixels are nearly alike: over the patches that a first convolution takes, the mean varies about a million
times as much as the finest detail. With steps of equal length for all weights the detail is then learned last, and
super-resolution is detail. In a basis where all directions have the same variance, they are learned together. Only the
steps of the optimizer are taken in this basis (an input-whitened optimizer basis); the network and its weights keep
their meaning.

References
----------
Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998, section 4.3 (inputs that are decorrelated and
of equal variance).
G. Desjardins, K. Simonyan, R. Pascanu, K. Kavukcuoglu, "Natural Neural Networks", arXiv:1507.00210 (weights learned
in a whitened basis, the function unchanged).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_sr.training.generator.patch_networks import FirstConvolution

#: Added to the variances, of values in [0, 1]. A direction with a standard deviation below a hundredth hardly occurs in
#: the examples: without this floor its weights could grow without bound, and spoil the first image in which it occurs.
_FLOOR = 1e-4
#: The same for conditioned networks, whose inputs have a variance of 1.
_FLOOR_OF_NORMALIZED = 1e-3


@dataclass(frozen=True)
class Whitening:
    """The whitening of a layer's input patches, x -> basis (x - mean).

    Parameters
    ----------
    mean : Tensor, float32, shape (D,)
        Mean of the patches of D = channels x kernel size values; 0 for a layer without bias.
    basis : Tensor, float32, shape (D, D)
        Inverse square root of their covariance + 1e-4 (1e-3 for a conditioned network), symmetric.
    """

    mean: Tensor
    basis: Tensor


@torch.no_grad()
def measure_whitening(network: nn.Module, layer: nn.Conv2d, inputs: Iterable[Tensor | tuple[Tensor, ...]]) -> Whitening:
    """Measure mean and covariance of the input patches of a layer.

    Parameters
    ----------
    network : nn.Module
        The network that contains the layer; it is not changed.
    layer : nn.Conv2d
        The layer, with one group.
    inputs : iterable of Tensor, shape (N, C, Y, X), or tuple of Tensor
        Batches of inputs of the network, or of its arguments.

    Returns
    -------
    Whitening
        The whitening of the layer's input patches. Of a layer whose kernels are used with sums of zero, the mean of
        each image plane is subtracted from the patches.
    """
    first = next((m for m in network.modules() if isinstance(m, FirstConvolution) and m.layer is layer), None)
    size = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    total, products = torch.zeros(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    count = 0

    def add_patches(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal count
        values = inputs[0].float()
        # Padding is not part of the images, and is only included if a patch does not fit otherwise.
        fits = all(n >= k for n, k in zip(values.shape[2:], layer.kernel_size, strict=True))
        padding = (0, 0) if fits else tuple(k // 2 for k in layer.kernel_size)
        # Patches side by side: overlapping ones would add no information.
        patches = nn.functional.unfold(values, layer.kernel_size, layer.dilation, padding, stride=layer.kernel_size)
        vectors = patches.transpose(1, 2).reshape(-1, size).cpu().double()
        if first is not None and first.zero_sum:
            vectors = _without_means(vectors, layer, first.channels)
        total.add_(vectors.sum(0))
        products.add_(vectors.T @ vectors)
        count += len(vectors)

    hook = (layer if first is None else first).register_forward_pre_hook(add_patches)
    training = network.training
    network.eval()
    try:
        for batch in inputs:
            network(*batch) if isinstance(batch, tuple) else network(batch)
    finally:
        network.train(training)
        hook.remove()
    mean = total / count if layer.bias is not None else torch.zeros_like(total)
    variances, directions = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    floor = _FLOOR if first is None else _FLOOR_OF_NORMALIZED
    basis = directions * (variances.clamp_min(0) + floor).rsqrt() @ directions.T
    return Whitening(mean.float(), basis.float())


def _without_means(vectors: Tensor, layer: nn.Conv2d, channels: int) -> Tensor:
    """Subtract the mean of each of the first planes from input patches."""
    planes = vectors.view(len(vectors), layer.in_channels, -1).clone()
    planes[:, :channels] -= planes[:, :channels].mean(2, keepdim=True)
    return planes.view_as(vectors)


def whiten_steps(optimizer: torch.optim.Optimizer, layer: nn.Conv2d, whitening: Whitening) -> None:
    """Make an optimizer take the steps of a layer's weights in the whitened basis.

    The layer computes W x + b = V B (x - m) + c, with the basis B, the mean m, V = W B⁻¹ and c = b + W m. The gradient
    of V is that of W, less the outer product of that of b and m, times B. A step of V is a step of W times B, and b
    changes with it so that c takes its own step. Hooks therefore transform the gradients before the step of the
    optimizer, and the step after it. Mean and basis are part of the optimizer's state, so that a resumed run has the
    same ones.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The optimizer, of which the first group holds the layer's weights only.
    layer : nn.Conv2d
        The layer.
    whitening : Whitening
        The whitening of the layer's input patches.
    """
    weight, bias = layer.weight, layer.bias
    group = optimizer.param_groups[0]
    assert [id(p) for p in group["params"]] == [id(p) for p in layer.parameters()]
    group["mean"], group["basis"] = whitening.mean, whitening.basis
    before: list[Tensor] = []

    def present() -> tuple[Tensor, Tensor]:
        # From the optimizer instead of `whitening`, since a state that was loaded meanwhile has its own. Both come from
        # the CPU, and stay on the device from the first step on.
        group = optimizer.param_groups[0]
        for key in ("mean", "basis"):
            group[key] = group[key].to(weight.device)
        return group["mean"], group["basis"]

    def transform_gradient(*_: Any) -> None:
        mean, basis = present()
        assert weight.grad is not None
        gradient = weight.grad.flatten(1)
        if bias is not None:
            assert bias.grad is not None
            gradient = gradient - torch.outer(bias.grad, mean)
        weight.grad.copy_((gradient @ basis).view(weight.shape))
        before.append(weight.detach().clone())

    @torch.no_grad()
    def transform_step(*_: Any) -> None:
        mean, basis = present()
        old = before.pop()
        step = (weight - old).flatten(1) @ basis
        weight.copy_(old + step.view(weight.shape))
        if bias is not None:
            bias.sub_(step @ mean)

    optimizer.register_step_pre_hook(transform_gradient)
    optimizer.register_step_post_hook(transform_step)
