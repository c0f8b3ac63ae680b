"""SRCNN's weights as its authors publish them: a MATLAB file."""

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
    """Read the six arrays of SRCNN's MATLAB file into PyTorch's keys and shapes.

    Parameters
    ----------
    path : Path
        A .mat file of MATLAB 7.2 or before, with ``weights_conv1`` (f1 f1, n1), ``weights_conv2`` (n1, f2 f2, n2),
        ``weights_conv3`` (n2, f3 f3) and ``biases_conv1..3``. Patches run down the columns first, as in MATLAB.

    Returns
    -------
    dict of str to Tensor
        ``conv1.weight`` (n1, 1, f1, f1), ``conv2.weight`` (n2, n1, f2, f2), ``conv3.weight`` (1, n2, f3, f3), biases.

    Raises
    ------
    CheckpointError
        If the file cannot be read or is not SRCNN's.

    References
    ----------
    C. Dong et al., arXiv:1501.00092; the authors' ``SRCNN.m`` (imfilter, that is correlation, as in PyTorch).
    """
    # Only this file format needs scipy, which takes a moment to import.
    from scipy.io import loadmat

    try:
        arrays = loadmat(str(path), variable_names=_NAMES)
    # scipy's reader fails in as many ways as a damaged file can be damaged.
    except Exception as error:
        raise CheckpointError(
            f"{path.name} cannot be read as a MATLAB file of version 7.2 or before: save it with -v7 or get it again."
        ) from error
    for name in _NAMES:
        if name not in arrays:
            raise CheckpointError(f"{path.name} is not SRCNN's MATLAB file: it has no {name}.")
    # MATLAB drops trailing dimensions of length 1: conv1 has no channel axis, conv3 no axis of outputs.
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
    """Turn (channels in, size * size, features out), columns first, into (out, in, size, size)."""
    if patches.ndim != 3 or isqrt(patches.shape[1]) ** 2 != patches.shape[1]:
        raise CheckpointError(f"{path.name} is not SRCNN's MATLAB file: its patches are not square.")
    channels, size, features = patches.shape[0], isqrt(patches.shape[1]), patches.shape[2]
    # reshape in C order gives [column, row]: MATLAB counts down the rows of a column first.
    columns_first = np.asarray(patches, dtype=np.float32).transpose(2, 0, 1).reshape(features, channels, size, size)
    return torch.from_numpy(np.ascontiguousarray(columns_first.swapaxes(2, 3)))
