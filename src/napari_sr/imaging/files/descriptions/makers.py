"""Pixel sizes in the private TIFF tags of manufacturers of electron microscopes.

The resolution tags of such files are the density of a screen or a printer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_sr.imaging.pixel_size import PixelSize, positive, ratio, unit_name

_FEI_SFEG, _FEI_HELIOS, _ZEISS, _TESCAN = 34680, 34682, 34118, 50431
_ZEISS_KEYS = ("ap_image_pixel_size", "ap_pixel_size")


def from_makers(tags: Mapping[int, Any]) -> PixelSize:
    """Return the pixel sizes in the tags of FEI (Thermo Fisher), Zeiss and TESCAN.

    Parameters
    ----------
    tags : mapping of int to object
        Values of the tags of a page by their numbers, from tifffile.

    Returns
    -------
    sizes : dict of str to float
        Sizes along Y and X; empty without such tags.
    unit : str or None
        "nanometer" for FEI and TESCAN, and the unit of the file for Zeiss; None without such tags.
    """
    for code in (_FEI_SFEG, _FEI_HELIOS):
        sizes, unit = _fei(tags.get(code))
        if sizes:
            return sizes, unit
    sizes, unit = _zeiss(tags.get(_ZEISS))
    return (sizes, unit) if sizes else _tescan(tags.get(_TESCAN))


def _fei(value: Any) -> PixelSize:
    """Sizes in the sections of FEI, in meters."""
    if not isinstance(value, Mapping):
        return {}, None
    for section in ("Scan", "EScan", "IScan"):
        scan = value.get(section)
        if isinstance(scan, Mapping):
            width, height = positive(scan.get("PixelWidth")), positive(scan.get("PixelHeight"))
            if width is not None:
                return _from_meters(width, height or width)
    return {}, None


def _zeiss(value: Any) -> PixelSize:
    """Sizes in the entries of Zeiss, which are (name, number, unit)."""
    if not isinstance(value, Mapping):
        return {}, None
    for key in _ZEISS_KEYS:
        entry = value.get(key)
        if isinstance(entry, tuple) and len(entry) == 3:
            size, unit = positive(entry[1]), unit_name(str(entry[2]))
            if size is not None and unit is not None:
                return {"Y": size, "X": size}, unit
    return {}, None


def _tescan(value: Any) -> PixelSize:
    """Sizes in the lines of TESCAN, such as PixelSizeX=1.2e-9 in meters, which follow some binary data."""
    text = value if isinstance(value, str) else bytes(value).decode("latin-1") if isinstance(value, bytes) else ""
    sizes = {}
    for letter in "XY":
        line = re.search(rf"^\s*PixelSize{letter}\s*=\s*(\S+)\s*$", text, re.MULTILINE)
        sizes[letter] = positive(line.group(1)) if line is not None else None
    width = sizes["X"]
    return ({}, None) if width is None else _from_meters(width, sizes["Y"] or width)


def _from_meters(width: float, height: float) -> PixelSize:
    nanometers = ratio("meter", "nanometer")
    assert nanometers is not None
    return {"Y": height * nanometers, "X": width * nanometers}, "nanometer"
