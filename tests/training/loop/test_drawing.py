"""Patches that are drawn ahead are those that are drawn at their turn."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from napari_sr.training.loop.drawing import Drawing


class Patches:
    """A source that notes what is drawn, and where."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.drawn: list[tuple[int, int, tuple[int, ...]]] = []
        self.threads: set[bool] = set()
        self.fails_at = fails_at

    def batch(self, stage: int, step: int, numbers: list[int]) -> Any:
        if step == self.fails_at:
            raise OSError("the file is gone")
        self.threads.add(threading.current_thread() is threading.main_thread())
        self.drawn.append((stage, step, tuple(numbers)))
        return stage, step, tuple(numbers)


def drawing(patches: Patches, *, ahead: bool, batch: int = 4, processes: int = 1, rank: int = 0) -> Drawing:
    return Drawing(patches, batch, processes=processes, rank=rank, ahead=ahead)  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", [False, True])
def test_parts_are_those_of_their_step(ahead: bool) -> None:
    with drawing(Patches(), ahead=ahead) as source:
        drawn = [source.part(1, step, part, 2) for step in (5, 6, 7) for part in (0, 1)]
    assert drawn == [(1, step, numbers) for step in (5, 6, 7) for numbers in ((0, 1), (2, 3))]


def test_only_the_first_part_is_drawn_by_the_caller() -> None:
    patches = Patches()
    with drawing(patches, ahead=True) as source:
        source.part(0, 0, 0, 1)
        patches.threads.clear()
        for step in range(1, 10):
            source.part(0, step, 0, 1)
    assert patches.threads == {False}


def test_a_step_out_of_order_is_drawn_too() -> None:
    with drawing(Patches(), ahead=True) as source:
        assert source.part(0, 7, 0, 1) == (0, 7, (0, 1, 2, 3))
        # After a divergence the training goes back.
        assert source.part(0, 2, 0, 1) == (0, 2, (0, 1, 2, 3))
        assert source.part(0, 3, 0, 1) == (0, 3, (0, 1, 2, 3))
        assert source.part(1, 0, 0, 1) == (1, 0, (0, 1, 2, 3))


@pytest.mark.parametrize("ahead", [False, True])
def test_each_process_has_its_own_patches(ahead: bool) -> None:
    found = set()
    for rank in (0, 1):
        with drawing(Patches(), ahead=ahead, processes=2, rank=rank) as source:
            for part in (0, 1):
                found.update(source.part(0, 0, part, 2)[2])
    assert found == {0, 1, 2, 3}


@pytest.mark.parametrize("ahead", [False, True])
def test_an_error_is_raised_at_its_step(ahead: bool) -> None:
    with drawing(Patches(fails_at=2), ahead=ahead) as source:
        source.part(0, 0, 0, 1)
        source.part(0, 1, 0, 1)
        with pytest.raises(OSError, match="the file is gone"):
            source.part(0, 2, 0, 1)


def test_without_a_thread_nothing_is_drawn_ahead() -> None:
    patches = Patches()
    with drawing(patches, ahead=False) as source:
        source.part(0, 0, 0, 1)
    assert patches.drawn == [(0, 0, (0, 1, 2, 3))]
    assert patches.threads == {True}
