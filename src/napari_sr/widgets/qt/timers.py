"""Timers that call a function once, a moment after they were started last."""

from __future__ import annotations

from collections.abc import Callable

from qtpy import compat
from qtpy.QtCore import QObject, QTimer


def delayed(call: Callable[[], object], milliseconds: int, parent: QObject | None = None) -> QTimer:
    """Make a timer that calls a function once, so many milliseconds after it was started last."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(call)
    return timer


def stop_timer(timer: QTimer) -> None:
    """Stop a timer, unless Qt has deleted it already, as it does when the application ends."""
    if compat.isalive(timer):
        timer.stop()
