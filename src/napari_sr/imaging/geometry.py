"""Where an upscaled image lies in the world: exactly where its source lay.

napari places a pixel p (its center on whole numbers) at ``world = affine(R H (scale * p) + translate)``, with R the
layer's rotation and H its shear. An image with f pixels for each pixel of its source covers the same pixels edge to
edge when its pixel q is the source's ``origin + (q + 1/2) / f - 1/2``. Hence, with ``L = R H diag(scale)``,
``scale' = scale / f`` and ``translate' = translate + L (origin + (1/f - 1)/2)``; rotate, shear and affine stay.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray, parse_axes
from napari_sr.imaging.pixel_size import PixelSize, in_one_unit, unit_name

Vector = npt.NDArray[np.float64]
LayerData = tuple[Any, dict[str, Any], str]

#: Where a layer's metadata say which channel of its file it shows: (axis, number).
CHANNEL_KEY = "napari_sr_channel"

# Everything of a napari Image layer that says how it looks and holds for the result as it stands.
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
_NOT_IMAGES = ("labels", "points", "shapes", "surface", "vectors", "tracks", "graph")


def linear_part(scale: npt.ArrayLike, rotate: Any = None, shear: Any = None) -> Vector:
    """Linear part of a layer's own transform, R H diag(scale), as napari composes it.

    Parameters
    ----------
    scale : array of float, shape (n,)
        World units per pixel on each axis.
    rotate : float, 3 floats, or array (m, m), optional
        An angle in degrees in the plane of the last two axes, three angles (yaw, pitch, roll) of the last three, or a
        rotation matrix of the last m.
    shear : array (m (m - 1) / 2,) or (m, m), optional
        The upper triangle, row by row, or a whole triangular matrix with ones on its diagonal.

    Returns
    -------
    array of float64, shape (n, n)
        The matrix that takes a pixel to the world, but for translate and affine.

    Raises
    ------
    InputError
        A matrix is not square, or larger than the number of axes.
    """
    sizes = np.asarray(scale, dtype=np.float64)
    ndim = len(sizes)
    return _embedded(_rotation(rotate), ndim) @ _embedded(_shear(shear), ndim) @ np.diag(sizes)


def upscaled_transform(
    scale: npt.ArrayLike,
    translate: npt.ArrayLike,
    rotate: Any,
    shear: Any,
    factors: npt.ArrayLike,
    origin: npt.ArrayLike | None = None,
) -> tuple[Vector, Vector]:
    """Scale and translate that keep an upscaled image where its source lay.

    Parameters
    ----------
    scale, translate : array of float, shape (n,)
        The source's; world units per pixel, and world units.
    rotate, shear
        The source's, as `linear_part` takes them; the result keeps them, as it keeps the layer's affine.
    factors : array of float, shape (n,)
        New pixels per source pixel on each axis, n_out / n_in; 1 where nothing changes.
    origin : array of float, shape (n,), optional
        The first source pixel of a crop; the whole image when left out.

    Returns
    -------
    scale, translate : array of float64, shape (n,)
        For the result; any component of translate may have moved.

    Raises
    ------
    InputError
        The vectors differ in length, or a factor is not more than 0.
    """
    sizes, shift = np.asarray(scale, dtype=np.float64), np.asarray(translate, dtype=np.float64)
    factor = np.asarray(factors, dtype=np.float64)
    first = np.zeros_like(sizes) if origin is None else np.asarray(origin, dtype=np.float64)
    if not sizes.shape == shift.shape == factor.shape == first.shape:
        raise InputError("Scale, translate, factors and origin differ in length; give one number for each axis.")
    if not np.all(np.isfinite(factor) & (factor > 0)):
        raise InputError(f"The factors {factor.tolist()} make no image; give numbers more than 0.")
    moved = linear_part(sizes, rotate, shear) @ (first + (1 / factor - 1) / 2)
    return sizes / factor, shift + moved


def check_layer(layer: Any) -> None:
    """Refuse a layer that is no image, or holds nothing to upscale.

    Parameters
    ----------
    layer : napari layer
        Any layer; napari itself is not needed.

    Raises
    ------
    InputError
        A layer of labels, points, shapes, a surface, vectors or tracks; a layer with one dimension or without pixels.
    """
    kinds = {cls.__name__.lower() for cls in type(layer).__mro__} | {str(getattr(layer, "_type_string", ""))}
    name = _named(layer)
    for kind in _NOT_IMAGES:
        if kind in kinds:
            raise InputError(f"The layer {name} is a {kind} layer; pick an image layer.")
    level = finest_level(layer)
    shape = tuple(getattr(level, "shape", ()))
    if len(shape) - int(_is_rgb(layer)) < 2:
        raise InputError(f"The layer {name} has the shape {shape}; pick an image layer with at least two dimensions.")
    if 0 in shape:
        raise InputError(f"The layer {name} with the shape {shape} is empty; pick an image layer with pixels.")


def finest_level(layer: Any) -> Any:
    """Array of a layer's pixels; of a multiscale layer its finest level, the one the layer's scale holds for.

    Parameters
    ----------
    layer : napari Image layer
        With `data` and, if it is one, `multiscale`.

    Returns
    -------
    array
        numpy, dask or zarr, as the layer holds it.
    """
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def layer_axes(layer: Any, axes: Axes | str | None = None) -> Axes:
    """Axes of a layer's finest level.

    Parameters
    ----------
    layer : napari Image layer
        Its `rgb` says whether the last axis holds colors; a last axis that happens to be 3 long does not.
    axes : Axes or str, optional
        The letters, one for each dimension of the array (an RGB layer's color axis is its last C). Left out, Y and X
        are the last two axes but for the colors, and the others are named as `parse_axes` does.

    Returns
    -------
    Axes
        The axes of ``finest_level(layer)``.

    Raises
    ------
    InputError
        The letters do not fit the array, or an RGB layer's last letter is not C.
    """
    shape = tuple(int(length) for length in finest_level(layer).shape)
    rgb = _is_rgb(layer)
    letters = axes.letters if isinstance(axes, Axes) else axes
    if letters is None:
        known = "TZYX" if rgb else "TCZYX"
        spatial = len(shape) - int(rgb)
        if spatial > len(known):
            raise InputError(f"The layer {_named(layer)} has {spatial} dimensions; pick one with at most {len(known)}.")
        # Three axes that are not colors are a stack, four have channels before it: the shape alone cannot say more.
        letters = known[len(known) - spatial :] + ("C" if rgb else "")
    parsed = parse_axes(letters, shape)
    if rgb and not parsed.rgb:
        raise InputError(f'The layer {_named(layer)} is RGB but its axes are "{letters}"; end them with C.')
    return parsed


def upscaled_layer(
    layer: Any,
    data: ImageArray,
    factor: float | tuple[float, float],
    *,
    name: str | None = None,
    axes: Axes | str | None = None,
    origin: npt.ArrayLike | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> LayerData:
    """LayerData tuple of an upscaled layer that lies where its source lies and looks as it looks.

    Parameters
    ----------
    layer : napari Image layer
        The source. It is only read; nothing of the result is shared with it but its colormap.
    data : array
        The result, with the dimensions of the layer's finest level.
    factor : float or (float, float)
        The factor on Y and X; two numbers where they differ, for which `origin` has to be given.
    name : str, optional
        Name of the result; the source's name and the factor when left out.
    axes : Axes or str, optional
        The letters of `data`, as `layer_axes` takes them.
    origin : sequence of float, optional
        The first source pixel of a crop, one for each axis of the layer (its colors left out); it may lie between
        pixels. The factor of each axis is then as given on Y and X and 1 elsewhere; without it, it is n_out / n_in.
    metadata : mapping, optional
        Entries to add to the copy of the source's metadata.

    Returns
    -------
    data, kwargs, "image"
        As napari's ``Layer.create`` takes it. The range of the contrast slider is no argument of a napari layer: call
        `copy_contrast_range` once the layer is there.

    Raises
    ------
    InputError
        The layer is no image, or `data` does not have the shape that the factor gives.
    """
    check_layer(layer)
    parsed = layer_axes(layer, axes)
    factors = _factors(layer, parsed, tuple(data.shape), factor, whole=origin is None)
    first = np.zeros(len(factors)) if origin is None else np.asarray(origin, dtype=np.float64)
    scale, translate = upscaled_transform(layer.scale, layer.translate, layer.rotate, layer.shear, factors, first)
    kwargs: dict[str, Any] = {
        "name": f"{layer.name} x{np.max(factor):g}" if name is None else name,
        "scale": scale,
        "translate": translate,
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(getattr(layer, "units", None) or ("pixel",) * len(factors)),
        "rgb": _is_rgb(layer),
        "multiscale": False,
        "metadata": {**_copied(layer.metadata), **(metadata or {})},
        **_appearance(layer),
        **_planes(layer, factors, first),
    }
    return data, kwargs, "image"


def layer_pixel_size(layer: Any, axes: Axes | str | None = None) -> PixelSize:
    """Size of a layer's pixels in the world.

    Parameters
    ----------
    layer : napari Image layer
        Its scale, affine and units are read.
    axes : Axes or str, optional
        As `layer_axes` takes them.

    Returns
    -------
    sizes, unit
        Sizes of Z, Y and X where the layer has these axes, in the unit of X: "micrometer", say. Where that is no length
        ("pixel", napari's default) the sizes are numbers without meaning, and so is the unit.
    """
    parsed = layer_axes(layer, axes)
    ndim = parsed.ndim - int(_is_rgb(layer))
    linear = linear_part(layer.scale, layer.rotate, layer.shear)
    world = np.asarray(layer.affine.linear_matrix, dtype=np.float64) @ linear
    units = tuple(getattr(layer, "units", None) or ("pixel",) * ndim)
    said = {
        letter: (float(np.linalg.norm(world[:, axis])), unit_name(str(units[axis])) or str(units[axis]))
        for axis, letter in enumerate(parsed.letters[:ndim])
        if letter in "ZYX"
    }
    return in_one_unit(said)


def copy_contrast_range(source: Any, target: Any) -> None:
    """Give a layer the range of its source's contrast slider, which no LayerData tuple can carry.

    Parameters
    ----------
    source, target : napari Image layer
        The layer that was upscaled, and the one that was made of it. Only the target changes.
    """
    target.contrast_limits_range = list(source.contrast_limits_range)


def _factors(
    layer: Any, axes: Axes, shape: tuple[int, ...], factor: float | tuple[float, float], *, whole: bool
) -> Vector:
    if len(shape) != axes.ndim:
        raise InputError(
            f"The result has {len(shape)} dimensions but the layer {_named(layer)} has {axes.ndim}; keep all its axes."
        )
    ndim = axes.ndim - int(_is_rgb(layer))
    if not whole:
        factors = np.ones(ndim)
        factors[[axes.y, axes.x]] = factor
        return factors
    if isinstance(factor, tuple):
        raise InputError("Two factors say nothing of where the result begins; give its origin as well.")
    expected = axes.upscaled_shape(factor)
    for axis, (length, wanted) in enumerate(zip(shape, expected, strict=True)):
        # A network may round a fractional length the other way; more than that is another image.
        if abs(length - wanted) > (1 if axis in (axes.y, axes.x) and factor % 1 else 0):
            raise InputError(
                f"The result has the shape {shape} but the layer {_named(layer)} at x{factor:g} makes {expected}; "
                "give the first pixel of the crop as origin if it is a part of the layer."
            )
    return np.array(shape[:ndim], dtype=np.float64) / np.array(axes.shape[:ndim], dtype=np.float64)


def _appearance(layer: Any) -> dict[str, Any]:
    # Each version of napari has its own set: what the source has not, the result's constructor may not take.
    kept = {key: copy.copy(getattr(layer, key)) for key in _APPEARANCE if key != "colormap" and hasattr(layer, key)}
    if hasattr(layer, "colormap"):
        kept["colormap"] = layer.colormap
    if getattr(layer, "contrast_limits", None) is not None:
        kept["contrast_limits"] = [float(limit) for limit in layer.contrast_limits]
    if getattr(layer, "axis_labels", None):
        kept["axis_labels"] = tuple(layer.axis_labels)
    return kept


def _planes(layer: Any, factors: Vector, origin: Vector) -> dict[str, Any]:
    """Move slicing and clipping planes, which are in pixels of the displayed axes: the last three by default."""
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
    # A normal stands on the plane's own directions, so it shrinks where they grow.
    normal = np.asarray(plane.normal, dtype=np.float64) / factor
    length = float(np.linalg.norm(normal))
    moved: dict[str, Any] = {
        "position": tuple((factor * (position - origin + 0.5) - 0.5).tolist()),
        "normal": tuple((normal / length).tolist()),
    }
    # A clipping plane is on or off, a slicing plane has a thickness.
    if hasattr(plane, "enabled"):
        moved["enabled"] = bool(plane.enabled)
    if hasattr(plane, "thickness"):
        moved["thickness"] = float(plane.thickness) / length
    return moved


def _copied(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    for key, value in (metadata or {}).items():
        try:
            copied[key] = copy.deepcopy(value)
        except Exception:
            # An open file or a lock refuses to be copied, in words of its own; sharing it beats losing the result.
            copied[key] = value
    return copied


def _is_rgb(layer: Any) -> bool:
    return bool(getattr(layer, "rgb", False))


def _named(layer: Any) -> str:
    return f'"{getattr(layer, "name", type(layer).__name__)}"'


def _embedded(matrix: Vector, ndim: int) -> Vector:
    size = matrix.shape[0]
    if matrix.ndim != 2 or matrix.shape[1] != size or size > ndim:
        raise InputError(f"A matrix of the shape {matrix.shape} cannot act on {ndim} axes; give a smaller square one.")
    full = np.eye(ndim)
    full[ndim - size :, ndim - size :] = matrix
    return full


def _rotation(rotate: Any) -> Vector:
    if rotate is None:
        return np.eye(1)
    given = np.asarray(rotate, dtype=np.float64)
    if given.ndim == 0:
        return _turned(float(given), 0, 1, 2)
    if given.shape == (3,):
        # napari's order: about the last axis first; its pitch has the opposite sense.
        yaw, pitch, roll = (float(angle) for angle in given)
        return _turned(yaw, 0, 1, 3) @ _turned(-pitch, 0, 2, 3) @ _turned(roll, 1, 2, 3)
    return given


def _turned(degrees: float, first: int, second: int, ndim: int) -> Vector:
    angle = np.deg2rad(degrees)
    matrix = np.eye(ndim)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def _shear(shear: Any) -> Vector:
    if shear is None:
        return np.eye(1)
    given = np.asarray(shear, dtype=np.float64)
    if given.ndim != 1:
        return given
    ndim = round((1 + np.sqrt(1 + 8 * len(given))) / 2)
    if ndim * (ndim - 1) // 2 != len(given):
        raise InputError(f"A shear of {len(given)} numbers is no upper triangle; give 1, 3, 6 or 10, or a matrix.")
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, k=1)] = given
    return matrix
