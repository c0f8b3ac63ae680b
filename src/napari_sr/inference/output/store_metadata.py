"""Attributes of the stores of results, those of OME-Zarr and those of napari-sr, and data types of their arrays.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, and 0.4,
https://ngff.openmicroscopy.org/0.4/, sections "multiscales" and "omero". Version 0.4 has the attributes of 0.5 without
the key "ome" around them, in Zarr 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from napari_sr.conversion import read_choice
from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.files.descriptions.omero import window_of, with_defaults
from napari_sr.imaging.files.stores import STORE_KEY
from napari_sr.imaging.pixel_size import METERS, SECONDS

OmeZarr = Literal["0.5", "0.4"]
#: Versions of OME-Zarr that are written; the first is the default.
VERSIONS: tuple[OmeZarr, ...] = get_args(OmeZarr)

#: Kinds of the data types that Zarr has, and largest size of one of them in bytes.
_DTYPE_KINDS, _DTYPE_SIZE = "buif", 8

_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_COLORS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))


@dataclass(frozen=True)
class StorePlace:
    """Name, pixel size, position and channels of an image in a store.

    `scale`, `translate` and `units` have one item for each axis except the colors of RGB(A), in the axis order of the
    image.

    Parameters
    ----------
    name : str, default "image"
        Name of the image.
    scale : sequence of float, optional
        Pixel size along each axis; by default 1.
    translate : sequence of float, optional
        Position of the center of the first pixel along each axis; by default 0.
    units : sequence of str or None, optional
        Unit of each axis; None or "pixel", which is stored as None, for an axis without one. By default none has one.
    channels : sequence of mapping, optional
        Label, color and window of each channel, from `channel_attributes` in
        `napari_sr.imaging.files.descriptions.omero`; by default none. `open_store` leaves them out.
    version : {"0.5", "0.4"}, default "0.5"
        Version of OME-Zarr: 0.5 is in Zarr 3, and 0.4 in Zarr 2.
    unitless : str, default ""
        Letters of the axes whose scale is a pixel size without a unit. Along other axes without a unit the scale is
        relative to the pixels of the source. `open_store` leaves them out.
    """

    name: str = "image"
    scale: Sequence[float] = ()
    translate: Sequence[float] = ()
    units: Sequence[str | None] = ()
    channels: Sequence[Mapping[str, Any]] = ()
    version: OmeZarr = VERSIONS[0]
    unitless: str = ""

    @property
    def zarr_format(self) -> Literal[2, 3]:
        """Version of Zarr that the version of OME-Zarr belongs to."""
        return 2 if self.version == "0.4" else 3


def read_version(version: Any, *, store: bool) -> OmeZarr:
    """Check the version of OME-Zarr that a caller gives for a result.

    Raises
    ------
    InputError
        If it is none of `VERSIONS`, or another than the default is given for a result that is no store.
    """
    chosen = read_choice(version, "version of OME-Zarr", VERSIONS)
    if chosen != VERSIONS[0] and not store:
        raise InputError(
            f"OME-Zarr {chosen} is a version of stores: give the result a name that ends in .zarr, or leave it out."
        )
    return chosen


def store_dtype(path: Path, dtype: Any) -> np.dtype[Any]:
    """Return the data type of the arrays of a store.

    Returns
    -------
    dtype
        The data type of this kind, size and byte order by which numpy names it.

    Raises
    ------
    InputError
        If Zarr does not have it.
    """
    given: np.dtype[Any] = np.dtype(dtype)
    if given.kind not in _DTYPE_KINDS or given.itemsize > _DTYPE_SIZE:
        raise InputError(
            f"{path.name} would be a Zarr store, which cannot contain {given}: convert the data to float64."
        )
    # Where numpy has two types of one size, such as "l" and "q", Zarr accepts one of them only.
    return np.dtype(given.str)


def attributes_of(axes: Axes, on_disk: Axes, levels: int, place: StorePlace, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attributes of the group of a store.

    Parameters
    ----------
    axes : Axes
        Axes of the image.
    on_disk : Axes
        The same axes in the order of the store.
    levels : int
        Number of levels.
    place : StorePlace
        Name, pixel size and position of the image.
    dtype : dtype
        Data type of the image.
    """
    letters = axes.without_colors
    scale = dict(zip(letters, map(float, place.scale or (1.0,) * len(letters)), strict=True))
    translate = dict(zip(letters, map(float, place.translate or (0.0,) * len(letters)), strict=True))
    named = (None if unit == "pixel" else unit for unit in place.units or (None,) * len(letters))
    units = dict(zip(letters, named, strict=True))
    described: list[dict[str, str]] = []
    for letter in on_disk.letters:
        entry = {"name": letter.lower(), "type": _KINDS[letter]}
        known = SECONDS if letter == "T" else METERS if letter in "ZYX" else {}
        if units.get(letter) in known:
            entry["unit"] = str(units[letter])
        described.append(entry)
    datasets = []
    for level in range(levels):
        factors = {letter: 2.0**level if letter in "YX" else 1.0 for letter in on_disk.letters}
        scales = [scale.get(letter, 1.0) * factors[letter] for letter in on_disk.letters]
        # The center of a coarse pixel is between the centers of the fine ones.
        shifts = [
            translate.get(letter, 0.0) + scale.get(letter, 1.0) * (factors[letter] - 1) / 2
            for letter in on_disk.letters
        ]
        transforms = [{"type": "scale", "scale": scales}, {"type": "translation", "translation": shifts}]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    ome: dict[str, Any] = {"multiscales": [{"name": place.name, "axes": described, "datasets": datasets}]}
    if axes.rgb:
        ome["omero"] = _color_channels(axes.shape[-1], dtype)
    elif place.channels:
        # The format requires color and window of every channel.
        ome["omero"] = {"channels": with_defaults(place.channels, dtype)}
    own = {
        "name": place.name,
        "axes": axes.letters,
        "on_disk": on_disk.letters,
        "scale": [scale[letter] for letter in letters],
        "translate": [translate[letter] for letter in letters],
        "units": [units[letter] for letter in letters],
    }
    if place.unitless:
        own["unitless"] = place.unitless
    if place.channels and not axes.rgb:
        own["channels"] = [dict(channel) for channel in place.channels]
    if place.version == "0.4":
        for part in (ome["multiscales"][0], *([ome["omero"]] if "omero" in ome else [])):
            part["version"] = place.version
        return {STORE_KEY: own, **ome}
    return {STORE_KEY: own, "ome": {"version": place.version, **ome}}


def _color_channels(count: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the "omero" metadata of an RGB(A) image; the alpha channel is inactive."""
    channels = [
        {"label": label, "color": color, "active": label != "alpha", "window": window_of(dtype)}
        for label, color in _COLORS[:count]
    ]
    return {"channels": channels, "rdefs": {"model": "color"}}
