"""Files of torch.save: zip archives, and the format before torch 1.6."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.pickled_values import ForeignError, StorageReference, TensorReference, UnreadableError
from napari_sr.zoo.checkpoint.pickles import load_pickle
from napari_sr.zoo.checkpoint.refusals import damaged, is_text, is_whole_pickle, runs_code, text_file
from napari_sr.zoo.checkpoint.stored import Storage, StoredTensor, read_bytes

#: Largest pickle in bytes, without the values of tensors; that of a training of ESRGAN has about 500 kB.
_LARGEST_PICKLE = 8 * 2**20
#: Largest table of contents of an archive, in bytes.
_LARGEST_CONTENTS = 4 * 2**20
#: Largest number of files in an archive; each tensor of a training has one.
_MOST_FILES = 40_000
#: First object of the format before torch 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
#: Beginning of an entry in the table of contents.
_ENTRY = b"PK\x01\x02"
#: Exceptions of zipfile for a damaged archive.
_DAMAGED_ZIP = (zipfile.BadZipFile, struct.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "UntypedStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "QInt8Storage": torch.int8,
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
}


def read_torch_file(file: BinaryIO, path: Path) -> Any:
    """Read a file of torch.save, with a `StoredTensor` for each tensor in dicts and lists; the path is for errors.

    Raises `CheckpointError` if the file is damaged, too large for its weights, of another kind, or would run code.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(16)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        raise CheckpointError(f"{path.name} is a safetensors file: give it the ending .safetensors.")
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _read_archive(file, path)
    return _read_old(file, path)


def _read_archive(file: BinaryIO, path: Path) -> Any:
    try:
        members = _members(file, path)
    except _DAMAGED_ZIP as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(damaged(path.name)) from error
    pickles = [name for name in members if name.rsplit("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise CheckpointError(f"{path.name} is a zip archive without weights: choose the weight file in it.")
    folder = pickles[0].removesuffix("data.pkl")
    data = _member(members[pickles[0]], file, path)
    if data.size > _LARGEST_PICKLE:
        raise CheckpointError(_too_long(path))
    order = members.get(f"{folder}byteorder")
    swapped = order is not None and read_bytes(_member(order, file, path), file, path.name) == b"big"
    try:
        content = load_pickle(io.BytesIO(read_bytes(data, file, path.name)))
    except ForeignError as error:
        raise CheckpointError(runs_code(path, error.name)) from error
    except UnreadableError as error:
        raise CheckpointError(damaged(path.name)) from error
    storages: dict[str, Storage] = {}

    def find(reference: StorageReference) -> Storage | None:
        if reference.key not in storages:
            info = members.get(f"{folder}data/{reference.key}")
            if info is None:
                return None
            found = _member(info, file, path)
            storages[reference.key] = Storage(found.start, found.size, found.crc, swapped)
        return storages[reference.key]

    return _with_tensors(content, find, path)


def _members(file: BinaryIO, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by name; their sizes are checked, and nothing is unpacked."""
    with zipfile.ZipFile(cast("IO[bytes]", _Contents(file, path))) as archive:
        infos = archive.infolist()
    members = {info.filename: info for info in infos}
    if len(members) < len(infos):
        raise CheckpointError(f"{path.name} has two files of one name: get it again.")
    # Before the compression: torch.jit.save compresses the code.
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in members):
        raise CheckpointError(
            f"{path.name} is a TorchScript program, which is code: save the network's state_dict instead."
        )
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        raise CheckpointError(
            f"{path.name} is compressed or encrypted, which torch.save does not do: unpack it, or get the file again."
        )
    if sum(info.file_size for info in infos) > file.seek(0, 2):
        raise CheckpointError(damaged(path.name))
    return members


class _Contents:
    """A file for zipfile, which reads the whole table of contents at once, of any size that the file gives."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_LARGEST_CONTENTS + 1 if size < 0 else min(size, _LARGEST_CONTENTS + 1))
        if len(data) > _LARGEST_CONTENTS or data.count(_ENTRY) > _MOST_FILES:
            raise CheckpointError(f"{self._path.name} has more files than weights need: get the file again.")
        return data


def _member(info: zipfile.ZipInfo, file: BinaryIO, path: Path) -> Storage:
    """Return the place of an unpacked file in the archive."""
    inside = 0 <= info.header_offset < file.seek(0, 2)
    file.seek(info.header_offset if inside else 0)
    header = file.read(30)
    if not inside or len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise CheckpointError(damaged(path.name))
    start = info.header_offset + 30 + sum(struct.unpack_from("<HH", header, 26))
    # torch writes a checksum of 0 if it computes none.
    return Storage(start, info.file_size, info.CRC)


def _read_old(file: BinaryIO, path: Path) -> Any:
    """Read the format before torch 1.6: several pickles in succession, followed by raw numbers."""
    head = file.read(_LARGEST_PICKLE)
    stream = io.BytesIO(head)
    try:
        if load_pickle(stream) != _MAGIC:
            raise CheckpointError(
                f"{path.name} is a pickle that torch did not write: save the network's state_dict with torch.save."
            )
        named: list[StorageReference] = []
        _, system, content, keys = (load_pickle(stream, named) for _ in range(4))
    except ForeignError as error:
        if is_text(head) and not is_whole_pickle(head):
            raise CheckpointError(text_file(path)) from error
        raise CheckpointError(runs_code(path, error.name)) from error
    except UnreadableError as error:
        if is_text(head):
            raise CheckpointError(text_file(path)) from error
        if len(head) == _LARGEST_PICKLE and stream.tell() >= _LARGEST_PICKLE:
            raise CheckpointError(_too_long(path)) from error
        raise CheckpointError(damaged(path.name)) from error
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError(damaged(path.name))
    swapped = isinstance(system, Mapping) and system.get("little_endian") is False
    sizes = {storage.key: _DTYPES[storage.kind].itemsize for storage in named if storage.kind in _DTYPES}
    storages, position, size = {}, stream.tell(), file.seek(0, 2)
    for key in keys:
        file.seek(position)
        count = int.from_bytes(file.read(8), "big" if swapped else "little")
        length = count * sizes.get(key, 0)
        if key not in sizes or position + 8 + length > size:
            raise CheckpointError(damaged(path.name))
        storages[key] = Storage(position + 8, length, swapped=swapped)
        position += 8 + length
    return _with_tensors(content, lambda reference: storages.get(reference.key), path)


def _nested(content: Any) -> list[Any]:
    """Return all values in nested dicts, lists and tuples, each once."""
    found: dict[int, Any] = {}
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if id(value) in found:
            continue
        found[id(value)] = value
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return list(found.values())


def _with_tensors(content: Any, find: Any, path: Path) -> Any:
    """Replace the references to tensors in dicts by tensors of the file."""
    made: dict[int, StoredTensor] = {}
    for table in _nested(content):
        if not isinstance(table, dict):
            continue
        for key, value in table.items():
            if isinstance(value, TensorReference):
                if id(value) not in made:
                    made[id(value)] = _stored(value, find, path)
                table[key] = made[id(value)]
    return made.get(id(content), content)


def _stored(tensor: TensorReference, find: Any, path: Path) -> StoredTensor:
    if tensor.storage is None:
        return StoredTensor(tensor.shape, None, tensor.form, None)
    dtype = getattr(torch, tensor.form, None) if tensor.form else _DTYPES.get(tensor.storage.kind)
    if tensor.storage.kind.startswith("Q") or not isinstance(dtype, torch.dtype):
        form = tensor.form or tensor.storage.kind.removesuffix("Storage").lower()
        return StoredTensor(tensor.shape, None, form, None)
    storage = find(tensor.storage)
    if storage is None or tensor.storage.count * _DTYPES.get(tensor.storage.kind, dtype).itemsize > storage.size:
        raise CheckpointError(damaged(path.name))
    form = str(dtype).removeprefix("torch.")
    return StoredTensor(
        tensor.shape, dtype, form, storage, tensor.offset + tensor.storage.offset, tuple(tensor.strides)
    )


def _too_long(path: Path) -> str:
    room = _LARGEST_PICKLE // 2**20
    return f"{path.name} has more than {room} MiB beside its weights: save the network's state_dict alone."
