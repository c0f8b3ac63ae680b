"""Losses that compare an image with the truth, or ask a discriminator. Each is a function of tensors and nothing else.

All are taken in float32, whatever the networks compute in.
"""

from __future__ import annotations

from math import ceil

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional


def l1(result: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference (Wang et al., arXiv:1809.00219, equation 3, the content loss)."""
    return functional.l1_loss(result, truth)


def mse(result: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference (Dong et al., arXiv:1501.00092, equation 4; Ledig et al., arXiv:1609.04802, eq. 4)."""
    return functional.mse_loss(result, truth)


def charbonnier(result: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of ``sqrt(difference**2 + epsilon**2)``, an L1 that is smooth at zero.

    References
    ----------
    W.-S. Lai et al., "Deep Laplacian pyramid networks", arXiv:1704.03915, section 3.3.
    """
    return torch.sqrt((result - truth) ** 2 + epsilon**2).mean()


def binned(image: Tensor, size: int) -> Tensor:
    """Means of squares of ``size`` x ``size`` pixels of (N, C, Y, X); what is left over at the ends is left out."""
    return functional.avg_pool2d(image, size)


def half_turned(image: Tensor) -> Tensor:
    """(N, C, Y, X) turned by half a turn: what lies up and left of the middle lies down and right of it."""
    return image.flip(-2, -1)


def plain_shapes(image: Tensor, sigma: float) -> Tensor:
    """Each of (N, C, Y, X) blurred by a Gaussian of ``sigma`` pixels and stretched from 0 to 1 unless constant."""
    reach = min(ceil(3 * sigma), image.shape[-2] - 1, image.shape[-1] - 1)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype) / sigma) ** 2)
    line = (line / line.sum()).expand(image.shape[1], 1, 1, -1)
    for kernel, pad in ((line, (reach, reach, 0, 0)), (line.mT, (0, 0, reach, reach))):
        wide = functional.pad(image, pad, mode="reflect")
        image = functional.conv2d(wide, kernel, groups=image.shape[1])
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return (image - low) / (high - low).clamp_min(1e-3)


def standard_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``-mean log D(real) - mean log(1 - D(fake))`` with ``D = sigmoid(C)``.

    Parameters
    ----------
    real, fake : Tensor
        The discriminator's C of true and of generated images, before any sigmoid.

    References
    ----------
    I. Goodfellow et al., arXiv:1406.2661, equation 1; Ledig et al., arXiv:1609.04802, equation 2.
    """
    return functional.softplus(-real.float()).mean() + functional.softplus(fake.float()).mean()


def standard_generator(fake: Tensor) -> Tensor:
    """``-mean log D(fake)`` (Ledig et al., arXiv:1609.04802, equation 6, its sum taken as a mean)."""
    return functional.softplus(-fake.float()).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``-mean log D(real, fake) - mean log(1 - D(fake, real))`` with ``D(a, b) = sigmoid(C(a) - mean C(b))``.

    Parameters
    ----------
    real, fake : Tensor
        C of true and of generated images.

    Notes
    -----
    As in the paper: both terms count whole, and the gradient runs through both means. Some programs halve the sum and
    detach the means, which makes a weight of 5e-3 half of that. Means are taken over all processes.

    References
    ----------
    A. Jolicoeur-Martineau, arXiv:1807.00734; Wang et al., arXiv:1809.00219, equation 1.
    """
    real, fake = real.float(), fake.float()
    against_fake, against_real = real - mean_over_processes(fake.mean()), fake - mean_over_processes(real.mean())
    return functional.softplus(-against_fake).mean() + functional.softplus(against_real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``-mean log(1 - D(real, fake)) - mean log D(fake, real)``: it sees true and generated images.

    Parameters
    ----------
    real, fake : Tensor
        C of true images (which may be detached: they do not depend on the generator) and of generated ones.

    References
    ----------
    Wang et al., arXiv:1809.00219, equation 2.
    """
    real, fake = real.float(), fake.float()
    against_fake, against_real = real - mean_over_processes(fake.mean()), fake - mean_over_processes(real.mean())
    return functional.softplus(against_fake).mean() + functional.softplus(-against_real).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``mean (C(real) - 1)**2 / 2 + mean C(fake)**2 / 2`` (X. Mao et al., arXiv:1611.04076, equation 9)."""
    return ((real.float() - 1) ** 2).mean() / 2 + (fake.float() ** 2).mean() / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """``mean (C(fake) - 1)**2 / 2`` (X. Mao et al., arXiv:1611.04076, equation 9)."""
    return ((fake.float() - 1) ** 2).mean() / 2


class _SumOverProcesses(torch.autograd.Function):
    """A sum over processes whose gradient is the sum of the processes' gradients."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def mean_over_processes(value: Tensor) -> Tensor:
    """Mean of a number over all processes, through which gradients run; the number itself where there is one process.

    Each process's loss depends on every process's images through this mean. When the gradients of the processes are
    averaged afterward, the result is the gradient of the mean loss over the whole batch.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return value
    result: Tensor = _SumOverProcesses.apply(value) / dist.get_world_size()
    return result
