"""Missing pixels: NaN, infinite values, and the huge finite values that file formats use in their place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sr.imaging.axes import Axes, ImageArray, WritableArray

#: Magnitude above which a float stands for a missing pixel: 9.97e36 in netCDF, 3.4e38 in raster files.
FILL_FROM = 1e30

# Planes that are kept in memory between a read and the next one, in bytes. The last one is always kept.
_CACHE = 1 << 28


def missing_mask(values: NDArray[Any], limit: float = FILL_FROM) -> NDArray[np.bool_]:
    """Return which values are missing.

    Parameters
    ----------
    values : array, any shape
        Values of an image.
    limit : float, default FILL_FROM
        Largest magnitude of a value that is not missing.

    Returns
    -------
    array of bool, same shape
        True for NaN, infinite values and values of a magnitude above `limit`; False for all integers.
    """
    if values.dtype.kind != "f":
        return np.zeros(values.shape, bool)
    # A limit beyond the range of the dtype would become infinite in the comparison.
    largest = min(limit, float(np.finfo(values.dtype).max))
    present: NDArray[np.bool_] = np.abs(values) <= largest
    return np.logical_not(present, out=present)


def fill_nearest(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Replace missing pixels by the nearest pixel that is not missing.

    Parameters
    ----------
    values : array, shape (Y, X) or (Y, X, C)
        A plane.
    missing : array of bool, shape (Y, X)
        The missing pixels; at least one pixel is not missing.

    Returns
    -------
    array, same shape and dtype
        A copy.
    """
    rows, columns = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: NDArray[Any] = values.copy()
    filled[missing] = values[rows[missing], columns[missing]]
    return filled


class FilledImage:
    """Lazy view of an image in which missing pixels have the value of the nearest other pixel of their plane.

    A pixel of RGB is missing if one of its colors is. Opacity is filled by itself.

    Parameters
    ----------
    image : array
        The whole image of floats: numpy, dask or zarr.
    axes : Axes
        Axes of the image.
    black : mapping of (int or None) to float
        Value of planes that are entirely missing, by the number of the channel, or None without separate channels.
    limit : float, default FILL_FROM
        Largest magnitude of a value that is not missing.
    """

    def __init__(
        self, image: ImageArray, axes: Axes, black: Mapping[int | None, float], limit: float = FILL_FROM
    ) -> None:
        self._image, self._axes, self._black, self._limit = image, axes, black, limit
        self.shape: tuple[int, ...] = axes.shape
        self.dtype: np.dtype[Any] = np.dtype(image.dtype)
        self._planes: OrderedDict[tuple[int, ...], tuple[NDArray[Any], NDArray[np.bool_]]] = OrderedDict()
        self._complete: set[tuple[int, ...]] = set()
        #: Pixels are read in one thread, and marked as missing in the result in another.
        self._lock = Lock()

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        """Return part of one plane: `index` has an int for each plane axis and slices for Y, X and the colors."""
        with self._lock:
            return self._part(index)

    def _part(self, index: Any) -> NDArray[Any]:
        axes = self._axes
        position = tuple(int(index[axis]) for axis in axes.plane_axes)
        if position not in self._planes:
            part = np.asarray(self._image[index])
            # A single color does not show whether the others are missing.
            if position in self._complete or (
                isinstance(index[-1], slice) and not missing_mask(part, self._limit).any()
            ):
                if part.size * axes.plane_count == np.prod(axes.shape, dtype=np.int64):
                    self._complete.add(position)
                return part
        filled, _ = self._plane(position)
        inside: NDArray[Any] = filled[tuple(entry for axis, entry in enumerate(index) if axis not in axes.plane_axes)]
        return inside

    def missing(self, position: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Return the missing pixels of a plane.

        Returns
        -------
        array of bool, shape (Y, X), or (Y, X, C) for RGB(A), or None
            In the stored order of Y and X; the three colors are equal. None for a plane without missing pixels.
        """
        with self._lock:
            if position not in self._complete:
                missing = self._plane(position)[1]
                if missing.any():
                    return missing
                self._complete.add(position)
                del self._planes[position]
        return None

    def _plane(self, position: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return a filled plane and its missing pixels, in their stored order."""
        if position not in self._planes:
            self._planes[position] = self._filled(position)
            while len(self._planes) > 1 and sum(values.nbytes for values, _ in self._planes.values()) > _CACHE:
                self._planes.popitem(last=False)
        self._planes.move_to_end(position)
        return self._planes[position]

    def _filled(self, position: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        axes = self._axes
        index = axes.plane_index(position)
        # Rows before columns, so that the choice among pixels of equal distance does not depend on the stored order.
        plane = axes.plane(self._image, index)
        missing = missing_mask(plane, self._limit)
        black = self._black.get(axes.channel_of(index), 0.0)
        if axes.rgb:
            missing[..., :3] = missing[..., :3].any(axis=-1, keepdims=True)
            groups = [slice(0, 3)] + ([slice(3, 4)] if axes.rgba else [])
            parts = [_filled_plane(plane[..., group], missing[..., group.start], black) for group in groups]
            filled = np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
        else:
            filled = _filled_plane(plane, missing, black)
        return (filled.swapaxes(0, 1), missing.swapaxes(0, 1)) if axes.x < axes.y else (filled, missing)


def _filled_plane(plane: NDArray[Any], missing: NDArray[np.bool_], black: float) -> NDArray[Any]:
    if not missing.any():
        return plane
    return np.full_like(plane, black) if missing.all() else fill_nearest(plane, missing)


class MarkedResult:
    """View of a result in which the pixels over missing pixels of the source are written as NaN.

    Parameters
    ----------
    out : array
        The result, with the axes of the image: numpy or zarr.
    source : FilledImage
        The source.
    axes : Axes
        Axes of the source.
    nearest : tuple of array of int
        For each axis of the result, the position in the source of each of its positions.
    """

    def __init__(
        self, out: WritableArray, source: FilledImage, axes: Axes, nearest: tuple[NDArray[np.intp], ...]
    ) -> None:
        self._out, self._source, self._axes, self._nearest = out, source, axes, nearest

    def __setitem__(self, index: Any, values: Any, /) -> None:
        """Write part of one plane: `index` has an int for each plane axis and slices or ints for the others."""
        axes = self._axes
        position = tuple(int(self._nearest[axis][index[axis]]) for axis in axes.plane_axes)
        missing = self._source.missing(position)
        if missing is None:
            self._out[index] = values
            return
        inside = [self._nearest[axis][index[axis]] for axis in range(axes.ndim) if axis not in axes.plane_axes]
        for axis, positions in enumerate(inside):
            missing = np.take(missing, positions, axis=axis) if positions.ndim else missing[..., int(positions)]
        marked = np.array(values)
        marked[missing] = np.nan
        self._out[index] = marked
