"""TOML of users: settings files and recipes."""

from __future__ import annotations

import tomllib
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises
    ------
    tomllib.TOMLDecodeError
        If the text is not TOML, is nested too deeply, or has a number of too many digits.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("its tables or arrays are nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # Python converts at most 4300 digits to a number.
        raise tomllib.TOMLDecodeError(str(error).partition(";")[0]) from error
