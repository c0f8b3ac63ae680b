"""Network interpolation: a network whose weights are the weighted average of those of two networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_sr.conversion import read_number, shorten
from napari_sr.errors import CheckpointError, InputError

_REMEDY = "choose two files of the same network"


def mix(first: Mapping[str, Tensor], second: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Interpolate between two weight sets of one network: ``(1 - alpha) first + alpha second``, tensor by tensor.

    Parameters
    ----------
    first, second : mapping of str to Tensor
        State dicts with the same keys and shapes: the network trained for PSNR, and the one fine-tuned from it as a
        GAN.
    alpha : float
        Weight of `second`, from 0 to 1. The result is exactly `first` for 0 and exactly `second` for 1.

    Returns
    -------
    dict of str to Tensor
        The weights, with floats in float32. Between the ends, counters and other integers are those of `first`.

    Raises
    ------
    InputError
        If alpha is not a number from 0 to 1.
    CheckpointError
        If keys or shapes differ; the message names the first difference.

    References
    ----------
    X. Wang et al., "ESRGAN", arXiv:1809.00219, section 3.4, "Network Interpolation".
    """
    alpha = check_alpha(alpha)
    check_same(first, second)
    # At the ends the weights are copied, because 0 * x + y loses the sign of a zero.
    if alpha in (0, 1):
        end = second if alpha == 1 else first
        return {key: _float32(tensor).clone() for key, tensor in end.items()}
    return {
        key: (1 - alpha) * _float32(tensor) + alpha * _float32(second[key])
        if tensor.is_floating_point()
        else tensor.detach().clone()
        for key, tensor in first.items()
    }


def check_alpha(alpha: Any) -> float:
    """Return alpha, which may be a numpy scalar, as a float; raises `InputError` if it is no number from 0 to 1."""
    if isinstance(alpha, str | bool):
        raise InputError(f"The alpha {shorten(alpha)} is not a number: give one between 0 and 1.")
    value = read_number(alpha, "alpha")
    if not 0 <= value <= 1:
        raise InputError(f"The alpha {value:g} cannot be used: give a number between 0 and 1.")
    return value


def check_same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    """Check that two weight sets have the same keys and shapes.

    Raises `CheckpointError` if they differ; the message names the first difference.
    """
    for key, tensor in first.items():
        if key not in second:
            raise CheckpointError(f"The two weight sets cannot be mixed, because only the first has {key}: {_REMEDY}.")
        if tensor.shape != second[key].shape:
            shapes = f"{tuple(tensor.shape)} in the first and {tuple(second[key].shape)} in the second"
            raise CheckpointError(f"The two weight sets cannot be mixed, because {key} is {shapes}: {_REMEDY}.")
    for key in second:
        if key not in first:
            raise CheckpointError(f"The two weight sets cannot be mixed, because only the second has {key}: {_REMEDY}.")


def _float32(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32) if tensor.is_floating_point() else tensor.detach()
