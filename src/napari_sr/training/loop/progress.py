"""Estimate of the remaining time of a training, for display only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds of steps before there is an estimate.
_LEAST = 2.0


class Pace:
    """Measures the time of a step, without pauses and without the first step, which includes preparations.

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
        self._start: float | None = None

    def step(self) -> None:
        """Count a completed step."""
        self._done += 1
        if self._start is None:
            self._first, self._start = self._done, time.perf_counter()

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the remaining time in seconds; None during the first seconds, and before the second step ends."""
        if self._start is None or self._done == self._first:
            return None
        spent = time.perf_counter() - self._start
        return spent / (self._done - self._first) * (self._steps - self._done) if spent >= _LEAST else None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Exclude the time inside the context."""
        start = time.perf_counter()
        try:
            yield
        finally:
            if self._start is not None:
                self._start += time.perf_counter() - start
