"""The callables that report the progress of a long call and stop it."""

from __future__ import annotations

from collections.abc import Callable

#: Called as ``progress(done, total)``.
Progress = Callable[[int, int], None]
#: Called between two pieces of work; returning True stops the work.
Cancel = Callable[[], bool]


def never() -> bool:
    """Return False: nothing stops the work."""
    return False
