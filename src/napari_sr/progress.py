"""Types of the callables with which a long call shows its progress and is stopped."""

from __future__ import annotations

from collections.abc import Callable

#: Called as ``progress(done, total)``.
Progress = Callable[[int, int], None]
#: Called between two pieces of work; returning True stops the work.
Cancel = Callable[[], bool]
