"""An output that exists already is not replaced unless that was allowed."""

from __future__ import annotations

from pathlib import Path

from napari_sr.errors import InputError


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
