"""Paths of results: image files and OME-Zarr stores, by their endings."""

from __future__ import annotations

import os
from pathlib import Path

from napari_sr.conversion import quote, read_path
from napari_sr.errors import InputError
from napari_sr.imaging.files import WRITABLE
from napari_sr.inference.output.existing import check_place

#: Endings of results: those of image files, and those of stores.
FORMATS = (*WRITABLE, ".ome.zarr", ".zarr")


def check_name(path: Path) -> None:
    """Check that a result can be written under a name.

    Parameters
    ----------
    path : Path
        The path of the result.

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

    Returns
    -------
    Path
        The path.

    Raises
    ------
    InputError
        If the ending is unknown, there is no such folder, or the result exists and may not be replaced.
    """
    path = read_path(out, "path of the result")
    check_name(path)
    check_place(path, overwrite)
    return path
