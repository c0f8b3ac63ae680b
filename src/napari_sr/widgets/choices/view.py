"""Parts of a layer that the window shows: the slice of the sliders, the view of the camera, and drawn rectangles.

All are given in pixels of the layer, whatever its scale, rotation and units. In grid mode, each layer is seen in a box
of its own. To be called on the main thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt
import pint
from napari.layers import Layer
from napari.viewer import Viewer

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part, Range

Points = npt.NDArray[np.float64]

# In pixels: rounding errors must not add a row or column. napari holds the corners of shapes in single precision.
_ROUNDING = 1e-3


def visible_part(viewer: Viewer, layer: Layer, axes: Axes, most: int | None = None) -> Part:
    """Return the part of a layer that is in view, in the present slice.

    Parameters
    ----------
    viewer : napari.Viewer
        A viewer in 2-D display.
    layer : napari layer
        One of its layers.
    axes : Axes
        The layer's.
    most : int, optional
        Largest number of rows and of columns. A larger part is cropped to its middle.

    Returns
    -------
    Part
        Rows, columns, and the position along each axis that counts planes.

    Raises
    ------
    InputError
        If the viewer shows a volume, or other planes than the layer's, or the layer is out of view.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError("The window shows a volume: switch to the 2-D view.")
    _check_planes(viewer, layer, axes)
    height, width = _viewbox_size(viewer)
    world = np.array([_world_under(viewer, x, y) for y in (0, height) for x in (0, width)])
    corners = to_pixels(world, viewer.layers.extent.units, layer)
    rows, columns = (_inside(_touched(corners[:, axis]), axes.shape[axis], most, layer) for axis in (axes.y, axes.x))
    return Part(rows=rows, columns=columns, at=current_slice(viewer, layer, axes))


def current_slice(viewer: Viewer, layer: Layer, axes: Axes) -> dict[str, int]:
    """Return the positions of the sliders along the axes that count a layer's planes, by axis letter.

    Raises `InputError` if a slider is outside the layer, or the window displays an axis that counts planes.
    """
    _check_planes(viewer, layer, axes)
    point = to_pixels(np.array([viewer.dims.point], dtype=np.float64), viewer.layers.extent.units, layer)[0]
    positions = {}
    for axis in axes.plane_axes:
        position = int(np.round(point[axis]))
        if not 0 <= position < axes.shape[axis]:
            raise InputError(f"The slider is outside the layer “{layer.name}”: move it to a slice of the layer.")
        positions[axes.letters[axis]] = position
    return positions


def rectangles(shapes: Any, layer: Layer, axes: Axes) -> list[Part]:
    """Return the parts of a layer under the rectangles of a shapes layer, of which other shapes are ignored.

    A rectangle that was drawn in one slice of a stack belongs to that slice. One of a 2-D shapes layer belongs to all
    slices. The part of a rotated rectangle is its bounding box along the axes of the pixels. Raises `InputError` if
    there is no rectangle, or one is outside the layer.
    """
    parts = [
        _under(np.asarray(corners, dtype=np.float64), shapes, layer, axes)
        for corners, kind in zip(shapes.data, shapes.shape_type, strict=True)
        if kind == "rectangle"
    ]
    if not parts:
        raise InputError(f"“{shapes.name}” has no rectangle: draw one around the part to upscale.")
    return parts


def to_pixels(points: Points, units: Sequence[pint.Unit] | None, layer: Layer) -> Points:
    """Convert world coordinates to pixels of a layer.

    Parameters
    ----------
    points : array of float, shape (n, world axes)
        The number of axes is that of the viewer or of the layer. The last axes correspond.
    units : sequence of pint.Unit or None
        Units of the axes of `points`; None if the layers have no common ones.
    layer : napari layer
        Its scale is in its own units.

    Returns
    -------
    array of float, shape (n, layer.ndim)
        Whole numbers are the centers of pixels.
    """
    world = np.zeros((len(points), layer.ndim))
    shared = min(layer.ndim, points.shape[1])
    world[:, layer.ndim - shared :] = points[:, points.shape[1] - shared :]
    world /= unit_ratios(layer, units)
    return np.array([layer.world_to_data(point) for point in world], dtype=np.float64)


def pixels_on_canvas(viewer: Viewer, layer: Layer, pixels: Points) -> Points:
    """Return the places of pixels of a layer in its `viewbox`, in a 2-D display.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layer.
    layer : napari layer
        One of its layers.
    pixels : array of float, shape (n, layer.ndim)
        Whole numbers are the centers of pixels.

    Returns
    -------
    array of float, shape (n, 2)
        X and y, from the upper left corner of the box.
    """
    world = np.array([layer.data_to_world(point) for point in pixels], dtype=np.float64)
    world *= unit_ratios(layer, viewer.layers.extent.units)
    offset = viewer.dims.ndim - layer.ndim
    shown = world[:, [axis - offset for axis in viewer.dims.displayed]]
    center, zoom, signs, size = _camera(viewer)
    return ((shown - center) * signs * zoom + size / 2)[:, ::-1]


def pixel_under(viewer: Viewer, layer: Layer, x: float, y: float) -> Points:
    """Return the pixel of a layer under a place in its `viewbox`, in a 2-D display.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layer.
    layer : napari layer
        One of its layers.
    x, y : float
        The place, from the upper left corner of the box.

    Returns
    -------
    array of float, shape (layer.ndim,)
        Whole numbers are the centers of pixels.
    """
    pixel: Points = to_pixels(_world_under(viewer, x, y)[np.newaxis], viewer.layers.extent.units, layer)[0]
    return pixel


def viewbox(viewer: Viewer, layer: Layer) -> tuple[float, float, float, float]:
    """Return the part of the canvas in which a layer is shown: all of it, or a box of napari's grid.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layer.
    layer : napari layer
        One of its layers, visible.

    Returns
    -------
    (float, float, float, float)
        X and y of the upper left corner on the canvas, width and height.
    """
    height, width = _viewbox_size(viewer)
    grid, layers = viewer.canvas.grid, viewer.layers
    row, column = grid.position(layers.index(layer), layers)
    rows, columns = grid.actual_shape(layers)
    # The boxes and the equal gaps between them fill the canvas.
    down, across = (
        0.0 if count == 1 else (whole - length) / (count - 1)
        for whole, length, count in zip(viewer.canvas.size, (height, width), (rows, columns), strict=True)
    )
    return column * across, row * down, width, height


def unit_ratio(own: pint.Unit, requested: pint.Unit) -> float:
    """Return the size of one unit in another; 1 for a length and pixels, which cannot be converted.

    napari shows both by their numbers then.
    """
    if own == requested or not own.is_compatible_with(requested):
        return 1.0
    return float((1 * own).to(requested).magnitude)


def unit_ratios(layer: Layer, units: Sequence[pint.Unit] | None) -> Points:
    """Return the size of the unit of each axis of a layer in other units, of which the last are for the last axes.

    It is 1 for an axis without another unit, and for all with None.
    """
    pairs = zip(reversed(layer.units), reversed(units or ()), strict=False)
    ratios = [unit_ratio(own, requested) for own, requested in pairs]
    return np.array([1.0] * (layer.ndim - len(ratios)) + ratios[::-1])


def _viewbox_size(viewer: Viewer) -> tuple[float, float]:
    """Return the height and the width of the canvas, or of each box of the grid."""
    height, width = viewer.canvas.viewbox_size(viewer.layers)
    return float(height), float(width)


def _camera(viewer: Viewer) -> tuple[Points, float, Points, Points]:
    """Return the center of the view (y, x), the zoom, the signs of both directions, and the size (height, width)."""
    camera = viewer.scene.camera
    vertical, horizontal = (str(getattr(one, "value", one)) for one in camera.orientation2d)
    signs = np.array([1.0 if vertical == "down" else -1.0, 1.0 if horizontal == "right" else -1.0])
    size = np.array(_viewbox_size(viewer))
    return np.asarray(camera.center, dtype=np.float64)[-2:], float(camera.zoom), signs, size


def _world_under(viewer: Viewer, x: float, y: float) -> Points:
    """Return the world coordinates under a place on the canvas, or in a box of the grid."""
    center, zoom, signs, size = _camera(viewer)
    point = np.asarray(viewer.dims.point, dtype=np.float64)
    point[list(viewer.dims.displayed)] = (np.array([y, x]) - size / 2) / (signs * zoom) + center
    return point


def _check_planes(viewer: Viewer, layer: Layer, axes: Axes) -> None:
    """Refuse a viewer that displays other axes than Y and X of the layer."""
    if viewer.dims.ndisplay != 2:
        return
    offset = viewer.dims.ndim - layer.ndim
    if {axis - offset for axis in viewer.dims.displayed} != {axes.y, axes.x}:
        raise InputError(
            f"The window does not show the axes Y and X of “{layer.name}”: "
            "change the order of the displayed axes, or the axes under “Pixel size and axes”."
        )


def _touched(values: Points) -> Range:
    """Return the range of pixels that an interval touches."""
    return floor(values.min() + 0.5 + _ROUNDING), ceil(values.max() + 0.5 - _ROUNDING)


def _inside(span: Range, length: int, most: int | None, layer: Layer) -> Range:
    """Crop a range of pixels to the layer, and to the given number of pixels."""
    first, last = max(0, span[0]), min(length, span[1])
    if first >= last:
        raise InputError(f"“{layer.name}” is out of view: move it into view.")
    if most is not None and last - first > most:
        # The middle of the view, moved if it is too near to the border of the layer.
        middle = (span[0] + span[1]) // 2
        first = min(max(first, middle - most // 2), last - most)
        last = first + most
    return first, last


def _under(corners: Points, shapes: Any, layer: Layer, axes: Axes) -> Part:
    """Return the part of a layer under one rectangle."""
    world = np.array([shapes.data_to_world(corner) for corner in corners], dtype=np.float64)
    pixels = to_pixels(world, tuple(shapes.units), layer)
    spans = {}
    for name, axis in (("rows", axes.y), ("columns", axes.x)):
        first, last = _touched(pixels[:, axis])
        spans[name] = max(0, first), min(axes.shape[axis], last)
    at = {}
    offset = layer.ndim - shapes.ndim
    for axis in axes.plane_axes:
        if axis >= offset:
            at[axes.letters[axis]] = int(np.round(pixels[0, axis]))
    inside = all(first < last for first, last in spans.values()) and all(
        0 <= at.get(axes.letters[axis], 0) < axes.shape[axis] for axis in axes.plane_axes
    )
    if not inside:
        raise InputError(f"A rectangle of “{shapes.name}” is outside “{layer.name}”: move it onto the image.")
    return Part(rows=spans["rows"], columns=spans["columns"], at=at)
