"""Conversion of values that callers, files and the command line give: numbers, memory sizes, devices and names.

Each function returns the converted value or raises `InputError` with one sentence. Needs neither torch nor numpy; numpy
scalars are accepted wherever a Python number is.
"""

from __future__ import annotations

import errno
import math
import operator
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

from napari_sr.device_names import KINDS
from napari_sr.errors import InputError, one_line

_Name = TypeVar("_Name", bound=str)

#: A budget in bytes, or "auto" for one that is measured.
Memory = int | Literal["auto"]

_DEVICE = re.compile(rf"auto|cpu|({'|'.join(KINDS)})(:\d{{1,3}})?")
_MEMORY = re.compile(r"(\d{1,15}(?:\.\d+)?) ?(?:([KMGT]?)(i?)B)?", re.IGNORECASE)
#: Largest whole factor, far beyond those of any network.
_LARGEST_SCALE = 1000
#: Longest text of a value in an error message.
_LONGEST = 60


def read_number(value: Any, name: str) -> float:
    """Convert a value to a finite float.

    Parameters
    ----------
    value : object
        A number, a numpy scalar, or the text of a number.
    name : str
        Name of the value in the error message.

    Raises
    ------
    InputError
        If it is not a finite number.
    """
    try:
        # numpy casts complex numbers to real ones with a warning.
        if _is_bool(value) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"The {name} {shorten(value)} is not a number: give one.") from None
    if not math.isfinite(number):
        raise InputError(f"The {name} {shorten(value)} is not finite: give a number.")
    return number


def read_whole(value: Any, name: str, least: int | None = None, alternative: str = "") -> int:
    """Convert a value to an int.

    Parameters
    ----------
    value : object
        An int or a numpy integer.
    name : str
        Name of the value in the error message.
    least : int, optional
        Smallest accepted number; by default any.
    alternative : str, default ""
        Another accepted value, for the error message.

    Raises
    ------
    InputError
        If it is not a whole number, or is less than `least`.
    """
    try:
        if _is_bool(value):
            raise TypeError
        number = operator.index(value)
        if least is None or number >= least:
            return number
    except TypeError:
        pass
    bound = "" if least is None else f" of {least} or more"
    raise InputError(f"The {name} {shorten(value)} cannot be used: give a whole number{bound}{alternative}.")


def read_scale(value: Any, name: str = "factor") -> int:
    """Convert a value to a whole factor.

    Parameters
    ----------
    value : object
        An int or a numpy integer.
    name : str, default "factor"
        Name of the value in the error message.

    Raises
    ------
    InputError
        If it is not a whole number from 1 to 1000.
    """
    factor = read_whole(value, name, 1)
    if factor > _LARGEST_SCALE:
        raise InputError(f"The {name} {shorten(value)} is too large: give a whole number from 1 to {_LARGEST_SCALE}.")
    return factor


def read_flag(value: Any, name: str) -> bool:
    """Convert a value to a bool.

    Parameters
    ----------
    value : object
        A bool or a numpy bool.
    name : str
        Name of the value in the error message.

    Raises
    ------
    InputError
        If it is neither true nor false.
    """
    if _is_bool(value):
        return bool(value)
    raise InputError(f"The {name} {shorten(value)} is neither true nor false: give True or False.")


def read_choice(value: Any, name: str, choices: Sequence[_Name]) -> _Name:
    """Check that a value is one of several names.

    Parameters
    ----------
    value : object
        The value.
    name : str
        Name of the value in the error message.
    choices : sequence of str
        The names.

    Raises
    ------
    InputError
        If it is none of them.
    """
    for choice in choices:
        if isinstance(value, str) and value == choice:
            return choice
    raise InputError(f"The {name} {shorten(value)} does not exist: give one of {', '.join(choices)}.")


def read_device(value: Any) -> str:
    """Read the name of a device.

    Parameters
    ----------
    value : str or torch.device
        "auto", "cpu", or a kind of accelerator with or without a number, in capital or small letters.

    Returns
    -------
    str
        In small letters. Whether the device is on this machine is not checked.

    Raises
    ------
    InputError
        If there is no such device.
    """
    text = str(value).strip().lower() if isinstance(value, str) or type(value).__name__ == "device" else ""
    if _DEVICE.fullmatch(text) is None:
        raise InputError(
            f"The device {shorten(value)} does not exist: give auto, cpu, {', '.join(KINDS)}, or such as {KINDS[0]}:1."
        )
    return text


def parse_memory(value: Any) -> Memory:
    """Read a memory budget.

    Parameters
    ----------
    value : int, str or "auto"
        "auto", a number of bytes, or a number with its unit, such as "2GiB" or "500MB".

    Returns
    -------
    int or "auto"
        Bytes.

    Raises
    ------
    InputError
        If it is none of these, or less than 1 byte.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.lower() == "auto":
            return "auto"
        match = _MEMORY.fullmatch(text)
        if match is not None:
            number, prefix, binary = match.groups(default="")
            size = float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
            if size >= 1:
                return int(size)
    else:
        try:
            size = operator.index(value)
        except TypeError:
            size = int(value) if isinstance(value, float) and value.is_integer() else 0
        if not _is_bool(value) and size >= 1:
            return size
    raise InputError(
        f"The memory {shorten(value)} is not a budget: give auto, a number of bytes, or such as 2GiB or 500MiB."
    )


def read_path(value: Any, name: str, *, pattern: bool = False) -> Path:
    """Convert a value to a path.

    Parameters
    ----------
    value : str or Path
        The path.
    name : str
        Name of the value in the error message, such as "folder".
    pattern : bool, default False
        Whether the path may have wildcards, which no file name of Windows can have.

    Returns
    -------
    Path
        The path, which need not exist.

    Raises
    ------
    InputError
        If it is not a path that a system can have.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(text, str) and text:
        path = Path(text)
        try:
            (Path(re.sub("[*?]", "_", text)) if pattern else path).lstat()
            return path
        except ValueError:
            # A null character, or one that no file name can have.
            pass
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP):
                return path
    raise InputError(f"The {name} {shorten(text)} is not a path that this system can have: give another one.")


def check_folder(path: Path) -> None:
    """Check that the folder exists in which a file or a store is to be written.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} in: create it first.")


def check_no_address(path: PurePath | str) -> None:
    """Check that the path of a missing file is not an address, from which nothing is downloaded.

    Parameters
    ----------
    path : str or Path
        The path; one of the slashes of an address is not in a Path, and the others are backslashes on Windows.

    Raises
    ------
    InputError
        If it is an address.
    """
    text = str(path).replace("\\", "/")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/+", text)
    if scheme is not None:
        address = quote(text if "://" in text else f"{scheme[1]}://{text[scheme.end() :]}")
        raise InputError(f"{address} is an address, not a file: download the file, and give its path.")


def read_callable(value: Any, name: str) -> Callable[..., Any] | None:
    """Check that a value can be called.

    Parameters
    ----------
    value : callable or None
        The value.
    name : str
        Name of the value in the error message.

    Raises
    ------
    InputError
        If it cannot be called.
    """
    if value is None or callable(value):
        return value  # type: ignore[no-any-return]
    raise InputError(f"The {name} {shorten(value)} cannot be called: give a function, or leave it out.")


def shorten(value: Any) -> str:
    """Write a value for an error message.

    Returns
    -------
    str
        Its representation on one line, with at most 60 characters.
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        # numpy writes np.float64(2.5), and users gave 2.5.
        value = value.item()
    try:
        text = one_line(repr(value))
    except Exception:
        # The class of the value is not ours, and its error would hide that of the caller.
        text = ""
    if not text or " at 0x" in text or text.startswith("<class"):
        return f"<{(value if isinstance(value, type) else type(value)).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def quote(text: object) -> str:
    """Write a text for an error message.

    Parameters
    ----------
    text : object
        The text, such as a name that a user gave, or an object with a name as its text, such as a unit.

    Returns
    -------
    str
        The text in double quotes on one line, with at most 60 characters; characters that cannot be displayed are
        escaped. Of an object without a text of its own it is the type.
    """
    line = printable(str(text))
    if not isinstance(text, str) and (" at 0x" in line or line.startswith("<class")):
        return shorten(text)
    return f'"{line}"' if len(line) <= _LONGEST else f'"{line[: _LONGEST - 3]}..."'


def printable(text: str) -> str:
    """Escape the characters of a text that cannot be displayed, such as a line break in the name of a file."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _is_bool(value: Any) -> bool:
    # By name, so that numpy's bool counts without an import of numpy.
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
