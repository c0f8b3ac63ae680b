"""Rows of a result that overflowed in half precision, and those whose values may depend on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Interval(NamedTuple):
    """A range of rows.

    Parameters
    ----------
    start, stop : int
        First row and one after the last.
    """

    start: int
    stop: int


class OverflowFilter:
    """Passes on the rows of a result that are not within `reach` of a row that overflowed.

    Rows are held back until the `reach` rows below them are known.

    Parameters
    ----------
    reach : int
        Receptive radius of the network, in rows of the result.
    height : int
        Rows of the result.
    sink : callable
        ``sink(row, part)`` receives the rows that are passed on, from the top.
    check : bool, default True
        Whether rows are searched for NaN and infinities.
    """

    def __init__(self, reach: int, height: int, sink: Callable[[int, Tensor], None], *, check: bool = True) -> None:
        self._reach, self._height, self._sink, self._check = reach, height, sink, check
        self._overflowed: list[Interval] = []
        self._waiting: deque[tuple[int, Tensor]] = deque()
        self._done = 0

    def mark(self, start: int, stop: int) -> None:
        """Mark rows whose computation overflowed.

        Parameters
        ----------
        start, stop : int
            First row and one after the last; may lie outside the result.
        """
        self._overflowed.append(Interval(max(0, start), min(stop, self._height)))

    def add(self, row: int, part: Tensor) -> None:
        """Add the next rows of the result.

        Parameters
        ----------
        row : int
            First row.
        part : Tensor, shape (N, C, rows, W)
            The rows, margins included.
        """
        self._done = row + part.shape[2]
        if self._check and not bool(torch.isfinite(part).all()):
            self._overflowed.append(Interval(row, self._done))
        self._waiting.append((row, part))
        self._release(self._done - self._reach)

    def finish(self) -> list[Interval]:
        """Pass on the rows that are still held back.

        Returns
        -------
        list of Interval
            Ranges of rows that were not passed on, in order and disjoint.
        """
        self._release(self._done)
        return self._affected()

    def _release(self, until: int) -> None:
        while self._waiting and self._waiting[0][0] + self._waiting[0][1].shape[2] <= until:
            row, part = self._waiting.popleft()
            for first, last in outside(Interval(row, row + part.shape[2]), self._affected()):
                self._sink(first, part[:, :, first - row : last - row])

    def _affected(self) -> list[Interval]:
        return widened(self._overflowed, self._reach, self._height)


def outside(interval: Interval, excluded: list[Interval]) -> Iterator[Interval]:
    """Subtract intervals from an interval.

    Parameters
    ----------
    interval : Interval
        The interval.
    excluded : list of Interval
        Intervals to subtract, in order and disjoint.

    Yields
    ------
    Interval
        The parts that remain, in order.
    """
    start, stop = interval
    for first, last in excluded:
        if start < min(first, stop):
            yield Interval(start, min(first, stop))
        start = max(start, last)
    if start < stop:
        yield Interval(start, stop)


def widened(intervals: list[Interval], reach: int, end: int) -> list[Interval]:
    """Widen intervals on both sides, and join those that touch.

    Parameters
    ----------
    intervals : list of Interval
        The intervals, in any order.
    reach : int
        Rows by which they are widened.
    end : int
        Rows of the image: intervals are limited to 0 to `end`.

    Returns
    -------
    list of Interval
        In order and disjoint.
    """
    joined: list[Interval] = []
    for start, stop in sorted(intervals):
        wide = Interval(max(0, start - reach), min(end, stop + reach))
        if joined and wide.start <= joined[-1].stop:
            joined[-1] = Interval(joined[-1].start, max(wide.stop, joined[-1].stop))
        else:
            joined.append(wide)
    return joined
