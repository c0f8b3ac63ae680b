"""The folder of files that can be made again: measurements of this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_dir

from napari_sr.config import user_folder
from napari_sr.imaging.atomic import write_file

FOLDER_VARIABLE = "NAPARI_SR_CACHE"

_Value = TypeVar("_Value")


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


def read_cache(name: str, convert: Callable[[Any], dict[str, _Value]]) -> dict[str, _Value]:
    """Read a file of the cache.

    Parameters
    ----------
    name : str
        Name of the file in `cache_folder`.
    convert : callable
        Converts the content of the file, read from JSON.

    Returns
    -------
    dict
        The converted content; empty if there is no such file, or if it is damaged.
    """
    try:
        return convert(json.loads((cache_folder() / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # What it held can be measured again.
        return {}


def write_cache(name: str, content: dict[str, Any]) -> None:
    """Write a file of the cache; ignored if that is not possible, since what it holds can be measured again.

    Parameters
    ----------
    name : str
        Name of the file in `cache_folder`, which is made if there is none.
    content : dict
        What is written, as JSON.
    """
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(content, indent=1))
    except OSError:
        # Without a cache each process measures, or computes in the usual way.
        return
