"""Names of results: image files and OME-Zarr stores, by their endings."""

from __future__ import annotations

from pathlib import Path

from napari_sr.conversion import quote
from napari_sr.errors import InputError
from napari_sr.imaging.files import WRITABLE

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
