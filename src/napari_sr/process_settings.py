"""Settings of libraries that belong to the process, changed while any thread needs it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

#: Restores a setting.
Restore = Callable[[], None]


class OfProcess:
    """A context for settings that belong to the process: of several that overlap, the last one restores them.

    Parameters
    ----------
    change : callable
        Changes the settings at the start of each context. It takes whether there is no other context, and returns a
        function that restores them, or None if it has changed nothing. Changes are restored in their order.
    """

    def __init__(self, change: Callable[[bool], Restore | None]) -> None:
        self._change = change
        self._lock = Lock()
        self._users = 0
        self._changes: list[Restore] = []

    def __enter__(self) -> None:
        with self._lock:
            restore = self._change(self._users == 0)
            if restore is not None:
                self._changes.append(restore)
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for restore in self._changes:
                    restore()
                self._changes.clear()
