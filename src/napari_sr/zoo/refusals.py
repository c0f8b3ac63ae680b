"""Explanations of why ``torch.load(weights_only=True)`` rejects a file, found without unpickling it."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
import zlib
from pathlib import Path

from napari_sr.errors import CheckpointError

#: First bytes of the format before torch 1.6: the pickled number 0x1950a86a20f9469cfc6c.
_TORCH_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
#: Names that are imported by checkpoints of plain tensors.
_HARMLESS = ("torch._utils ", "torch.storage ", "torch.serialization ", "torch._tensor ", "collections OrderedDict")

#: Exceptions of zipfile for a damaged archive.
_DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def refuse_program(path: Path) -> None:
    """Refuse a TorchScript archive before torch reads it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    CheckpointError
        If it is a TorchScript archive, or a damaged archive.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _DAMAGED_ZIP as error:
        raise CheckpointError(f"{path.name} is cut short or damaged: get the file again.") from error
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise CheckpointError(
            f"{path.name} is a TorchScript program, which is code: save the network's state_dict instead."
        )


def why_not_pickle(path: Path) -> str:
    """Return why ``torch.load(weights_only=True)`` did not load a file.

    Parameters
    ----------
    path : Path
        A file that exists, is not empty, and was rejected.

    Returns
    -------
    str
        One sentence with the name of the file, the problem and the remedy.
    """
    data = path.read_bytes()
    if data.startswith(b"PK"):
        return _why_not_zip(path)
    foreign, whole = _foreign_global(data)
    if foreign is not None and (whole or not _is_text(data)):
        return _runs_code(path, foreign)
    if _is_text(data):
        return f"{path.name} is a text file, not weights: the download may have saved a web page, get the file again."
    if whole and _TORCH_MAGIC not in data[:32]:
        return f"{path.name} is a pickle that torch did not write: save the network's state_dict with torch.save."
    return f"{path.name} is cut short or damaged: get the file again."


def _why_not_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.rsplit("/", 1)[-1] == "data.pkl"]
            if not pickles:
                return f"{path.name} is a zip archive without weights: choose the weight file in it."
            foreign, _ = _foreign_global(archive.read(pickles[0]))
    except _DAMAGED_ZIP:
        return f"{path.name} is cut short or damaged: get the file again."
    if foreign is not None:
        return _runs_code(path, foreign)
    return f"{path.name} is cut short or damaged: get the file again."


def _runs_code(path: Path, name: str) -> str:
    return (
        f"{path.name} would run code on loading ({name}) and was not loaded: "
        "get the weights alone from its author (a state_dict, or a safetensors file)."
    )


def _foreign_global(data: bytes) -> tuple[str | None, bool]:
    """Return the first name that a pickle imports and plain tensors do not, and whether the pickle is complete.

    The opcodes are read and not executed.
    """
    stream = io.BytesIO(data)
    foreign: list[str] = []
    whole = False
    try:
        # The old format of torch is several pickles in succession, followed by raw numbers.
        while not whole or data[stream.tell() : stream.tell() + 1] == b"\x80":
            whole = False
            _collect_foreign(stream, foreign)
            whole = True
    # Other data can raise any exception in pickletools; `whole` is the result.
    except Exception:
        whole = False
    return (foreign[0] if foreign else None), whole


def _collect_foreign(stream: io.BytesIO, foreign: list[str]) -> None:
    """Read one pickle to its end, and append the names that it imports and plain tensors do not."""
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            name = str(argument)
        elif opcode.name == "STACK_GLOBAL":
            name = " ".join(strings[-2:])
        else:
            if isinstance(argument, str):
                strings.append(argument)
            continue
        if not _harmless(name):
            foreign.append(name.replace(" ", "."))


def _harmless(name: str) -> bool:
    module, _, attribute = name.partition(" ")
    return name.startswith(_HARMLESS) or (module == "torch" and attribute.endswith(("Storage", "Size", "dtype")))


def _is_text(data: bytes) -> bool:
    sample = data[:4096]
    try:
        text = sample.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        # The end of the sample may be in the middle of a character.
        if error.start < len(sample) - 3:
            return False
        text = sample[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
