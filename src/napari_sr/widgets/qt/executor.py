"""Executors: run work in a thread, or in place for tests, and call its callbacks on the main thread.

A `Run` is one piece of work with its callbacks. An executor decides on which thread the work is done. The callbacks are
always called on the main thread, the only one that may use the viewer and its layers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from napari.qt.threading import create_worker
from qtpy import compat
from qtpy.QtCore import QCoreApplication, QObject, QThreadPool, Signal  # type: ignore[attr-defined]  # as qtpy exports
from superqt.utils import WorkerBase

from napari_sr.errors import Cancelled
from napari_sr.progress import Cancel, Progress

T = TypeVar("T")

# More reports than the screen can show would only fill the event queue of the main thread.
_SECONDS_BETWEEN_REPORTS = 0.05
# Interval at which paused work checks whether it may continue.
_PAUSE_POLLING_SECONDS = 0.02
# The longest time for which the end of the application waits for the work of a pool. An import of torch cannot be
# stopped, nor can a read from a disk that does not answer.
_LONGEST_END_MS = 30_000

_log = logging.getLogger(__name__)


class Run(Generic[T]):
    """One piece of work and its callbacks.

    Exactly one of `returned`, `errored` and `cancelled` is called, once, unless the run is abandoned.

    Parameters
    ----------
    name : str
        Description of the work, such as "upscaling cells". napari shows it when the window is closed meanwhile.
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
    announced : bool, default True
        Whether napari lists the run among the tasks that it warns about when the window is closed.
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
        self._thread_free: Callable[[], None] | None = None
        self._must_pause: Callable[[], bool] = lambda: False

    def __str__(self) -> str:
        return self.name

    @property
    def ended(self) -> bool:
        """Whether the last callback was called, or the run was abandoned."""
        return self._ended

    def cancel(self) -> None:
        """Request that the work stops; may be called on any thread."""
        self._stop.set()

    def cancel_requested(self) -> bool:
        """Return whether the work should stop.

        Returns
        -------
        bool
            True after `cancel` or `abandon`.
        """
        return self._stop.is_set()

    def abandon(self) -> None:
        """Request that the work stops, and call no callback any more: the window that it was for is closed."""
        self._stop.set()
        self._release()

    def on_thread_free(self, callback: Callable[[], None]) -> None:
        """Set the callback for the time when no thread works on the run any more; it is called for abandoned runs too.

        Parameters
        ----------
        callback : callable
            Called without arguments, on the main thread.
        """
        self._thread_free = callback

    def pause_while(self, condition: Callable[[], bool]) -> None:
        """Make the work wait while more urgent work is done.

        Parameters
        ----------
        condition : callable
            Returns whether to wait. Called on the thread of the work, each time that the work calls ``cancel()``.
        """
        self._must_pause = condition

    def thread_freed(self) -> None:
        """Call the callback of `on_thread_free`; executors call this last, on the main thread.

        Raises
        ------
        RuntimeError
            On another thread than the main one.
        """
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
        """Call the callback for progress; this and the methods below are for the main thread only.

        Parameters
        ----------
        done, total : int
            Pieces of work.
        """
        assert_main_thread()
        if self._progressed is not None:
            self._progressed(done, total)

    def end_with_result(self, result: T) -> None:
        """Call `returned`, or `cancelled` if a stop was requested before the result reached the main thread.

        Parameters
        ----------
        result : object
            The result of the work.
        """
        if self.cancel_requested():
            self.end_cancelled()
            return
        callback = self._returned
        if self._end() and callback is not None:
            callback(result)

    def end_with_error(self, error: Exception) -> None:
        """Call `errored`.

        Parameters
        ----------
        error : Exception
            The exception that the work raised.
        """
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
        # napari's task list holds every worker, and so this object, until the window is closed. Without this, the
        # arrays that the callbacks refer to would stay in memory as long.
        self._ended = True
        self._work = self._returned = self._errored = self._cancelled = self._progressed = None


class Executor(Protocol):
    """Decides on which thread a run is done."""

    def submit(self, run: Run[Any]) -> None:
        """Start a run, from the main thread.

        Parameters
        ----------
        run : Run
            A run that was not submitted before.
        """


class InPlaceExecutor:
    """Does the work at once on the thread of the caller; `submit` returns when it has ended. For tests and scripts."""

    def submit(self, run: Run[Any]) -> None:
        """Do a run from beginning to end.

        Parameters
        ----------
        run : Run
            A run that was not submitted before.

        Raises
        ------
        RuntimeError
            On another thread than the main one.
        """
        assert_main_thread()
        try:
            result = run.perform(run.report, run.cancel_requested)
        except Cancelled:
            run.end_cancelled()
        except Exception as error:  # of any kind: the callback shows it
            run.end_with_error(error)
        else:
            run.end_with_result(result)
        finally:
            run.thread_freed()


class ThreadExecutor:
    """Does the work on a thread of a pool.

    Parameters
    ----------
    threads : int, optional
        Number of threads of a pool of its own, 1 or more. By default the pool that all of napari shares.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._pool: QThreadPool | None = None
        # Qt holds no reference to the Python objects of workers in a pool.
        self._workers: set[_RunWorker] = set()
        if threads is not None:
            self._pool = QThreadPool()
            self._pool.setMaxThreadCount(threads)
            application = QCoreApplication.instance()
            if application is not None:
                # superqt does this for workers in the shared pool.
                application.aboutToQuit.connect(self._quit_workers)

    def submit(self, run: Run[Any]) -> None:
        """Start a run; its callbacks are called from the event loop of the main thread.

        Parameters
        ----------
        run : Run
            A run that was not submitted before.

        Raises
        ------
        RuntimeError
            On another thread than the main one.
        """
        assert_main_thread()
        if run.announced:
            # napari shows str(run) when the window is closed meanwhile, and calls the worker's `quit`.
            worker = create_worker(run, _worker_class=_RunWorker, _ignore_errors=True, _start_thread=False)
        else:
            worker = _RunWorker(run)
        worker.reports.progressed.connect(run.report)
        worker.returned.connect(run.end_with_result)
        worker.reports.failed.connect(run.end_with_error)
        worker.warned.connect(_log_warning)
        # After a stop, neither `returned` nor `failed` is emitted. After these two, `end_cancelled` does nothing.
        worker.finished.connect(run.end_cancelled)
        worker.finished.connect(run.thread_freed)
        if self._pool is None:
            worker.start()
        else:
            self._workers.add(worker)
            worker.reports.left_pool.connect(self._workers.discard)
            self._pool.start(worker)

    def _quit_workers(self) -> None:
        for worker in tuple(self._workers):
            worker.quit()
        # Python must not end before: it would clear modules that the threads use, and crash.
        if self._pool is not None:
            self._pool.waitForDone(_LONGEST_END_MS)


def assert_main_thread() -> None:
    """Check that the caller is on the main thread.

    Raises
    ------
    RuntimeError
        On any other thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("The viewer and its layers may be used on the main thread only.")


class _Reports(QObject):
    """Signals that superqt's workers do not have."""

    progressed = Signal(object, object)
    failed = Signal(object)
    left_pool = Signal(object)


class _RunWorker(WorkerBase[Any]):
    """A superqt worker that reports progress and can be stopped while its function runs.

    The work reports through callbacks, so superqt's worker for generators does not fit.
    """

    def __init__(self, run: Run[Any]) -> None:
        super().__init__()
        self.reports = _Reports()
        # Qt holds no reference to the run whose methods it calls; the worker does.
        self._own_run = run
        self._last_report = 0.0

    def run(self) -> None:
        """Do the work and emit how it ended, unless the application has ended before."""
        try:
            super().run()
            self.reports.left_pool.emit(self)
        except RuntimeError:
            # Errors of the work were emitted. This one comes from a signal that was deleted with the application.
            if compat.isalive(self.signals) and compat.isalive(self.reports):
                raise

    def work(self) -> Any:
        """Do the work of the run, on a thread of the pool."""
        run = self._own_run
        try:
            return run.perform(self._report, lambda: self.abort_requested or run.cancel_requested())
        except Cancelled:
            pass
        except Exception as error:
            # Not by `errored`: with PySide6, napari's own callback for that signal raises TypeError.
            self.reports.failed.emit(error)
        # After this, superqt emits `finished` alone.
        self.quit()
        return None

    def _report(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last_report >= _SECONDS_BETWEEN_REPORTS:
            self._last_report = now
            self.reports.progressed.emit(done, total)


def _log_warning(arguments: tuple[Any, ...]) -> None:
    message, category = arguments[:2]
    _log.warning("%s: %s", getattr(category, "__name__", category), message)
