"""Adversarial losses of generator and discriminator, as functions of tensors.

Their arguments are the output C of the discriminator, before any sigmoid, for true images (`real`) and for generated
ones (`fake`). All are computed in float32, whatever the number format of the networks is.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional


def standard_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the standard loss of a discriminator.

    It is ``-mean log D(real) - mean log(1 - D(fake))`` with ``D = sigmoid(C)``.

    References
    ----------
    I. Goodfellow et al., arXiv:1406.2661, equation 1; Ledig et al., arXiv:1609.04802, equation 2.
    """
    return functional.softplus(-real.float()).mean() + functional.softplus(fake.float()).mean()


def standard_generator(fake: Tensor) -> Tensor:
    """Return the standard adversarial loss of a generator, ``-mean log D(fake)`` with ``D = sigmoid(C)``.

    References
    ----------
    Ledig et al., arXiv:1609.04802, equation 6, with a mean in place of the sum.
    """
    return functional.softplus(-fake.float()).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the relativistic average loss of a discriminator.

    It is ``-mean log D(real, fake) - mean log(1 - D(fake, real))`` with ``D(a, b) = sigmoid(C(a) - mean C(b))``.

    Notes
    -----
    As in the paper, both terms have the factor 1, and the gradient runs through both means. Some programs halve the sum
    and detach the means, so that a weight of 5e-3 has half the effect. Means are taken over all processes.

    References
    ----------
    A. Jolicoeur-Martineau, arXiv:1807.00734; Wang et al., arXiv:1809.00219, equation 1.
    """
    real, fake = real.float(), fake.float()
    against_fake, against_real = real - mean_over_processes(fake.mean()), fake - mean_over_processes(real.mean())
    return functional.softplus(-against_fake).mean() + functional.softplus(against_real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the relativistic average adversarial loss of a generator: the discriminator's, with exchanged images.

    It is ``-mean log(1 - D(real, fake)) - mean log D(fake, real)``, which depends on true and on generated images.
    `real` does not depend on the generator and may be detached.

    References
    ----------
    Wang et al., arXiv:1809.00219, equation 2.
    """
    return relativistic_discriminator(fake, real)


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the least-squares loss of a discriminator, ``mean (C(real) - 1)**2 / 2 + mean C(fake)**2 / 2``.

    References
    ----------
    X. Mao et al., arXiv:1611.04076, equation 9.
    """
    return ((real.float() - 1) ** 2).mean() / 2 + (fake.float() ** 2).mean() / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """Return the least-squares adversarial loss of a generator, ``mean (C(fake) - 1)**2 / 2``.

    References
    ----------
    X. Mao et al., arXiv:1611.04076, equation 9.
    """
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
    """Return the mean of a number over all processes, with gradients through it; the number itself if there is one.

    The loss of each process depends on the images of all processes through this mean. When the gradients of the
    processes are averaged afterward, the result is the gradient of the mean loss over the whole batch.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return value
    result: Tensor = _SumOverProcesses.apply(value) / dist.get_world_size()
    return result


def half_squared_gradient(output: Tensor, images: Tensor, colors: int) -> Tensor:
    """Return half the squared length of the gradient of a discriminator's output with respect to true images (R1).

    Parameters
    ----------
    output : Tensor, shape (N, ...)
        Output of the discriminator, whose mean over all but the first axis is differentiated.
    images : Tensor, shape (N, C, Y, X)
        Its input, which requires a gradient.
    colors : int
        Number of channels of the input that are the image; the others are not counted.

    References
    ----------
    L. Mescheder, A. Geiger, S. Nowozin, arXiv:1801.04406, equation 9, without its factor gamma.
    """
    total = output.float().flatten(1).mean(1).sum()
    (gradient,) = torch.autograd.grad(total, images, create_graph=True)
    return 0.5 * gradient[:, :colors].float().square().sum((1, 2, 3)).mean()
