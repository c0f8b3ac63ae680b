"""Saving of image layers from napari as OME-TIFF or ImageJ TIFF with their metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.conversion import quote
from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes, parse_axes
from napari_sr.imaging.files import WRITABLE, Color, Limits, Lut, Metadata, from_luts, write_image
from napari_sr.imaging.napari_layer import labeled_axes, place_metadata
from napari_sr.widgets.formats.reader import NAME_KEY, PROFILE_KEY


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer.

    Parameters
    ----------
    path : str
        The file, which ends in .ome.tif, .ome.tiff, .tif or .tiff. A name without such an ending, as the save dialog
        proposes it, becomes that of an OME-TIFF.
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
        If the file cannot contain the data, or cannot be written, or a file of the completed name exists: the save
        dialog asked about the name without its ending.

    Notes
    -----
    A TIFF cannot contain rotate, shear and affine. A layer with one of them is written without a position. A mirrored
    axis, whose scale is negative, is written with the size of its pixels and without a position.
    """
    level = _finest(data, attributes)
    rgb = bool(attributes.get("rgb"))
    letters = _letters(attributes, level.shape[:-1] if rgb else level.shape, "TZYX" if rgb else LETTERS)
    axes = parse_axes(letters + ("C" if rgb else ""), tuple(level.shape))
    file = _with_ending(path)
    write_image(file, level, axes, metadata=_metadata(attributes, axes))
    return [file]


def write_channels(path: str, layers: Sequence[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Write several image layers as the channels of one image.

    Parameters
    ----------
    path : str
        The file, as for `write_layer`.
    layers : sequence of (data, attributes, type)
        The layers, of one shape, data type and position. Each is a channel with its name, colormap and contrast limits.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    InputError
        If the layers differ or are RGB, or as for `write_layer`.
    """
    levels = [_finest(data, attributes) for data, attributes, _ in layers]
    appearances = [attributes for _, attributes, _ in layers]
    _check_alike(levels, appearances)
    shape = tuple(levels[0].shape)
    single = parse_axes(_letters(appearances[0], shape, "TZYX"), shape)
    known = [_metadata(attributes, single) for attributes in appearances]
    names = [
        one.channels[0] if one.channels else str(of.get("name")) for one, of in zip(known, appearances, strict=True)
    ]
    metadata = replace(
        known[0],
        channels=tuple(names),
        colors=_of_each([one.colors for one in known]),
        luts=_of_each([one.luts for one in known]),
        limits=_of_each([one.limits for one in known]),
    )
    file = _with_ending(path)
    write_image(file, _stacked(levels), f"C{single.letters}", metadata=metadata)
    return [file]


def _with_ending(path: str) -> str:
    if path.lower().endswith(WRITABLE):
        return path
    file = f"{path}.ome.tif"
    if Path(file).exists():
        raise InputError(f"There is a file {file} already: give another name, or this one with its ending.")
    return file


def _check_alike(levels: Sequence[Any], appearances: Sequence[Mapping[str, Any]]) -> None:
    """Check that layers can be the channels of one image."""
    first = appearances[0]
    for level, attributes in zip(levels, appearances, strict=True):
        name = quote(attributes.get("name"))
        if attributes.get("rgb"):
            raise InputError(f"The layer {name} is in color, and cannot be a channel: save it by itself.")
        alike = tuple(level.shape) == tuple(levels[0].shape) and np.dtype(level.dtype) == np.dtype(levels[0].dtype)
        if not alike or not _in_one_place(first, attributes):
            raise InputError(
                f"The layers {quote(first.get('name'))} and {name} differ in size, data type or position, and cannot "
                "be channels of one image: save each by itself."
            )


def _of_each(values: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The value of each channel, or None; empty if no channel has one."""
    return tuple(value[0] if value else None for value in values) if any(values) else ()


def _finest(data: Any, attributes: Mapping[str, Any]) -> Any:
    return data[0] if attributes.get("multiscale") else data


def _letters(attributes: Mapping[str, Any], shape: Sequence[int], known: str) -> str:
    """Letters of axes by the labels of the layer if these are known ones, or else by the number of axes."""
    letters, count = labeled_axes(attributes.get("axis_labels") or (), shape), len(shape)
    if letters and len(letters) == count and set(letters) <= set(known):
        return letters
    if count > len(known):
        raise InputError(
            f"The layer has {count} dimensions, and a TIFF can contain {len(known)} of such a layer: save a part of it."
        )
    return known[len(known) - count :]


def _in_one_place(first: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two layers have the same geometry, so that their pixels are at the same places."""
    return all(
        np.array_equal(np.asarray(first.get(name), dtype=object), np.asarray(other.get(name), dtype=object))
        for name in ("scale", "translate", "rotate", "shear", "affine", "units")
    )


def _stacked(levels: Sequence[Any]) -> Any:
    """The layers along a new first axis; lazy ones are not computed."""
    if all(isinstance(level, np.ndarray) for level in levels):
        return np.stack(levels)
    import dask.array as da

    return da.stack([level if isinstance(level, da.Array) else da.from_array(level, name=False) for level in levels])


def _metadata(attributes: dict[str, Any], axes: Axes) -> Metadata:
    """Metadata of a layer; without a unit of length it has neither a pixel size nor a position."""
    colors, luts = ((), ()) if axes.rgb else _colors(attributes.get("colormap"))
    channels = len(axes.channels)
    limits = None if axes.rgb else _limits(attributes.get("contrast_limits"))
    extra = attributes.get("metadata")
    extra = extra if isinstance(extra, Mapping) else {}
    named = NAME_KEY in extra and channels == 1 and not axes.rgb
    return replace(
        place_metadata(attributes, axes.without_colors),
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
