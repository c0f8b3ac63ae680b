"""Zarr stores: OME-Zarr 0.4 and 0.5, the stores of napari-sr, and plain arrays.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, sections "multiscales" and "omero".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files.descriptions import multiscales, ome
from napari_sr.imaging.files.image_file import Color, ImageFile, Limits, Metadata
from napari_sr.imaging.files.plates import is_plate_part, plate_error
from napari_sr.imaging.files.series import choose_series

#: Key of napari-sr's own attributes in a store: name, axes, pixel size and position.
STORE_KEY = "napari_sr"

_MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store, or a group or array in one.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    bool
        True if it contains a file with metadata of Zarr 2 or 3.
    """
    return any((path / mark).is_file() for mark in _MARKS)


def read_store(source: Path, series: int | str | None) -> ImageFile:
    """Open a Zarr store without reading its pixels.

    Parameters
    ----------
    source : Path
        Folder of the store, or of a group or array in it.
    series : int, str or None
        Number or name of an image in a store with several; None for the largest one.

    Returns
    -------
    ImageFile
        The image, of a pyramid its finest level. `data` is a zarr array, or an `AxisView` of one.

    Raises
    ------
    InputError
        If the store has no image, or one with unknown axes.
    """
    import zarr

    node = zarr.open(source, mode="r")
    if isinstance(node, zarr.Array):
        return _plain(node, source)
    images = _images(node, source)
    available = [(image.name, tuple(image.array.shape)) for image in images]
    number, others = choose_series(available, series, str(source))
    return _image_file(images[number], source, number, others)


def channel_attributes(metadata: Metadata) -> list[dict[str, Any]]:
    """Return names, colors and contrast limits of the channels with the keys of the attribute "omero" of OME-Zarr.

    Parameters
    ----------
    metadata : Metadata
        Metadata of the image.

    Returns
    -------
    list of dict
        Label, color and window of each channel, as far as they are known; empty if none is.
    """
    count = max(len(metadata.channels), len(metadata.colors), len(metadata.limits))
    channels: list[dict[str, Any]] = [{} for _ in range(count)]
    for number, name in enumerate(metadata.channels):
        channels[number]["label"] = name
    for number, color in enumerate(metadata.colors):
        if color is not None:
            channels[number]["color"] = bytes(color).hex().upper()
    for number, limits in enumerate(metadata.limits):
        if limits is not None:
            low, high = limits
            channels[number]["window"] = {"start": low, "end": high, "min": low, "max": high}
    return channels if any(channels) else []


@dataclass(frozen=True)
class _StoredImage:
    """An image of a group: its array, the attributes of the group, and the part of them that describes the array."""

    array: Any
    name: str
    attributes: Mapping[str, Any]
    own: Mapping[str, Any] | None = None
    multiscale: Mapping[str, Any] | None = None
    version: str = ""
    known: Metadata = field(default_factory=Metadata)


def _plain(array: Any, source: Path) -> ImageFile:
    """An array without attributes, or with those of the command line before 0.1."""
    attributes = dict(array.attrs)
    letters = attributes.get("axes")
    letters = parse_axes(letters if isinstance(letters, str) else None, tuple(array.shape)).letters
    size, unit = sizes.checked(_lengths(attributes.get("pixel_size")), attributes.get("unit"))
    return ImageFile(array, letters, source, pixel_size=size, unit=unit)


def _lengths(value: Any) -> dict[str, float]:
    known = value if isinstance(value, Mapping) else {}
    return {str(letter): float(length) for letter, length in known.items() if letter in ("Z", "Y", "X")}


def _images(group: Any, source: Path) -> list[_StoredImage]:
    """All images of a group."""
    attributes = _attributes(group)
    if is_plate_part(source):
        raise plate_error(source)
    if "image-label" in attributes:
        raise InputError(f"The store {source} contains labels, which are not intensities: give the image itself.")
    own = attributes.get(STORE_KEY)
    if isinstance(own, Mapping):
        letters = str(own["axes"])
        # Stores without the key "on_disk" have the axis order of the image.
        order = [str(own.get("on_disk", letters)).index(letter) for letter in letters]
        array = group["0"] if order == sorted(order) else AxisView(group["0"], order)
        return [_StoredImage(array, str(own.get("name") or ""), attributes, own=own)]
    images = []
    for scales in attributes.get("multiscales", []):
        version = multiscales.version_of(group.attrs, scales)
        multiscales.check_layout(scales, version, source)
        array = _finest(group, scales, source)
        name = str(scales.get("name") or "")
        images.append(_StoredImage(array, name, attributes, multiscale=scales, version=version))
    if not images:
        images = _series(group, source)
    return images


def _finest(group: Any, scales: Mapping[str, Any], source: Path) -> Any:
    """The array of the finest level."""
    levels = scales.get("datasets") or []
    name = str(levels[0].get("path")) if levels else ""
    if not levels or name not in group:
        raise InputError(f"The store {source} has no array {name or 'at all'}, which it declares: copy it again.")
    return group[name]


def _series(group: Any, source: Path) -> list[_StoredImage]:
    """Images of a group in which each is a group of its own, as in the layout of bioformats2raw."""
    names = sorted(group.group_keys(), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else name))
    described: list[ome.OmeImage] = []
    if "OME" in names:
        # The order of the images of the XML, where it is not that of the numbers.
        names = [str(name) for name in _attributes(group["OME"]).get("series") or names]
        xml = source / "OME" / "METADATA.ome.xml"
        described = ome.images_of(xml.read_text(encoding="utf-8")) if xml.is_file() else []
    images: list[_StoredImage] = []
    for number, name in enumerate(names):
        if name not in group or "multiscales" not in _attributes(group[name]):
            continue
        known = described[number].metadata if number < len(described) else Metadata()
        inner = _images(group[name], source / name)
        images += [replace(image, name=image.name or known.name, known=known) for image in inner]
    return images


def _attributes(group: Any) -> dict[str, Any]:
    """Attributes of a group, with those of OME-Zarr 0.5 on the level of OME-Zarr 0.4."""
    attributes = dict(group.attrs)
    return {**attributes, **attributes["ome"]} if isinstance(attributes.get("ome"), Mapping) else attributes


def _image_file(image: _StoredImage, source: Path, number: int, others: tuple[str, ...]) -> ImageFile:
    shape = tuple(image.array.shape)
    if image.own is not None:
        letters = parse_axes(str(image.own["axes"]), shape).letters
        values = zip(image.own["scale"], image.own["translate"], image.own["units"], strict=True)
        # The colors of RGB(A) have no entry.
        steps = dict(zip(letters, (multiscales.Step(*one) for one in values), strict=False))
    else:
        letters, steps = multiscales.read_steps(image.multiscale or {}, image.version, shape, source)
    pixel_size, unit, origin = _sizes(steps)
    rgb = parse_axes(letters, shape).rgb
    # The format requires a color and a window of every channel, so "omero" of a result may contain defaults.
    own_channels = None if image.own is None else image.own.get("channels", [])
    names, colors, limits = ((), (), ()) if rgb else _channels(image.attributes, own_channels)
    names, colors = names or image.known.channels, colors or image.known.colors
    file = ImageFile(
        image.array,
        letters,
        source,
        number,
        others,
        pixel_size=pixel_size,
        unit=unit,
        origin=origin,
        channels=names,
        colors=colors,
        limits=limits,
        time_interval=_interval(steps.get("T")),
        name=image.name,
    )
    return file.of_channels(shape[letters.index("C")] if "C" in letters else 1)


def _sizes(steps: Mapping[str, multiscales.Step]) -> tuple[dict[str, float], str | None, dict[str, float]]:
    """Pixel size along Z, Y and X, its unit, and the position of the first pixel."""
    spatial = {letter: step for letter, step in steps.items() if letter in "ZYX" and _is_size(step.size)}
    stated = {letter: (abs(float(step.size)), sizes.unit_name(step.unit)) for letter, step in spatial.items()}
    stated = {letter: size for letter, size in stated.items() if size[1] not in (None, "pixel")}
    pixel_size, unit = sizes.in_one_unit(stated)
    origin = {}
    for letter in pixel_size:
        factor, start = sizes.ratio(stated[letter][1], unit), float(spatial[letter].start)
        # Along a mirrored axis positions decrease, which a pixel size and an origin cannot tell.
        if factor is not None and start and math.isfinite(start) and spatial[letter].size > 0:
            origin[letter] = start * factor
    return pixel_size, unit, origin


def _interval(step: multiscales.Step | None) -> float | None:
    """Time between two time points in seconds."""
    seconds = None if step is None else sizes.seconds_of(step.unit)
    if step is None or seconds is None or not _is_size(step.size) or step.size < 0:
        return None
    return float(step.size) * seconds


def _is_size(step: float) -> bool:
    return math.isfinite(step) and step != 0


def _channels(
    attributes: Mapping[str, Any], own: Sequence[Mapping[str, Any]] | None
) -> tuple[tuple[str, ...], tuple[Color | None, ...], tuple[Limits | None, ...]]:
    """Names, colors and contrast limits in own entries or in "omero"; a field that no channel has is empty."""
    omero = attributes.get("omero")
    channels = own if own is not None else omero.get("channels", []) if isinstance(omero, Mapping) else []
    names = tuple(str(channel["label"]) for channel in channels if channel.get("label"))
    colors = tuple(_color(channel.get("color")) for channel in channels)
    limits = tuple(_window(channel.get("window")) for channel in channels)
    return (
        names if len(names) == len(channels) else (),
        colors if any(color is not None for color in colors) else (),
        limits if any(pair is not None for pair in limits) else (),
    )


def _color(text: Any) -> Color | None:
    if not isinstance(text, str) or len(text.lstrip("#")) != 6:
        return None
    try:
        red, green, blue = bytes.fromhex(text.lstrip("#"))
    except ValueError:
        # Not a hexadecimal number: the color is not known.
        return None
    return (red, green, blue) if red or green or blue else None


def _window(value: Any) -> Limits | None:
    low, high = (value.get("start"), value.get("end")) if isinstance(value, Mapping) else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        return None
    return float(low), float(high)
