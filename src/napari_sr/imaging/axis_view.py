"""Lazy views of arrays with their axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class AxisView:
    """Lazy view of an array with its axes in another order; indexing reads or writes only the given region.

    Parameters
    ----------
    array : array
        An array with `shape`, `dtype` and basic indexing, such as a zarr array.
    order : sequence of int
        Axis of the array for each axis of the view.

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
        self.shape: tuple[int, ...] = tuple(array.shape[axis] for axis in self.order)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.ndim = len(self.order)
        self.size = int(np.prod(self.shape, dtype=np.int64))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk, in the axis order of the view."""
        return tuple(self.array.chunks[axis] for axis in self.order)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        entries = self._entries(index)
        values = np.asarray(self.array[self._array_index(entries)])
        return values.transpose(self._transposition(entries))

    def __setitem__(self, index: Any, values: Any) -> None:
        entries = self._entries(index)
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

    def _entries(self, index: Any) -> list[int | slice]:
        """Complete an index to one entry for each axis of the view."""
        entries = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in entries:
            position = entries.index(Ellipsis)
            entries[position : position + 1] = [slice(None)] * (self.ndim - len(entries) + 1)
        entries += [slice(None)] * (self.ndim - len(entries))
        if len(entries) > self.ndim:
            raise IndexError(f"{len(entries)} indices for {self.ndim} axes")
        return [entry if isinstance(entry, slice) else int(entry) for entry in entries]

    def _array_index(self, entries: list[int | slice]) -> tuple[int | slice, ...]:
        """Put the entries of an index in the axis order of the array."""
        index: list[int | slice] = [slice(None)] * self.ndim
        for axis, entry in zip(self.order, entries, strict=True):
            index[axis] = entry
        return tuple(index)

    def _transposition(self, entries: list[int | slice]) -> list[int]:
        """Transposition from the indexed values of the array to those of the view."""
        remaining = [axis for axis, entry in zip(self.order, entries, strict=True) if isinstance(entry, slice)]
        ranks = {axis: rank for rank, axis in enumerate(sorted(remaining))}
        return [ranks[axis] for axis in remaining]
