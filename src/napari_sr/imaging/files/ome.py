"""Metadata of OME-TIFF: reading the OME-XML, and what tifffile writes into a new one.

References
----------
OME data model 2016-06, https://docs.openmicroscopy.org/ome-model/, elements Pixels, Channel, Plane and TiffData.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np

from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.files.image_file import Color, Limits, Lut, Metadata

# Seconds in each unit of time that OME and ImageJ name.
SECONDS: dict[str, float] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("µs", "\u03bcs", "us", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}

# Annotation of our own for display ranges and lookup tables, for which OME-XML has no element.
_DISPLAY = "napari-sr/display"
_COLOR_LIMIT = 2**31


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-XML.

    Parameters
    ----------
    metadata : Metadata
        What its elements say.
    shape : dict of str to int
        Declared length of each axis, X, Y, Z, C and T.
    files : tuple of str
        Names of the other files that hold its planes, relative to the file with the XML.
    planes : int
        Number of planes that its blocks (element TiffData) or its axes declare, the larger one.
    """

    metadata: Metadata
    shape: dict[str, int]
    files: tuple[str, ...]
    planes: int


def images_of(xml: str) -> list[OmeImage]:
    """Read the images of an OME-XML.

    Parameters
    ----------
    xml : str
        The OME-XML.

    Returns
    -------
    list of OmeImage
        In their order.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        The text is no XML.
    """
    root = ElementTree.fromstring(xml)
    images = [element for element in root if _tag(element) == "Image"]
    display = _display(root) if len(images) == 1 else {}
    own = root.get("UUID", "")
    return [found for image in images if (found := _image(image, display, own)) is not None]


def metadata_file(xml: str) -> str | None:
    """Name of the file with the OME-XML of a file that holds pixels only (element BinaryOnly).

    Parameters
    ----------
    xml : str
        The OME-XML.

    Returns
    -------
    str or None
        Relative to the file with the pixels; None if the XML describes its images itself.
    """
    for element in ElementTree.fromstring(xml):
        if _tag(element) == "BinaryOnly":
            return element.get("MetadataFile")
    return None


def with_file(xml: str, name: str) -> str:
    """OME-XML whose blocks all lie in one file.

    Parameters
    ----------
    xml : str
        The OME-XML.
    name : str
        Name of that file.

    Returns
    -------
    str
        The XML with this name for every block that names a file.
    """
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        if _tag(element) == "UUID" and element.get("FileName"):
            element.set("FileName", name)
    return ElementTree.tostring(root, encoding="unicode")


def to_ome(metadata: Metadata, letters: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Metadata as tifffile's writer of OME-XML takes them.

    Parameters
    ----------
    metadata : Metadata
        Of the image.
    letters : str
        Letters of the axes as they are written, S for colors.
    shape : tuple of int
        Lengths of these axes.

    Returns
    -------
    dict
        Elements and attributes.
    """
    lengths = dict(zip(letters, shape, strict=True))
    made: dict[str, Any] = {"axes": letters, **sizes.to_ome(metadata.pixel_size, metadata.unit)}
    if metadata.name:
        made["Name"] = _printable(metadata.name)
    if metadata.time_interval is not None:
        made |= {"TimeIncrement": metadata.time_interval, "TimeIncrementUnit": "s"}
    channels = _channel_attributes(metadata, lengths.get("C", 1))
    if channels:
        made["Channel"] = channels
    if metadata.origin:
        counts = {letter: lengths.get(letter, 1) for letter in letters if letter not in "YXS"}
        made["Plane"] = [_position(metadata, dict(zip(counts, index, strict=True))) for index in _indices(counts)]
    display = _display_text(metadata)
    if display:
        made["MapAnnotation"] = {"Namespace": _DISPLAY, "display": display}
    return made


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element if _tag(child) == name]


def _image(image: ElementTree.Element, display: Mapping[str, Any], own: str) -> OmeImage | None:
    found = _children(image, "Pixels")
    if not found:
        return None
    pixels = found[0]
    said: dict[str, tuple[float, str | None]] = {}
    for letter in "ZYX":
        size = _number(pixels.get(f"PhysicalSize{letter}"))
        if size is not None and size > 0:
            # The schema's default is the micrometer.
            said[letter] = (size, sizes.unit_name(pixels.get(f"PhysicalSize{letter}Unit", "µm")))
    pixel_size, unit = sizes.in_one_unit(said)
    places, unit = _origin(pixels, unit)
    channels = _children(pixels, "Channel")
    colors = tuple(_color(channel.get("Color")) for channel in channels)
    names = tuple(str(channel.get("Name")) for channel in channels if channel.get("Name"))
    metadata = Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=places,
        channels=names if len(names) == len(channels) else (),
        colors=colors if any(color is not None for color in colors) else (),
        luts=display.get("luts", ()),
        limits=display.get("limits", ()),
        time_interval=_interval(pixels),
        name=image.get("Name", ""),
    )
    shape = {letter: int(_number(pixels.get(f"Size{letter}")) or 1) for letter in "XYZCT"}
    blocks = _children(pixels, "TiffData")
    planes = max(shape["Z"] * shape["C"] * shape["T"], *(_count(block) for block in blocks), 1)
    return OmeImage(metadata, shape, _files(blocks, own), planes)


def _files(blocks: list[ElementTree.Element], own: str) -> tuple[str, ...]:
    """Files of the blocks; one with the identifier of the file with the XML is that file, whatever its name is now."""
    uuids = [uuid for block in blocks for uuid in _children(block, "UUID")]
    names = (uuid.get("FileName") for uuid in uuids if not own or (uuid.text or "").strip() != own)
    return tuple(dict.fromkeys(name for name in names if name))


def _count(block: ElementTree.Element) -> int:
    return int(_number(block.get("PlaneCount") or block.get("NumPlanes")) or 0)


def _origin(pixels: ElementTree.Element, unit: str | None) -> tuple[dict[str, float], str | None]:
    """Position of the first plane; one without a unit of length has no place in the world."""
    planes = _children(pixels, "Plane")
    if not planes:
        return {}, unit
    first = min(planes, key=lambda plane: [_number(plane.get(name)) or 0.0 for name in ("TheT", "TheZ", "TheC")])
    places: dict[str, float] = {}
    for letter in "XYZ":
        place = _number(first.get(f"Position{letter}"))
        own = sizes.unit_name(first.get(f"Position{letter}Unit"))
        if place is None or own is None:
            continue
        unit = unit or own
        factor = sizes.ratio(own, unit)
        if factor is not None:
            places[letter] = place * factor
    return places, unit


def _interval(pixels: ElementTree.Element) -> float | None:
    step = _number(pixels.get("TimeIncrement"))
    seconds = SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
    return step * seconds if step is not None and step > 0 and seconds is not None else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        # The attribute is absent or no number: either way the file does not say.
        return None
    return number if math.isfinite(number) else None


def _color(text: str | None) -> Color | None:
    try:
        packed = int(text or "") % 2**32
    except ValueError:
        # The attribute is absent or no number: either way the file does not say.
        return None
    # Black is what some programs write for no color; a channel in it could not be seen.
    return (packed >> 24, packed >> 16 & 255, packed >> 8 & 255) if packed >> 8 else None


def _channel_attributes(metadata: Metadata, count: int) -> list[dict[str, Any]]:
    """Attributes of each Channel; nothing where none has any."""
    attributes: list[dict[str, Any]] = [{} for _ in range(count)]
    for number, name in enumerate(metadata.channels[:count]):
        attributes[number]["Name"] = _printable(name)
    for number, color in enumerate(metadata.colors[:count]):
        if color is not None:
            packed = color[0] << 24 | color[1] << 16 | color[2] << 8 | 255
            attributes[number]["Color"] = packed - 2 * _COLOR_LIMIT if packed >= _COLOR_LIMIT else packed
    return attributes if any(attributes) else []


def _printable(text: str) -> str:
    """Text without the control characters that XML has no place for."""
    return "".join(letter for letter in text if letter.isprintable())


def _indices(counts: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    return np.ndindex(*counts.values())


def _position(metadata: Metadata, index: Mapping[str, int]) -> dict[str, Any]:
    """Position of one plane: that of the first, and for Z as many steps further."""
    unit = sizes.unit_symbol(metadata.unit or "pixel")
    made: dict[str, Any] = {}
    for letter, place in metadata.origin.items():
        step = metadata.pixel_size.get("Z", 0.0) * index.get("Z", 0) if letter == "Z" else 0.0
        made |= {f"Position{letter}": place + step, f"Position{letter}Unit": unit}
    return made


def _display_text(metadata: Metadata) -> str:
    if not metadata.limits and not metadata.luts:
        return ""
    tables = [None if lut is None else base64.b64encode(lut.tobytes()).decode("ascii") for lut in metadata.luts]
    return json.dumps({"limits": metadata.limits, "luts": tables})


def _display(root: ElementTree.Element) -> dict[str, Any]:
    """Display ranges and lookup tables of our own annotation."""
    for annotation in root.iter():
        if _tag(annotation) != "MapAnnotation" or annotation.get("Namespace") != _DISPLAY:
            continue
        text = next((entry.text for entry in annotation.iter() if _tag(entry) == "M"), None)
        try:
            said = json.loads(text or "{}")
            limits: tuple[Limits | None, ...] = tuple(
                None if one is None else (float(one[0]), float(one[1])) for one in said["limits"]
            )
            luts: tuple[Lut | None, ...] = tuple(
                None if one is None else np.frombuffer(base64.b64decode(one), np.uint8).reshape(256, 3)
                for one in said["luts"]
            )
        except (ValueError, KeyError, TypeError, IndexError):
            # Written by another program under our name: the display is left to the viewer.
            return {}
        return {"limits": limits, "luts": luts}
    return {}
