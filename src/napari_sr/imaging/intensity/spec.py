"""The intensities of an image that are black and white for a network: by name, as percentiles, or as two values.

Needs no numpy, so that settings can be read without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from napari_sr.conversion import read_number, shorten
from napari_sr.errors import InputError

_PAIR = re.compile(r"(percentiles?:)?\s*([^,\s]+)\s*,\s*([^,\s]+)")


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of all finite values of an image that are mapped to the ends of the network's range.

    Parameters
    ----------
    low : float, default 0.1
        Lower percentile, 0 or more.
    high : float, default 99.9
        Upper percentile, more than `low` and at most 100.

    Raises
    ------
    InputError
        If one of them is not a number, or they are not in this order.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> image = np.arange(256, dtype=np.uint16).reshape(16, 16)
    >>> sr.upscale(image, "srcnn-x2", intensity=sr.Percentiles(1, 99), device="cpu").shape
    (32, 32)
    """

    low: float = 0.1
    high: float = 99.9

    def __post_init__(self) -> None:
        """Convert and check both percentiles."""
        for name in ("low", "high"):
            object.__setattr__(self, name, read_number(getattr(self, name), f"{name} percentile"))
        if not 0 <= self.low < self.high <= 100:
            raise InputError(
                f"The percentiles {self.low:g} and {self.high:g} are not in order: give a low and a higher one, "
                "from 0 to 100."
            )


IntensitySpec = Literal["auto", "dtype", "percentile", "contrast"] | tuple[float, float] | Percentiles
#: Names of the ways to choose the intensities.
SPECS = ("auto", "dtype", "percentile", "contrast")
#: The percentiles of "percentile".
PERCENTILES: tuple[float, float] = (Percentiles().low, Percentiles().high)


def parse_intensity(value: Any) -> IntensitySpec:
    """Read the intensities that are black and white.

    Parameters
    ----------
    value : str, Percentiles or (float, float)
        One of `SPECS`; `Percentiles`; two values, as a pair or as the text "100,4095"; or the text "percentile:1,99".

    Returns
    -------
    str, Percentiles or (float, float)
        One of `SPECS`, percentiles, or the two values.

    Raises
    ------
    InputError
        If it is none of these, or the low value is not less than the high one.
    """
    if isinstance(value, Percentiles):
        return value
    if isinstance(value, str):
        if value in SPECS:
            spec: IntensitySpec = value  # type: ignore[assignment]  # mypy does not narrow by `in`
            return spec
        match = _PAIR.fullmatch(value.strip())
        if match is None:
            raise InputError(
                f"The intensity {shorten(value)} does not exist: give one of {', '.join(SPECS)}, "
                "or two values such as 100,4095."
            )
        low, high = read_number(match[2], "intensity"), read_number(match[3], "intensity")
        return Percentiles(low, high) if match[1] else _rising(low, high)
    try:
        low, high = value
    except (TypeError, ValueError):
        raise InputError(
            f"The intensity {shorten(value)} does not exist: give one of {', '.join(SPECS)}, Percentiles(low, high), "
            "or a pair of values (low, high)."
        ) from None
    return _rising(read_number(low, "intensity"), read_number(high, "intensity"))


def format_limits(low: float, high: float) -> tuple[str, str]:
    """Format black and white with enough digits to tell them apart.

    Parameters
    ----------
    low : float
        Black.
    high : float
        White.

    Returns
    -------
    (str, str)
        Both with six digits, or with 15 where they have so large an offset that six would hide digits of their
        distance, such as "1000000123" and "1000004567".
    """
    digits = 15 if 1000 * abs(high - low) < max(abs(low), abs(high)) else 6
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def _rising(low: float, high: float) -> tuple[float, float]:
    if not low < high:
        raise InputError(f"The intensity range ({low:g}, {high:g}) is empty: give a low value less than the high one.")
    return low, high
