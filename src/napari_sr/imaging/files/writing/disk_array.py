"""Arrays in a temporary file, for images that do not fit into memory while they are computed or written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import prod
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView, complete_index
from napari_sr.imaging.files.lazy_array import Array, Box, LazyArray, box_of, positions


class DiskArray(LazyArray):
    """An array in a file, of which parts are written and read. Values that were not written are 0.

    The values are not compressed and stored one after another, so that writing a part writes no more than it. The file
    is not mapped into memory, because a full disk would then end the process.

    Parameters
    ----------
    path : Path
        The file, which must not exist.
    shape : tuple of int
        Shape of the array. Its last axes are Y and X, or Y, X and C.
    dtype : dtype
        Type of the values.
    planes : int
        Number of axes before Y.

    Raises
    ------
    OSError
        If the file cannot be created.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any, planes: int) -> None:
        super().__init__(shape, np.dtype(dtype).newbyteorder("="), planes)
        self._file = io.FileIO(path, "x+")
        self._file.truncate(self.nbytes)
        self._lock = Lock()
        self._pixel = prod(shape[planes + 2 :]) * int(self.dtype.itemsize)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __setitem__(self, index: Any, values: Any) -> None:
        entries = complete_index(index, self.shape)
        if any(isinstance(entry, slice) and entry.step not in (None, 1) for entry in entries):
            raise IndexError("values are written to slices with the step 1")
        # An integer has the length 1 here, and no axis in the values.
        slices = [one if isinstance(one, slice) else None for one in entries]
        lengths = [len(range(length)[one]) for one, length in zip(slices, self.shape, strict=True) if one is not None]
        if not all(lengths):
            return
        given = np.broadcast_to(np.asarray(values, self.dtype), lengths)
        full = given[tuple(np.newaxis if one is None else slice(None) for one in slices)]
        boxes = [box_of(one, length) for one, length in zip(entries, self.shape, strict=True)]
        for place, position in positions(boxes[: self.planes]):
            self._write_part(position, boxes[self.planes :], full[place])

    def read_part(self, position: tuple[int, ...], box: Box) -> Array:
        """Read a part of a plane; see `LazyArray.read_part`.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        (top, bottom), (left, right), *colors = box
        (width, *others), whole = self.shape[self.planes + 1 :], (0, self.shape[self.planes + 1])
        inside = tuple(slice(*one) for one in colors)
        with self._lock:
            if (left, right) == whole:
                rows = self._read(self._offset(position, top, 0), (bottom - top, width, *others))
                return rows[(slice(None), slice(None), *inside)]
            part = np.empty((bottom - top, right - left, *others), self.dtype)
            for row in range(top, bottom):
                part[row - top] = self._read(self._offset(position, row, left), (right - left, *others))
        return part[(slice(None), slice(None), *inside)]

    def _write_part(self, position: tuple[int, ...], box: Box, values: Array) -> None:
        (top, bottom), (left, right), *colors = box
        if colors and colors[0] != (0, self.shape[-1]):
            # The colors of a pixel are stored one after another.
            part = self.read_part(position, [(top, bottom), (left, right), (0, self.shape[-1])])
            part[..., slice(*colors[0])] = values
            values = part
        with self._lock:
            if (left, right) == (0, self.shape[self.planes + 1]):
                self._write(self._offset(position, top, 0), values)
                return
            for row in range(top, bottom):
                self._write(self._offset(position, row, left), values[row - top])

    def _offset(self, position: tuple[int, ...], row: int, column: int) -> int:
        """Position in the file of a pixel, in bytes."""
        before, (height, width, *_) = self.shape[: self.planes], self.shape[self.planes :]
        plane = int(np.ravel_multi_index(position, before)) if position else 0
        return ((plane * height + row) * width + column) * self._pixel

    def _read(self, offset: int, shape: Sequence[int]) -> Array:
        values = np.empty(tuple(shape), self.dtype)
        left = values.reshape(-1).view(np.uint8).data
        self._file.seek(offset)
        while left:
            count = self._file.readinto(left)
            if not count:
                raise OSError(None, "the temporary file ends early", str(self._file.name))
            left = left[count:]
        return values

    def _write(self, offset: int, values: Array) -> None:
        left = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        self._file.seek(offset)
        while left:
            # The system may write less than it is given.
            left = left[self._file.write(left) :]


def disk_array(path: Path, axes: Axes, dtype: Any) -> tuple[DiskArray, AxisView]:
    """Create an array in a file for an image with axes in any order.

    Parameters
    ----------
    path : Path
        The file, which must not exist.
    axes : Axes
        Axes of the image.
    dtype : dtype
        Type of the values.

    Returns
    -------
    array : DiskArray
        The array, whose planes are stored one after another.
    view : AxisView
        The array with the axes of the image.

    Raises
    ------
    OSError
        If the file cannot be created.
    """
    stored = [*axes.plane_axes, axes.y, axes.x, *([axes.ndim - 1] if axes.rgb else [])]
    array = DiskArray(path, tuple(axes.shape[axis] for axis in stored), dtype, len(axes.plane_axes))
    return array, AxisView(array, [stored.index(axis) for axis in range(axes.ndim)])
