"""Rows near an overflow are not passed on, and all others are, once and in order."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_sr.inference.compute.overflow import Interval, OverflowFilter, outside, widened

HEIGHT = 40
INTERVALS = st.lists(
    st.tuples(st.integers(0, HEIGHT - 1), st.integers(1, HEIGHT)).map(lambda pair: Interval(min(pair), max(pair))),
    max_size=5,
)


def rows_of(intervals: list[Interval]) -> set[int]:
    return {row for start, stop in intervals for row in range(start, stop)}


@given(INTERVALS, st.integers(0, 10))
def test_widened_intervals_are_in_order_and_disjoint(intervals: list[Interval], reach: int) -> None:
    wide = widened(intervals, reach, HEIGHT)
    near = {row for row in range(HEIGHT) for start, stop in intervals if start - reach <= row < stop + reach}
    assert rows_of(wide) == near
    assert all(before.stop < after.start for before, after in pairwise(wide))


@given(INTERVALS, st.integers(0, HEIGHT), st.integers(0, HEIGHT))
def test_outside_is_the_set_difference(intervals: list[Interval], start: int, stop: int) -> None:
    excluded = widened(intervals, 0, HEIGHT)
    remaining = list(outside(Interval(start, stop), excluded))
    assert rows_of(remaining) == set(range(start, stop)) - rows_of(excluded)
    assert all(first < last for first, last in remaining)


@given(
    bad=st.sets(st.integers(0, HEIGHT - 1), max_size=3),
    marked=INTERVALS,
    reach=st.integers(0, 10),
    cuts=st.lists(st.integers(1, HEIGHT - 1), unique=True, max_size=8),
)
def test_rows_within_reach_of_an_overflow_are_not_passed_on(
    bad: set[int], marked: list[Interval], reach: int, cuts: list[int]
) -> None:
    rows = torch.arange(HEIGHT, dtype=torch.float32).reshape(1, 1, -1, 1).repeat(1, 1, 1, 2)
    for row in bad:
        # In the second column only, as in the margin of a band.
        rows[:, :, row, 1] = float("inf")
    passed: list[float] = []

    def sink(row: int, part: Tensor) -> None:
        assert part[0, 0, 0, 0] == row
        passed.extend(part[0, 0, :, 0].tolist())

    held = OverflowFilter(reach, HEIGHT, sink)
    overflowed: list[Interval] = []
    edges = [0, *sorted(cuts), HEIGHT]
    for start, stop in pairwise(edges):
        # An overflow is reported while its rows are computed, before they are added.
        for interval in marked:
            if start <= interval.start < stop:
                held.mark(interval.start, interval.stop + 3)
                overflowed.append(Interval(interval.start, min(HEIGHT, interval.stop + 3)))
        held.add(start, rows[:, :, start:stop])
        if any(start <= row < stop for row in bad):
            overflowed.append(Interval(start, stop))
        assert len(passed) <= max(0, stop - reach)
    affected = held.finish()
    assert affected == widened(overflowed, reach, HEIGHT)
    assert passed == sorted(set(range(HEIGHT)) - rows_of(affected))
