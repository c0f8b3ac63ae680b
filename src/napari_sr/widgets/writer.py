"""Saving an image layer from napari as OME-TIFF or ImageJ TIFF with its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes, parse_axes
from napari_sr.imaging.files import Color, Limits, Lut, Metadata, from_luts, write_image
from napari_sr.imaging.pixel_size import METRES, in_one_unit, unit_name
from napari_sr.widgets.reader import NAME_KEY, PROFILE_KEY

_TIME_UNITS = {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer.

    Parameters
    ----------
    path : str
        Ending in .ome.tif, .ome.tiff, .tif or .tiff.
    data : array, or list of arrays
        The layer's; of a multiscale layer the finest level is written.
    attributes : dict
        As napari gives them: scale, translate, units, axis_labels, rgb, multiscale, colormap, contrast_limits and
        others.

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
    A TIFF has no place for rotate, shear and affine: a layer that has any is written without a position.
    """
    level = data[0] if attributes.get("multiscale") else data
    axes = _axes(attributes, tuple(level.shape))
    write_image(path, np.asarray(level), axes, metadata=_metadata(attributes, axes))
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


def _metadata(attributes: dict[str, Any], axes: Axes) -> Metadata:
    """Metadata of a layer: no sizes and no position for one without a unit of length."""
    count = axes.ndim - int(axes.rgb)
    letters = axes.letters[:count]
    scale = attributes.get("scale")
    units = [unit_name(str(unit)) or str(unit) for unit in attributes.get("units") or ("pixel",) * count]
    scale = (1.0,) * count if scale is None else scale
    stated = dict(zip(letters, zip((float(size) for size in scale), units, strict=False), strict=False))
    lengths = {letter: one for letter, one in stated.items() if letter in "ZYX" and one[1] in METRES}
    pixel_size, unit = in_one_unit(lengths)
    step, of_time = stated.get("T", (0.0, ""))
    seconds = _TIME_UNITS.get(str(of_time))
    colors, luts = ((), ()) if axes.rgb else _colors(attributes.get("colormap"))
    channels = 1 if axes.channel is None else axes.shape[axes.channel]
    limits = None if axes.rgb else _limits(attributes.get("contrast_limits"))
    extra = attributes.get("metadata")
    extra = extra if isinstance(extra, Mapping) else {}
    named = NAME_KEY in extra and channels == 1 and not axes.rgb
    return Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=_origin(attributes, letters, lengths, pixel_size),
        colors=colors * channels,
        luts=luts * channels,
        limits=() if limits is None else (limits,) * channels,
        time_interval=step * seconds if seconds is not None and step > 0 else None,
        channels=(str(extra[NAME_KEY]),) if named else (),
        icc_profile=extra.get(PROFILE_KEY),
    )


def _origin(
    attributes: dict[str, Any],
    letters: str,
    lengths: Mapping[str, tuple[float, str | None]],
    pixel_size: Mapping[str, float],
) -> dict[str, float]:
    """Position of the first pixel, in the unit of the pixel sizes."""
    shift = attributes.get("translate")
    if shift is None or not _is_straight(attributes, len(letters)):
        return {}
    moved = dict(zip(letters, (float(one) for one in shift), strict=False))
    # Sizes are in one unit now; a position has the ratio of its own size to the one in that unit.
    return {
        letter: moved[letter] * (size / lengths[letter][0])
        for letter, size in pixel_size.items()
        if moved.get(letter) and lengths[letter][0]
    }


def _is_straight(attributes: dict[str, Any], ndim: int) -> bool:
    """Whether a layer has neither rotate nor shear nor affine."""
    rotate, shear, affine = (attributes.get(name) for name in ("rotate", "shear", "affine"))
    return (
        (rotate is None or np.allclose(rotate, np.eye(ndim)))
        and (shear is None or np.allclose(shear, np.triu(np.eye(ndim)) if np.ndim(shear) == 2 else 0.0))
        and (affine is None or np.allclose(affine, np.eye(ndim + 1)))
    )


def _colors(colormap: Any) -> tuple[tuple[Color | None, ...], tuple[Lut | None, ...]]:
    """Color or lookup table of a colormap; nothing for plain gray."""
    if not isinstance(colormap, Mapping) or "colors" not in colormap:
        return (), ()
    from napari.utils import Colormap

    fields = {name: colormap[name] for name in ("colors", "controls", "interpolation") if name in colormap}
    shown = Colormap(**fields).map(np.linspace(0, 1, 256))
    colors, luts = from_luts((np.rint(np.asarray(shown)[:, :3] * 255).astype(np.uint8),))
    return ((), ()) if colors == ((255, 255, 255),) and not luts else (colors, luts)


def _limits(said: Any) -> Limits | None:
    if said is None or len(said) != 2 or not float(said[0]) < float(said[1]):
        return None
    return float(said[0]), float(said[1])
