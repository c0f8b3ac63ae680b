"""Estimate of the remaining time of a training, for display only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pace:
    """Measures the time of a step since the start of a run, without pauses.

    Parameters
    ----------
    done : int
        Number of steps that were completed before this run.
    steps : int
        Number of steps of the recipe.
    """

    def __init__(self, done: int, steps: int) -> None:
        self._first = self._done = done
        self._steps = steps
        self._start = time.perf_counter()

    def step(self) -> None:
        """Count a completed step."""
        self._done += 1

    @property
    def seconds_left(self) -> float:
        """Estimate of the remaining time in seconds."""
        spent = time.perf_counter() - self._start
        return spent / max(1, self._done - self._first) * (self._steps - self._done)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Exclude the time inside the context."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - start
