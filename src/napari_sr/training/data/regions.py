"""Masks of the pixels of an image inside regions of a napari Shapes layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import ellipse, polygon

from napari_sr.conversion import shorten
from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes


def region_mask(shapes: Any, layer: Any | None, axes: Axes, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Rasterize rectangles, ellipses and polygons on an image; they hold for all of its planes.

    Parameters
    ----------
    shapes : napari Shapes layer
        The regions: a layer with `data` (vertices), `shape_type` and `data_to_world`. Lines and paths are ignored.
    layer : napari Image layer or None
        The image, with `world_to_data`. If None, the shapes' world coordinates are pixels of the image.
    axes : Axes
        Axes of the image.
    shape : tuple of int
        Shape of the whole image.

    Raises
    ------
    InputError
        If the layer holds no closed shape.
    """
    if not all(hasattr(shapes, name) for name in ("data", "shape_type", "data_to_world")):
        raise InputError(f"The region {shorten(shapes)} is not a shapes layer: give a napari layer with shapes.")
    height, width = shape[axes.y], shape[axes.x]
    mask = np.zeros((height, width), bool)
    closed = 0
    kinds = shapes.shape_type if not isinstance(shapes.shape_type, str) else [shapes.shape_type] * len(shapes.data)
    for vertices, kind in zip(shapes.data, kinds, strict=True):
        if kind not in ("rectangle", "ellipse", "polygon"):
            continue
        closed += 1
        corners = np.array([_in_pixels(vertex, shapes, layer, axes) for vertex in np.asarray(vertices, float)])
        rows, columns = _inside(corners, str(kind), (height, width))
        mask[rows, columns] = True
    if not closed:
        raise InputError(f'The layer "{shapes.name}" holds no rectangle, ellipse or polygon: draw one around a region.')
    return mask


def _in_pixels(vertex: npt.NDArray[np.float64], shapes: Any, layer: Any | None, axes: Axes) -> tuple[float, float]:
    world = np.asarray(shapes.data_to_world(vertex), float)
    if layer is None:
        return float(world[-2]), float(world[-1])
    # A layer of fewer dimensions has the last dimensions of the world.
    ndim = layer.ndim
    padded = np.concatenate((np.zeros(max(0, ndim - len(world))), world))[-ndim:]
    pixel = np.asarray(layer.world_to_data(padded), float)
    return float(pixel[axes.y]), float(pixel[axes.x])


def _inside(corners: npt.NDArray[np.float64], kind: str, shape: tuple[int, int]) -> Any:
    """Return rows and columns of the pixels inside a shape."""
    if kind != "ellipse":
        return polygon(corners[:, 0], corners[:, 1], shape=shape)
    # napari stores the four corners of the ellipse's bounding box, which may be rotated.
    center = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    angle = np.arctan2(-first[0], first[1])
    return ellipse(center[0], center[1], np.hypot(*second), np.hypot(*first), shape=shape, rotation=float(angle))
