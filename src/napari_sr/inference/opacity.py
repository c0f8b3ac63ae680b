"""Colors of RGBA planes that a network can see beyond the edge of what is visible.

Under zero opacity a file holds any color, mostly black. A network that sees it lets it flow into the visible pixels
beside it: a dark fringe around every cut-out. So the colors are weighted by their opacity, averaged over a
neighborhood, and divided by the opacity averaged alike (normalized convolution): the network sees the visible colors
go on. Dividing the network's result instead would need the opacity to go through the network as well, and would make
large errors of small ones where little is visible.

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

#: Pixels beyond the visible ones to which colors are spread; further away the color is what the file holds.
REACH = 32

# Half sides of the squares that are averaged; a pixel takes the smallest in which something is visible.
_RADII = (1, 2, 4, 8, 16, REACH)
# Pixels of the rows that are spread at a time: the float64 copies of a block stay near 200 MB.
_BLOCK = 1 << 21


def spread_colors(plane: NDArray[Any]) -> NDArray[Any]:
    """Let the visible colors go on where nothing is visible.

    Parameters
    ----------
    plane : array, shape (Y, X, 4)
        Red, green, blue and straight opacity, of integers or floats.

    Returns
    -------
    array of the same dtype, shape (Y, X, 3)
        Colors. A pixel with any opacity keeps its own; one without takes the average of the visible colors around it,
        weighted by their opacity, if there are any within `REACH`.
    """
    colors = plane[..., :3]
    visible = plane[..., 3] > 0
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
    opacity = np.maximum(plane[..., 3].astype(np.float64), 0.0)
    weighted = plane[..., :3] * opacity[..., None]
    result = plane[..., :3].astype(np.float64)
    todo = opacity == 0
    for radius in _RADII:
        # The averages are running sums, whose rounding is no opacity: what is visible is asked of the pixels.
        seen = ndimage.maximum_filter(opacity > 0, size=2 * radius + 1, mode="constant")
        filled = todo & seen
        if filled.any():
            weight = _average(opacity, radius)[filled]
            for color in range(3):
                result[filled, color] = _average(weighted[..., color], radius)[filled] / weight
        todo &= ~seen
        if not todo.any():
            break
    return (np.rint(result) if plane.dtype.kind in "iu" else result).astype(plane.dtype)


def _average(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Average over the square around each pixel, with 0 beyond the edge."""
    averages: NDArray[np.float64] = ndimage.uniform_filter(values, 2 * radius + 1, mode="constant")
    return averages


class CutoutReader:
    """Reads the colors of one RGBA plane, spread where nothing is visible, part by part.

    Parameters
    ----------
    axes : Axes
        Of the whole image.
    image : array
        The whole image: numpy, dask or zarr.
    index : tuple of int or slice
        The plane, one of `axes.plane_indices`.
    top, left, height, width : int
        The part of the plane that rows and columns are counted in.
    keep : bool
        Whether that part is read at once and kept in memory.
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
        """Colors of some rows and columns, shape (Y, X, 3)."""
        return self._read(rows, columns) if self._colors is None else self._colors[rows, columns]

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        down, above, height = _with_margin(rows, self._top, self._axes.shape[self._axes.y])
        across, before, width = _with_margin(columns, self._left, self._axes.shape[self._axes.x])
        plane = self._axes.plane(self._image, self._axes.part(self._index, down, across))
        return spread_colors(plane)[above : above + height, before : before + width]


def _with_margin(wanted: slice, start: int, length: int) -> tuple[slice, int, int]:
    """A range widened by the reach inside the plane, where the wanted one begins in it, and its length."""
    first, last = start + wanted.start, start + wanted.stop
    low, high = max(0, first - REACH), min(length, last + REACH)
    return slice(low, high), first - low, last - first
