"""Writing of a result to a store in bands of whole files, with a record of the finished lines.

Lines are rows, or columns where an image is streamed along X.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.part import Range
from napari_sr.inference.output.record import FinishedLines, Plane


@dataclass
class _Collected:
    """Lines of a plane, or pieces of lines, that were written to it but are not in the store yet.

    Parameters
    ----------
    span : (int, int)
        Range of the pieces along the lines.
    start : int
        First line that is not in the store.
    stop : int
        First line that was not collected.
    lines : array, optional
        The lines of one band, of which those from `start` to `stop` are there.
    """

    span: Range
    start: int
    stop: int
    lines: NDArray[Any] | None = None


class Bands:
    """The array of a store, which is written in bands of whole files.

    Lines are rows, or columns where the image is streamed along X. Those that are written one after the other from the
    first on are collected until they fill a band, so that each file is written once. The same is done with pieces of
    lines, where the memory is too small for whole ones; a file with two pieces is written twice. Everything else is
    written at once.

    Parameters
    ----------
    array : AxisView
        The array.
    axes : Axes
        Axes of the image that it holds.
    along : int
        Axis along which lines follow each other, Y or X.
    finished : FinishedLines, optional
        Record of the lines that are in the store already, to which finished ones are added.
    flush : callable, optional
        ``flush(index)`` makes a part of the array survive a power failure.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Data type of the array.
    """

    def __init__(
        self,
        array: AxisView,
        axes: Axes,
        along: int,
        finished: FinishedLines | None = None,
        flush: Callable[[tuple[Any, ...]], None] = lambda index: None,
    ) -> None:
        self.array, self.shape, self.dtype, self.along = array, array.shape, array.dtype, along
        self._axes, self._finished, self._flush = axes, finished, flush
        self._across = axes.x if along == axes.y else axes.y
        self._unit = self.files[along]
        self._count, self._length = axes.shape[along], axes.shape[self._across]
        # Values in a line, and the axis of the lines in a part of a plane.
        self._line = self._length * (axes.shape[-1] if axes.rgb else 1)
        self._line_axis = int(self._across < along)
        self._collected: dict[tuple[Plane, Range], _Collected] = {}
        # Number of values of each plane that were written, those in the store included.
        self._values: dict[Plane, int] = {}

    @property
    def files(self) -> tuple[int, ...]:
        """Shape of the part of the array that is one file, a chunk or a shard, along each axis of the image."""
        return self.array.files

    @property
    def continued(self) -> bool:
        """Whether lines of an interrupted run are in the store."""
        return bool(self._finished)

    def finished_lines(self, plane: Plane) -> int:
        """Return the number of lines of a plane that are in the store, from the first one on.

        Parameters
        ----------
        plane : tuple of int
            Position of the plane along the plane axes.
        """
        return 0 if self._finished is None else self._finished[plane]

    def __setitem__(self, index: Any, values: Any, /) -> None:
        place = self._place(index)
        if place is None:
            self.array[index] = values
            return
        plane, lines, span = place
        done = self.finished_lines(plane)
        self._values.setdefault(plane, done * self._line)
        self._values[plane] += int(np.prod(np.shape(values), dtype=np.int64))
        if (plane, span) not in self._collected:
            first = done if span == (0, self._length) else 0
            self._collected[plane, span] = _Collected(span, first, first)
        collected = self._collected[plane, span]
        # The alpha of a plane, an int among slices, is written at once.
        if lines.start == collected.stop and not (self._axes.rgba and isinstance(index[-1], int)):
            self._collect(plane, collected, index, np.asarray(values))
        else:
            self.array[index] = values
        if self._values.get(plane) == self._count * self._line:
            self._write_plane(plane)
            self._done(plane, self._axes.plane_index(plane), self._count)

    def write_rest(self) -> None:
        """Write the lines that were collected and fill no band."""
        for plane in self._values:
            self._write_plane(plane)

    def _write_plane(self, plane: Plane) -> None:
        """Write the lines of a plane that were collected."""
        for key in [key for key in self._collected if key[0] == plane]:
            self._write_collected(self._collected.pop(key), self._colors(self._axes.plane_index(plane)))

    def _place(self, index: Any) -> tuple[Plane, range, Range] | None:
        """Plane, lines and range along the lines of an index; None if it is not a part of one plane."""
        axes = self._axes
        if not isinstance(index, tuple) or len(index) != axes.ndim:
            return None
        if not (isinstance(index[axes.y], slice) and isinstance(index[axes.x], slice)):
            return None
        plane = tuple(index[axis] for axis in axes.plane_axes)
        if not all(isinstance(place, int | np.integer) for place in plane):
            return None
        lines, span = range(*index[self.along].indices(self._count)), range(*index[self._across].indices(self._length))
        return tuple(int(place) for place in plane), lines, (span.start, span.stop)

    def _collect(self, plane: Plane, collected: _Collected, index: tuple[Any, ...], values: NDArray[Any]) -> None:
        """Collect lines, and write the bands that they fill or that end the plane."""
        index, first, stop = self._colors(index), collected.stop, collected.stop + values.shape[self._line_axis]
        while collected.stop < stop:
            begin = collected.stop
            if begin == collected.start:
                # Whole bands need not be copied.
                end = stop if stop == self._count else stop // self._unit * self._unit
                if end > begin:
                    part = self._part(values, begin - first, end - first)
                    self.array[self._lines(index, begin, end, collected.span)] = part
                    collected.start = collected.stop = end
                    self._band_done(plane, collected, index, begin)
                    continue
            end = min((begin // self._unit + 1) * self._unit, self._count)
            if collected.lines is None:
                shape = list(values.shape)
                shape[self._line_axis] = self._unit
                collected.lines = np.empty(shape, values.dtype)
            collected.stop = min(end, stop)
            part = self._part(values, begin - first, collected.stop - first)
            self._part(collected.lines, begin - collected.start, collected.stop - collected.start)[...] = part
            if collected.stop == end:
                begin = collected.start
                self._write_collected(collected, index)
                self._band_done(plane, collected, index, begin)

    def _write_collected(self, collected: _Collected, index: tuple[Any, ...]) -> None:
        """Write the lines that were collected."""
        if collected.lines is not None and collected.stop > collected.start:
            lines = self._part(collected.lines, 0, collected.stop - collected.start)
            self.array[self._lines(index, collected.start, collected.stop, collected.span)] = lines
        collected.start = collected.stop
        if collected.stop == self._count:
            collected.lines = None

    def _band_done(self, plane: Plane, collected: _Collected, index: tuple[Any, ...], begin: int) -> None:
        # A plane with alpha is complete when its alpha is there, and lines are when all of their pieces are.
        if not self._axes.rgba and collected.span == (0, self._length):
            self._done(plane, self._lines(index, begin, collected.stop, collected.span), collected.stop)

    def _done(self, plane: Plane, index: tuple[Any, ...], lines: int) -> None:
        if self._finished is not None:
            self._flush(index)
            self._finished.add(plane, lines)
        if lines == self._count:
            self._values.pop(plane, None)
            self._collected.pop((plane, (0, self._length)), None)

    def _lines(self, index: tuple[Any, ...], begin: int, end: int, span: Range) -> tuple[Any, ...]:
        entries = list(index)
        entries[self.along], entries[self._across] = slice(begin, end), slice(*span)
        return tuple(entries)

    def _colors(self, index: tuple[Any, ...]) -> tuple[Any, ...]:
        """Index of the colors without alpha."""
        return (*index[:-1], slice(0, 3)) if self._axes.rgb else index

    def _part(self, values: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        """View of some of the lines in a part of a plane."""
        return values[start:stop] if self._line_axis == 0 else values[:, start:stop]


class Placed:
    """View of a result in which a region of it has its own coordinates; lines that are finished are not written.

    Parameters
    ----------
    out : array
        The whole result.
    start : tuple of int
        Position of the first pixel of the region along each axis of the result; axes of the colors are not moved.
    axis : int
        Axis along which lines follow each other.
    skipped : int, default 0
        Lines of the region, from its first one on, that are finished.
    """

    def __init__(self, out: Any, start: tuple[int, ...], axis: int, skipped: int = 0) -> None:
        self._out, self._start, self._axis, self._skipped = out, start, axis, skipped

    def __setitem__(self, index: Any, values: Any, /) -> None:
        entries, kept = list(index), values
        lines = entries[self._axis]
        first = lines.start or 0
        cut = max(0, self._skipped - first)
        if cut:
            slices = [axis for axis, entry in enumerate(entries) if isinstance(entry, slice)]
            kept = np.take(values, range(cut, np.shape(values)[slices.index(self._axis)]), slices.index(self._axis))
            if not kept.size:
                return
            entries[self._axis] = slice(first + cut, lines.stop)
        moved = tuple(_moved(entry, start) for entry, start in zip(entries, self._start, strict=True))
        self._out[moved] = kept


def _moved(entry: Any, start: int) -> Any:
    if not isinstance(entry, slice):
        return int(entry) + start
    stop = None if entry.stop is None else entry.stop + start
    return slice((entry.start or 0) + start, stop)
