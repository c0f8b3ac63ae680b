"""Lazy views of arrays with their axes in another order, and with further axes of length 1."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class AxisView:
    """Lazy view of an array with its axes in another order; indexing reads or writes only the given region.

    With further axes of length 1 it is read only.

    Parameters
    ----------
    array : array
        An array with `shape`, `dtype` and basic indexing, such as a zarr array.
    order : sequence of int
        Axis of the array for each axis of the view; -1 for a further one of length 1.

    Attributes
    ----------
    shape : tuple of int
        Shape of the view.
    dtype : numpy.dtype
        Data type of the array.
    ndim : int
        Number of axes.
    size : int
        Number of values.
    """

    def __init__(self, array: Any, order: Sequence[int]) -> None:
        self.array, self.order = array, tuple(order)
        self.shape: tuple[int, ...] = tuple(1 if axis < 0 else array.shape[axis] for axis in self.order)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.ndim = len(self.order)
        self.size = int(np.prod(self.shape, dtype=np.int64))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk, in the axis order of the view."""
        return tuple(1 if axis < 0 else self.array.chunks[axis] for axis in self.order)

    @property
    def files(self) -> tuple[int, ...]:
        """Shape of the part that is one file of a store, a chunk or a shard, in the axis order of the view."""
        shape = getattr(self.array, "shards", None) or self.array.chunks
        return tuple(1 if axis < 0 else shape[axis] for axis in self.order)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        entries = complete_index(index, self.shape)
        values = np.asarray(self.array[self._array_index(entries)]).transpose(self._transposition(entries))
        sliced = [(axis, entry) for axis, entry in zip(self.order, entries, strict=True) if isinstance(entry, slice)]
        for position, (axis, entry) in enumerate(sliced):
            if axis < 0:
                values = np.expand_dims(values, position)[(*(slice(None),) * position, entry)]
        return values

    def __setitem__(self, index: Any, values: Any) -> None:
        if min(self.order) < 0:
            raise TypeError("a view with further axes is read only")
        entries = complete_index(index, self.shape)
        order = self._transposition(entries)
        shape = tuple(
            len(range(*entry.indices(length)))
            for entry, length in zip(entries, self.shape, strict=True)
            if isinstance(entry, slice)
        )
        full = np.broadcast_to(values, shape)
        self.array[self._array_index(entries)] = full.transpose(np.argsort(order))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<AxisView of {self.array!r}, shape {self.shape}>"

    def _array_index(self, entries: list[int | slice]) -> tuple[int | slice, ...]:
        """Put the entries of an index in the axis order of the array."""
        index: list[int | slice] = [slice(None)] * (self.ndim - self.order.count(-1))
        for axis, entry in zip(self.order, entries, strict=True):
            if axis >= 0:
                index[axis] = entry
        return tuple(index)

    def _transposition(self, entries: list[int | slice]) -> list[int]:
        """Transposition from the indexed values of the array to those of the view."""
        kept = zip(self.order, entries, strict=True)
        remaining = [axis for axis, entry in kept if isinstance(entry, slice) and axis >= 0]
        ranks = {axis: rank for rank, axis in enumerate(sorted(remaining))}
        return [ranks[axis] for axis in remaining]


def complete_index(index: Any, shape: tuple[int, ...]) -> list[int | slice]:
    """Complete an index to an integer that is not negative, or a slice, for each axis.

    Parameters
    ----------
    index : object
        Integers, slices and an ellipsis.
    shape : tuple of int
        Shape of the array.

    Raises
    ------
    IndexError
        If the index is outside the array, or has too many entries.
    """
    entries = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in entries:
        place = entries.index(Ellipsis)
        entries[place : place + 1] = [slice(None)] * (len(shape) - len(entries) + 1)
    entries += [slice(None)] * (len(shape) - len(entries))
    if len(entries) > len(shape):
        raise IndexError(f"{len(entries)} indices for {len(shape)} axes")
    # The range of an axis counts negative indices from its end, and refuses those outside.
    return [
        one if isinstance(one, slice) else range(length)[operator.index(one)]
        for one, length in zip(entries, shape, strict=True)
    ]
