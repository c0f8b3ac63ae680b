"""Pixel sizes, time intervals and their units, as image files contain them.

Each reader returns the sizes along Z, Y and X in one unit, by the names of pint and napari ("micrometer"). A size that
a file does not contain is not in the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_sr.conversion import quote, read_number, shorten
from napari_sr.errors import InputError

PixelSize = tuple[dict[str, float], str | None]

# Letters of axes, as in `axes`, whose import would load numpy for the help of the command line.
_LETTERS = ("T", "C", "Z", "Y", "X")

#: Meters in each unit of length that OME-TIFF and ImageJ name.
METERS: dict[str, float] = {
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

#: Seconds in each unit of time.
SECONDS: dict[str, float] = {
    "second": 1.0,
    "millisecond": 1e-3,
    "microsecond": 1e-6,
    "nanosecond": 1e-9,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
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

# The micro sign and the Greek letter mu look the same, and ImageJ writes the sign as an escape. The OME symbol of the
# angstrom is a letter, but there is an older code point for it as well.
_ALIASES = {
    **{symbol.lower(): name for name, symbol in _OME_SYMBOLS.items()},
    **{name: name for name in _OME_SYMBOLS},
    **{f"{name}s": name for name in _OME_SYMBOLS},
    **{name.replace("meter", "metre"): name for name in METERS if name.endswith("meter")},
    **{name.replace("meter", "metres"): name for name in METERS if name.endswith("meter")},
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

# Other names of the units of time, in OME-XML and in ImageJ.
_TIME_ALIASES = {
    **{name: name for name in SECONDS},
    **{f"{name}s": name for name in SECONDS},
    **dict.fromkeys(("s", "sec", "secs"), "second"),
    **dict.fromkeys(("ms", "msec"), "millisecond"),
    **dict.fromkeys(("µs", "\u03bcs", "us", "usec"), "microsecond"),
    **dict.fromkeys(("ns", "nsec"), "nanosecond"),
    "min": "minute",
    **dict.fromkeys(("h", "hr"), "hour"),
    "d": "day",
}

# Dots per inch of screens, cameras, scanned pages and printers. Programs write them when the size of the object is not
# known, and a density of 1 when there is none at all.
_PRINT_DENSITIES = (
    *(1.0, 72.0, 75.0, 90.0, 96.0, 100.0, 120.0, 144.0, 150.0, 180.0, 192.0),
    *(200.0, 240.0, 300.0, 350.0, 360.0, 400.0, 600.0, 720.0),
)
# The pixels of a fax are not square: 204 dots per inch along X, and 98, 196 or 391 along Y.
_FAX_DENSITIES = (98.0, 196.0, 204.0, 391.0, 408.0)
_TOLERANCE = 0.01
_INCH, _CENTIMETER = 2, 3
_CENTIMETERS_PER_INCH = 2.54


def unit_name(text: str | None) -> str | None:
    """Return the name of a unit of length in pint and napari.

    Parameters
    ----------
    text : str or None
        A name or symbol: "µm", "um", "micron", "micrometre", ...

    Returns
    -------
    str or None
        A key of `METERS`, or "pixel"; None for any other text.
    """
    return None if text is None else _ALIASES.get(text.strip().lower())


def unit_symbol(name: str) -> str:
    """Return the symbol of a unit of length.

    Parameters
    ----------
    name : str
        A name, from `unit_name`.

    Returns
    -------
    str
        The symbol, such as "µm"; the name itself if there is none.
    """
    return _OME_SYMBOLS.get(name, name)


def seconds_of(text: str | None) -> float | None:
    """Return the length of a unit of time.

    Parameters
    ----------
    text : str or None
        A name or symbol: "s", "sec", "ms", "minute", ...

    Returns
    -------
    float or None
        Seconds in the unit; None if it is not known.
    """
    name = None if text is None else _TIME_ALIASES.get(text.strip().lower())
    return None if name is None else SECONDS[name]


def ratio(unit: str | None, other: str | None) -> float | None:
    """Return the size of one unit of length in another.

    Parameters
    ----------
    unit, other : str or None
        Names, from `unit_name`.

    Returns
    -------
    float or None
        Number of `other` in one `unit`; 1 for equal names, and None if the two cannot be compared.
    """
    if unit == other:
        return 1.0
    if unit not in METERS or other not in METERS:
        return None
    return METERS[unit] / METERS[other]


def from_imagej(metadata: Mapping[str, Any], resolution: tuple[float, float]) -> PixelSize:
    """Return the pixel sizes of an ImageJ TIFF.

    Parameters
    ----------
    metadata : mapping of str to object
        Metadata of ImageJ: `unit`, with `yunit` and `zunit` if they differ, and `spacing` of the slices.
    resolution : (float, float)
        Pixels per unit along X and Y, from the resolution tags; 0 if there are none.

    Returns
    -------
    sizes : dict of str to float
        Sizes along Z, Y and X, as far as the file contains them; none for a file without a unit. There are no sizes
        along Y and X for the density of a screen or a printer, which ImageJ copies from pictures as inches.
    unit : str or None
        Unit of the sizes.
    """
    if "unit" not in metadata:
        return {}, None
    unit = str(metadata["unit"])
    sizes: dict[str, tuple[float, str | None]] = {}
    if min(resolution) > 0 and _is_for_print(resolution, unit_name(unit)):
        resolution = (0.0, 0.0)
    for letter, density in zip("XY", resolution, strict=True):
        if density > 0:
            sizes[letter] = (1 / density, unit_name(str(metadata.get(f"{letter.lower()}unit", unit))))
    spacing = positive(metadata.get("spacing"))
    if spacing is not None:
        sizes["Z"] = (spacing, unit_name(str(metadata.get("zunit", unit))))
    return in_one_unit(sizes)


def from_resolution(resolution: tuple[float, float], unit: int) -> PixelSize:
    """Return the pixel sizes from the resolution tags of a plain TIFF.

    Parameters
    ----------
    resolution : (float, float)
        Pixels per unit along X and Y; 0 if there are none.
    unit : int
        ResolutionUnit of the TIFF: 2 is the inch, 3 the centimeter. With any other value the size is not known.

    Returns
    -------
    sizes : dict of str to float
        Sizes along Y and X; none if both densities are within 1 % of one of a screen, a camera, a printer or a fax (72,
        96, 200, 300 dots per inch and others), because these do not depend on the object.
    unit : str or None
        "micrometer", or None without sizes.
    """
    if unit not in (_INCH, _CENTIMETER) or min(resolution) <= 0:
        return {}, None
    if _is_for_print(resolution, "inch" if unit == _INCH else "centimeter"):
        return {}, None
    micrometers = 25400.0 if unit == _INCH else 10000.0
    return {"Y": micrometers / resolution[1], "X": micrometers / resolution[0]}, "micrometer"


def to_ome(pixel_size: Mapping[str, float], unit: str | None) -> dict[str, float | str]:
    """Return the pixel sizes as attributes of the OME element Pixels.

    Parameters
    ----------
    pixel_size : mapping of str to float
        Sizes by axis letter; only those along Z, Y and X are used.
    unit : str or None
        Unit of the sizes, from `unit_name`. None is written as "pixel", because the default of OME is the micrometer.

    Returns
    -------
    dict of str to (float or str)
        ``PhysicalSizeX``, ``PhysicalSizeXUnit`` and so on.
    """
    attributes: dict[str, float | str] = {}
    for letter in "ZYX":
        if letter in pixel_size:
            attributes[f"PhysicalSize{letter}"] = float(pixel_size[letter])
            attributes[f"PhysicalSize{letter}Unit"] = _OME_SYMBOLS[unit or "pixel"]
    return attributes


def checked(pixel_size: Mapping[str, float] | None, unit: str | None) -> PixelSize:
    """Check a pixel size and its unit.

    Parameters
    ----------
    pixel_size : mapping of str to float or None
        Sizes by axis letter.
    unit : str or None
        Any name that `unit_name` accepts.

    Returns
    -------
    sizes : dict of str to float
        The sizes.
    unit : str or None
        The name of the unit in pint and napari.

    Raises
    ------
    InputError
        If a size is not a positive number, or the unit is not a unit of length.
    """
    sizes = _numbers(pixel_size)
    for letter, size in sizes.items():
        if positive(size) is None:
            raise InputError(f"The pixel size {size} of {letter} is not a size: give a number more than 0, or none.")
    # The units of napari and pint are objects with a name.
    name = None if unit is None else unit_name(str(unit))
    if unit is not None and name is None:
        raise InputError(f"The unit {quote(unit)} is unknown: give one of {', '.join(METERS)} or pixel.")
    return sizes, name


def given_or_own(pixel_size: Mapping[str, float] | None, unit: str | None, own: PixelSize) -> PixelSize:
    """Return the pixel size that a caller gives, or else the one that an image has.

    Parameters
    ----------
    pixel_size : mapping of str to float or None
        Sizes by axis letter; None for those of the image.
    unit : str or None
        Unit of `pixel_size`, any name that `unit_name` accepts. Without `pixel_size` it is that of an image whose unit
        is not known.
    own : (mapping of str to float, str or None)
        Sizes and unit of the image.

    Raises
    ------
    InputError
        If a size is not a positive number, the unit is not a unit of length, or it differs from that of the image and
        no size is given.
    """
    if pixel_size is not None:
        return checked(pixel_size, unit)
    sizes, own_unit = own
    if unit is not None and own_unit is not None and checked(None, unit)[1] != own_unit:
        raise InputError(f"The image has its pixel size in {own_unit}, not in {unit}: give its pixel size as well.")
    return checked(sizes, own_unit or unit)


def in_one_unit(sizes: Mapping[str, tuple[float, str | None]]) -> PixelSize:
    """Convert sizes with different units to one unit.

    Parameters
    ----------
    sizes : mapping of str to (float, str or None)
        Size and unit by axis letter.

    Returns
    -------
    sizes : dict of str to float
        The sizes in one unit; those that cannot be converted are left out.
    unit : str or None
        Unit of X, or else of Y, or else of Z.
    """
    unit = next((sizes[letter][1] for letter in "XYZ" if letter in sizes), None)
    converted: dict[str, float] = {}
    for letter, (size, own) in sizes.items():
        factor = ratio(own, unit)
        if factor is not None:
            converted[letter] = size * factor
    return converted, unit


def _is_for_print(resolution: tuple[float, float], unit: str | None) -> bool:
    """Whether densities along X and Y are those of a screen, a camera, a printer or a fax."""
    if unit not in ("inch", "centimeter"):
        return False
    # A density of 1 stands for none, in either unit.
    dots = [density if unit == "inch" or density == 1 else density * _CENTIMETERS_PER_INCH for density in resolution]
    return any(all(_near(density, known) for density in dots) for known in (_PRINT_DENSITIES, _FAX_DENSITIES))


def _near(density: float, known: tuple[float, ...]) -> bool:
    return any(abs(density - value) <= _TOLERANCE * value for value in known)


def positive(text: Any) -> float | None:
    """Return a finite number above 0; None for anything else, since the size is not known then."""
    try:
        size = float(text)
    except (TypeError, ValueError):
        return None
    return size if math.isfinite(size) and size > 0 else None


def _numbers(pixel_size: Any) -> dict[str, float]:
    """Return a pixel size with axis letters and numbers."""
    if pixel_size is None:
        return {}
    if not isinstance(pixel_size, Mapping):
        raise InputError(
            f"The pixel size {shorten(pixel_size)} is not a mapping: give a size for each axis, "
            'as in {"Y": 0.1, "X": 0.1}.'
        )
    sizes = {}
    for letter, size in pixel_size.items():
        if not isinstance(letter, str) or letter.upper() not in _LETTERS:
            raise InputError(f"The pixel size has the unknown axis {shorten(letter)}: use only T, C, Z, Y and X.")
        sizes[letter.upper()] = read_number(size, f"pixel size of {letter.upper()}")
    return sizes
