"""Tensors in a file: their sizes, and the reading of their values into memory of their own."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import BinaryIO

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.limits import check_memory
from napari_sr.zoo.checkpoint.refusals import damaged

#: Number formats of weights.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
#: Bytes that are read at once.
_PIECE = 2**22
#: Size in bytes up to which tensors may share values any number of times.
_LITTLE = 2**20


@dataclass(frozen=True, eq=False)
class Storage:
    """Consecutive bytes of a file.

    Parameters
    ----------
    start : int
        Position of the first byte.
    size : int
        Number of bytes.
    crc : int, default 0
        CRC-32 of the bytes; 0 if it is not known.
    swapped : bool, default False
        Whether the values are big-endian.
    data : bytes, optional
        The bytes, if they were read already.
    """

    start: int
    size: int
    crc: int = 0
    swapped: bool = False
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : torch.dtype or None
        Type of its values; None if they cannot be used.
    form : str
        Name of the type, for error messages.
    storage : Storage or None
        The bytes; None if the values cannot be used.
    offset : int, default 0
        Index of its first value in the storage.
    strides : tuple of int, optional
        Distances in the storage along its dimensions; by default its values follow one another.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype | None
    form: str
    storage: Storage | None
    offset: int = 0
    strides: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    def without_values(self) -> Tensor:
        """Return a tensor of this shape on the meta device, which takes no memory."""
        return torch.empty(self.shape, dtype=torch.int64 if self.is_counter() else torch.float32, device="meta")

    def is_counter(self) -> bool:
        """Whether it is a single whole number, as batch normalization has."""
        return self.shape == () and self.form.startswith(("int", "uint"))

    def fits(self) -> bool:
        """Whether the storage has all of its values, each once."""
        if self.storage is None or self.dtype is None:
            return False
        held = self.storage.size // self.dtype.itemsize
        if self.strides is None:
            return self.offset + self.size <= held
        last = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        # A tensor of repeated numbers (stride 0) can have any size, independent of the size of the file.
        return self.size <= held and (self.size == 0 or self.offset + last < held)


def check_stored(tensors: Mapping[str, StoredTensor], name: str) -> None:
    """Check that tensors are weights that can be used; errors have the name of the file.

    Raises `CheckpointError` if one has no values, or values that are no floats (single whole numbers are counters); if
    the file does not have the values of one; or if several have the same values.
    """
    for key, tensor in tensors.items():
        if tensor.size == 0:
            raise CheckpointError(f"{name} has {key} of shape {tensor.shape}, without any values: get the file again.")
        if tensor.dtype is None or not (tensor.dtype in FLOATS or tensor.is_counter()):
            raise CheckpointError(
                f"{name} has {key} in a format that cannot be used ({tensor.form}): save its weights as float32."
            )
        if not tensor.fits():
            raise CheckpointError(f"{name} has {key} in a format that cannot be used (repeated): save it as float32.")
    storages = {id(tensor.storage): tensor.storage.size for tensor in tensors.values() if tensor.storage is not None}
    bytes_needed = sum(t.size * t.dtype.itemsize for t in tensors.values() if t.dtype is not None)
    if bytes_needed > max(2 * sum(storages.values()), _LITTLE):
        raise CheckpointError(f"{name} has many tensors with the same values: save each with values of its own.")


def load_tensors(tensors: Mapping[str, StoredTensor], file: BinaryIO, name: str) -> dict[str, Tensor]:
    """Read tensors that `check_stored` has accepted into memory of their own; errors have the name of the file.

    They are dense tensors on the CPU, with floats in float32, in the given order. Raises `CheckpointError` if the file
    is cut short or damaged, a weight is NaN or infinite, or there is too little memory.
    """
    # Weights and network.
    check_memory(2 * sum(4 * tensor.size for tensor in tensors.values()), name)
    groups: dict[int, list[str]] = {}
    for key, tensor in tensors.items():
        groups.setdefault(id(tensor.storage), []).append(key)
    loaded: dict[str, Tensor] = {}
    for keys in groups.values():
        first = tensors[keys[0]]
        assert first.storage is not None
        raw = _read(first.storage, file, name)
        for key in keys:
            loaded[key] = _values(tensors[key], raw, len(keys) == 1)
            if loaded[key].is_floating_point():
                _check_finite(loaded[key], key, name)
    return {key: loaded[key] for key in tensors}


def read_bytes(storage: Storage, file: BinaryIO, name: str) -> bytes:
    """Read consecutive bytes of a file; raises `CheckpointError` if it is cut short or damaged."""
    return _read(storage, file, name).numpy().tobytes()


def _read(storage: Storage, file: BinaryIO, name: str) -> Tensor:
    raw = torch.empty(storage.size, dtype=torch.uint8)
    view = raw.numpy().data
    if storage.data is not None:
        view[:] = storage.data
        return raw
    file.seek(storage.start)
    position, crc = 0, 0
    while position < storage.size:
        count = file.readinto(view[position : position + _PIECE])  # type: ignore[attr-defined]
        if not count:
            raise CheckpointError(damaged(name))
        if storage.crc:
            crc = zlib.crc32(view[position : position + count], crc)
        position += count
    if storage.crc and crc != storage.crc:
        raise CheckpointError(f"{name} is damaged (its checksum is wrong): get the file again.")
    return raw


def _values(tensor: StoredTensor, raw: Tensor, alone: bool) -> Tensor:
    """Return the values of a tensor; `alone` is whether no other tensor has this storage."""
    assert tensor.dtype is not None
    assert tensor.storage is not None
    size = tensor.dtype.itemsize
    whole = raw[: raw.numel() // size * size]
    if tensor.storage.swapped:
        whole = whole.reshape(-1, size).flip(1).reshape(-1)
    values = whole.view(tensor.dtype)
    if tensor.strides is None:
        values = values[tensor.offset : tensor.offset + tensor.size].reshape(tensor.shape)
    else:
        values = values.as_strided(tensor.shape, tensor.strides, tensor.offset)
    if not values.is_floating_point():
        return values.clone()
    if values.dtype == torch.float32 and alone and values.is_contiguous() and values.numel() == raw.numel() // size:
        return values
    return values.to(torch.float32, copy=True, memory_format=torch.contiguous_format)


def _check_finite(tensor: Tensor, key: str, name: str) -> None:
    # Minimum and maximum are NaN if any value is; no tensor of the same size is made.
    low, high = torch.aminmax(tensor)
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise CheckpointError(f"{name} has NaN or infinite weights in {key}: choose an earlier checkpoint.")
    if key.endswith("running_var") and float(low) < 0:
        raise CheckpointError(f"{name} has a negative variance in {key}: choose an earlier checkpoint.")
