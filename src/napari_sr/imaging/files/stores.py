"""Zarr stores: OME-Zarr of version 0.4 and 0.5, the stores that napari-sr writes, and plain arrays.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, sections "multiscales" and "omero".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files.image_file import Color, ImageFile, Limits, Metadata
from napari_sr.imaging.files.ome import SECONDS
from napari_sr.imaging.files.series import choose_series

#: Attribute of the Zarr stores that napari-sr writes: their axes, pixel sizes, units and place.
STORE_KEY = "napari_sr"

_MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


class Transposed:
    """Lazy view of an array with its axes in another order; only what is indexed is read.

    Parameters
    ----------
    array : array
        With `shape`, `dtype` and indexing by integers and slices, such as a zarr array.
    order : sequence of int
        Axis of the array for each axis of the view.

    Attributes
    ----------
    shape : tuple of int
        Lengths of the view's axes.
    dtype : dtype
        Type of the values.
    ndim : int
        Number of axes.
    """

    def __init__(self, array: Any, order: Sequence[int]) -> None:
        self._array, self._order = array, tuple(order)
        self.shape: tuple[int, ...] = tuple(array.shape[axis] for axis in self._order)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.ndim = len(self._order)

    def __getitem__(self, index: Any, /) -> Any:
        """Take the part that integers and slices name, one for each axis or fewer."""
        entries = index if isinstance(index, tuple) else (index,)
        if Ellipsis in entries:
            place = entries.index(Ellipsis)
            missing = self.ndim - len(entries) + 1
            entries = (*entries[:place], *[slice(None)] * missing, *entries[place + 1 :])
        entries = (*entries, *[slice(None)] * (self.ndim - len(entries)))
        stored: list[Any] = [slice(None)] * self.ndim
        for axis, entry in zip(self._order, entries, strict=True):
            stored[axis] = entry
        # Axes that an integer takes out are in neither the part nor the new order.
        left = [axis for axis, entry in zip(self._order, entries, strict=True) if isinstance(entry, slice)]
        return np.asarray(self._array[tuple(stored)]).transpose([sorted(left).index(axis) for axis in left])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read the whole array."""
        return np.asarray(self[...], dtype=dtype)


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store, or a group or an array in one.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    bool
        True if it holds a file with the metadata of Zarr 2 or 3.
    """
    return any((path / mark).is_file() for mark in _MARKS)


def refuse_folder(path: Path) -> InputError:
    """Error for a folder that is no image.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    InputError
        Its sentence names one of the images in the folder, if there are any.
    """
    images = sorted(entry.name for entry in path.iterdir() if entry.name.lower().endswith(_ENDINGS))
    if not images:
        return InputError(f"{path} is a folder without an image in it; give the path of an image file.")
    return InputError(f"{path} is a folder with {len(images)} images; give one of them, such as {path / images[0]}.")


def read_store(source: Path, wanted: int | str | None) -> ImageFile:
    """Read a Zarr store without reading its pixels.

    Parameters
    ----------
    source : Path
        Folder of the store, or of a group or an array in it.
    wanted : int, str or None
        Number or name of an image of a store with several; the largest when None.

    Returns
    -------
    ImageFile
        `data` is a zarr array, the finest level of a pyramid.

    Raises
    ------
    InputError
        The store holds no image, or one with axes that are unknown.
    """
    import zarr

    node = zarr.open(source, mode="r")
    if isinstance(node, zarr.Array):
        return _plain(node, source)
    images = _images(node, source)
    found = [(str(one["name"]), tuple(one["array"].shape)) for one in images]
    number, left = choose_series(found, wanted, str(source))
    return _image(images[number], source, number, left)


def array_attributes(metadata: Metadata, letters: str) -> dict[str, Any]:
    """Attributes of an array that is written alone, without a pyramid.

    Parameters
    ----------
    metadata : Metadata
        Of the image.
    letters : str
        Letters of its axes.

    Returns
    -------
    dict
        "axes", "pixel_size" and "unit"; "origin", "time_interval" and "omero" where the image has them.
    """
    attributes: dict[str, Any] = {"axes": letters, "pixel_size": metadata.pixel_size, "unit": metadata.unit}
    if metadata.origin:
        attributes["origin"] = metadata.origin
    if metadata.time_interval is not None:
        attributes["time_interval"] = metadata.time_interval
    channels = _omero(metadata)
    if channels:
        attributes["omero"] = channels
    return attributes


def add_channels(path: Path, metadata: Metadata, axes: Axes) -> None:
    """Add names, colors and display ranges of the channels, and the unit of time, to an OME-Zarr store.

    Parameters
    ----------
    path : Path
        The store.
    metadata : Metadata
        Of its image.
    axes : Axes
        Of its image; nothing is added for RGB, which OME-Zarr does not describe.
    """
    import zarr

    group = zarr.open_group(path, mode="r+")
    said: Any = group.attrs.get("ome")
    if axes.rgb or not isinstance(said, Mapping):
        return
    described = {**said}
    if metadata.time_interval is not None:
        for scales in described["multiscales"]:
            for axis in scales["axes"]:
                if axis["type"] == "time":
                    axis["unit"] = "second"
    channels = _omero(metadata)
    if channels:
        described["omero"] = channels
    group.attrs["ome"] = described


def _omero(metadata: Metadata) -> dict[str, Any]:
    """Attributes of the channels; nothing where none has any."""
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
    return {"channels": channels} if any(channels) else {}


def _plain(array: Any, source: Path) -> ImageFile:
    """An array with the attributes that the command line writes, or without any."""
    said = dict(array.attrs)
    letters = said.get("axes")
    letters = parse_axes(letters if isinstance(letters, str) else None, tuple(array.shape)).letters
    size, unit = sizes.checked(_lengths(said.get("pixel_size")), said.get("unit"))
    names, colors, limits = _channels(said, array.shape[letters.index("C")] if "C" in letters else 1)
    interval = said.get("time_interval")
    return ImageFile(
        array,
        letters,
        source,
        pixel_size=size,
        unit=unit,
        origin=_lengths(said.get("origin")),
        channels=names,
        colors=colors,
        limits=limits,
        time_interval=float(interval) if isinstance(interval, int | float) and interval > 0 else None,
    )


def _lengths(said: Any) -> dict[str, float]:
    known = said if isinstance(said, Mapping) else {}
    return {str(letter): float(value) for letter, value in known.items() if letter in ("Z", "Y", "X")}


def _images(group: Any, source: Path) -> list[dict[str, Any]]:
    """Every image of a group: its array, its name and what the attributes say of it."""
    said = _attributes(group)
    if "plate" in said or "well" in said:
        raise InputError(
            f"{source} is a plate or a well of images; give one of its images, such as {source / 'A/1/0'}."
        )
    own = said.get(STORE_KEY)
    if isinstance(own, Mapping):
        letters = str(own["axes"])
        # OME-Zarr prescribes the order of the axes on disk; the colors of RGB are channels there.
        order = [str(own.get("on_disk", letters)).index(letter) for letter in letters]
        array = group["0"] if order == sorted(order) else Transposed(group["0"], order)
        return [{"array": array, "name": own.get("name") or "", "own": own, "said": said}]
    found = []
    for scales in said.get("multiscales", []):
        path = str(scales["datasets"][0]["path"])
        found.append({"array": group[path], "name": scales.get("name") or "", "scales": scales, "said": said})
    if not found:
        # bioformats2raw puts each image into a group of its own.
        names = sorted(group.group_keys(), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else name))
        inner = [group[name] for name in names]
        for one in inner:
            if "multiscales" in _attributes(one):
                found += _images(one, source)
    return found


def _attributes(group: Any) -> dict[str, Any]:
    said = dict(group.attrs)
    return {**said, **said["ome"]} if isinstance(said.get("ome"), Mapping) else said


def _image(one: dict[str, Any], source: Path, number: int, left: tuple[str, ...]) -> ImageFile:
    array = one["array"]
    shape = tuple(array.shape)
    if "own" in one:
        own = one["own"]
        letters = parse_axes(str(own["axes"]), shape).letters
        scale, shift, units = own["scale"], own["translate"], own["units"]
    else:
        letters, scale, shift, units = _multiscale(one["scales"], shape, source)
    stated = dict(zip(letters, zip(scale, shift, units, strict=True), strict=False))
    size: dict[str, tuple[float, str | None]] = {}
    interval = None
    for letter, (step, _, unit) in stated.items():
        if letter in "ZYX" and sizes.unit_name(unit) not in (None, "pixel"):
            size[letter] = (float(step), sizes.unit_name(unit))
        elif letter == "T" and unit in SECONDS:
            interval = float(step) * SECONDS[unit]
    pixel_size, unit = sizes.in_one_unit(size)
    places = {}
    for letter in pixel_size:
        factor = sizes.ratio(size[letter][1], unit)
        if factor is not None and stated[letter][1]:
            places[letter] = float(stated[letter][1]) * factor
    rgb = parse_axes(letters, shape).rgb
    said = {} if rgb else one["said"]
    names, colors, limits = _channels(said, shape[letters.index("C")] if "C" in letters else 1)
    return ImageFile(
        array,
        letters,
        source,
        number,
        left,
        pixel_size=pixel_size,
        unit=unit,
        origin=places,
        channels=names,
        colors=colors,
        limits=limits,
        time_interval=interval,
        name=str(one["name"]),
    )


def _multiscale(
    scales: Mapping[str, Any], shape: tuple[int, ...], source: Path
) -> tuple[str, list[float], list[float], list[str | None]]:
    """Letters, scale, translation and units of the finest level."""
    axes = scales.get("axes") or []
    names = [str(axis["name"] if isinstance(axis, Mapping) else axis).upper() for axis in axes]
    if len(names) != len(shape) or any(name not in ("T", "C", "Z", "Y", "X") for name in names):
        raise InputError(
            f"The store {source} has the axes {', '.join(names) or 'without names'}, which are not T, C, Z, Y and X; "
            "save it with such axes."
        )
    scale, shift = [1.0] * len(names), [0.0] * len(names)
    # Both lists of transformations apply one after the other: those of the level, then those of all levels.
    for step in (
        *scales["datasets"][0].get("coordinateTransformations", ()),
        *scales.get("coordinateTransformations", ()),
    ):
        if step.get("type") == "scale" and "scale" in step:
            scale = [old * float(new) for old, new in zip(scale, step["scale"], strict=True)]
            shift = [old * float(new) for old, new in zip(shift, step["scale"], strict=True)]
        elif step.get("type") == "translation" and "translation" in step:
            shift = [old + float(new) for old, new in zip(shift, step["translation"], strict=True)]
    units = [axis.get("unit") if isinstance(axis, Mapping) else None for axis in axes]
    return parse_axes("".join(names), shape).letters, scale, shift, units


def _channels(
    said: Mapping[str, Any], count: int
) -> tuple[tuple[str, ...], tuple[Color | None, ...], tuple[Limits | None, ...]]:
    """Names, colors and display ranges of the omero attributes."""
    omero = said.get("omero")
    channels = omero.get("channels", []) if isinstance(omero, Mapping) else []
    if len(channels) != count:
        return (), (), ()
    names = tuple(str(one["label"]) for one in channels if one.get("label"))
    colors = tuple(_color(one.get("color")) for one in channels)
    limits = tuple(_window(one.get("window")) for one in channels)
    return (
        names if len(names) == count else (),
        colors if any(one is not None for one in colors) else (),
        limits if any(one is not None for one in limits) else (),
    )


def _color(text: Any) -> Color | None:
    if not isinstance(text, str) or len(text.lstrip("#")) != 6:
        return None
    try:
        red, green, blue = bytes.fromhex(text.lstrip("#"))
    except ValueError:
        # No hexadecimal number: the color is left to the viewer.
        return None
    return (red, green, blue) if red or green or blue else None


def _window(said: Any) -> Limits | None:
    low, high = (said.get("start"), said.get("end")) if isinstance(said, Mapping) else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        return None
    return float(low), float(high)
