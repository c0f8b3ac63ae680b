"""The settings file in TOML that the window, the command line and Python share.

Explicit settings take precedence over it. The file is optional and may be edited by hand::

    device = "mps"
    precision = "float32"
    memory = "4GiB"
    model_folder = "/data/models"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from platformdirs import user_config_dir
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic import ValidationError as _Invalid

from napari_sr.conversion import Memory, shorten
from napari_sr.errors import InputError, one_line
from napari_sr.imaging.atomic import write_file
from napari_sr.setting_values import read_setting
from napari_sr.settings import JobSettings
from napari_sr.toml_text import parse_toml

#: Environment variable with the path of another settings file.
FILE_VARIABLE = "NAPARI_SR_CONFIG"


def _read(name: str) -> Callable[[Any], Any]:
    """Return the converter of one setting; pydantic reports the message of its error."""
    return lambda value: read_setting(name, value)


class Config(BaseModel):
    """The content of the settings file.

    `device`, `precision` and `memory` are defaults of all jobs and trainings: see `JobSettings`.

    Parameters
    ----------
    device : str, default "auto"
        As in `JobSettings`.
    precision : {"auto", "float32", "bfloat16", "float16"}, default "auto"
        As in `JobSettings`.
    memory : int, str or "auto", default "auto"
        As in `JobSettings`.
    model_folder : str or None, default None
        Folder of the user's own models; None for the default folder.
    last : dict of str to dict
        The last settings of each panel by its name, as flat values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    device: Annotated[str, BeforeValidator(_read("device"))] = "auto"
    precision: Annotated[str, BeforeValidator(_read("precision"))] = "auto"
    memory: Annotated[Memory, BeforeValidator(_read("memory"))] = "auto"
    model_folder: Annotated[StrictStr, Field(min_length=1)] | None = None
    last: dict[str, dict[str, StrictBool | StrictInt | StrictFloat | StrictStr]] = Field(default_factory=dict)


def config_path() -> Path:
    """Return the path of the settings file, which may not exist.

    Returns
    -------
    Path
        The value of the environment variable NAPARI_SR_CONFIG if it is set, or else the file in the user's folder of
        settings.

    Raises
    ------
    InputError
        If the variable is not set and the user has no home folder.
    """
    override = os.environ.get(FILE_VARIABLE)
    return Path(override).expanduser() if override else user_folder(user_config_dir, FILE_VARIABLE) / "config.toml"


def user_folder(find: Callable[..., str], variable: str) -> Path:
    """Return a folder of napari-sr in the user's home folder.

    Parameters
    ----------
    find : callable
        A function of platformdirs for one kind of folder, such as `user_config_dir`.
    variable : str
        Environment variable that names another place.

    Returns
    -------
    Path
        The folder, which may not exist.

    Raises
    ------
    InputError
        If the user has no home folder, as some containers start a program.
    """
    try:
        folder = Path(find("napari-sr", appauthor=False))
    except RuntimeError:
        folder = Path()
    # Earlier versions of platformdirs return "~/.config" as it is.
    if not folder.is_absolute():
        raise InputError(f"The home folder of the user is not known: set the environment variable HOME or {variable}.")
    return folder


def load_config() -> Config:
    """Read the settings file.

    Returns
    -------
    Config
        The defaults where there is no file.

    Raises
    ------
    InputError
        If the file cannot be read, or has an unknown setting or value; the message names it.
    """
    path = config_path()
    try:
        content = parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = one_line(error).rstrip(".")
        raise InputError(f"The settings file {path} cannot be read ({reason}); correct or remove it.") from error
    return _checked(content, f"The settings file {path}")


def load_settings(**given: Any) -> JobSettings:
    """Return job settings with the defaults of the settings file.

    Parameters
    ----------
    **given
        Fields of `JobSettings`. The default of those that are None or left out is that of the settings file, or else
        that of `JobSettings`.

    Raises
    ------
    InputError
        If a value cannot be used, or the settings file cannot be read.

    Examples
    --------
    >>> load_settings(tiling="none", memory=None).tiling
    'none'
    """
    values = {name: value for name, value in given.items() if value is not None}
    shared = [setting.name for setting in JobSettings.described() if setting.shared and setting.name not in values]
    if shared:
        config = load_config()
        values |= {name: getattr(config, name) for name in shared}
    return JobSettings(**values)


def save_config(config: Config) -> Path:
    """Write the settings file atomically.

    Parameters
    ----------
    config : Config
        The new content; defaults are left out.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = config_path()
    content = tomli_w.dumps(config.model_dump(exclude_none=True, exclude_defaults=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file may be a link into a folder that several computers share.
        write_file(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise InputError(f"The settings cannot be written to {path} ({error.strerror}); check its folder.") from error
    return path


def update_config(**changes: object) -> Config:
    """Change some settings in the file and keep the others.

    Parameters
    ----------
    **changes
        Fields of `Config` with their new values.

    Returns
    -------
    Config
        The new content. The file is not written if nothing changes.

    Raises
    ------
    InputError
        If a setting or value is unknown, or the file cannot be read or written; the file is then unchanged.
    """
    before = load_config()
    after = _checked({**before.model_dump(exclude_none=True), **changes}, "The settings")
    if after != before:
        save_config(after)
    return after


def remember(panel: str, settings: Mapping[str, bool | int | float | str]) -> None:
    """Store the last settings of a panel in the file.

    Raises
    ------
    InputError
        If the file cannot be read or written.
    """
    update_config(last={**load_config().last, panel: dict(settings)})


def forget(*panels: str) -> None:
    """Remove the last settings of panels from the file.

    Parameters
    ----------
    *panels : str
        Names of panels, as for `remember`.

    Raises
    ------
    InputError
        If the file cannot be read or written.
    """
    update_config(last={name: values for name, values in load_config().last.items() if name not in panels})


def _checked(content: Mapping[str, Any], where: str) -> Config:
    """Convert the content of a file; `where` begins the message of an error."""
    try:
        return Config.model_validate(content)
    except _Invalid as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][: 3 if first["loc"][0] == "last" else 1])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Config.model_fields)
            raise InputError(f"{where} has the unknown setting {key}: the settings are {known}.") from error
        value = shorten(first["input"])
        raise InputError(f"{where} has {key} = {value}, which cannot be used ({_reason(key, first)}).") from error


def _reason(key: str, error: Any) -> str:
    if key == "model_folder":
        return "give the path of a folder"
    # The message of `read_setting` without its first half, which names the value again.
    sentence = str(error.get("ctx", {}).get("error", error["msg"]))
    return sentence.partition(": ")[2].rstrip(".") or sentence
