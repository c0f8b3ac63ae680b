"""Copies of the attributes of layers for a training, which reads them on another thread.

Matching and rasterizing take seconds, and layers may be used on the main thread only. A copy holds the same arrays as
its layer. If layers have different units of length, all are converted to those of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Shapes
from napari.utils.transforms import Affine

from napari_sr.imaging.geometry import linear_part
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.choices.view import unit_ratios

Vector = npt.NDArray[np.float64]
Units = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class ImageCopy:
    """The attributes of an image layer that a training reads, under the names that they have on the layer.

    Parameters
    ----------
    name : str
        Name of the layer.
    letters : str
        A letter of the axes for each dimension of the array.
    data : array or list of array
        The array of the layer; all levels of a multiscale layer, the finest first.
    multiscale, rgb : bool
        Whether there are several levels; whether the last axis holds colors.
    ndim : int
        Number of axes, without colors.
    scale, translate : array of float, shape (ndim,)
        Pixel size and position, in `units`.
    rotate, shear : array of float
        As of the layer.
    affine : Affine
        Affine transform of the layer, with its translation in `units`.
    units : tuple of pint.Unit
        Unit of each axis.
    contrast_limits : (float, float)
        Values that are shown black and white.
    """

    name: str
    letters: str
    data: Any
    multiscale: bool
    rgb: bool
    ndim: int
    scale: Vector
    translate: Vector
    rotate: Any
    shear: Any
    affine: Affine
    units: Units
    contrast_limits: tuple[float, float]

    def world_to_data(self, point: npt.ArrayLike) -> Vector:
        """Convert world coordinates in `units` to pixels, as the layer does; whole numbers are their centers."""
        affine: Vector = np.asarray(self.affine.linear_matrix, np.float64)
        inside = np.linalg.solve(affine, np.asarray(point, np.float64) - self.affine.translate)
        relative = np.asarray(inside - self.translate, np.float64)
        return np.asarray(np.linalg.solve(linear_part(self.scale, self.rotate, self.shear), relative), np.float64)


@dataclass(frozen=True, kw_only=True)
class ShapesCopy:
    """The attributes of a shapes layer that a training reads.

    Parameters
    ----------
    name : str
        Name of the layer.
    data : list of array of float, shape (n, ndim)
        Corners of each shape in world coordinates.
    shape_type : list of str
        Type of each shape.
    """

    name: str
    data: list[Vector]
    shape_type: list[str]

    def data_to_world(self, point: npt.ArrayLike) -> Vector:
        """Return a corner, which is in world coordinates already."""
        return np.asarray(point, float)


def copy_image(layer: Image, units: Units) -> ImageCopy:
    """Copy the attributes of an image layer without its array, in the given units if its own can be converted.

    The letters of the copy are those of the layer's axis labels, or else follow from its shape; the last units are for
    the last axes. Raises `InputError` if the axes are not known.
    """
    ratios = unit_ratios(layer, units)
    affine = Affine(
        affine_matrix=np.array(layer.affine.affine_matrix, dtype=np.float64),
        ndim=layer.ndim,
    )
    affine.translate = np.asarray(affine.translate) * ratios
    low, high = layer.contrast_limits
    return ImageCopy(
        name=str(layer.name),
        letters=known_axes(layer).letters,
        data=list(layer.data) if layer.multiscale else layer.data,
        multiscale=bool(layer.multiscale),
        rgb=bool(layer.rgb),
        ndim=int(layer.ndim),
        scale=np.asarray(layer.scale, dtype=np.float64) * ratios,
        translate=np.asarray(layer.translate, dtype=np.float64) * ratios,
        rotate=np.array(layer.rotate),
        shear=np.array(layer.shear),
        affine=affine,
        units=_converted(layer, units),
        contrast_limits=(float(low), float(high)),
    )


def copy_shapes(layer: Shapes, units: Units) -> ShapesCopy:
    """Copy a shapes layer with its corners in world coordinates, in the given units if its own can be converted.

    The last units are for the last axes of the layer.
    """
    ratios = unit_ratios(layer, units)
    corners = [
        np.array([np.asarray(layer.data_to_world(vertex), float) * ratios for vertex in np.asarray(vertices, float)])
        for vertices in layer.data
    ]
    types = layer.shape_type
    return ShapesCopy(
        name=str(layer.name),
        data=corners,
        shape_type=[types] * len(corners) if isinstance(types, str) else [str(name) for name in types],
    )


def _converted(layer: Layer, units: Sequence[Any]) -> Units:
    """Return the requested unit of each axis where the layer's own can be converted; the last axes correspond."""
    own = tuple(layer.units)
    requested = [*own[: max(0, len(own) - len(units))], *units[-len(own) :]]
    return tuple(new if old.is_compatible_with(new) else old for old, new in zip(own, requested, strict=True))
