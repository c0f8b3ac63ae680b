"""The settings file that the window, the command line and Python share, in TOML.

Settings that are given explicitly take precedence over it. The file need not exist, and may be edited by hand::

    device = "cuda"
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
from uuid import uuid4

import tomli_w
from platformdirs import user_config_dir
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic import ValidationError as _Invalid

from napari_sr.errors import InputError
from napari_sr.settings import JobSettings, Memory, read_setting

#: Environment variable with the path of another settings file.
FILE_VARIABLE = "NAPARI_SR_CONFIG"


def _read(name: str) -> Callable[[Any], Any]:
    """Return a converter for one setting; pydantic reports its sentence."""
    return lambda value: read_setting(name, value)


class Config(BaseModel):
    """The content of the settings file.

    `device`, `precision` and `memory` are defaults for all jobs and trainings: see `JobSettings`.

    Parameters
    ----------
    device : str, default "auto"
        As in `JobSettings`.
    precision : {"auto", "float32", "bfloat16", "float16"}, default "auto"
        As in `JobSettings`.
    memory : int, str or "auto", default "auto"
        As in `JobSettings`.
    model_folder : str or None, default None
        Folder of the user's own models; None for the default one.
    last : dict of str to dict
        The last settings of each panel, by the panel's name, as flat values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    device: Annotated[str, BeforeValidator(_read("device"))] = "auto"
    precision: Annotated[str, BeforeValidator(_read("precision"))] = "auto"
    memory: Annotated[Memory, BeforeValidator(_read("memory"))] = "auto"
    model_folder: Annotated[StrictStr, Field(min_length=1)] | None = None
    last: dict[str, dict[str, StrictBool | StrictInt | StrictFloat | StrictStr]] = Field(default_factory=dict)


def config_path() -> Path:
    """Return the path of the settings file, which need not exist.

    Returns
    -------
    Path
        The user's own file, or the one that the environment variable NAPARI_SR_CONFIG names.
    """
    moved = os.environ.get(FILE_VARIABLE)
    return Path(moved).expanduser() if moved else Path(user_config_dir("napari-sr", appauthor=False)) / "config.toml"


def load_config() -> Config:
    """Read the settings file.

    Returns
    -------
    Config
        The defaults where there is no file.

    Raises
    ------
    InputError
        The file cannot be read, or holds an unknown setting or value; the sentence names it.
    """
    path = config_path()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"The settings file {path} cannot be read ({reason}); correct or remove it.") from error
    return _checked(content, f"The settings file {path}")


def load_settings(**given: Any) -> JobSettings:
    """Return job settings with the defaults of the settings file.

    Parameters
    ----------
    **given
        Fields of `JobSettings`. Those that are None or left out have the default of the settings file, or else that of
        `JobSettings`.

    Returns
    -------
    JobSettings

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
    shared = [one.name for one in JobSettings.described() if one.shared and one.name not in values]
    if shared:
        config = load_config()
        values |= {name: getattr(config, name) for name in shared}
    return JobSettings(**values)


def save_config(config: Config) -> Path:
    """Write the settings file, whole or not at all.

    Parameters
    ----------
    config : Config
        Its new content; defaults are left out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = config_path()
    content = tomli_w.dumps(config.model_dump(exclude_none=True, exclude_defaults=True))
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"The settings cannot be written to {path} ({error.strerror}); check its folder.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def update_config(**changes: object) -> Config:
    """Change some settings in the file, and leave the others as they are.

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
        An unknown setting or value; the file is then left as it was.
    """
    before = load_config()
    after = _checked({**before.model_dump(exclude_none=True), **changes}, "The settings")
    if after != before:
        save_config(after)
    return after


def remember(panel: str, settings: Mapping[str, bool | int | float | str]) -> None:
    """Keep the last settings of a panel in the file.

    Parameters
    ----------
    panel : str
        Name of the panel.
    settings : mapping of str to bool, int, float or str
        Flat values.

    Raises
    ------
    InputError
        As `update_config`.
    """
    update_config(last={**load_config().last, panel: dict(settings)})


def _checked(content: Mapping[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(content)
    except _Invalid as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][: 3 if first["loc"][0] == "last" else 1])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Config.model_fields)
            raise InputError(f"{where} has the unknown setting {key}: the settings are {known}.") from error
        value = first["input"]
        raise InputError(f"{where} has {key} = {value!r}, which cannot be used ({_reason(key, first)}).") from error


def _reason(key: str, error: Any) -> str:
    if key == "model_folder":
        return "give the path of a folder"
    # The sentence of `read_setting`, after its first half, which names the value again.
    sentence = str(error.get("ctx", {}).get("error", error["msg"]))
    return sentence.partition(": ")[2].rstrip(".") or sentence
