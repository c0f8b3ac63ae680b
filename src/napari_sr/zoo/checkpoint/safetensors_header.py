"""The header of a safetensors file, read without torch and without a memory map.

A mapped file would end the process when another program shortens it, and would change the weights of a loaded model
when another program writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.limits import are_whole, check_count, check_key, is_shape

#: Largest header in bytes; that of ESRGAN has 80 kB.
_LARGEST = 4 * 2**20
#: Largest number of tables and lists in a header, which take far more memory than their text.
_MOST_BRACKETS = 50_000
#: Size of a value in bytes, by the name of its type.
SIZES: dict[str, int] = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
    "C64": 8,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
}


@dataclass(frozen=True)
class Entry:
    """The place of a tensor in the file.

    Parameters
    ----------
    dtype : str
        Name of the type of its values, a key of `SIZES`.
    shape : tuple of int
        Its shape.
    start, stop : int
        Its first byte in the file, and the byte behind its last one.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file.

    Parameters
    ----------
    metadata : mapping of str to str
        Texts by name.
    entries : mapping of str to Entry
        Tensors by name.
    """

    metadata: Mapping[str, str]
    entries: Mapping[str, Entry]


def read_header(file: BinaryIO, name: str) -> Header:
    """Read the header of a safetensors file, at any position; errors have the name.

    Its tensors follow one another without gap or overlap, and fill the file. Raises `CheckpointError` if the file is
    not a safetensors file, is cut short, or its header is too large.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > size - 8:
        if start.startswith((b"PK\x03\x04", b"\x80\x02")):
            raise CheckpointError(f"{name} was written by torch.save: give it the ending .pth instead of .safetensors.")
        raise CheckpointError(_damaged(name))
    if length > _LARGEST:
        raise CheckpointError(f"{name} has a header of {length} bytes, more than a network needs: get the file again.")
    text = file.read(length)
    try:
        return _parse(text, 8 + length, size, name)
    # json raises a RecursionError for deeply nested lists.
    except (ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(_damaged(name)) from error


def _damaged(name: str) -> str:
    return f"{name} is cut short or is no safetensors file: get the file again."


def _parse(text: bytes, start: int, size: int, name: str) -> Header:
    if not text.startswith(b"{") or text.count(b"{") + text.count(b"[") > _MOST_BRACKETS:
        raise ValueError
    header = json.loads(text.decode("utf-8"), object_pairs_hook=unique_members, parse_constant=_refuse_constant)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError
    check_count(len(header), name)
    entries = {}
    for key, value in header.items():
        check_key(key, name)
        entries[key] = _entry(value, start)
    position = start
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.stop)):
        if entry.start != position:
            raise ValueError
        position = entry.stop
    if position != size:
        raise ValueError
    return Header(metadata, entries)


def _entry(value: Any, start: int) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SIZES or not is_shape(shape):
        raise ValueError
    if not are_whole(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != prod(shape) * SIZES[dtype]:
        raise ValueError
    return Entry(dtype, tuple(shape), start + offsets[0], start + offsets[1])


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of the members of a JSON object, for `json.loads`; ValueError if two members have one name."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is there twice")
    return result


def _refuse_constant(constant: str) -> None:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(constant)
