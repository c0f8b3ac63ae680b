"""A dask array that is displayed before it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from dask.array import Array
from numpy.typing import NDArray

from napari_sr.imaging.axis_view import complete_index
from napari_sr.imaging.part import Range
from napari_sr.inference.lazy.displayed import DisplayedResult

# In pixels along Y and X.
_LARGEST_CHUNK = 1024

_displaying: ContextVar[bool] = ContextVar("displaying", default=False)


@contextmanager
def displaying() -> Iterator[None]:
    """Let a `DisplayedArray` return the pixels of its `DisplayedResult`, on the present thread.

    Yields
    ------
    None
        Elsewhere, its pixels are those of the dask array.
    """
    token = _displaying.set(True)
    try:
        yield
    finally:
        _displaying.reset(token)


class DisplayedArray(Array):
    """A dask array with a `DisplayedResult`, from which it is read within `displaying`.

    All other readers, such as those that save or analyze it, get the pixels of the dask array, which are exact.
    """

    displayed: DisplayedResult

    @classmethod
    def of(cls, exact: Array, displayed: DisplayedResult) -> DisplayedArray:
        """Return a dask array with a result that is displayed in its place.

        Parameters
        ----------
        exact : dask.array.Array
            The result; larger chunks are divided.
        displayed : DisplayedResult
            The same result.
        """
        # napari reads whole chunks.
        limits = dict.fromkeys((displayed.axes.y, displayed.axes.x), _LARGEST_CHUNK)
        if any(max(exact.chunks[axis]) > limit for axis, limit in limits.items()):
            exact = exact.rechunk(limits)
        array: DisplayedArray = cls(exact.dask, exact.name, exact.chunks, dtype=exact.dtype)
        array.displayed = displayed
        return array

    def __getitem__(self, index: Any) -> Any:
        """Return a part of the array, which is read when it is converted to a numpy array."""
        if not _displaying.get():
            return super().__getitem__(index)
        return _Selection(self.displayed, tuple(range(length) for length in self.shape))[index]


class _Selection:
    """A part of a `DisplayedResult` that is read when it is converted to a numpy array.

    Parameters
    ----------
    result : DisplayedResult
        The result.
    positions : tuple of range or int
        Positions along each dimension of the result; those with an int are no dimension of the part.
    """

    def __init__(self, result: DisplayedResult, positions: tuple[range | int, ...]) -> None:
        self._result, self._positions = result, positions
        self.dtype = result.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return tuple(len(positions) for positions in self._positions if isinstance(positions, range))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> _Selection:
        """Return a part, by integers and slices."""
        entries = iter(complete_index(index, self.shape))
        return _Selection(
            self._result,
            tuple(old if isinstance(old, int) else old[next(entries)] for old in self._positions),
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the part."""
        bounds: list[Range] = []
        inside: list[int | slice] = []
        for positions in self._positions:
            if isinstance(positions, int):
                bounds.append((positions, positions + 1))
                inside.append(0)
            else:
                ends = sorted((positions[0], positions[-1])) if len(positions) else [0, -1]
                bounds.append((ends[0], ends[1] + 1))
                inside.append(slice(None, None, positions.step))
        if self._result.axes.rgb:
            # Colors are read as a whole.
            last = self._positions[-1]
            bounds[-1] = (0, self._result.axes.shape[-1])
            inside[-1] = last if isinstance(last, int) else _slice(last)
        return np.asarray(self._result.read(tuple(bounds))[tuple(inside)], dtype)


def _slice(positions: range) -> slice:
    """The slice of a dimension that has the positions."""
    if not len(positions):
        return slice(0)
    stop = positions[-1] + (1 if positions.step > 0 else -1)
    return slice(positions[0], None if stop < 0 else stop, positions.step)
