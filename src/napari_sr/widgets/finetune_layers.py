"""Layers as a training takes them: all that it asks of them, taken on the main thread, to be read on any.

A training matches and rasterizes for seconds; the layers themselves belong to the main thread. The copies hold the
same arrays, not copies of them. Where layers have different units of length, all are brought to those of the first.
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
from napari_sr.widgets.layer_facts import known_axes
from napari_sr.widgets.units import unit_ratio

Vector = npt.NDArray[np.float64]
Units = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class ImageCopy:
    """What a training asks of an image layer, by the layer's own names.

    Parameters
    ----------
    letters : str
        Of its axes, one for each dimension of the array.
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
        """Bring a point of the world to the layer's pixels, whose centers lie on whole numbers."""
        own: Vector = np.asarray(self.affine.linear_matrix, np.float64)
        inside = np.linalg.solve(own, np.asarray(point, np.float64) - self.affine.translate)
        placed = np.asarray(inside - self.translate, np.float64)
        return np.asarray(np.linalg.solve(linear_part(self.scale, self.rotate, self.shear), placed), np.float64)


@dataclass(frozen=True, kw_only=True)
class ShapesCopy:
    """What a training asks of a shapes layer; its corners are in the world already."""

    name: str
    data: list[Vector]
    shape_type: list[str]

    def data_to_world(self, point: npt.ArrayLike) -> Vector:
        """Give a corner, which is in the world."""
        return np.asarray(point, float)


def copy_image(layer: Image, units: Units, letters: str | None = None) -> ImageCopy:
    """Take an image layer, placed in the given units where its own can be converted.

    Parameters
    ----------
    layer : napari Image layer
        Its array is not copied.
    units : tuple of pint.Unit
        The last ones are those of the layer's last axes.
    letters : str, optional
        Of its axes; by default as its labels say, or its shape suggests.

    Raises
    ------
    InputError
        If the axes cannot be known.
    """
    ratios = _ratios(layer, units)
    affine = Affine(
        affine_matrix=np.array(layer.affine.affine_matrix, dtype=np.float64),
        ndim=layer.ndim,
    )
    affine.translate = np.asarray(affine.translate) * ratios
    low, high = layer.contrast_limits
    return ImageCopy(
        name=str(layer.name),
        letters=known_axes(layer, letters).letters,
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
    """Take a shapes layer, its corners in the world, in the given units where its own can be converted."""
    ratios = _ratios(layer, units)
    corners = [
        np.array([np.asarray(layer.data_to_world(vertex), float) * ratios for vertex in np.asarray(vertices, float)])
        for vertices in layer.data
    ]
    kinds = layer.shape_type
    return ShapesCopy(
        name=str(layer.name),
        data=corners,
        shape_type=[kinds] * len(corners) if isinstance(kinds, str) else [str(kind) for kind in kinds],
    )


def _aligned(layer: Layer, units: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of a layer's own unit and the wished one, axis by axis; the last axes are the same."""
    own = tuple(layer.units)
    requested = [*own[: max(0, len(own) - len(units))], *units[-len(own) :]]
    return list(zip(own, requested, strict=True))


def _ratios(layer: Layer, units: Sequence[Any]) -> Vector:
    return np.array([unit_ratio(own, requested) for own, requested in _aligned(layer, units)])


def _converted(layer: Layer, units: Sequence[Any]) -> Units:
    return tuple(requested if own.is_compatible_with(requested) else own for own, requested in _aligned(layer, units))
