"""Messages for files that cannot be read, and the detection of text and of whole pickles."""

from __future__ import annotations

import io
import pickletools
from pathlib import Path

from napari_sr.zoo.names import shown


def damaged(name: str) -> str:
    """Return the message for a file that ends early or has wrong bytes."""
    return f"{name} is cut short or damaged: get the file again."


def text_file(path: Path) -> str:
    """Return the message for a text in place of weights."""
    return f"{path.name} is a text file, not weights: the download may have saved a web page, get the file again."


def runs_code(path: Path, name: str) -> str:
    """Return the message for a pickle that would import something else than tensors, by module and name."""
    return (
        f"{path.name} would run code on loading ({shown(name)}) and was not loaded: "
        "get the weights alone from its author (a state_dict, or a safetensors file)."
    )


def is_whole_pickle(data: bytes) -> bool:
    """Return whether the opcodes of the first MiB of a file end with STOP; they are not executed."""
    try:
        for _ in pickletools.genops(io.BytesIO(data[: 2**20])):
            pass
    # Other data can raise any exception in pickletools.
    except Exception:
        return False
    return True


def is_text(data: bytes) -> bool:
    """Return whether the first 4 kB of a file are printable text in UTF-8."""
    sample = data[:4096]
    try:
        text = sample.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        # The end of the sample may be in the middle of a character.
        if error.start < len(sample) - 3:
            return False
        text = sample[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
