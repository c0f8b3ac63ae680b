"""Paths of results: their endings, their folders, and results that exist already."""

from __future__ import annotations

import os
from pathlib import Path

from napari_sr.conversion import check_folder, quote, read_path
from napari_sr.errors import InputError
from napari_sr.imaging.atomic import restore_interrupted
from napari_sr.imaging.files import WRITABLE

#: Endings of results: those of image files, and those of stores.
FORMATS = (*WRITABLE, ".ome.zarr", ".zarr")


def is_store_name(out: Path) -> bool:
    """Whether an output is a Zarr store, by its name.

    Returns
    -------
    bool
        True for ``.zarr`` and ``.ome.zarr``.
    """
    return out.name.lower().endswith(".zarr")


def check_name(path: Path) -> None:
    """Check that a result can be written under a name.

    Raises
    ------
    InputError
        If the ending is neither that of an image file that can be written nor that of a store.
    """
    if not path.name.lower().endswith(FORMATS):
        raise InputError(f"The result {quote(path.name)} has an unknown ending: use {', '.join(FORMATS)}.")


def check_path(out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Check all about the path of a result that does not depend on the image.

    Parameters
    ----------
    out : str or Path
        The path of the result.
    overwrite : bool, default False
        Whether an existing file or store is replaced.

    Raises
    ------
    InputError
        If the ending is unknown, there is no such folder, or the result exists and may not be replaced.
    """
    path = read_path(out, "path of the result")
    check_name(path)
    check_place(path, overwrite)
    return path


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

    Raises
    ------
    InputError
        If the output exists and may not be replaced.
    """
    if os.path.lexists(path) and not overwrite:
        raise InputError(f"{path} exists already: choose another name, or delete it first.")
