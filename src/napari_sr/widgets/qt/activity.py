"""Progress of a run: an estimate of the time left, and a bar with a Cancel button in napari's activity dock."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from napari.utils import cancelable_progress

from napari_sr.widgets.qt.timers import delayed, stop_timer

# Below these, the speed so far is no measure: the first piece of work also prepares the device.
_LEAST_DONE = 0.02
_LEAST_SECONDS = 1.0
_STEPS = 1000
# Interval at which a bar that cannot be added yet tries again.
_RETRY_MS = 50


class TimeLeft:
    """Estimate of the time left, from the time that the work so far has taken.

    Parameters
    ----------
    clock : callable, default `time.monotonic`
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None
        self._first = 0.0

    def seconds(self, done: int, total: int) -> float | None:
        """Return the time left after some pieces of all; None while too little is done for an estimate."""
        now, fraction = self._clock(), done / max(total, 1)
        if self._started is None:
            # The time before the first report was spent on preparing the device.
            self._started, self._first = now, fraction
        passed, gained = now - self._started, fraction - self._first
        if gained < _LEAST_DONE or passed < _LEAST_SECONDS:
            return None
        return passed / gained * (1 - fraction)


class ActivityBar:
    """A progress bar in napari's activity dock, from `open` to `close`.

    napari handles all waiting events whenever it adds or moves a bar. While it does, no other bar is added or moved:
    each report among these events would handle the events after it, deeper and deeper, and the window would stop
    responding or crash.

    All windows show the bar, and napari closes it when one of them is closed. It is added again then.

    Parameters
    ----------
    text : str
        Description of the work.
    on_cancel : callable
        Called when its Cancel button is pressed.
    """

    _handling_events: ClassVar[bool] = False

    def __init__(self, text: str, on_cancel: Callable[[], None]) -> None:
        self._text, self._on_cancel = text, on_cancel
        self._bar: _Bar | None = None
        self._position = 0
        self._closed = False
        self._later = delayed(self.open, _RETRY_MS)

    def open(self) -> None:
        """Add the bar; other events are handled meanwhile."""
        if self._closed:
            return
        if ActivityBar._handling_events:
            self._later.start()
            return
        with self._events_handled():
            bar = _Bar(self._text, self._position, self._on_cancel, self._closed_by_napari)
        if self._closed:
            bar.close()
        else:
            self._bar = bar

    def show(self, done: int, total: int) -> None:
        """Show the progress; other events may be handled meanwhile."""
        self._position = int(_STEPS * done / max(total, 1))
        if self._bar is None or ActivityBar._handling_events:
            return
        with self._events_handled():
            self._bar.update(self._position - self._bar.n)

    def close(self) -> None:
        """Remove the bar, or do not add it."""
        self._closed = True
        stop_timer(self._later)
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _closed_by_napari(self) -> None:
        if not self._closed:
            self._bar = None
            self._later.start()

    @contextmanager
    def _events_handled(self) -> Iterator[None]:
        ActivityBar._handling_events = True
        try:
            yield
        finally:
            ActivityBar._handling_events = False


class _Bar(cancelable_progress):  # type: ignore[misc]  # napari's is untyped
    """napari's bar with callbacks for its Cancel button, for which napari itself only sets a flag, and for its end."""

    def __init__(self, text: str, position: int, on_cancel: Callable[[], None], on_close: Callable[[], None]) -> None:
        self._on_cancel, self._on_close = on_cancel, on_close
        # The bar is for the window: without `file` it would be printed in the terminal as well.
        super().__init__(desc=text, total=_STEPS, initial=position, file=io.StringIO(), mininterval=0)

    def cancel(self) -> None:
        """Cancel, as the button in the dock does."""
        super().cancel()
        self._on_cancel()

    def close(self) -> None:
        """Close, as a window does when it is closed; a second call does nothing."""
        if not self.disable:
            super().close()
            self._on_close()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: Any) -> bool:
        return self is other
