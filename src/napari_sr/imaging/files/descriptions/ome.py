"""Metadata in the OME-XML of OME-TIFF.

References
----------
OME data model 2016-06, https://docs.openmicroscopy.org/ome-model/, elements Pixels, Channel, Plane and TiffData.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np

from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.files.image_file import Color, Limits, Lut, Metadata

# Namespace of the annotation for contrast limits and lookup tables, for which OME-XML has no elements.
_DISPLAY = "napari-sr/display"
_COLOR_LIMIT = 2**31


@dataclass(frozen=True)
class OmeImage:
    """An image of an OME-XML.

    Parameters
    ----------
    metadata : Metadata
        Metadata of the image.
    shape : dict of str to int
        Declared length of each axis: X, Y, Z, C and T.
    files : tuple of str
        Names of the other files with planes of the image, relative to the file with the XML.
    planes : int
        Number of planes by the elements TiffData or by the lengths of the axes; the larger of the two.
    """

    metadata: Metadata
    shape: dict[str, int]
    files: tuple[str, ...]
    planes: int


def images_of(xml: str) -> list[OmeImage]:
    """Read the images of an OME-XML.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If the text is not valid XML.
    """
    root = ElementTree.fromstring(xml)
    images = [element for element in root if _tag(element) == "Image"]
    display = _display(root) if len(images) == 1 else {}
    own = root.get("UUID", "")
    return [image for element in images if (image := _image(element, display, own)) is not None]


def metadata_file(xml: str) -> str | None:
    """Return the name of the file with the OME-XML of a file that contains pixels only (element BinaryOnly).

    Returns
    -------
    str or None
        The name, relative to the file with the pixels; None if the XML describes the images itself.
    """
    for element in ElementTree.fromstring(xml):
        if _tag(element) == "BinaryOnly":
            return element.get("MetadataFile")
    return None


def with_file(xml: str, name: str) -> str:
    """Return an OME-XML with all planes in one file.

    Returns
    -------
    str
        The XML with this name in each element TiffData that names a file.
    """
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        if _tag(element) == "UUID" and element.get("FileName"):
            element.set("FileName", name)
    return ElementTree.tostring(root, encoding="unicode")


def without_identifier(xml: str) -> str:
    """Return an OME-XML without the identifier of its file, so that planes are found by the names of their files.

    Returns
    -------
    str
        The XML without the attribute UUID of its root.
    """
    root = ElementTree.fromstring(xml)
    root.attrib.pop("UUID", None)
    return ElementTree.tostring(root, encoding="unicode")


def to_ome(metadata: Metadata, letters: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return metadata for tifffile's writer of OME-XML.

    Parameters
    ----------
    metadata : Metadata
        Metadata of the image.
    letters : str
        Letters of the axes in the file, S for colors.
    shape : tuple of int
        Lengths of these axes.
    """
    lengths = dict(zip(letters, shape, strict=True))
    written: dict[str, Any] = {"axes": letters, **sizes.to_ome(metadata.pixel_size, metadata.unit)}
    if metadata.name:
        written["Name"] = _printable(metadata.name)
    if metadata.time_interval is not None:
        written |= {"TimeIncrement": metadata.time_interval, "TimeIncrementUnit": "s"}
    channels = _channel_attributes(metadata, lengths.get("C", 1))
    if channels:
        written["Channel"] = channels
    if metadata.origin:
        counts = {letter: lengths.get(letter, 1) for letter in letters if letter not in "YXS"}
        planes = np.ndindex(*counts.values())
        written["Plane"] = [_position(metadata, dict(zip(counts, index, strict=True))) for index in planes]
    display = _display_text(metadata)
    if display:
        written["MapAnnotation"] = {"Namespace": _DISPLAY, "display": display}
    return written


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element if _tag(child) == name]


def _image(image: ElementTree.Element, display: Mapping[str, Any], own: str) -> OmeImage | None:
    elements = _children(image, "Pixels")
    if not elements:
        return None
    pixels = elements[0]
    stated: dict[str, tuple[float, str | None]] = {}
    for letter in "ZYX":
        size = _number(pixels.get(f"PhysicalSize{letter}"))
        if size is not None and size > 0:
            # The default of the schema is the micrometer.
            stated[letter] = (size, sizes.unit_name(pixels.get(f"PhysicalSize{letter}Unit", "µm")))
    pixel_size, unit = sizes.in_one_unit(stated)
    origin, unit = _origin(pixels, unit)
    channels = _children(pixels, "Channel")
    colors = tuple(_color(channel.get("Color")) for channel in channels)
    names = tuple(str(channel.get("Name")) for channel in channels if channel.get("Name"))
    metadata = Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=origin,
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
    """Names of the other files. A name with the identifier `own` is an old name of the file with the XML."""
    identifiers = [uuid for block in blocks for uuid in _children(block, "UUID")]
    names = (uuid.get("FileName") for uuid in identifiers if not own or (uuid.text or "").strip() != own)
    return tuple(dict.fromkeys(name for name in names if name))


def _count(block: ElementTree.Element) -> int:
    return int(_number(block.get("PlaneCount") or block.get("NumPlanes")) or 0)


def _origin(pixels: ElementTree.Element, unit: str | None) -> tuple[dict[str, float], str | None]:
    """Position of the first plane, and its unit; positions without a unit of length are left out."""
    planes = _children(pixels, "Plane")
    if not planes:
        return {}, unit
    first = min(planes, key=lambda plane: [_number(plane.get(name)) or 0.0 for name in ("TheT", "TheZ", "TheC")])
    origin: dict[str, float] = {}
    for letter in "XYZ":
        position = _number(first.get(f"Position{letter}"))
        own = sizes.unit_name(first.get(f"Position{letter}Unit"))
        if position is None or own is None:
            continue
        unit = unit or own
        factor = sizes.ratio(own, unit)
        if factor is not None:
            origin[letter] = position * factor
    return origin, unit


def _interval(pixels: ElementTree.Element) -> float | None:
    step = _number(pixels.get("TimeIncrement"))
    seconds = sizes.seconds_of(pixels.get("TimeIncrementUnit", "s"))
    return step * seconds if step is not None and step > 0 and seconds is not None else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        # Absent, or not a number: in either case it is not known.
        return None
    return number if math.isfinite(number) else None


def _color(text: str | None) -> Color | None:
    try:
        packed = int(text or "") % 2**32
    except ValueError:
        # Absent, or not a number: in either case it is not known.
        return None
    # Some programs write black for no color. A channel in black would be invisible.
    return (packed >> 24, packed >> 16 & 255, packed >> 8 & 255) if packed >> 8 else None


def _channel_attributes(metadata: Metadata, count: int) -> list[dict[str, Any]]:
    """Attributes of each element Channel; an empty list if no channel has any."""
    attributes: list[dict[str, Any]] = [{} for _ in range(count)]
    for number, name in enumerate(metadata.channels[:count]):
        attributes[number]["Name"] = _printable(name)
    for number, color in enumerate(metadata.colors[:count]):
        if color is not None:
            packed = color[0] << 24 | color[1] << 16 | color[2] << 8 | 255
            attributes[number]["Color"] = packed - 2 * _COLOR_LIMIT if packed >= _COLOR_LIMIT else packed
    return attributes if any(attributes) else []


def _printable(text: str) -> str:
    """Text without control characters, which XML cannot contain."""
    return "".join(letter for letter in text if letter.isprintable())


def _position(metadata: Metadata, index: Mapping[str, int]) -> dict[str, Any]:
    """Position of a plane: that of the first plane, moved along Z by the pixel size."""
    unit = sizes.unit_symbol(metadata.unit or "pixel")
    attributes: dict[str, Any] = {}
    for letter, position in metadata.origin.items():
        moved = metadata.pixel_size.get("Z", 0.0) * index.get("Z", 0) if letter == "Z" else 0.0
        attributes |= {f"Position{letter}": position + moved, f"Position{letter}Unit": unit}
    return attributes


def _display_text(metadata: Metadata) -> str:
    """Contrast limits and lookup tables as JSON; an empty text if there are none."""
    if not metadata.limits and not metadata.luts:
        return ""
    tables = [None if lut is None else base64.b64encode(lut.tobytes()).decode("ascii") for lut in metadata.luts]
    return json.dumps({"limits": metadata.limits, "luts": tables})


def _display(root: ElementTree.Element) -> dict[str, Any]:
    """Contrast limits and lookup tables in the annotation of napari-sr."""
    for annotation in root.iter():
        if _tag(annotation) != "MapAnnotation" or annotation.get("Namespace") != _DISPLAY:
            continue
        text = next((entry.text for entry in annotation.iter() if _tag(entry) == "M"), None)
        try:
            entries = json.loads(text or "{}")
            limits: tuple[Limits | None, ...] = tuple(
                None if pair is None else (float(pair[0]), float(pair[1])) for pair in entries["limits"]
            )
            luts: tuple[Lut | None, ...] = tuple(
                None if table is None else np.frombuffer(base64.b64decode(table), np.uint8).reshape(256, 3)
                for table in entries["luts"]
            )
        except (ValueError, KeyError, TypeError, IndexError):
            # An annotation of another program with the same namespace.
            return {}
        return {"limits": limits, "luts": luts}
    return {}
