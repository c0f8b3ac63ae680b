"""Saving an image layer from napari as OME-TIFF or ImageJ TIFF with its pixel size, unit and axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes, parse_axes
from napari_sr.imaging.files import write_image
from napari_sr.imaging.pixel_size import METERS, PixelSize, in_one_unit, unit_name


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer.

    Parameters
    ----------
    path : str
        Ending in .ome.tif, .ome.tiff, .tif or .tiff.
    data : array, or list of arrays
        The layer's; of a multiscale layer the finest level is written.
    attributes : dict
        As napari gives them: scale, units, axis_labels, rgb, multiscale and others.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    InputError
        The file cannot hold the data, or not be written.

    Notes
    -----
    A TIFF has no place for where a layer lies (translate, rotate, shear, affine); only its pixels and their size are
    kept.
    """
    level = data[0] if attributes.get("multiscale") else data
    axes = _axes(attributes, tuple(level.shape))
    sizes, unit = _pixel_size(attributes, axes)
    try:
        write_image(path, np.asarray(level), axes, sizes, unit)
    except OSError as error:
        raise InputError(f"The file {path} cannot be written ({error.strerror}); choose another place.") from error
    return [path]


def _axes(attributes: dict[str, Any], shape: tuple[int, ...]) -> Axes:
    """Axes by the layer's labels where they are ours, else by its shape."""
    rgb = bool(attributes.get("rgb"))
    letters = "".join(str(label).upper() for label in attributes.get("axis_labels") or ())
    count = len(shape) - int(rgb)
    named = len(letters) == len(set(letters)) == count and set(letters) <= set(LETTERS) and {"Y", "X"} <= set(letters)
    # A last C of 3 or 4 would be read as colors, which only an RGB layer has.
    if not named or (not rgb and letters.endswith("C")) or (rgb and "C" in letters):
        known = "TZYX" if rgb else LETTERS
        if count > len(known):
            raise InputError(f"A TIFF holds at most {len(known)} dimensions of a layer like this one; it has {count}.")
        letters = known[len(known) - count :]
    return parse_axes(letters + ("C" if rgb else ""), shape)


def _pixel_size(attributes: dict[str, Any], axes: Axes) -> PixelSize:
    """Sizes and unit, nothing for a layer that has none."""
    count = axes.ndim - int(axes.rgb)
    scale = attributes.get("scale")
    units = attributes.get("units") or ("pixel",) * count
    if scale is None:
        return {}, None
    said = {
        letter: (float(size), unit_name(str(unit)))
        for letter, size, unit in zip(axes.letters, scale, units, strict=False)
        if letter in "ZYX"
    }
    return in_one_unit({letter: (size, unit) for letter, (size, unit) in said.items() if unit in METERS})
