"""Pixel sizes in the private TIFF tags of manufacturers of microscopes, of MetaMorph and of Micro-Manager.

The resolution tags of such files are the density of a screen or a printer, or are missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_sr.imaging.pixel_size import METERS, PixelSize, positive, ratio, unit_name

_ZEISS_KEYS = ("ap_image_pixel_size", "ap_pixel_size")


def from_makers(tags: Mapping[int, Any]) -> PixelSize:
    """Return the pixel sizes in the tags of FEI (Thermo Fisher), Zeiss, TESCAN, MetaMorph, Micro-Manager and Aperio.

    Parameters
    ----------
    tags : mapping of int to object
        Values of the tags of a page by their numbers, from tifffile.

    Returns
    -------
    sizes : dict of str to float
        Sizes along Y and X, and in LSM files along Z; empty without such tags.
    unit : str or None
        "nanometer" for FEI and TESCAN, the unit of the file for Zeiss electron microscopes and MetaMorph, and
        "micrometer" for the others; None without such tags.
    """
    for code, read in _READERS:
        sizes, unit = read(tags.get(code))
        if sizes:
            return sizes, unit
    return {}, None


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


def _lsm(value: Any) -> PixelSize:
    """Sizes in LSM files of Zeiss, in meters."""
    known = value if isinstance(value, Mapping) else {}
    micrometers = ratio("meter", "micrometer")
    assert micrometers is not None
    stated = {letter: positive(known.get(f"VoxelSize{letter}")) for letter in "ZYX"}
    sizes = {letter: size * micrometers for letter, size in stated.items() if size is not None}
    return (sizes, "micrometer") if "X" in sizes else ({}, None)


def _metamorph(value: Any) -> PixelSize:
    """Sizes in the entries of MetaMorph, if it states that they are known."""
    if not isinstance(value, Mapping) or not value.get("SpatialCalibration"):
        return {}, None
    width, unit = positive(value.get("XCalibration")), unit_name(str(value.get("CalibrationUnits")))
    if width is None or unit not in METERS:
        return {}, None
    return {"Y": positive(value.get("YCalibration")) or width, "X": width}, unit


def _micro_manager(value: Any) -> PixelSize:
    """Size in the entries of Micro-Manager for a plane, in micrometers; 0 is not known."""
    return _square(value.get("PixelSizeUm") if isinstance(value, Mapping) else None)


def _aperio(value: Any) -> PixelSize:
    """Size in the description of Aperio, as in "Aperio Image Library|MPP = 0.499", in micrometers."""
    stated = re.match(r"Aperio\b.*?\|\s*MPP\s*=\s*([^|\s]+)", value, re.DOTALL) if isinstance(value, str) else None
    return _square(stated.group(1) if stated else None)


def _square(micrometers: Any) -> PixelSize:
    size = positive(micrometers)
    return ({}, None) if size is None else ({"Y": size, "X": size}, "micrometer")


def _from_meters(width: float, height: float) -> PixelSize:
    nanometers = ratio("meter", "nanometer")
    assert nanometers is not None
    return {"Y": height * nanometers, "X": width * nanometers}, "nanometer"


# Each with the number of its tag.
_READERS = (
    (34680, _fei),
    (34682, _fei),
    (34118, _zeiss),
    (50431, _tescan),
    (34412, _lsm),
    (33628, _metamorph),
    (51123, _micro_manager),
    (270, _aperio),
)
