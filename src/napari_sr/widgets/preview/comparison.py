"""What a preview is compared with: the source's own pixels, or what plain interpolation makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import ImageArray
from napari_sr.imaging.part import crop
from napari_sr.imaging.resize import round_to

if TYPE_CHECKING:
    from napari_sr.inference.region import Region, Span

Against = Literal["source", "bicubic"]
Array = NDArray[Any]


def counterpart(image: ImageArray, region: Region, against: Against) -> Array:
    """Make of the source what lies where a region's result lies.

    Parameters
    ----------
    image : array
        The whole source.
    region : Region
        For a network of factor 1, with the factors of the result: ``region_of(axes, 1, part, factors)``.
    against : {"source", "bicubic"}
        Each of the source's pixels as it is, or interpolated.

    Returns
    -------
    array, shape ``region.shape``
        In the image's own dtype.
    """
    ranges = list(region.ranges)
    axes = region.axes
    ranges[axes.y], ranges[axes.x] = region.rows.kept, region.columns.kept
    if against == "source":
        ranges[axes.y], ranges[axes.x] = _seen(region.rows), _seen(region.columns)
    values = np.asarray(crop(image, tuple(ranges))[(slice(None),) * axes.ndim])
    for axis, span in ((axes.y, region.rows), (axes.x, region.columns)):
        if against == "source":
            values = np.take(values, _nearest(span) - _seen(span)[0], axis=axis)
        elif span.resized:
            values = _weighed(values, span, axis)
        else:
            first = span.made[0] - span.kept[0]
            values = np.take(values, range(first, first + span.made[1] - span.made[0]), axis=axis)
    return values if against == "source" else round_to(values, image.dtype)


def split(left: Array, right: Array, at: float, axis: int) -> Array:
    """Join two images of one shape at a line across an axis.

    Parameters
    ----------
    left, right : array
        Of one shape and dtype.
    at : float
        Where, 0 (all right) to 1 (all left).
    axis : int
        The axis along which the line moves.
    """
    line = round(at * left.shape[axis])
    before, after = [slice(None)] * left.ndim, [slice(None)] * left.ndim
    before[axis], after[axis] = slice(None, line), slice(line, None)
    return np.concatenate([left[tuple(before)], right[tuple(after)]], axis=axis)


def _nearest(span: Span) -> NDArray[np.intp]:
    """Pixel of the source that each pixel of the result lies in."""
    made = np.arange(*span.made)
    return np.asarray(np.clip(np.floor((made + 0.5) / span.factor), 0, span.length - 1), dtype=np.intp)


def _seen(span: Span) -> tuple[int, int]:
    nearest = _nearest(span)
    return int(nearest[0]), int(nearest[-1]) + 1


def _weighed(values: Array, span: Span, axis: int) -> Array:
    moved = np.moveaxis(values, axis, 0)
    flat = span.weights @ moved.reshape(len(moved), -1).astype(np.float64)
    return np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, axis)
