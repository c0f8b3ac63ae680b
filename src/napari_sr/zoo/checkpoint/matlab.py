"""The MATLAB file in which the authors of SRCNN publish its weights."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import isqrt, prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.stored import Storage, StoredTensor

_NAMES = tuple(f"{kind}_conv{layer}" for layer in (1, 2, 3) for kind in ("weights", "biases"))
#: Largest file, packed and unpacked, in bytes; that of SRCNN has 60 to 500 kB.
_LARGEST = 8 * 2**20
#: Types of elements in the file.
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: Classes of arrays of numbers: double, single, and whole numbers.
_NUMBERS = range(6, 16)


def read_matlab(file: BinaryIO, path: Path) -> dict[str, StoredTensor]:
    """Read the MATLAB file of SRCNN as a state dict.

    Parameters
    ----------
    file : binary file
        A .mat file of MATLAB 5 to 7.2, with ``weights_conv1`` (f1 f1, n1), ``weights_conv2`` (n1, f2 f2, n2),
        ``weights_conv3`` (n2, f3 f3) and ``biases_conv1`` to ``biases_conv3``. Kernels are stored column by column.
    path : Path
        Its path, for error messages.

    Returns
    -------
    dict of str to StoredTensor
        ``conv1.weight`` (n1, 1, f1, f1), ``conv2.weight`` (n2, n1, f2, f2), ``conv3.weight`` (1, n2, f3, f3), biases.

    Raises
    ------
    CheckpointError
        If the file cannot be read or does not have the weights of SRCNN.

    References
    ----------
    C. Dong et al., arXiv:1501.00092; the authors' ``SRCNN.m`` (imfilter is a correlation, as in PyTorch).
    "MAT-File Format", MathWorks (level 5).
    """
    data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise CheckpointError(f"{path.name} is larger than any file of SRCNN: choose another file.")
    try:
        arrays = {name: array for name, array in _arrays(data) if name in _NAMES}
    except (ValueError, zlib.error) as error:
        raise CheckpointError(
            f"{path.name} cannot be read as a MATLAB file of version 7.2 or before: save it with -v7 or get it again."
        ) from error
    for name in _NAMES:
        if name not in arrays:
            raise CheckpointError(
                f"{path.name} is not the MATLAB file of SRCNN (it has no {name}): choose another file."
            )
    # MATLAB removes trailing dimensions of length 1: conv1 has no channel axis, and conv3 no axis of outputs.
    first = arrays["weights_conv1"][np.newaxis]
    second = arrays["weights_conv2"]
    third = arrays["weights_conv3"][..., np.newaxis]
    tensors = {}
    for layer, patches in enumerate((first, second, third), start=1):
        tensors[f"conv{layer}.weight"] = _stored(_convolution(patches, path))
        tensors[f"conv{layer}.bias"] = _stored(arrays[f"biases_conv{layer}"].ravel())
    return tensors


def _stored(array: NDArray[np.generic]) -> StoredTensor:
    # Values beyond float32 become infinite, which is refused later.
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(array, dtype="<f4")
    storage = Storage(0, values.nbytes, data=values.tobytes())
    return StoredTensor(values.shape, torch.float32, "float32", storage)


def _convolution(patches: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Convert (channels in, size * size, features out), stored column by column, to (out, in, size, size)."""
    if patches.ndim != 3 or isqrt(patches.shape[1]) ** 2 != patches.shape[1]:
        raise CheckpointError(
            f"{path.name} is not the MATLAB file of SRCNN (its kernels are not square): choose another file."
        )
    channels, size, features = patches.shape[0], isqrt(patches.shape[1]), patches.shape[2]
    # reshape in C order gives [column, row], because MATLAB stores the rows of a column first.
    return patches.transpose(2, 0, 1).reshape(features, channels, size, size).swapaxes(2, 3)


def _arrays(data: bytes) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield the arrays of numbers in a file, with their names; packed ones are unpacked up to a limit."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or data.startswith(b"MATLAB 7.3"):
        raise ValueError
    room = _LARGEST
    for kind, element in _elements(data[128:], order):
        if kind == _COMPRESSED:
            element = zlib.decompressobj().decompress(element, room + 1)
            if len(element) > room:
                raise ValueError
            room -= len(element)
            kind, element = next(_elements(element, order), (0, b""))
        if kind == _MATRIX:
            array = _array(element, order)
            if array is not None:
                yield array


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the elements of a file or of an array."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError
        kind, size = (int(value) for value in np.frombuffer(data, f"{order}u4", 2, position))
        start = position + 8
        if kind >> 16:
            # An element of at most 4 bytes, within its tag.
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            if size > 4:
                raise ValueError
        if start + size > len(data):
            raise ValueError
        yield kind, data[start : start + size]
        end = start + size
        # Elements begin at multiples of 8 bytes, but for packed ones.
        position = end if kind == _COMPRESSED else end + -end % 8


def _array(data: bytes, order: str) -> tuple[str, NDArray[np.generic]] | None:
    """Return name and values of an array; None if it is not an array of real numbers."""
    parts = _elements(data, order)
    flags = next(parts, (0, b""))[1]
    if len(flags) < 8:
        raise ValueError
    bits = int(np.frombuffer(flags, f"{order}u4", 1)[0])
    if bits & 0xFF not in _NUMBERS or bits & 0x800:
        return None
    sizes, name, (kind, values) = next(parts, (0, b""))[1], next(parts, (0, b""))[1], next(parts, (0, b""))
    if kind not in _TYPES or len(sizes) % 4 or not 8 <= len(sizes) <= 32:
        raise ValueError
    shape = tuple(int(n) for n in np.frombuffer(sizes, f"{order}i4"))
    dtype = np.dtype(f"{order}{_TYPES[kind]}")
    if min(shape) < 0 or prod(shape) * dtype.itemsize != len(values):
        raise ValueError
    return name.decode("latin-1"), np.frombuffer(values, dtype).reshape(shape, order="F")
