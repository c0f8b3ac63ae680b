"""The one rule for names of models: each is the name of a file and of a folder on every system."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from napari_sr.conversion import shorten
from napari_sr.errors import InputError, one_line

#: Largest number of characters, and of bytes in UTF-8: file systems allow 255 bytes, of which endings take some.
LONGEST, LARGEST = 120, 200
#: In place of the name of a model: the suggested one.
AUTO = "auto"
#: Characters beside letters and digits.
_OTHERS = " -_.,()[]+=&'#%@!"
#: Device names of Windows, which are no file names there, with any ending.
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"}


def is_auto(model: object) -> bool:
    """Whether a value given as a model is the text "auto"; of an array, ``==`` would give an array."""
    return isinstance(model, str) and model == AUTO


class UnknownModelError(InputError):
    """No model has a name.

    Parameters
    ----------
    name : str
        The name.
    remedy : str
        End of the message.
    """

    def __init__(self, name: str, remedy: str) -> None:
        # Both are given on, as copies in other processes are made of them.
        super().__init__(name, remedy)
        self.name, self.remedy = name, remedy

    def __str__(self) -> str:
        return one_line(f"There is no model called {shown(self.name)}: {self.remedy}")


def check_name(name: str) -> str:
    """Check that a text can be the name of a model, a recipe or a weight set.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    InputError
        If it is empty or longer than 120 characters or 200 bytes, has other characters than letters, digits, spaces
        and ``- _ . , ( ) [ ] + = & ' # % @ !``, begins with a dot, a dash or a space, ends with a dot or a space, or is
        the name of a device on Windows.
    """
    if not isinstance(name, str):
        raise InputError(f"The name {shorten(name)} is not a text: give letters and digits.")
    if not name.strip():
        raise InputError("The name is empty: give letters and digits.")
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > LARGEST:
        raise InputError(f"The name {shorten(name)} is too long: give at most {LONGEST} characters.")
    if not all(map(_is_allowed, name)):
        raise InputError(
            f"{shorten(name)} cannot be the name of a model: use letters, digits, spaces, dashes, dots and parentheses."
        )
    if name[0] in ".- " or name[-1] in ". ":
        raise InputError(
            f"{shorten(name)} cannot be the name of a model: begin it with a letter or a digit, and end it with one."
        )
    if _is_reserved(name):
        raise InputError(f"{shorten(name)} is the name of a device on Windows: choose another name.")
    return name


def as_name(text: str) -> str:
    """Make a valid name from any text, such as the name of a file that another program wrote.

    Returns
    -------
    str
        The text if it is valid; otherwise shortened, and with an underscore for each character that is not allowed.
    """
    name = "".join(c if _is_allowed(c) else "_" for c in unicodedata.normalize("NFC", text[: 4 * LONGEST]))
    name = name.lstrip(".- ")[:LONGEST]
    while len(name.encode("utf-8")) > LARGEST:
        name = name[:-1]
    name = name.rstrip(". ") or "model"
    return f"{name.partition('.')[0]}_" if _is_reserved(name) else name


def numbered(name: str, number: int) -> str:
    """Return a name with a number at its end, for a model whose name is taken.

    Parameters
    ----------
    name : str
        A valid name.
    number : int
        The number; 1 gives the name itself.

    Returns
    -------
    str
        The name, a dash and the number; a long name is shortened.
    """
    if number == 1:
        return name
    ending = f"-{number}"
    name = name[: LONGEST - len(ending)]
    while len(name.encode("utf-8")) > LARGEST - len(ending):
        name = name[:-1]
    return name + ending


def shown(text: str) -> str:
    """Return a text of a file for an error message.

    Parameters
    ----------
    text : str
        The text, such as the name of a tensor.

    Returns
    -------
    str
        The text on one line, with at most 60 characters.
    """
    return text if text.isprintable() and len(text) <= 60 else shorten(text)


def _is_allowed(character: str) -> bool:
    return character in _OTHERS or unicodedata.category(character)[0] in "LMN"


def _is_reserved(name: str) -> bool:
    return name.partition(".")[0].strip().lower() in _RESERVED


#: Type of a name in a pydantic model.
Name = Annotated[str, AfterValidator(check_name)]
