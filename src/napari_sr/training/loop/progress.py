"""How long a training will take yet. It is told to people, and decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pace:
    """Measures the pace from where a run began, pauses left out.

    Parameters
    ----------
    done, steps : int
        Steps done before, steps in all.
    """

    def __init__(self, done: int, steps: int) -> None:
        self._first = self._done = done
        self._steps = steps
        self._start = time.perf_counter()

    def step(self) -> None:
        """Count a step."""
        self._done += 1

    @property
    def seconds_left(self) -> float:
        """At the pace so far; 0 before the first step."""
        spent = time.perf_counter() - self._start
        return spent / max(1, self._done - self._first) * (self._steps - self._done)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave out the time that is spent inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - begun
