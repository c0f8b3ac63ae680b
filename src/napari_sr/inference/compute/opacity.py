"""Continuation of the visible colors of RGBA planes into transparent pixels, before the network reads them.

The colors of transparent pixels in a file are arbitrary, mostly black. A network would spread them to the visible
pixels beside them, as a dark fringe around every cut-out. Therefore transparent pixels get the average color of the
visible pixels around them: the colors are weighted by their opacity, averaged over a neighborhood, and divided by the
averaged opacity (normalized convolution). To divide the result of the network instead, the opacity would have to pass
through the network as well, and small errors would become large ones where the opacity is small.

References
----------
T. Porter and T. Duff, "Compositing digital images", SIGGRAPH 1984 (colors weighted by opacity).
H. Knutsson and C.-F. Westin, "Normalized and differential convolution", CVPR 1993.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex
from napari_sr.imaging.missing import missing_mask
from napari_sr.imaging.rounding import round_to

#: Distance in pixels to which visible colors are continued. Pixels that are farther away keep their color.
REACH = 32

# Radii of the square neighborhoods. The smallest one with a visible pixel is averaged.
_RADII = (1, 2, 4, 8, 16, REACH)
# Number of pixels that are computed at a time, so that the float64 copies of a block need about 200 MB.
_BLOCK = 1 << 21
# Least weight of a visible pixel, relative to an opaque one.
_LEAST = 1e-6


def spread_colors(plane: NDArray[Any]) -> NDArray[Any]:
    """Continue the visible colors of a plane into its transparent pixels.

    Parameters
    ----------
    plane : array, shape (Y, X, 4)
        Red, green, blue and straight alpha, integers or floats.

    Returns
    -------
    array of the same dtype, shape (Y, X, 3)
        The colors. Pixels with an alpha of more than 0 keep their own. The others get the average of the visible colors
        around them, weighted by alpha, if there are any within `REACH`. Missing values have no effect on it.
    """
    colors = plane[..., :3]
    visible = _visible(plane)
    if bool(visible.all()) or not bool(visible.any()):
        return colors
    out = np.empty(colors.shape, colors.dtype)
    rows = max(REACH, _BLOCK // plane.shape[1])
    for top in range(0, len(plane), rows):
        first, last = max(0, top - REACH), min(len(plane), top + rows + REACH)
        spread = _spread(plane[first:last])
        out[top : top + rows] = spread[top - first : top - first + rows]
    return out


def _spread(plane: NDArray[Any]) -> NDArray[Any]:
    alpha, visible = plane[..., 3], _visible(plane)
    opaque = 1.0 if plane.dtype.kind in "bf" else float(np.iinfo(plane.dtype).max)
    # The averages are running sums, in which a much smaller opacity would be lost.
    opacity = np.where(visible, np.maximum(alpha.astype(np.float64), _LEAST * opaque), 0.0)
    weighted = np.where(visible[..., None], plane[..., :3], 0).astype(np.float64) * opacity[..., None]
    result = plane[..., :3].copy()
    todo = ~(alpha > 0)
    for radius in _RADII:
        # The averages have rounding errors, so they do not show which neighborhoods are transparent.
        reached = ndimage.maximum_filter(visible, size=2 * radius + 1, mode="constant")
        filled = todo & reached
        if filled.any():
            weight = _average(opacity, radius)[filled]
            for color in range(3):
                values = _average(weighted[..., color], radius)[filled] / weight
                result[filled, color] = round_to(values, plane.dtype)
        todo &= ~reached
        if not todo.any():
            break
    return result


def _visible(plane: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels have an alpha of more than 0 and no missing value."""
    visible: NDArray[np.bool_] = plane[..., 3] > 0
    return visible & ~missing_mask(plane).any(axis=-1) if plane.dtype.kind == "f" else visible


def _average(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Average over the square around each pixel, with 0 beyond the edge."""
    averages: NDArray[np.float64] = ndimage.uniform_filter(values, 2 * radius + 1, mode="constant")
    return averages


class CutoutReader:
    """Reader of the colors of one RGBA plane, which are continued into transparent pixels.

    Parameters
    ----------
    axes : Axes
        Axes of the whole image.
    image : array
        The whole image: numpy, dask or zarr.
    index : tuple of int or slice
        The plane, one of ``axes.plane_indices()``.
    top, left : int
        First row and column of the part of the plane that is read.
    height, width : int
        Rows and columns of the part.
    keep : bool
        Whether the whole part is read once and kept in memory.
    """

    def __init__(
        self,
        axes: Axes,
        image: ImageArray,
        index: PlaneIndex,
        *,
        top: int,
        left: int,
        height: int,
        width: int,
        keep: bool,
    ) -> None:
        self._axes, self._image, self._index = axes, image, index
        self._top, self._left = top, left
        self._colors: NDArray[Any] | None = None
        if keep:
            self._colors = self._read(slice(0, height), slice(0, width))

    def part(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Return the colors of some rows and columns of the part.

        Parameters
        ----------
        rows, columns : slice
            Rows and columns, counted from the first of the part.

        Returns
        -------
        array, shape (Y, X, 3)
            The colors.
        """
        return self._read(rows, columns) if self._colors is None else self._colors[rows, columns]

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        down, above, height = _with_margin(rows, self._top, self._axes.shape[self._axes.y])
        across, before, width = _with_margin(columns, self._left, self._axes.shape[self._axes.x])
        plane = self._axes.plane(self._image, self._axes.part(self._index, down, across))
        return spread_colors(plane)[above : above + height, before : before + width]


def _with_margin(span: slice, start: int, length: int) -> tuple[slice, int, int]:
    """A range with a margin of the reach within the plane, the first pixel of the range in it, and its length."""
    first, last = start + span.start, start + span.stop
    low, high = max(0, first - REACH), min(length, last + REACH)
    return slice(low, high), first - low, last - first
