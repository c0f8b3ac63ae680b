"""Executors: run work in a thread, or in place for tests, and call its callbacks on the main thread.

An executor decides on which thread the work of a `Run` is done. The callbacks are always called on the main thread, the
only one that may use the viewer and its layers.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

from qtpy import compat
from qtpy.QtCore import QCoreApplication, QObject, QThreadPool, Signal  # type: ignore[attr-defined]  # as qtpy exports
from superqt.utils import WorkerBase

from napari_sr.errors import Cancelled
from napari_sr.widgets.qt.run import Run, assert_main_thread

# More reports than the screen can show would only fill the event queue of the main thread.
_SECONDS_BETWEEN_REPORTS = 0.05
# The longest time for which the end of the application waits for the work of a pool. An import of torch cannot be
# stopped, nor can a read from a disk that does not answer.
_LONGEST_END_MS = 30_000

_log = logging.getLogger(__name__)


class Executor(Protocol):
    """Decides on which thread a run is done."""

    def submit(self, run: Run[Any]) -> None:
        """Start a run that was not submitted before, from the main thread."""


class InPlaceExecutor:
    """Does the work at once on the thread of the caller; `submit` returns when it has ended. For tests and scripts."""

    def submit(self, run: Run[Any]) -> None:
        """Do a new run from beginning to end; raises RuntimeError on another thread than the main one."""
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
        """Start a new run; its callbacks are called from the event loop of the main thread.

        Raises RuntimeError on another thread than the main one.
        """
        assert_main_thread()
        # Not by napari's `create_worker`: closing the window that was in front at this moment would end the run, of
        # whichever window it is.
        worker = _RunWorker(run)
        worker.reports.progressed.connect(run.report)
        worker.returned.connect(run.end_with_result)
        worker.reports.failed.connect(run.end_with_error)
        worker.warned.connect(_log_warning)
        # After a stop, neither `returned` nor `failed` is emitted. After these two, `end_cancelled` does nothing.
        worker.signals.finished.connect(run.end_cancelled)
        worker.signals.finished.connect(run.thread_freed)
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
