"""The folder of files that can be made again: measurements of this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from napari_sr.config import user_folder
from napari_sr.imaging.atomic import write_file

FOLDER_VARIABLE = "NAPARI_SR_CACHE"


def cache_folder() -> Path:
    """Return the folder of files that can be made again.

    Returns
    -------
    Path
        The cache folder of the user, or the folder that the environment variable NAPARI_SR_CACHE names. It may not
        exist yet.

    Raises
    ------
    InputError
        If the variable is not set and the user has no home folder.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_folder(user_cache_dir, FOLDER_VARIABLE)


def write_cache(path: Path, content: dict[str, Any]) -> None:
    """Write a file of the cache; ignored if that is not possible, since what it holds can be measured again.

    Parameters
    ----------
    path : Path
        The file, in `cache_folder`, which is made if there is none.
    content : dict
        What is written, as JSON.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(content, indent=1))
    except OSError:
        # Without a cache each process measures, or computes in the usual way.
        return
