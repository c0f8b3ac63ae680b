"""Pixel sizes and their unit, as image files write them down.

Every reader gives the sizes of Z, Y and X in one unit, by the names pint and napari use ("micrometer"). What a file
does not say stays unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_sr.errors import InputError

PixelSize = tuple[dict[str, float], str | None]

#: Metres in each length unit that OME-TIFF and ImageJ name.
METRES: dict[str, float] = {
    "meter": 1.0,
    "decimeter": 1e-1,
    "centimeter": 1e-2,
    "millimeter": 1e-3,
    "micrometer": 1e-6,
    "nanometer": 1e-9,
    "angstrom": 1e-10,
    "picometer": 1e-12,
    "femtometer": 1e-15,
    "inch": 0.0254,
    "foot": 0.3048,
}

_OME_SYMBOLS = {
    "meter": "m",
    "decimeter": "dm",
    "centimeter": "cm",
    "millimeter": "mm",
    "micrometer": "µm",
    "nanometer": "nm",
    "angstrom": "Å",
    "picometer": "pm",
    "femtometer": "fm",
    "inch": "in",
    "foot": "ft",
    "pixel": "pixel",
}

# The micro sign and the Greek letter mu look the same; ImageJ writes the sign as an escape. The OME symbol of the
# angstrom is a letter, but an older code point of its own exists as well.
_ALIASES = {
    **{symbol.lower(): name for name, symbol in _OME_SYMBOLS.items()},
    **{name: name for name in _OME_SYMBOLS},
    **{f"{name}s": name for name in _OME_SYMBOLS},
    **{name.replace("meter", "metre"): name for name in METRES if name.endswith("meter")},
    **{name.replace("meter", "metres"): name for name in METRES if name.endswith("meter")},
    "\u03bcm": "micrometer",
    "\\u00b5m": "micrometer",
    "um": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "\u212b": "angstrom",
    '"': "inch",
    "inches": "inch",
    "feet": "foot",
}

# Dots per inch of screens, cameras, scanned pages and printers, which programs write when they know nothing of the
# object; 1 is what they write for no density at all.
_PRINT_DENSITIES = (
    *(1.0, 72.0, 75.0, 90.0, 96.0, 100.0, 120.0, 144.0, 150.0, 180.0, 192.0),
    *(200.0, 240.0, 300.0, 350.0, 360.0, 400.0, 600.0, 720.0),
)
# Pixels of a fax are no squares: 204 dots per inch across, and 98, 196 or 391 down.
_FAX_DENSITIES = (98.0, 196.0, 204.0, 391.0, 408.0)
_TOLERANCE = 0.01
_INCH, _CENTIMETER = 2, 3
_CENTIMETERS_PER_INCH = 2.54


def unit_name(text: str | None) -> str | None:
    """Name of a length unit as pint and napari know it.

    Parameters
    ----------
    text : str or None
        A name or symbol as a file or a caller writes it: "µm", "um", "micron", "micrometre", ...

    Returns
    -------
    str or None
        A key of `METRES` or "pixel"; None for what is neither.
    """
    return None if text is None else _ALIASES.get(text.strip().lower())


def unit_symbol(name: str) -> str:
    """Symbol of a unit that `unit_name` knows, such as "µm"; any other name as it is."""
    return _OME_SYMBOLS.get(name, name)


def ratio(unit: str | None, other: str | None) -> float | None:
    """Size of one unit of length in another.

    Parameters
    ----------
    unit, other : str or None
        Names as `unit_name` gives them.

    Returns
    -------
    float or None
        How many of `other` make one of `unit`; 1 for the same, None where they cannot be compared.
    """
    if unit == other:
        return 1.0
    if unit not in METRES or other not in METRES:
        return None
    return METRES[unit] / METRES[other]


def from_imagej(metadata: Mapping[str, Any], resolution: tuple[float, float]) -> PixelSize:
    """Pixel sizes of an ImageJ TIFF.

    Parameters
    ----------
    metadata : mapping
        ImageJ's own: `unit`, with `yunit` and `zunit` where they differ, and `spacing` of the slices.
    resolution : (float, float)
        Pixels per unit along X and Y, from the resolution tags; 0 where there are none.

    Returns
    -------
    sizes, unit
        Sizes of Z, Y and X where the file has them; nothing for a file without a unit, and no sizes of Y and X where
        the density is that of a screen or printer, which ImageJ takes over from pictures as inches.
    """
    if "unit" not in metadata:
        return {}, None
    unit = str(metadata["unit"])
    said: dict[str, tuple[float, str | None]] = {}
    if min(resolution) > 0 and _is_for_print(resolution, unit_name(unit)):
        resolution = (0.0, 0.0)
    for letter, density in zip("XY", resolution, strict=True):
        if density > 0:
            said[letter] = (1 / density, unit_name(str(metadata.get(f"{letter.lower()}unit", unit))))
    spacing = _positive(metadata.get("spacing"))
    if spacing is not None:
        said["Z"] = (spacing, unit_name(str(metadata.get("zunit", unit))))
    return in_one_unit(said)


def from_resolution(resolution: tuple[float, float], unit: int) -> PixelSize:
    """Pixel sizes from the resolution tags of a plain TIFF.

    Parameters
    ----------
    resolution : (float, float)
        Pixels per unit along X and Y; 0 where there are none.
    unit : int
        The TIFF's ResolutionUnit: 2 is the inch, 3 the centimeter, anything else leaves the size unknown.

    Returns
    -------
    sizes, unit
        Sizes of Y and X in micrometers; nothing where both densities are within 1 % of one of a screen, a camera, a
        printer or a fax (72, 96, 200, 300 dots per inch and others), which says nothing of the object.
    """
    if unit not in (_INCH, _CENTIMETER) or min(resolution) <= 0:
        return {}, None
    if _is_for_print(resolution, "inch" if unit == _INCH else "centimeter"):
        return {}, None
    micrometers = 25400.0 if unit == _INCH else 10000.0
    return {"Y": micrometers / resolution[1], "X": micrometers / resolution[0]}, "micrometer"


def _is_for_print(resolution: tuple[float, float], unit: str | None) -> bool:
    """Whether densities along X and Y are those of a screen, a camera, a printer or a fax."""
    if unit not in ("inch", "centimeter"):
        return False
    # A density of 1 stands for none in either unit.
    dots = [one if unit == "inch" or one == 1 else one * _CENTIMETERS_PER_INCH for one in resolution]
    return all(_near(one, _PRINT_DENSITIES) for one in dots) or all(_near(one, _FAX_DENSITIES) for one in dots)


def _near(density: float, known: tuple[float, ...]) -> bool:
    return any(abs(density - one) <= _TOLERANCE * one for one in known)


def to_ome(pixel_size: Mapping[str, float], unit: str | None) -> dict[str, float | str]:
    """Attributes of the OME element Pixels.

    Parameters
    ----------
    pixel_size : mapping
        Sizes by axis letter; only those of Z, Y and X are written.
    unit : str or None
        As `unit_name` gives it. None is written as "pixel": a size without a unit would read as micrometers.

    Returns
    -------
    dict
        ``PhysicalSizeX``, ``PhysicalSizeXUnit`` and so on.
    """
    attributes: dict[str, float | str] = {}
    for letter in "ZYX":
        if letter in pixel_size:
            attributes[f"PhysicalSize{letter}"] = float(pixel_size[letter])
            attributes[f"PhysicalSize{letter}Unit"] = _OME_SYMBOLS[unit or "pixel"]
    return attributes


def checked(pixel_size: Mapping[str, float] | None, unit: str | None) -> PixelSize:
    """Refuse pixel sizes and units that no file can hold, before anything is written.

    Parameters
    ----------
    pixel_size : mapping or None
        Sizes by axis letter.
    unit : str or None
        Any name that `unit_name` knows.

    Returns
    -------
    sizes, unit
        The same, the unit by its one name.

    Raises
    ------
    InputError
        A size that is not a positive number, or a unit that is no length.
    """
    sizes = dict(pixel_size or {})
    for letter, size in sizes.items():
        if _positive(size) is None:
            raise InputError(f"The pixel size {size} of {letter} is no size; give a number more than 0 or none.")
    name = unit_name(unit)
    if unit is not None and name is None:
        raise InputError(f'The unit "{unit}" is unknown; give one of {", ".join(METRES)} or pixel.')
    return sizes, name


def _positive(text: Any) -> float | None:
    try:
        size = float(text)
    except (TypeError, ValueError):
        # Absent, or not a number: either way the file does not say.
        return None
    return size if math.isfinite(size) and size > 0 else None


def in_one_unit(said: Mapping[str, tuple[float, str | None]]) -> PixelSize:
    """Bring sizes by axis letter, each with its unit, to the unit of X (else Y, else Z); others are left out."""
    unit = next((said[letter][1] for letter in "XYZ" if letter in said), None)
    sizes: dict[str, float] = {}
    for letter, (size, own) in said.items():
        factor = ratio(own, unit)
        if factor is not None:
            sizes[letter] = size * factor
    return sizes, unit
