"""Arrays whose values are in a file, and are read where they are indexed."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.axis_view import complete_index

Array = npt.NDArray[Any]
#: First position along each axis of a plane, and the one after the last.
Box = Sequence[tuple[int, int]]


class LazyArray(ABC):
    """An array of planes in a file, of which the parts are read that integers and slices index.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array. Its last axes are Y and X, or Y, X and C.
    dtype : dtype
        Type of the values.
    planes : int
        Number of axes before Y.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, planes: int) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.ndim, self.size = len(shape), prod(shape)
        self.nbytes = self.size * self.dtype.itemsize
        self.planes = planes

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, shape {self.shape}, {self.dtype}>"

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, index: Any) -> Array:
        entries = complete_index(index, self.shape)
        ranges = [range(length)[one] for one, length in zip(entries, self.shape, strict=True) if isinstance(one, slice)]
        if not all(map(len, ranges)):
            return np.empty(tuple(map(len, ranges)), self.dtype)
        boxes = [box_of(one, length) for one, length in zip(entries, self.shape, strict=True)]
        values = np.empty(tuple(high - low for low, high in boxes), self.dtype)
        for place, position in positions(boxes[: self.planes]):
            values[place] = self.read_part(position, boxes[self.planes :])
        return values[tuple(map(_inside, entries))]

    @abstractmethod
    def read_part(self, position: tuple[int, ...], box: Box) -> Array:
        """Read a part of a plane.

        Parameters
        ----------
        position : tuple of int
            Position of the plane.
        box : sequence of (int, int)
            First position along each axis of the plane, and the one after the last.
        """


class PlanesAt(LazyArray):
    """The planes of an array at one position of an axis, such as those of a channel.

    Parameters
    ----------
    source : LazyArray
        The array.
    axis : int
        One of its axes before Y.
    position : int
        The position along this axis.
    """

    def __init__(self, source: LazyArray, axis: int, position: int) -> None:
        super().__init__(source.shape[:axis] + source.shape[axis + 1 :], source.dtype, source.planes - 1)
        self._source, self._axis, self._position = source, axis, position

    def read_part(self, position: tuple[int, ...], box: Box) -> Array:
        """Read a part of a plane; see `LazyArray.read_part`."""
        return self._source.read_part((*position[: self._axis], self._position, *position[self._axis :]), box)


def box_of(entry: int | slice, length: int) -> tuple[int, int]:
    """Return the first position of an entry of an index, and the one after its last.

    Parameters
    ----------
    entry : int or slice
        The entry, with one position at least.
    length : int
        Length of the axis.

    Returns
    -------
    (int, int)
        The positions in ascending order, also for a slice with a negative step.
    """
    if isinstance(entry, int):
        return entry, entry + 1
    ends = range(length)[entry]
    return min(ends[0], ends[-1]), max(ends[0], ends[-1]) + 1


def positions(boxes: Box) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the planes in a box.

    Parameters
    ----------
    boxes : sequence of (int, int)
        First position along each axis, and the one after the last.

    Returns
    -------
    list of (tuple of int, tuple of int)
        The position of each plane in the box, and its position in the array.
    """
    places = product(*(range(high - low) for low, high in boxes))
    return [(place, tuple(low + n for n, (low, _) in zip(place, boxes, strict=True))) for place in places]


def _inside(entry: int | slice) -> int | slice:
    """Index of an entry in the box that contains it."""
    if isinstance(entry, int):
        return 0
    # The box begins or ends with the first position, whatever the direction.
    step = 1 if entry.step is None else operator.index(entry.step)
    return slice(None, None, step)
