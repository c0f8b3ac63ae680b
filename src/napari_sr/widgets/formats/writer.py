"""Saving of an image layer from napari as OME-TIFF or ImageJ TIFF with its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes, parse_axes
from napari_sr.imaging.files import Color, Limits, Lut, Metadata, from_luts, write_image
from napari_sr.imaging.napari_layer import place_metadata
from napari_sr.widgets.formats.reader import NAME_KEY, PROFILE_KEY


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer.

    Parameters
    ----------
    path : str
        The file, which ends in .ome.tif, .ome.tiff, .tif or .tiff.
    data : array or list of array
        Data of the layer; a large lazy array is written part by part. Of a multiscale layer the finest level is
        written.
    attributes : dict of str to object
        Attributes of the layer from napari: scale, translate, units, axis_labels, rgb, multiscale, colormap,
        contrast_limits and others.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    InputError
        If the file cannot contain the data, or cannot be written.

    Notes
    -----
    A TIFF cannot contain rotate, shear and affine. A layer with one of them is written without a position. A mirrored
    axis, whose scale is negative, is written with the size of its pixels and without a position.
    """
    level = data[0] if attributes.get("multiscale") else data
    axes = _axes(attributes, tuple(level.shape))
    write_image(path, level, axes, metadata=_metadata(attributes, axes))
    return [path]


def _axes(attributes: dict[str, Any], shape: tuple[int, ...]) -> Axes:
    """Axes by the labels of the layer if these are letters of axes, or else by its shape."""
    rgb = bool(attributes.get("rgb"))
    letters = "".join(str(label).upper() for label in attributes.get("axis_labels") or ())
    count = len(shape) - int(rgb)
    named = len(letters) == len(set(letters)) == count and set(letters) <= set(LETTERS) and {"Y", "X"} <= set(letters)
    # Only an RGB layer has colors, and a last C of length 3 or 4 is RGB(A).
    if not named or (not rgb and letters.endswith("C")) or (rgb and "C" in letters):
        known = "TZYX" if rgb else LETTERS
        if count > len(known):
            raise InputError(
                f"The layer has {count} dimensions, and a TIFF can contain {len(known)} of such a layer: "
                "save a part of it."
            )
        letters = known[len(known) - count :]
    return parse_axes(letters + ("C" if rgb else ""), shape)


def _metadata(attributes: dict[str, Any], axes: Axes) -> Metadata:
    """Metadata of a layer; without a unit of length it has neither a pixel size nor a position."""
    colors, luts = ((), ()) if axes.rgb else _colors(attributes.get("colormap"))
    channels = len(axes.channels)
    limits = None if axes.rgb else _limits(attributes.get("contrast_limits"))
    extra = attributes.get("metadata")
    extra = extra if isinstance(extra, Mapping) else {}
    named = NAME_KEY in extra and channels == 1 and not axes.rgb
    return replace(
        place_metadata(attributes, axes.letters[: axes.ndim - int(axes.rgb)]),
        colors=colors * channels,
        luts=luts * channels,
        limits=() if limits is None else (limits,) * channels,
        channels=(str(extra[NAME_KEY]),) if named else (),
        icc_profile=extra.get(PROFILE_KEY),
    )


def _colors(colormap: Any) -> tuple[tuple[Color | None, ...], tuple[Lut | None, ...]]:
    """Color or lookup table of a colormap; none for gray."""
    if not isinstance(colormap, Mapping) or "colors" not in colormap:
        return (), ()
    from napari.utils import Colormap

    fields = {name: colormap[name] for name in ("colors", "controls", "interpolation") if name in colormap}
    shown = Colormap(**fields).map(np.linspace(0, 1, 256))
    colors, luts = from_luts((np.rint(np.asarray(shown)[:, :3] * 255).astype(np.uint8),))
    return ((), ()) if colors == ((255, 255, 255),) and not luts else (colors, luts)


def _limits(value: Any) -> Limits | None:
    if value is None or len(value) != 2 or not float(value[0]) < float(value[1]):
        return None
    return float(value[0]), float(value[1])
