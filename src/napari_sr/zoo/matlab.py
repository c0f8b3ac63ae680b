"""The MATLAB file in which the authors of SRCNN publish its weights."""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sr.errors import CheckpointError

_NAMES = tuple(f"{kind}_conv{layer}" for layer in (1, 2, 3) for kind in ("weights", "biases"))


def read_matlab(path: Path) -> dict[str, Tensor]:
    """Read the MATLAB file of SRCNN as a state dict.

    Parameters
    ----------
    path : Path
        A .mat file of MATLAB 7.2 or before, with ``weights_conv1`` (f1 f1, n1), ``weights_conv2`` (n1, f2 f2, n2),
        ``weights_conv3`` (n2, f3 f3) and ``biases_conv1`` to ``biases_conv3``. Kernels are stored column by column.

    Returns
    -------
    dict of str to Tensor
        ``conv1.weight`` (n1, 1, f1, f1), ``conv2.weight`` (n2, n1, f2, f2), ``conv3.weight`` (1, n2, f3, f3), biases.

    Raises
    ------
    CheckpointError
        If the file cannot be read or does not have the weights of SRCNN.

    References
    ----------
    C. Dong et al., arXiv:1501.00092; the authors' ``SRCNN.m`` (imfilter is a correlation, as in PyTorch).
    """
    # scipy.io takes time to import, and only this file format needs it.
    from scipy.io import loadmat

    try:
        arrays = loadmat(str(path), variable_names=_NAMES)
    # A damaged file can raise any exception in scipy.
    except Exception as error:
        raise CheckpointError(
            f"{path.name} cannot be read as a MATLAB file of version 7.2 or before: save it with -v7 or get it again."
        ) from error
    for name in _NAMES:
        if name not in arrays:
            raise CheckpointError(
                f"{path.name} is not the MATLAB file of SRCNN (it has no {name}): choose another file."
            )
    # MATLAB removes trailing dimensions of length 1: conv1 has no channel axis, and conv3 no axis of outputs.
    first = np.asarray(arrays["weights_conv1"])[np.newaxis]
    second = np.asarray(arrays["weights_conv2"])
    third = np.asarray(arrays["weights_conv3"])[..., np.newaxis]
    tensors = {}
    for layer, patches in enumerate((first, second, third), start=1):
        tensors[f"conv{layer}.weight"] = _convolution(patches, path)
        biases = np.asarray(arrays[f"biases_conv{layer}"], dtype=np.float32).ravel()
        tensors[f"conv{layer}.bias"] = torch.from_numpy(biases.copy())
    return tensors


def _convolution(patches: NDArray[np.generic], path: Path) -> Tensor:
    """Convert (channels in, size * size, features out), stored column by column, to (out, in, size, size)."""
    if patches.ndim != 3 or isqrt(patches.shape[1]) ** 2 != patches.shape[1]:
        raise CheckpointError(
            f"{path.name} is not the MATLAB file of SRCNN (its kernels are not square): choose another file."
        )
    channels, size, features = patches.shape[0], isqrt(patches.shape[1]), patches.shape[2]
    # reshape in C order gives [column, row], because MATLAB stores the rows of a column first.
    columns_first = np.asarray(patches, dtype=np.float32).transpose(2, 0, 1).reshape(features, channels, size, size)
    return torch.from_numpy(np.ascontiguousarray(columns_first.swapaxes(2, 3)))
