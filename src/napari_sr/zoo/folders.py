"""The folders of models, that of the package and that of the user, and the weight files in them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Set
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_data_dir

from napari_sr.config import load_config, user_folder
from napari_sr.zoo.checkpoint.suffixes import SUFFIXES, stem_of
from napari_sr.zoo.model_list import Origin
from napari_sr.zoo.names import as_name

#: Environment variable with the path of the user's folder of models.
FOLDER_VARIABLE = "NAPARI_SR_MODELS"


class NamedFile(NamedTuple):
    """A weight file in a folder, by its name in the catalog.

    Parameters
    ----------
    name : str
        Its name.
    path : Path
        The file.
    where : {"bundled", "user"}
        Kind of the folder.
    """

    name: str
    path: Path
    where: Origin


def model_folder() -> Path:
    """Return the folder of the user's own and downloaded models, which may not exist.

    Returns
    -------
    Path
        The value of the environment variable NAPARI_SR_MODELS if it is set, or else the folder of the settings file, or
        else the folder "models" in the user's folder of data.

    Raises
    ------
    InputError
        If the settings file cannot be read, or the user has no home folder.
    """
    folder = os.environ.get(FOLDER_VARIABLE) or load_config().model_folder
    return Path(folder).expanduser() if folder else default_model_folder()


def default_model_folder() -> Path:
    """Return the folder of the user's models where neither variable nor settings file name one.

    Returns
    -------
    Path
        The folder "models" in the user's folder of data, which may not exist.

    Raises
    ------
    InputError
        If the user has no home folder.
    """
    return user_folder(user_data_dir, FOLDER_VARIABLE) / "models"


def bundled_folder() -> Path:
    """Return the folder of the models in the package."""
    return Path(str(files("napari_sr.zoo").joinpath("bundled")))


def named_files(folder: Path, where: Origin, reserved: Set[str] = frozenset()) -> list[NamedFile]:
    """Return the weight files in a folder; a file whose name is shared or reserved has its ending in it.

    Parameters
    ----------
    folder : Path
        The folder, which may not exist.
    where : {"bundled", "user"}
        Its kind.
    reserved : set of str, optional
        Names of other models.

    Returns
    -------
    list of NamedFile
        Sorted by name; none for a folder that cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
    # A folder that does not exist or cannot be read has no models.
    except OSError:
        return []
    # Sorted by the displayed names: "x3" before "x3-915", contrary to the names with their suffixes. Hidden files are
    # temporary files of writers.
    paths = sorted(
        (path for path in paths if not path.name.startswith(".")), key=lambda path: (stem_of(path), path.suffix)
    )
    names = [as_name(stem_of(path)) for path in paths]
    taken = {name for name, number in Counter(names).items() if number > 1} | reserved
    names = [as_name(path.name) if name in taken else name for name, path in zip(names, paths, strict=True)]
    return [NamedFile(name, path, where) for name, path in zip(names, paths, strict=True)]
