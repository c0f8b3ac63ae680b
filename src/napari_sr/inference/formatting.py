"""Text for amounts of memory, speeds and times. Needs no torch."""

from __future__ import annotations

import math


def format_bytes(count: int) -> str:
    """Format a number of bytes.

    Returns
    -------
    str
        Three digits and a binary unit, such as "128 MiB".
    """
    value, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1023.5 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.3g} {units[0]}" if value < 100 else f"{value:.0f} {units[0]}"


def format_speed(pixels_per_second: float) -> str:
    """Format a speed with two digits.

    Returns
    -------
    str
        In megapixels and without an exponent, such as "0.0034", "0.53", "2.1" or "120".
    """
    megapixels = pixels_per_second / 1e6
    if megapixels <= 0:
        return "0"
    decimals = 1 - math.floor(math.log10(megapixels))
    return f"{round(megapixels, decimals):.{max(decimals, 0)}f}"


def format_seconds(seconds: float) -> str:
    """Format an estimated time, without more digits than it is accurate to.

    Returns
    -------
    str
        Such as "less than 1 s", "about 40 s", "about 3 min" or "about 2.5 h".
    """
    if seconds < 1:
        return "less than 1 s"
    if seconds < 10:
        return f"about {seconds:.0f} s"
    if seconds < 57.5:
        return f"about {5 * round(seconds / 5)} s"
    if seconds < 3570:
        return f"about {seconds / 60:.0f} min"
    if seconds < 36000:
        return f"about {round(seconds / 1800) / 2:g} h"
    return f"about {seconds / 3600:.0f} h"
