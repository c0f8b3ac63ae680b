"""The image with which a preview is compared: the pixels of the source, or their bicubic interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import ImageArray
from napari_sr.imaging.part import crop
from napari_sr.imaging.rounding import round_to

if TYPE_CHECKING:
    from napari_sr.inference.region import Region, Span

Against = Literal["source", "bicubic"]
Array = NDArray[Any]


def counterpart(image: ImageArray, region: Region, against: Against) -> Array:
    """Return the source on the pixel grid of a result.

    Parameters
    ----------
    image : array
        The whole source.
    region : Region
        For a network of factor 1, with the factors of the result: ``region_of(axes, 1, part, factors)``.
    against : {"source", "bicubic"}
        Nearest pixels, or bicubic interpolation.

    Returns
    -------
    array, shape ``region.shape``
        In the dtype of the image.
    """
    ranges = list(region.ranges)
    axes = region.axes
    ranges[axes.y], ranges[axes.x] = region.rows.network_range, region.columns.network_range
    if against == "source":
        ranges[axes.y], ranges[axes.x] = _nearest_range(region.rows), _nearest_range(region.columns)
    values = np.asarray(crop(image, tuple(ranges))[(slice(None),) * axes.ndim])
    for axis, span in ((axes.y, region.rows), (axes.x, region.columns)):
        if against == "source":
            values = np.take(values, _nearest(span) - _nearest_range(span)[0], axis=axis)
        elif span.resized:
            values = _interpolated(values, span, axis)
        else:
            first = span.result_range[0] - span.network_range[0]
            values = np.take(values, range(first, first + span.result_range[1] - span.result_range[0]), axis=axis)
    return values if against == "source" else round_to(values, image.dtype)


def split(left: Array, right: Array, at: float, axis: int) -> Array:
    """Join the left part of one image with the right part of another.

    Parameters
    ----------
    left, right : array
        Of equal shape and dtype.
    at : float
        Position of the line, 0 (all `right`) to 1 (all `left`).
    axis : int
        The axis that the line divides.

    Returns
    -------
    array
        Of the same shape and dtype.
    """
    line = round(at * left.shape[axis])
    before, after = [slice(None)] * left.ndim, [slice(None)] * left.ndim
    before[axis], after[axis] = slice(None, line), slice(line, None)
    return np.concatenate([left[tuple(before)], right[tuple(after)]], axis=axis)


def _nearest(span: Span) -> NDArray[np.intp]:
    """Return the index of the nearest source pixel for each pixel of the result."""
    made = np.arange(*span.result_range)
    return np.asarray(np.clip(np.floor((made + 0.5) / span.factor), 0, span.length - 1), dtype=np.intp)


def _nearest_range(span: Span) -> tuple[int, int]:
    nearest = _nearest(span)
    return int(nearest[0]), int(nearest[-1]) + 1


def _interpolated(values: Array, span: Span, axis: int) -> Array:
    """Interpolate along one axis with the weights of a span."""
    moved = np.moveaxis(values, axis, 0)
    flat = span.weights @ moved.reshape(len(moved), -1).astype(np.float64)
    return np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, axis)
