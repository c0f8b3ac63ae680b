"""A run: one piece of work of a panel, with its callbacks, which an executor does on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from napari_sr.errors import Cancelled
from napari_sr.progress import Cancel, Progress, never

T = TypeVar("T")

# Interval at which paused work checks whether it may continue.
_PAUSE_POLLING_SECONDS = 0.02


class Run(Generic[T]):
    """One piece of work and its callbacks.

    Exactly one of `returned`, `errored` and `cancelled` is called, once, unless the run is abandoned.

    Parameters
    ----------
    name : str
        Description of the work, such as "upscaling cells".
    work : callable
        ``work(progress, cancel) -> result``, called on any thread. It reports with ``progress(done, total)``, and
        raises `Cancelled` when ``cancel()`` returns True. It must not use the viewer or a layer.
    returned : callable
        Called with the result.
    errored : callable
        Called with the exception.
    cancelled : callable, optional
        Called when the work has stopped.
    progressed : callable, optional
        Called as ``progressed(done, total)`` from time to time.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Progress, Cancel], T],
        *,
        returned: Callable[[T], None],
        errored: Callable[[Exception], None],
        cancelled: Callable[[], None] | None = None,
        progressed: Progress | None = None,
    ) -> None:
        self.name = name
        self._work: Callable[[Progress, Cancel], T] | None = work
        self._returned: Callable[[T], None] | None = returned
        self._errored: Callable[[Exception], None] | None = errored
        self._cancelled = cancelled
        self._progressed = progressed
        self._stop = threading.Event()
        self._ended = False
        self._thread_free: Callable[[], None] | None = None
        self._must_pause: Callable[[], bool] = never

    @property
    def ended(self) -> bool:
        """Whether the last callback was called, or the run was abandoned."""
        return self._ended

    def cancel(self) -> None:
        """Request that the work stops; may be called on any thread."""
        self._stop.set()

    def cancel_requested(self) -> bool:
        """Return whether the work should stop, after `cancel` or `abandon`."""
        return self._stop.is_set()

    def abandon(self) -> None:
        """Request that the work stops, and call no callback any more: the window that it was for is closed."""
        self._stop.set()
        self._release()

    def on_thread_free(self, callback: Callable[[], None]) -> None:
        """Set the callback for the time when no thread works on the run any more, on the main thread.

        It is called for abandoned runs too.
        """
        self._thread_free = callback

    def pause_while(self, condition: Callable[[], bool]) -> None:
        """Make the work wait while more urgent work is done: as long as a condition is true.

        The condition is called on the thread of the work, each time that the work calls ``cancel()``.
        """
        self._must_pause = condition

    def thread_freed(self) -> None:
        """Call the callback of `on_thread_free`; executors call this last, on the main thread."""
        assert_main_thread()
        callback, self._thread_free = self._thread_free, None
        if callback is not None:
            callback()

    def perform(self, progress: Progress, cancel: Cancel) -> T:
        """Do the work, on the thread of the caller.

        Parameters
        ----------
        progress : callable
            Called as ``progress(done, total)``.
        cancel : callable
            Returns whether to stop.

        Returns
        -------
        object
            The result of the work.

        Raises
        ------
        Cancelled
            If `cancel` returned True, even if the work was completed meanwhile.
        """
        work = self._work
        if work is None or cancel():
            raise Cancelled(f"{self.name} was stopped.")
        result = work(progress, lambda: self._wait_or_stop(cancel))
        if cancel():
            raise Cancelled(f"{self.name} was stopped.")
        return result

    def _wait_or_stop(self, cancel: Cancel) -> bool:
        while self._must_pause() and not cancel():
            time.sleep(_PAUSE_POLLING_SECONDS)
        return cancel()

    def report(self, done: int, total: int) -> None:
        """Call the callback for progress, but not after a request to stop: the panel shows that the run stops then.

        This method and those below are for the main thread only.
        """
        assert_main_thread()
        if self._progressed is not None and not self.cancel_requested():
            self._progressed(done, total)

    def end_with_result(self, result: T) -> None:
        """Call `returned`, or `cancelled` if a stop was requested before the result reached the main thread."""
        if self.cancel_requested():
            self.end_cancelled()
            return
        callback = self._returned
        if self._end() and callback is not None:
            callback(result)

    def end_with_error(self, error: Exception) -> None:
        """Call `errored` with the exception that the work raised."""
        callback = self._errored
        if self._end() and callback is not None:
            callback(error)

    def end_cancelled(self) -> None:
        """Call `cancelled`."""
        callback = self._cancelled
        if self._end() and callback is not None:
            callback()

    def _end(self) -> bool:
        """Release the callbacks, and return whether they have not been called before."""
        assert_main_thread()
        first = not self._ended
        self._release()
        return first

    def _release(self) -> None:
        # Who has started the run may hold it for long. Without this, the arrays that the callbacks refer to would stay
        # in memory as long.
        self._ended = True
        self._work = self._returned = self._errored = self._cancelled = self._progressed = None


def assert_main_thread() -> None:
    """Raise RuntimeError on any other thread than the main one."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("The viewer and its layers may be used on the main thread only.")
