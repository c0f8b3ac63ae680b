"""How far a run is: time left, and a bar with a Cancel button in napari's activity dock."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from napari.utils import cancelable_progress

# Before this part of the work is done its speed says little: the first piece also readies the device.
_ENOUGH_DONE = 0.02
_ENOUGH_SECONDS = 1.0
_STEPS = 1000


class TimeLeft:
    """Guesses from what is done how long the rest takes.

    Parameters
    ----------
    clock : callable
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None
        self._first = 0.0

    def seconds(self, done: int, total: int) -> float | None:
        """Seconds that are left after ``done`` of ``total``; None as long as nobody can know."""
        now, part = self._clock(), done / max(total, 1)
        if self._started is None:
            # What comes before the first report, readying the device, is no measure for the rest.
            self._started, self._first = now, part
        passed, gained = now - self._started, part - self._first
        if gained < _ENOUGH_DONE or passed < _ENOUGH_SECONDS:
            return None
        return passed / gained * (1 - part)


class ActivityBar:
    """A bar in napari's activity dock.

    Parameters
    ----------
    text : str
        What is being done.
    on_cancel : callable
        Called when its Cancel button is pressed.
    """

    def __init__(self, text: str, on_cancel: Callable[[], None]) -> None:
        self._bar: _Bar | None = _Bar(text, on_cancel)

    def show(self, done: int, total: int) -> None:
        """Show how far it is."""
        if self._bar is not None:
            self._bar.update(int(_STEPS * done / max(total, 1)) - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


class _Bar(cancelable_progress):  # type: ignore[misc]  # napari's is untyped
    """napari's bar only remembers that it was cancelled; this one says so at once."""

    def __init__(self, text: str, on_cancel: Callable[[], None]) -> None:
        self._on_cancel = on_cancel
        # The bar is for the window; the terminal from which napari was started needs none.
        super().__init__(desc=text, total=_STEPS, file=io.StringIO(), mininterval=0)

    def cancel(self) -> None:
        """Cancel, as the button in the dock does."""
        super().cancel()
        self._on_cancel()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: Any) -> bool:
        return self is other
