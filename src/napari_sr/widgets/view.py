"""What a layer shows in the window: the slice that the sliders stand on, and the part that the camera sees.

All of it in pixels of the layer, whatever its scale, rotation and units. Read on the main thread.
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
from napari_sr.widgets.units import unit_ratio

Points = npt.NDArray[np.float64]

# What only rounding moved over the edge of a pixel is not in the next one.
_ROUNDING = 1e-6


def visible_part(viewer: Viewer, layer: Layer, axes: Axes, most: int | None = None) -> Part:
    """Part of a layer that the camera shows, in the slice that the sliders stand on.

    Parameters
    ----------
    viewer : napari.Viewer
        Showing planes, not volumes.
    layer : napari Image layer
        One of its layers.
    axes : Axes
        The layer's.
    most : int, optional
        Most rows and columns; what is more is left out on all sides alike.

    Raises
    ------
    InputError
        If the window shows a volume or another plane than the layer's, or looks beside the layer.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError("The window shows a volume: switch to the 2-D view, which shows what is upscaled.")
    _check_planes(viewer, layer, axes)
    corners = to_pixels(_corners(viewer), viewer.layers.extent.units, layer)
    rows, columns = (_inside(_touched(corners[:, axis]), axes.shape[axis], most, layer) for axis in (axes.y, axes.x))
    return Part(rows=rows, columns=columns, at=current_slice(viewer, layer, axes))


def current_slice(viewer: Viewer, layer: Layer, axes: Axes) -> dict[str, int]:
    """Where the sliders stand along the axes that count a layer's planes, by their letters.

    Raises
    ------
    InputError
        If they stand beside the layer, or the window shows an axis that counts planes.
    """
    _check_planes(viewer, layer, axes)
    point = to_pixels(np.array([viewer.dims.point], dtype=np.float64), viewer.layers.extent.units, layer)[0]
    found = {}
    for axis in axes.plane_axes:
        position = int(np.round(point[axis]))
        if not 0 <= position < axes.shape[axis]:
            raise InputError(f"The slider stands beside the layer “{layer.name}”: move it to where the layer is.")
        found[axes.letters[axis]] = position
    return found


def rectangles(shapes: Any, layer: Layer, axes: Axes) -> list[Part]:
    """Parts of a layer that lie under the rectangles of a shapes layer.

    A rectangle that was drawn in one slice of a stack means that slice; one of a flat shapes layer means all of them.
    One that is turned against the pixels takes all pixels that it touches from its leftmost to its rightmost corner.

    Parameters
    ----------
    shapes : napari Shapes layer
        Other shapes than rectangles in it are left out.
    layer : napari Image layer
        To be upscaled.
    axes : Axes
        The layer's.

    Raises
    ------
    InputError
        If there is no rectangle, or one lies beside the layer.
    """
    found = [
        _under(np.asarray(corners, dtype=np.float64), shapes, layer, axes)
        for corners, kind in zip(shapes.data, shapes.shape_type, strict=True)
        if kind == "rectangle"
    ]
    if not found:
        raise InputError(f"“{shapes.name}” holds no rectangle: draw one around what you want to upscale.")
    return found


def to_pixels(points: Points, units: Sequence[pint.Unit] | None, layer: Layer) -> Points:
    """Bring points of the world to a layer's pixels.

    Parameters
    ----------
    points : array of float, shape (n, world axes)
        With as many axes as the window has, or as the layer.
    units : sequence of pint.Unit or None
        Of the points' axes; None where the layers have no common ones.
    layer : napari layer
        Whose scale is in units of its own.

    Returns
    -------
    array of float, shape (n, layer.ndim)
        Pixel centers lie on whole numbers.
    """
    own = tuple(layer.units)
    ndim = layer.ndim
    placed = np.zeros((len(points), ndim))
    shared = min(ndim, points.shape[1])
    placed[:, ndim - shared :] = points[:, points.shape[1] - shared :]
    if units is not None:
        ratios = np.ones(ndim)
        known = min(shared, len(units))
        for place in range(1, known + 1):
            ratios[-place] = unit_ratio(units[-place], own[-place])
        placed *= ratios
    return np.array([layer.world_to_data(point) for point in placed], dtype=np.float64)


def _corners(viewer: Viewer) -> Points:
    """Corners of what the canvas shows, in the world."""
    camera = viewer.scene.camera
    height, width = viewer.canvas.size
    half = np.array([height, width]) / (2 * camera.zoom)
    center = np.asarray(camera.center, dtype=np.float64)[-2:]
    corners = np.tile(np.asarray(viewer.dims.point, dtype=np.float64), (4, 1))
    for corner, required_keys in zip(corners, ((-1, -1), (-1, 1), (1, -1), (1, 1)), strict=True):
        corner[list(viewer.dims.displayed)] = center + half * required_keys
    return corners


def _check_planes(viewer: Viewer, layer: Layer, axes: Axes) -> None:
    if viewer.dims.ndisplay != 2:
        return
    beside = viewer.dims.ndim - layer.ndim
    if {axis - beside for axis in viewer.dims.displayed} != {axes.y, axes.x}:
        raise InputError(
            f"The window does not show the planes of “{layer.name}” that are upscaled: "
            "let it show the axes Y and X, or say under “More” which axes these are."
        )


def _touched(values: Points) -> Range:
    """Pixels that a stretch touches."""
    return floor(values.min() + 0.5 + _ROUNDING), ceil(values.max() + 0.5 - _ROUNDING)


def _inside(span: Range, length: int, most: int | None, layer: Layer) -> Range:
    first, last = max(0, span[0]), min(length, span[1])
    if first >= last:
        raise InputError(f"“{layer.name}” lies beside the view: move it into view.")
    if most is not None and last - first > most:
        # In the middle of the view, but for where that is not in the middle of the layer.
        middle = (span[0] + span[1]) // 2
        first = min(max(first, middle - most // 2), last - most)
        last = first + most
    return first, last


def _under(corners: Points, shapes: Any, layer: Layer, axes: Axes) -> Part:
    world = np.array([shapes.data_to_world(corner) for corner in corners], dtype=np.float64)
    pixels = to_pixels(world, tuple(shapes.units), layer)
    spans = {}
    for name, axis in (("rows", axes.y), ("columns", axes.x)):
        first, last = _touched(pixels[:, axis])
        spans[name] = max(0, first), min(axes.shape[axis], last)
    at = {}
    beside = layer.ndim - shapes.ndim
    for axis in axes.plane_axes:
        if axis >= beside:
            at[axes.letters[axis]] = int(np.round(pixels[0, axis]))
    inside = all(first < last for first, last in spans.values()) and all(
        0 <= at.get(axes.letters[axis], 0) < axes.shape[axis] for axis in axes.plane_axes
    )
    if not inside:
        raise InputError(f"A rectangle of “{shapes.name}” lies beside “{layer.name}”: move it onto the image.")
    return Part(rows=spans["rows"], columns=spans["columns"], at=at)
