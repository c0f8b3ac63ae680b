"""The settings that the window, the command line and Python share: one TOML file of our own.

What is given explicitly always wins over it. The file need not exist, and may be edited by hand::

    device = "cuda"
    precision = "float32"
    memory = "4GiB"
    model_folder = "/data/models"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import tomli_w
from platformdirs import user_config_dir
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic import ValidationError as _Invalid

from napari_sr.errors import InputError

#: Names another file than the user's own.
FILE_VARIABLE = "NAPARI_SR_CONFIG"

#: A setting of a panel, as TOML can hold it.
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


def parse_memory(text: str | int) -> int | Literal["auto"]:
    """Read a budget: auto, bytes, or a number with its unit, such as "2GiB" or "500MB".

    Raises
    ------
    InputError
        If it is none of these.
    """
    if text == "auto":
        return "auto"
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?) ?(?:([KMGT]?)(i?)B)?", str(text), re.IGNORECASE)
    if found is None or isinstance(text, bool):
        raise InputError(f"The memory {text} is no budget: give auto, a number of bytes, or such as 2GiB or 500MiB.")
    number, prefix, binary = found.groups(default="")
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " "))


class Config(BaseModel):
    """What is used where nothing else is said.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda", "cuda:1" and so on, or "mps".
    precision : {"auto", "float32", "bfloat16", "float16"}
        Numbers to compute in.
    memory : int or "auto"
        Bytes that exact tiling may take; the file may also say "4GiB".
    model_folder : str or None
        Folder of the user's own models; None for the default one.
    last : dict
        The last settings of each panel, by the panel's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    device: Annotated[StrictStr, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    memory: Annotated[Annotated[int, Field(gt=0)] | Literal["auto"], BeforeValidator(parse_memory)] = "auto"
    model_folder: Annotated[StrictStr, Field(min_length=1)] | None = None
    last: dict[str, dict[str, Scalar]] = Field(default_factory=dict)


def config_path() -> Path:
    """Path of the file; the variable NAPARI_SR_CONFIG names another one. It need not exist."""
    moved = os.environ.get(FILE_VARIABLE)
    return Path(moved).expanduser() if moved else Path(user_config_dir("napari-sr", appauthor=False)) / "config.toml"


def load_config() -> Config:
    """Read the shared settings.

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
        raise InputError(f"The settings file {path} cannot be read ({reason}); mend or remove it.") from error
    return _checked(content, f"The settings file {path}")


def save_config(config: Config) -> Path:
    """Write the shared settings, whole or not at all.

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
    """Change some of the shared settings, and leave the others as the file has them.

    Parameters
    ----------
    **changes
        Fields of `Config` with their new values.

    Returns
    -------
    Config
        As it is in the file now; a file that says so already is not touched.

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


def remember(panel: str, settings: Mapping[str, Scalar]) -> None:
    """Keep the last settings of a panel.

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
    remedies = {
        "device": "give auto, cpu, cuda, cuda:1 or mps",
        "precision": "give auto, float32, bfloat16 or float16",
        "memory": "give auto, a number of bytes, or such as 2GiB",
        "model_folder": "give the path of a folder",
    }
    return remedies.get(key, str(error["msg"]))
