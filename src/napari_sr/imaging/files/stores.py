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
from napari_sr.imaging.files.descriptions import multiscales, ome, omero
from napari_sr.imaging.files.image_file import ImageFile, Metadata
from napari_sr.imaging.files.plates import is_plate_part, plate_error
from napari_sr.imaging.files.series import choose_series

#: Key of napari-sr's own attributes in a store: axes in the order of the image, and a copy of what OME-Zarr contains.
STORE_KEY = "napari_sr"


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
    inside = [] if images else [name for name in sorted(node.group_keys()) if _has_images(node[name])]
    if inside:
        raise InputError(
            f"The images of the store {source} are in the folder{'s' * (len(inside) > 1)} {', '.join(inside)} in it: "
            f"give {source / inside[0]}."
        )
    available = [(image.name, tuple(image.array.shape)) for image in images]
    number, others = choose_series(available, series, str(source))
    return _image_file(images[number], source, number, others)


@dataclass(frozen=True)
class OwnImage:
    """The image of a store that napari-sr wrote.

    Parameters
    ----------
    levels : list of array
        The arrays of all levels in the axis order of the image, the finest first.
    letters : str
        Letters of the axes.
    name : str
        Name of the image.
    steps : dict of str to Step
        Pixel size and position by letter; that of the colors of RGB(A) may be missing.
    unitless : str
        Letters of the axes whose scale is a pixel size without a unit. Along other axes without a unit it is relative
        to the pixels of the source.
    """

    levels: list[Any]
    letters: str
    name: str
    steps: dict[str, multiscales.Step]
    unitless: str


def own_image(group: Any, source: Path) -> OwnImage | None:
    """Open the image of a store that napari-sr wrote, without reading its pixels.

    Returns
    -------
    OwnImage or None
        The image; None if another program wrote it, or has removed or added axes.

    Raises
    ------
    InputError
        If the finest level is missing, or the store was converted to a version of OME-Zarr that is not read.

    Notes
    -----
    Axis order and RGB(A) are those of napari-sr's own attributes, because OME-Zarr cannot contain them. All else is
    taken from the attributes of OME-Zarr, which users and other programs correct.
    """
    attributes = _attributes(group)
    own = attributes.get(STORE_KEY)
    if not isinstance(own, Mapping):
        return None
    letters, name = str(own["axes"]), str(own.get("name") or "")
    values = zip(own["scale"], own["translate"], own["units"], strict=True)
    # The colors of RGB(A) have no entry.
    copied = {letter: multiscales.Step(*one) for letter, one in zip(letters, values, strict=False)}
    steps, unitless = copied, str(own.get("unitless", ""))
    scales = next(iter(attributes.get("multiscales") or ()), None)
    if scales is None:
        # Stores without the key "on_disk" have the axis order of the image.
        on_disk = str(own.get("on_disk", letters))
        arrays = [group[key] for key in sorted(group.array_keys(), key=int)]
    else:
        version = multiscales.version_of(group.attrs, scales)
        multiscales.check_layout(scales, version, source)
        finest = _finest(group, scales, source)
        on_disk, described = multiscales.read_steps(scales, version, tuple(finest.shape), source)
        if sorted(on_disk) != sorted(letters):
            return None
        steps = {letter: _with_unit(described[letter], letter, copied.get(letter)) for letter in letters}
        # A corrected scale is a size.
        unitless += "".join(letter for letter, step in copied.items() if step.size != steps[letter].size)
        name = str(scales.get("name") or name)
        coarser = [str(level.get("path")) for level in scales["datasets"][1:]]
        arrays = [finest, *(group[path] for path in coarser if path in group)]
    order = [on_disk.index(letter) for letter in letters]
    levels = [array if order == sorted(order) else AxisView(array, order) for array in arrays]
    return OwnImage(levels, letters, name, steps, unitless) if levels else None


def _with_unit(step: multiscales.Step, letter: str, own: multiscales.Step | None) -> multiscales.Step:
    """The step with the unit of napari-sr's own attributes if OME-Zarr cannot contain it."""
    known = sizes.SECONDS if letter == "T" else sizes.METERS if letter in "ZYX" else {}
    unit = None if own is None or own.unit in known else own.unit
    return replace(step, unit=step.unit or unit)


@dataclass(frozen=True)
class _StoredImage:
    """An image of a group: its array, the attributes of the group, and the part of them that describes the array."""

    array: Any
    name: str
    attributes: Mapping[str, Any]
    own: OwnImage | None = None
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
    own = own_image(group, source)
    if own is not None:
        return [_StoredImage(own.levels[0], own.name, attributes, own=own)]
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


def _has_images(group: Any) -> bool:
    """Whether the groups of a group are images, and not only labels."""
    described = (_attributes(inner) for _, inner in group.groups())
    return any("multiscales" in known and "image-label" not in known for known in described)


def _attributes(group: Any) -> dict[str, Any]:
    """Attributes of a group, with those of OME-Zarr 0.5 on the level of OME-Zarr 0.4."""
    attributes = dict(group.attrs)
    return {**attributes, **attributes["ome"]} if isinstance(attributes.get("ome"), Mapping) else attributes


def _image_file(image: _StoredImage, source: Path, number: int, others: tuple[str, ...]) -> ImageFile:
    shape = tuple(image.array.shape)
    if image.own is not None:
        letters, steps = parse_axes(image.own.letters, shape).letters, image.own.steps
    else:
        letters, steps = multiscales.read_steps(image.multiscale or {}, image.version, shape, source)
    pixel_size, unit, origin = _sizes(steps, None if image.own is None else image.own.unitless)
    rgb = parse_axes(letters, shape).rgb
    names, colors, limits = ((), (), ()) if rgb else omero.read_channels(_channels(image))
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


def _sizes(
    steps: Mapping[str, multiscales.Step], unitless: str | None
) -> tuple[dict[str, float], str | None, dict[str, float]]:
    """Pixel size along Z, Y and X, its unit, and the position of the first pixel.

    `unitless` are the axes whose scale is a size if there is no unit; None if that is not known.
    """
    spatial = {letter: step for letter, step in steps.items() if letter in "ZYX" and _is_size(step.size)}
    named = {letter: (abs(float(step.size)), sizes.unit_name(step.unit)) for letter, step in spatial.items()}
    stated = {letter: size for letter, size in named.items() if size[1] not in (None, "pixel")}
    if not stated:
        if unitless is None:
            # A scale of 1 is written where the size is not known.
            unitless = "ZYX" if any(size != 1 for size, _ in named.values()) else ""
        stated = {letter: (size, None) for letter, (size, _) in named.items() if letter in unitless}
    pixel_size, unit = sizes.in_one_unit(stated)
    origin = {}
    for letter in pixel_size:
        factor, start = sizes.ratio(stated[letter][1], unit), float(spatial[letter].start)
        # Along a mirrored axis positions decrease, which a pixel size and an origin cannot express.
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


def _channels(image: _StoredImage) -> Sequence[Mapping[str, Any]]:
    """The channels of an image. Those of a result may have defaults that are none of its metadata."""
    described = image.attributes.get("omero")
    channels = described.get("channels") if isinstance(described, Mapping) else None
    if image.own is None:
        return channels or []
    own = image.attributes[STORE_KEY].get("channels", [])
    return own if channels is None else omero.without_defaults(channels, own, image.array.dtype)
