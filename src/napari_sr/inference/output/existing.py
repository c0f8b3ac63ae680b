"""The place of an output: its folder exists, and an output there is not replaced unless that was allowed."""

from __future__ import annotations

from pathlib import Path

from napari_sr.conversion import check_folder
from napari_sr.errors import InputError
from napari_sr.imaging.atomic import restore_interrupted


def check_place(path: Path, overwrite: bool) -> None:
    """Check that an output can be written to a path, before the computation.

    Parameters
    ----------
    path : Path
        The output. What a killed run has left of an earlier one is restored.
    overwrite : bool
        Whether an existing output may be replaced.

    Raises
    ------
    InputError
        If there is no such folder, or the output exists and may not be replaced.
    """
    check_folder(path)
    restore_interrupted(path)
    check_new(path, overwrite)


def check_new(path: Path, overwrite: bool) -> None:
    """Check that an output may be written to a path: before the computation, and again before it is renamed.

    Parameters
    ----------
    path : Path
        The output.
    overwrite : bool
        Whether an existing output may be replaced.

    Raises
    ------
    InputError
        If the output exists and may not be replaced.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another name, or delete it first.")
