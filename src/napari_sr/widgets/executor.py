"""The seam between the window and the work: what runs where, and who hears of it.

A `Run` is one piece of work with its listeners. An executor decides where it is worked on; the listeners are always
called on the main thread, the only one that may touch the viewer and its layers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from napari.qt.threading import create_worker
from qtpy import compat
from qtpy.QtCore import QObject, QThreadPool, Signal  # type: ignore[attr-defined]  # qtpy's way of exporting
from superqt.utils import WorkerBase

from napari_sr.errors import Cancelled
from napari_sr.progress import Cancel, Progress

T = TypeVar("T")

# More often than the eye can follow would only fill the queue of the main thread.
_SECONDS_BETWEEN_REPORTS = 0.05
# How often work that makes way looks whether it may go on.
_SECONDS_OF_WAITING = 0.02

_log = logging.getLogger(__name__)


class Run(Generic[T]):
    """One piece of work, and who hears how it goes. Exactly one of the last three listeners is called, once.

    Parameters
    ----------
    name : str
        What is being done; napari shows it when the window is closed meanwhile.
    work : callable
        ``work(progress, cancel) -> result``, called on any thread: it reports with ``progress(done, total)`` and asks
        ``cancel()`` whether to stop, which it does by raising `Cancelled`. It must not touch the viewer or a layer.
    returned : callable
        Hears the result.
    errored : callable
        Hears the exception.
    cancelled : callable, optional
        Hears that the work has stopped.
    progressed : callable, optional
        Hears (done, total) from time to time.
    announced : bool
        Whether napari counts it among the tasks it asks about when the window is closed.
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
        announced: bool = True,
    ) -> None:
        self.name = name
        self.announced = announced
        self._work: Callable[[Progress, Cancel], T] | None = work
        self._returned: Callable[[T], None] | None = returned
        self._errored: Callable[[Exception], None] | None = errored
        self._cancelled = cancelled
        self._progressed = progressed
        self._stop = threading.Event()
        self._ended = False
        self._left: Callable[[], None] | None = None
        self._makes_way: Callable[[], bool] = _never

    def __str__(self) -> str:
        return self.name

    @property
    def ended(self) -> bool:
        """Whether a listener has heard how it ended, or nobody listens any more."""
        return self._ended

    def cancel(self) -> None:
        """Ask the work to stop, from any thread."""
        self._stop.set()

    def cancel_requested(self) -> bool:
        """Whether the work should stop."""
        return self._stop.is_set()

    def abandon(self) -> None:
        """Ask the work to stop and tell nobody: the window it was for is gone."""
        self._stop.set()
        self._release()

    def when_left(self, listener: Callable[[], None]) -> None:
        """Have somebody told, on the main thread, when no thread works on it any more, whoever else still listens."""
        self._left = listener

    def make_way(self, while_true: Callable[[], bool]) -> None:
        """Have the work wait, wherever it asks whether to stop, while something more urgent is worked on."""
        self._makes_way = while_true

    def leave(self) -> None:
        """Tell that no thread works on it any more. On the main thread; an executor's last word."""
        assert_main_thread()
        listener, self._left = self._left, None
        if listener is not None:
            listener()

    def perform(self, progress: Progress, cancel: Cancel) -> T:
        """Do the work, on the thread of the caller.

        Raises
        ------
        Cancelled
            If it was asked to stop, even when it has come to its end meanwhile.
        """
        work = self._work
        if work is None or cancel():
            raise Cancelled(f"{self.name} was stopped.")
        result = work(progress, lambda: self._wait_or_stop(cancel))
        if cancel():
            raise Cancelled(f"{self.name} was stopped.")
        return result

    def _wait_or_stop(self, cancel: Cancel) -> bool:
        while self._makes_way() and not cancel():
            time.sleep(_SECONDS_OF_WAITING)
        return cancel()

    def report(self, done: int, total: int) -> None:
        """Tell how far the work is. On the main thread only, as all below."""
        assert_main_thread()
        if self._progressed is not None:
            self._progressed(done, total)

    def end_with_result(self, result: T) -> None:
        """Tell the result; or that it was stopped, if that was asked for while the result was on its way."""
        if self.cancel_requested():
            self.end_cancelled()
            return
        listener = self._returned
        if self._end() and listener is not None:
            listener(result)

    def end_with_error(self, error: Exception) -> None:
        """Tell the exception."""
        listener = self._errored
        if self._end() and listener is not None:
            listener(error)

    def end_cancelled(self) -> None:
        """Tell that the work has stopped."""
        listener = self._cancelled
        if self._end() and listener is not None:
            listener()

    def _end(self) -> bool:
        assert_main_thread()
        first = not self._ended
        self._release()
        return first

    def _release(self) -> None:
        # napari's task list keeps every worker, and so this object, for the life of the window: the arrays must go.
        self._ended = True
        self._work = self._returned = self._errored = self._cancelled = self._progressed = None


class Executor(Protocol):
    """Decides where a run is worked on."""

    def submit(self, run: Run[Any]) -> None:
        """Start a run, from the main thread."""


class InPlaceExecutor:
    """Does the work at once on the caller's thread: `submit` comes back when it has ended. For tests and scripts."""

    def submit(self, run: Run[Any]) -> None:
        """Do a run from beginning to end."""
        assert_main_thread()
        try:
            result = run.perform(run.report, run.cancel_requested)
        except Cancelled:
            run.end_cancelled()
        except Exception as error:  # whatever it is, it is the listener's to show
            run.end_with_error(error)
        else:
            run.end_with_result(result)
        finally:
            run.leave()


class ThreadExecutor:
    """Does the work on a thread of a pool.

    Parameters
    ----------
    threads : int, optional
        Threads of a pool of its own; left out, the pool that all of napari shares.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._pool: QThreadPool | None = None
        if threads is not None:
            self._pool = QThreadPool()
            self._pool.setMaxThreadCount(threads)

    def submit(self, run: Run[Any]) -> None:
        """Start a run; its listeners are called from the event loop of the main thread."""
        assert_main_thread()
        if run.announced:
            # napari shows str(run) when the window is closed meanwhile, and may ask the worker to quit.
            worker = create_worker(run, _worker_class=_RunWorker, _ignore_errors=True, _start_thread=False)
        else:
            worker = _RunWorker(run)
        worker.progressed.connect(run.report)
        worker.returned.connect(run.end_with_result)
        worker.errored.connect(run.end_with_error)
        worker.aborted.connect(run.end_cancelled)
        worker.warned.connect(_log_warning)
        # A stop asked for between the last step and the end is followed by none of the others.
        worker.finished.connect(run.end_cancelled)
        worker.finished.connect(run.leave)
        if self._pool is None:
            worker.start()
        else:
            worker.start_in(self._pool)


def assert_main_thread() -> None:
    """Raise `RuntimeError` on any thread but the main one."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("The viewer and its layers may be touched on the main thread only.")


class _RunSignals(QObject):
    # Those of superqt's workers, under their names, and progress.
    started = Signal()
    finished = Signal()
    _finished = Signal(object)
    returned = Signal(object)
    errored = Signal(object)
    warned = Signal(tuple)
    aborted = Signal()
    progressed = Signal(object, object)


class _RunWorker(WorkerBase[Any]):
    """A worker of napari's kind that can be stopped wherever the work asks whether it should.

    The work reports through callbacks, so there is no generator to stop between its yields, or to close.
    """

    def __init__(self, run: Run[Any]) -> None:
        super().__init__(SignalsClass=_RunSignals)  # type: ignore[arg-type]  # it has all their signals
        # Qt keeps no reference to the run whose methods it calls; the worker does.
        self._own_run = run
        self._last_report = 0.0

    def start_in(self, pool: QThreadPool) -> None:
        """Start in a pool; `start` knows only the one that all share."""
        # As `start` does it: the set keeps the worker alive, and napari stops those in it when its window closes.
        self._worker_set.add(self)
        self._finished.connect(self._set_discard)
        pool.start(self)

    def run(self) -> None:
        """Work and tell how it ended, unless the application is gone by then."""
        try:
            super().run()
        except RuntimeError:
            # What the work raises has been told; this is a signal that was deleted with the application.
            if compat.isalive(self.signals):
                raise

    def work(self) -> Any:
        """Do the run's work, on the pool's thread."""
        run = self._own_run
        try:
            return run.perform(self._report, lambda: self.abort_requested or run.cancel_requested())
        except Cancelled:
            self._abort_requested = True
            self.aborted.emit()
            return None

    def _report(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last_report >= _SECONDS_BETWEEN_REPORTS:
            self._last_report = now
            self.progressed.emit(done, total)


def _never() -> bool:
    return False


def _log_warning(arguments: tuple[Any, ...]) -> None:
    message, category = arguments[:2]
    _log.warning("%s: %s", getattr(category, "__name__", category), message)
