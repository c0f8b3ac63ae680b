"""Pixel sizes in the tags of the makers of electron microscopes.

The resolution tags of such files are those of a screen or a printer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_sr.imaging.pixel_size import PixelSize, ratio, unit_name

_FEI_SFEG, _FEI_HELIOS, _ZEISS, _TESCAN = 34680, 34682, 34118, 50431
_ZEISS_KEYS = ("ap_image_pixel_size", "ap_pixel_size")


def from_makers(tags: Mapping[int, Any]) -> PixelSize:
    """Pixel sizes of FEI (Thermo Fisher), Zeiss and TESCAN.

    Parameters
    ----------
    tags : mapping of int to value
        Values of a page's tags by their numbers, as tifffile reads them.

    Returns
    -------
    sizes, unit
        Sizes of Y and X, in nanometers from FEI and TESCAN and in the file's unit from Zeiss; nothing without such
        tags.
    """
    for code in (_FEI_SFEG, _FEI_HELIOS):
        found = _fei(tags.get(code))
        if found[0]:
            return found
    found = _zeiss(tags.get(_ZEISS))
    return found if found[0] else _tescan(tags.get(_TESCAN))


def _fei(said: Any) -> PixelSize:
    """FEI's sections hold meters."""
    if not isinstance(said, Mapping):
        return {}, None
    for section in ("Scan", "EScan", "IScan"):
        scan = said.get(section)
        if isinstance(scan, Mapping):
            width, height = _positive(scan.get("PixelWidth")), _positive(scan.get("PixelHeight"))
            if width is not None:
                return _from_meters(width, height or width)
    return {}, None


def _zeiss(said: Any) -> PixelSize:
    """Zeiss' entries hold (name, number, unit)."""
    if not isinstance(said, Mapping):
        return {}, None
    for key in _ZEISS_KEYS:
        entry = said.get(key)
        if isinstance(entry, tuple) and len(entry) == 3:
            size, unit = _positive(entry[1]), unit_name(str(entry[2]))
            if size is not None and unit is not None:
                return {"Y": size, "X": size}, unit
    return {}, None


def _tescan(said: Any) -> PixelSize:
    """TESCAN's tag holds lines such as PixelSizeX=1.2e-9, in meters, after some binary data."""
    text = said if isinstance(said, str) else bytes(said).decode("latin-1") if isinstance(said, bytes) else ""
    sizes = {}
    for letter in "XY":
        line = re.search(rf"^\s*PixelSize{letter}\s*=\s*(\S+)\s*$", text, re.MULTILINE)
        sizes[letter] = _positive(line.group(1)) if line is not None else None
    width = sizes["X"]
    return ({}, None) if width is None else _from_meters(width, sizes["Y"] or width)


def _from_meters(width: float, height: float) -> PixelSize:
    nanometers = ratio("meter", "nanometer")
    assert nanometers is not None
    return {"Y": height * nanometers, "X": width * nanometers}, "nanometer"


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        # Absent or no number: the file does not say.
        return None
    return number if 0 < number < float("inf") else None
