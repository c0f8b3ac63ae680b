"""The state of a training in one file: whole or not there.

A file is written under a temporary name, brought to the disk, and renamed over the last one, so at any moment one whole
checkpoint stands. Everything that the rest of the training depends on is in it; random numbers follow from the step
(`napari_sr.training.randomness`), and so does the place in the data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from napari_sr.errors import InputError
from napari_sr.old_keys import renamed_run_state

NAME = "last.pt"
#: Format 1 has old keys.
_FORMAT = 2


def write_run_state(folder: Path, state: dict[str, Any]) -> Path:
    """Write the state of a training.

    Parameters
    ----------
    folder : Path
        Of the run.
    state : dict
        Tensors, numbers and texts, nested in dicts and lists.

    Raises
    ------
    InputError
        If the disk is full or cannot be written; the checkpoint before stays as it is.
    """
    path = folder / NAME
    temporary = folder / f".{NAME}.tmp"
    try:
        with temporary.open("wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:
        # torch turns a full disk into a RuntimeError of its writer.
        temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or "the disk may be full"
        raise InputError(
            f"The checkpoint could not be written to {folder} ({reason}): make room and start again; the training "
            "goes on from the one before."
        ) from error
    return path


def read_run_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a training; None where none was written.

    Raises
    ------
    InputError
        If the file is no checkpoint of this version.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file can fail in any way at all; each is told in one sentence.
    except Exception as error:
        raise InputError(f"{path} is damaged: remove it to train from the beginning.") from error
    if not isinstance(state, dict) or state.get("format") not in (1, _FORMAT):
        raise InputError(f"{path} is no checkpoint of this version: remove it to train from the beginning.")
    return renamed_run_state(state) if state["format"] == 1 else state


def _sync_folder(folder: Path) -> None:
    """Bring the renaming to the disk, where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
