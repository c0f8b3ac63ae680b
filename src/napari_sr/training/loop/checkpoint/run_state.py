"""The checkpoint of a training: one file with everything that the remaining steps depend on.

The file is written under a temporary name, flushed to the disk, and renamed over the previous one, so that there is a
complete checkpoint at any time. Random numbers and the order of the patches follow from the step
(`napari_sr.training.randomness`) and need no state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_sr.errors import InputError, disk_remedy
from napari_sr.imaging.atomic import atomic_file
from napari_sr.inference.compute.too_little_memory import sentence_for_too_little_memory
from napari_sr.old_keys import renamed_run_state

NAME = "last.pt"
#: Version of the format; version 1 has old keys.
_FORMAT = 2


def write_run_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint of a training, in place of the previous one.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    state : dict
        Tensors, numbers and strings, nested in dicts and lists.

    Raises
    ------
    InputError
        If the disk is full or cannot be written; the previous checkpoint, if there is one, is kept.
    """
    path = folder / NAME
    try:
        with atomic_file(path, durable=True) as temporary:
            torch.save({"format": _FORMAT, **state}, temporary)
    except (OSError, RuntimeError) as error:
        # On a full disk, torch's writer raises a RuntimeError.
        reason = getattr(error, "strerror", None) or "the disk may be full"
        then = "continues from the previous checkpoint" if path.is_file() else "begins anew"
        raise InputError(
            f"The checkpoint could not be written to {folder} ({reason}): {disk_remedy(error)} and start the "
            f"training again; it {then}."
        ) from error


def read_run_state(folder: Path, *, mapped: bool = False) -> dict[str, Any] | None:
    """Read the checkpoint of a training; None if there is none.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    mapped : bool, default False
        Read tensors when they are used. Meanwhile another checkpoint cannot be written on Windows.

    Raises
    ------
    InputError
        If the file cannot be read, does not fit into memory, is damaged, or is not a checkpoint of a known version.
    """
    path = folder / NAME
    if path.is_dir():
        raise InputError(f"{path} is a folder, and the checkpoint has this name: rename or remove it.")
    if not path.is_file():
        return None
    too_little_memory = sentence_for_too_little_memory(
        f"There is too little memory to read {path}: close other programs, and start the training again."
    )
    try:
        with too_little_memory:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except InputError:
        raise
    except OSError as error:
        # The file may be whole: it must not be removed for a disk that is not there.
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check its disk and permissions, and start the "
            "training again."
        ) from error
    # The exception depends on where the file is damaged.
    except Exception as error:
        raise InputError(f"{path} is damaged: remove it to train from the start.") from error
    if not isinstance(state, dict) or state.get("format") not in (1, _FORMAT):
        raise InputError(f"{path} is not a checkpoint of a known version: remove it to train from the start.")
    if state["format"] == _FORMAT:
        return state
    try:
        return renamed_run_state(state)
    except ValueError as error:
        problem = f"{path} has a recipe that cannot be read ({error})"
        raise InputError(f"{problem}: remove it to train from the start.") from error


def begun_precision(folder: Path) -> str | None:
    """Return the number format of a run until its checkpoint, as Fabric names it; None if there is no checkpoint.

    Raises
    ------
    InputError
        As `read_run_state`.
    """
    state = read_run_state(folder, mapped=True)
    return None if state is None else str(state["identity"]["precision"])
