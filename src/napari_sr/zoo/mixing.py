"""Network interpolation: one network between two, by mixing their weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError, InputError

_REMEDY = "choose two files of the same network"


def mix(first: Mapping[str, Tensor], second: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Interpolate two weight sets of one network: ``(1 - alpha) first + alpha second``, tensor by tensor.

    Parameters
    ----------
    first, second : mapping of str to Tensor
        State dicts with the same keys and shapes: the PSNR-oriented network and the one fine-tuned as a GAN from it.
    alpha : float
        In [0, 1]; 0 gives `first` and 1 gives `second`, bit for bit.

    Returns
    -------
    dict of str to Tensor
        Floats in float32; between the ends, counters and other integers are those of `first`.

    Raises
    ------
    InputError
        If alpha is not in [0, 1].
    CheckpointError
        If keys or shapes differ; the sentence names the first difference.

    References
    ----------
    X. Wang et al., "ESRGAN", arXiv:1809.00219, section 3.4, "Network Interpolation".
    """
    check_alpha(alpha)
    check_same(first, second)
    # The ends are copies: 0 * x + y would lose the sign of a zero.
    if alpha in (0, 1):
        end = second if alpha == 1 else first
        return {key: _float32(tensor).clone() for key, tensor in end.items()}
    return {
        key: (1 - alpha) * _float32(tensor) + alpha * _float32(second[key])
        if tensor.is_floating_point()
        else tensor.detach().clone()
        for key, tensor in first.items()
    }


def check_alpha(alpha: float) -> None:
    """Raise `InputError` unless alpha lies in [0, 1]."""
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha:g} and must lie between 0 and 1.")


def check_same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError` at the first key or shape in which two weight sets differ."""
    for key, tensor in first.items():
        if key not in second:
            raise CheckpointError(f"The two weight sets cannot be mixed: only the first has {key}; {_REMEDY}.")
        if tensor.shape != second[key].shape:
            shapes = f"{tuple(tensor.shape)} in the first and {tuple(second[key].shape)} in the second"
            raise CheckpointError(f"The two weight sets cannot be mixed: {key} is {shapes}; {_REMEDY}.")
    for key in second:
        if key not in first:
            raise CheckpointError(f"The two weight sets cannot be mixed: only the second has {key}; {_REMEDY}.")


def _float32(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32) if tensor.is_floating_point() else tensor.detach()
