"""An open weight file, whose tensors are known by their sizes before their values are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.limits import memory_of
from napari_sr.zoo.checkpoint.matlab import read_matlab
from napari_sr.zoo.checkpoint.safetensors_header import read_header
from napari_sr.zoo.checkpoint.stored import Storage, StoredTensor, check_stored, load_tensors
from napari_sr.zoo.checkpoint.suffixes import SUFFIXES
from napari_sr.zoo.checkpoint.torch_file import read_torch_file
from napari_sr.zoo.checkpoint.weight_sets import WeightSet, find_weight_sets

_SAFETENSORS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


class WeightFile:
    """An open weight file.

    Parameters
    ----------
    path : Path
        The file.
    file : binary file
        The open file.
    content : object
        Nested dicts with tensors.
    """

    def __init__(self, path: Path, file: BinaryIO, content: object) -> None:
        self.path = path
        self._file = file
        self._content = content
        self._state = _state(file)

    @property
    def name(self) -> str:
        """Name of the file, for messages."""
        return self.path.name

    def sets(self) -> list[WeightSet]:
        """Find the sets of weights, the preferred one first; raises `CheckpointError` if there are none."""
        return find_weight_sets(self._content, self.name)

    def tensors(self) -> dict[str, StoredTensor]:
        """Return the tensors by the names in the file, with prefixes, but not those in nested dicts."""
        content = self._content if isinstance(self._content, Mapping) else {}
        return {key: tensor for key, tensor in content.items() if isinstance(tensor, StoredTensor)}

    def check(self, tensors: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
        """Check that tensors of this file can be used, and return tensors of their sizes on the meta device.

        Raises `CheckpointError` if one has no values, or values that are no floats.
        """
        check_stored(tensors, self.name)
        return {key: tensor.without_values() for key, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
        """Read tensors that `check` has accepted into memory of their own: later changes of the file have no effect.

        They are dense tensors on the CPU, with floats in float32. Raises `CheckpointError` if the file is damaged or
        was changed since it was opened, a weight is not finite, or memory is missing.
        """
        with memory_of(self.name):
            loaded = load_tensors(tensors, self._file, self.name)
        if _state(self._file) != self._state:
            raise CheckpointError(f"{self.name} was changed while it was read: try again when it is complete.")
        return loaded


def _state(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def open_weights(path: Path) -> Iterator[WeightFile]:
    """Open a weight file, and read the names and sizes of its tensors.

    Parameters
    ----------
    path : Path
        The file, ending in .safetensors, .pth, .pt, .pkl, .ckpt, .bin, .tar or .mat.

    Raises
    ------
    CheckpointError
        If the file is missing, empty, cut short, of another kind, or would run code.
    """
    _check_file(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror or error}): check the file.") from error
    with file:
        try:
            with memory_of(path.name):
                content = _read(file, path)
        except OSError as error:
            raise CheckpointError(f"{path.name} cannot be read ({error.strerror or error}): check the file.") from error
        yield WeightFile(path, file, content)


def _read(file: BinaryIO, path: Path) -> object:
    suffix = path.suffix.lower()
    if suffix == ".mat":
        return read_matlab(file, path)
    if suffix != ".safetensors":
        return read_torch_file(file, path)
    return {
        key: StoredTensor(
            entry.shape,
            _SAFETENSORS.get(entry.dtype),
            str(_SAFETENSORS.get(entry.dtype, entry.dtype)).removeprefix("torch."),
            Storage(entry.start, entry.stop - entry.start),
        )
        for key, entry in read_header(file, path.name).entries.items()
    }


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise CheckpointError(f"{path.name} is not a weight file by its ending: the known endings are {known}.")
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: give the path of a weight file.")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path.name} is empty: get the file again.")
