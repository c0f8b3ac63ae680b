"""Attribute "multiscales" of OME-Zarr: axes, pixel size and position of the finest level of an image.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, section "multiscales", and 0.1 to 0.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, parse_axes

_VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5")
# Versions in which every image has these five axes, without names.
_UNNAMED, _FIVE = ("", "0.1", "0.2"), "tczyx"


@dataclass(frozen=True)
class Step:
    """Pixel size and position of an image along one axis.

    Parameters
    ----------
    size : float
        Distance from a pixel to the next one; it may be any number in a file.
    start : float
        Position of the first pixel.
    unit : str or None
        Unit of both, as the file names it.
    """

    size: float
    start: float
    unit: str | None


def version_of(attributes: Mapping[str, Any], scales: Mapping[str, Any]) -> str:
    """Return the version of OME-Zarr of an image.

    Parameters
    ----------
    attributes : mapping
        Attributes of the group, as they are stored.
    scales : mapping
        The image, an entry of "multiscales".

    Returns
    -------
    str
        The version; "" if the store does not name it.
    """
    ome = attributes.get("ome")
    version = ome.get("version") if isinstance(ome, Mapping) else None
    return str(version or scales.get("version") or "")


def check_layout(scales: Mapping[str, Any], version: str, source: Path) -> None:
    """Check that the axes and transformations of an image are described as in the known versions of OME-Zarr.

    Parameters
    ----------
    scales : mapping
        The image, an entry of "multiscales".
    version : str
        Version of OME-Zarr, from `version_of`.
    source : Path
        The store, for messages.

    Raises
    ------
    InputError
        If the version is not one of 0.1 to 0.5, or the axes are in coordinate systems, as in version 0.6.
    """
    known = re.match(r"\d+\.\d+", version)
    if version and (known is None or known[0] not in _VERSIONS):
        raise InputError(
            f"The store {source} is OME-Zarr {version}, which is not read: save it as OME-Zarr 0.4 or 0.5."
        )
    if "coordinateSystems" in scales:
        raise InputError(
            f"The store {source} is OME-Zarr {version or 'without a version'} with coordinate systems, which are not "
            "read: save it as OME-Zarr 0.4 or 0.5."
        )


def read_steps(
    scales: Mapping[str, Any], version: str, shape: tuple[int, ...], source: Path
) -> tuple[str, dict[str, Step]]:
    """Read the axes of the finest level of an image, with its pixel size and position along each.

    Parameters
    ----------
    scales : mapping
        The image, an entry of "multiscales".
    version : str
        Version of OME-Zarr, from `version_of`.
    shape : tuple of int
        Shape of the array.
    source : Path
        The store, for messages.

    Returns
    -------
    letters : str
        A letter of T, C, Z, Y and X for each axis.
    steps : dict of str to Step
        Pixel size and position by letter.

    Raises
    ------
    InputError
        If there is an axis of another kind.
    """
    axes = scales.get("axes") or (list(_FIVE) if len(shape) == len(_FIVE) and version in _UNNAMED else [])
    names = _axis_names(axes)
    if len(names) != len(shape) or sorted(set(names)) != sorted(names) or not set(names) <= set(LETTERS):
        raise InputError(
            f"The store {source} has the axes {', '.join(names) or 'without names'}, which are not T, C, Z, Y and X: "
            "save it with such axes."
        )
    size, start = [1.0] * len(names), [0.0] * len(names)
    # The transformations of the level are applied first, and then those of all levels.
    for step in (
        *scales["datasets"][0].get("coordinateTransformations", ()),
        *scales.get("coordinateTransformations", ()),
    ):
        if step.get("type") == "scale" and "scale" in step:
            size = [old * float(new) for old, new in zip(size, step["scale"], strict=True)]
            start = [old * float(new) for old, new in zip(start, step["scale"], strict=True)]
        elif step.get("type") == "translation" and "translation" in step:
            start = [old + float(new) for old, new in zip(start, step["translation"], strict=True)]
    units = [axis.get("unit") if isinstance(axis, Mapping) else None for axis in axes]
    letters = parse_axes("".join(names), shape).letters
    steps = [Step(*values) for values in zip(size, start, units, strict=True)]
    return letters, dict(zip(letters, steps, strict=True))


def _axis_names(axes: Sequence[Any]) -> list[str]:
    """Letters of axes by their names; axes with other names by their types, if these are known."""
    names = [str(axis.get("name") if isinstance(axis, Mapping) else axis).upper() for axis in axes]
    types = [axis.get("type") if isinstance(axis, Mapping) else None for axis in axes]
    if set(names) <= set(LETTERS):
        return names
    spatial = "ZYX"[-types.count("space") :] if types.count("space") in (2, 3) else ""
    letters = iter(spatial)
    known = {"time": "T", "channel": "C"}
    return [
        next(letters) if kind == "space" and spatial else known.get(str(kind), name)
        for name, kind in zip(names, types, strict=True)
    ]
