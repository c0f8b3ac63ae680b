"""Napari image layers: their pixels, axes and pixel sizes, and the layer of a result. napari itself is not imported."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_sr.conversion import quote
from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.files.image_file import Metadata
from napari_sr.imaging.geometry import Vector, linear_part, upscaled_transform
from napari_sr.imaging.pixel_size import METERS, PixelSize, in_one_unit, seconds_of, unit_name

LayerData = tuple[Any, dict[str, Any], str]

#: Key of a layer's metadata for the channel of the file that it shows: (axis, number).
CHANNEL_KEY = "napari_sr_channel"
#: Key of a layer's metadata for the path of its file, where napari has not recorded it.
PATH_KEY = "napari_sr_path"

# Properties of a napari Image layer that concern its appearance and apply to the result unchanged.
_APPEARANCE = (
    "attenuation",
    "auto_contrast",
    "blending",
    "colormap",
    "custom_interpolation_kernel_2d",
    "depiction",
    "gamma",
    "interpolation2d",
    "interpolation3d",
    "iso_threshold",
    "opacity",
    "projection_mode",
    "rendering",
)
_LETTER_OF_LABEL = {"t": "T", "time": "T", "c": "C", "ch": "C", "channel": "C", "z": "Z", "y": "Y", "x": "X"}
_NOT_IMAGES = ("labels", "points", "shapes", "surface", "vectors", "tracks", "graph")


def check_layer(layer: Any) -> None:
    """Check that a layer is an image with pixels.

    Raises
    ------
    InputError
        If it is not a layer, or one of labels, points, shapes, surfaces, vectors or tracks, has one dimension only, or
        is empty.
    """
    if not hasattr(layer, "data") or isinstance(layer.data, memoryview):
        raise InputError(f"An object of type {type(layer).__name__} is not a napari layer: use upscale for arrays.")
    kinds = {cls.__name__.lower() for cls in type(layer).__mro__} | {str(getattr(layer, "_type_string", ""))}
    name = _named(layer)
    for kind in _NOT_IMAGES:
        if kind in kinds:
            raise InputError(f"The layer {name} is a {kind} layer: choose an image layer.")
    level = finest_level(layer)
    shape = tuple(getattr(level, "shape", ()))
    if len(shape) - int(_is_rgb(layer)) < 2:
        raise InputError(f"The layer {name} has the shape {shape}: choose an image layer with at least two dimensions.")
    if 0 in shape:
        raise InputError(f"The layer {name} with the shape {shape} is empty: choose an image layer with pixels.")


def finest_level(layer: Any) -> Any:
    """Return the pixels of a layer; of a multiscale layer the finest level, to which the scale of the layer applies.

    Returns
    -------
    array
        The array of the layer itself: numpy, dask or zarr.
    """
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def levels_of(layer: Any) -> list[Any]:
    """Return the pixels of all levels of a layer.

    Returns
    -------
    list of array
        The finest level first; one array for a layer that is not multiscale.
    """
    return list(layer.data) if getattr(layer, "multiscale", False) else [layer.data]


def layer_axes(layer: Any, axes: Axes | str | None = None) -> Axes:
    """Return the axes of the finest level of a layer.

    Parameters
    ----------
    layer : napari Image layer
        The layer. Its last axis is colors if its `rgb` is True, independent of the length of that axis.
    axes : Axes or str, optional
        One letter of T, C, Z, Y, X for each dimension of the array; the color axis of an RGB layer is a last C. By
        default Y and X are the last two axes before the colors, and the letters of the others are those of
        `parse_axes`.

    Returns
    -------
    Axes
        The axes of ``finest_level(layer)``.

    Raises
    ------
    InputError
        If the letters do not fit the array, or the last letter of an RGB layer is not C.
    """
    shape = tuple(int(length) for length in finest_level(layer).shape)
    rgb = _is_rgb(layer)
    letters = axes.letters if isinstance(axes, Axes) else axes
    if letters is None:
        known = "TZYX" if rgb else "TCZYX"
        spatial = len(shape) - int(rgb)
        if spatial > len(known):
            which, remedy = f"{spatial} dimensions", f"choose one with at most {len(known)}"
            if rgb:
                which, remedy = (
                    f"{which} besides its colors",
                    f"{remedy}, or split its colors with Split RGB in its menu",
                )
            raise InputError(f"The layer {_named(layer)} has {which}: {remedy}.")
        # Three axes without colors are a stack, and four are channels of stacks; the shape alone contains no more.
        letters = known[len(known) - spatial :] + ("C" if rgb else "")
    parsed = parse_axes(letters, shape)
    if rgb and not parsed.rgb:
        raise InputError(f'The layer {_named(layer)} is RGB, but its axes are "{letters}": end them with C.')
    return parsed


def labeled_axes(labels: Iterable[object], shape: Sequence[int]) -> str | None:
    """Return the letters of the axes of a layer by its axis labels.

    Parameters
    ----------
    labels : iterable of object
        Labels of all axes but the colors, such as "y", "Z" or "time".
    shape : sequence of int
        Shape of the data.

    Returns
    -------
    str or None
        None if a label is no letter or name of an axis, or the letters are not those of an image. A last C of length 3
        or 4 is none either: it would mean RGB, which has no label.
    """
    letters = "".join(_LETTER_OF_LABEL.get(str(label).lower(), "?") for label in labels)
    if "?" in letters or len(set(letters)) != len(letters) or not {"Y", "X"} <= set(letters):
        return None
    return None if letters.endswith("C") and shape[-1] in (3, 4) else letters


def upscaled_kwargs(layer: Any, factors: Vector, origin: Vector) -> dict[str, Any]:
    """Return the arguments of an upscaled layer, with the extent and the appearance of its source.

    Parameters
    ----------
    layer : napari Image layer
        The source, which is not changed. The result shares nothing with it except its colormap.
    factors : array of float
        Pixels of the result for each pixel of the source, along each axis of the layer except the colors.
    origin : array of float
        Outer edge of the first pixel of the result, in pixels of the source, along the same axes; it may be between
        two pixels.

    Returns
    -------
    dict
        Arguments of ``napari.layers.Image`` without the name. The range of the contrast slider is not among them; call
        `copy_contrast_range` when the layer exists.

    Raises
    ------
    InputError
        If the factors do not have one number for each axis of the layer.
    """
    scale, translate = upscaled_transform(layer.scale, layer.translate, layer.rotate, layer.shear, factors, origin)
    return {
        "scale": scale,
        "translate": translate,
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(getattr(layer, "units", None) or ("pixel",) * len(factors)),
        "rgb": _is_rgb(layer),
        "multiscale": False,
        "metadata": _copied(layer.metadata),
        **_appearance(layer),
        **_planes(layer, factors, origin),
    }


def layer_pixel_size(layer: Any, axes: Axes | str | None = None) -> PixelSize:
    """Return the pixel size of a layer in world coordinates.

    Parameters
    ----------
    layer : napari Image layer
        The layer, with scale, affine and units.
    axes : Axes or str, optional
        Axes of the layer; by default as in `layer_axes`.

    Returns
    -------
    sizes : dict of str to float
        Sizes along Z, Y and X, as far as the layer has these axes, in the unit of X.
    unit : str or None
        Unit of X, such as "micrometer". If it is not a unit of length, as napari's default "pixel", the sizes have no
        physical meaning.
    """
    parsed = layer_axes(layer, axes)
    ndim = parsed.ndim - int(_is_rgb(layer))
    linear = linear_part(layer.scale, layer.rotate, layer.shear)
    world = np.asarray(layer.affine.linear_matrix, dtype=np.float64) @ linear
    units = tuple(getattr(layer, "units", None) or ("pixel",) * ndim)
    sizes = {
        letter: (float(np.linalg.norm(world[:, axis])), unit_name(str(units[axis])) or str(units[axis]))
        for axis, letter in enumerate(parsed.letters[:ndim])
        if letter in "ZYX"
    }
    return in_one_unit(sizes)


def place_metadata(attributes: Mapping[str, Any], letters: str) -> Metadata:
    """Return pixel size, position and time interval of a layer, as the metadata of a file.

    Parameters
    ----------
    attributes : mapping of str to object
        scale, translate, units, rotate, shear and affine of the layer, as far as they are given.
    letters : str
        Letters of its axes, without the colors.

    Returns
    -------
    Metadata
        Without a unit of length it has neither a pixel size nor a position. There is no position of a layer with
        rotate, shear or affine, and none along a mirrored axis, whose scale is negative.
    """
    scale = attributes.get("scale")
    units = [unit_name(str(unit)) or str(unit) for unit in attributes.get("units") or ("pixel",) * len(letters)]
    scale = (1.0,) * len(letters) if scale is None else scale
    stated = dict(zip(letters, zip((float(size) for size in scale), units, strict=False), strict=False))
    lengths = {letter: size for letter, size in stated.items() if letter in "ZYX" and size[1] in METERS}
    pixel_size, unit = in_one_unit({letter: (abs(size), own) for letter, (size, own) in lengths.items()})
    step, time_unit = stated.get("T", (0.0, ""))
    seconds = seconds_of(time_unit)
    return Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=_origin(attributes, letters, lengths, pixel_size),
        time_interval=step * seconds if seconds is not None and step > 0 else None,
    )


def copy_contrast_range(source: Any, target: Any) -> None:
    """Copy the range of the contrast slider, which layer data cannot contain.

    Parameters
    ----------
    source : napari Image layer
        The layer that was upscaled.
    target : napari Image layer
        The layer of the result, which is changed.
    """
    target.contrast_limits_range = list(source.contrast_limits_range)


def _appearance(layer: Any) -> dict[str, Any]:
    # The properties depend on the version of napari: only those of the source are passed to the constructor.
    appearance = {
        key: copy.copy(getattr(layer, key)) for key in _APPEARANCE if key != "colormap" and hasattr(layer, key)
    }
    if hasattr(layer, "colormap"):
        appearance["colormap"] = layer.colormap
    if getattr(layer, "contrast_limits", None) is not None:
        appearance["contrast_limits"] = [float(limit) for limit in layer.contrast_limits]
    if getattr(layer, "axis_labels", None):
        appearance["axis_labels"] = tuple(layer.axis_labels)
    return appearance


def _planes(layer: Any, factors: Vector, origin: Vector) -> dict[str, Any]:
    """Move slicing and clipping planes, which are in pixels of the displayed axes, by default the last three."""
    displayed = list(getattr(getattr(layer, "_slice_input", None), "displayed", ()))
    if len(displayed) != 3:
        displayed = list(range(max(0, len(factors) - 3), len(factors)))
    factor, first = np.ones(3), np.zeros(3)
    factor[3 - len(displayed) :], first[3 - len(displayed) :] = factors[displayed], origin[displayed]
    moved: dict[str, Any] = {}
    if hasattr(layer, "plane"):
        moved["plane"] = _moved_plane(layer.plane, factor, first)
    if hasattr(layer, "experimental_clipping_planes"):
        clipping = layer.experimental_clipping_planes
        moved["experimental_clipping_planes"] = [_moved_plane(plane, factor, first) for plane in clipping]
    return moved


def _moved_plane(plane: Any, factor: Vector, origin: Vector) -> dict[str, Any]:
    position = np.asarray(plane.position, dtype=np.float64)
    # A normal is perpendicular to directions in the plane, so its components are divided by the factors.
    normal = np.asarray(plane.normal, dtype=np.float64) / factor
    length = float(np.linalg.norm(normal))
    moved: dict[str, Any] = {
        "position": tuple((factor * (position - origin + 0.5) - 0.5).tolist()),
        "normal": tuple((normal / length).tolist()),
    }
    # Only a clipping plane can be disabled, and only a slicing plane has a thickness.
    if hasattr(plane, "enabled"):
        moved["enabled"] = bool(plane.enabled)
    if hasattr(plane, "thickness"):
        moved["thickness"] = float(plane.thickness) / length
    return moved


def _copied(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    for key, value in (metadata or {}).items():
        if key in (CHANNEL_KEY, PATH_KEY):
            # They are of the file of the source, which does not contain the result.
            continue
        try:
            copied[key] = copy.deepcopy(value)
        except Exception:
            # An open file or a lock cannot be copied, each with an error of its own. It is shared instead.
            copied[key] = value
    return copied


def _is_rgb(layer: Any) -> bool:
    return bool(getattr(layer, "rgb", False))


def _named(layer: Any) -> str:
    return quote(getattr(layer, "name", type(layer).__name__))


def _origin(
    attributes: Mapping[str, Any],
    letters: str,
    lengths: Mapping[str, tuple[float, str | None]],
    pixel_size: Mapping[str, float],
) -> dict[str, float]:
    """Position of the first pixel, in the unit of the pixel sizes."""
    shift = attributes.get("translate")
    if shift is None or not _is_straight(attributes, len(letters)):
        return {}
    moved = dict(zip(letters, (float(position) for position in shift), strict=False))
    # The position is converted with the same ratio as the pixel size. Along a mirrored axis positions decrease.
    return {
        letter: moved[letter] * (size / lengths[letter][0])
        for letter, size in pixel_size.items()
        if moved.get(letter) and lengths[letter][0] > 0
    }


def _is_straight(attributes: Mapping[str, Any], ndim: int) -> bool:
    """Whether a layer has neither rotate nor shear nor affine."""
    rotate, shear, affine = (attributes.get(name) for name in ("rotate", "shear", "affine"))
    return (
        (rotate is None or np.allclose(rotate, np.eye(ndim)))
        and (shear is None or np.allclose(shear, np.triu(np.eye(ndim)) if np.ndim(shear) == 2 else 0.0))
        and (affine is None or np.allclose(affine, np.eye(ndim + 1)))
    )
