"""Reading of the stores that this or an earlier version of napari-sr has written, with the axes of their images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zarr

from napari_sr.imaging.atomic import restore_interrupted
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files import stem_of
from napari_sr.imaging.files.stores import STORE_KEY, own_image
from napari_sr.inference.output.store_metadata import StorePlace


@dataclass(frozen=True)
class Store:
    """An open store.

    Parameters
    ----------
    levels : list of AxisView or zarr.Array
        The arrays of all levels in the axis order of the image, the finest first.
    axes : Axes
        Axes of the finest level.
    place : StorePlace
        Name, pixel size and position of the finest level.
    """

    levels: list[Any]
    axes: Axes
    place: StorePlace = field(default_factory=StorePlace)


def open_store(path: Path) -> Store | None:
    """Open a store that this or an earlier version of napari-sr has written.

    Returns
    -------
    Store or None
        The store; None if the folder was not written by napari-sr, or its axes were changed by another program.

    Raises
    ------
    InputError
        If the finest level of a store of napari-sr is missing, or it was converted to a version of OME-Zarr that is not
        read.
    """
    restore_interrupted(path)
    try:
        attributes = _attributes(path)
        own = attributes.get(STORE_KEY)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Not a Zarr store, or a damaged one.
        return None
    if isinstance(own, Mapping):
        return _open_group(path)
    if {"axes", "pixel_size", "unit"} <= set(attributes):
        return _open_array(path, attributes)
    return None


def _attributes(path: Path) -> Any:
    """Return the attributes of a group or array of Zarr 3 or 2."""
    if (path / ".zattrs").is_file():
        return json.loads((path / ".zattrs").read_text(encoding="utf-8"))
    return json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]


def _open_group(path: Path) -> Store | None:
    image = own_image(zarr.open_group(path, mode="r"), path)
    if image is None:
        return None
    axes = parse_axes(image.letters, tuple(image.levels[0].shape))
    steps = [image.steps[letter] for letter in axes.without_colors]
    place = StorePlace(
        image.name,
        tuple(float(step.size) for step in steps),
        tuple(float(step.start) for step in steps),
        tuple(step.unit for step in steps),
    )
    return Store(image.levels, axes, place)


def _open_array(path: Path, attributes: Mapping[str, Any]) -> Store:
    """Open an array with attributes, the format of the command line before 0.1."""
    array: Any = zarr.open_array(path, mode="r")
    axes = parse_axes(str(attributes["axes"]), tuple(array.shape))
    letters = axes.without_colors
    sizes, unit = dict(attributes["pixel_size"]), attributes["unit"]
    place = StorePlace(
        stem_of(path),
        tuple(float(sizes.get(letter, 1.0)) for letter in letters),
        (0.0,) * len(letters),
        tuple(unit if letter in sizes else None for letter in letters),
    )
    return Store([array], axes, place)
