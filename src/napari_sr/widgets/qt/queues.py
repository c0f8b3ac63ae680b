"""Work queues that all panels of all windows share: upscaling runs and trainings wait for their own kind.

There is one device and a few cores, so two jobs at a time would both be slower. Previews are short and the user waits
for them: jobs and trainings pause while a preview is computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from napari_sr.widgets.qt.executor import Executor, ThreadExecutor
from napari_sr.widgets.qt.run import Run, assert_main_thread

_BACKGROUND_THREADS = 2


class WorkQueue:
    """A queue of runs, one at a time, in the order in which they were submitted.

    Parameters
    ----------
    executor : Executor
        Does the runs.
    preempted_by : WorkQueue, optional
        While this queue is busy, the work of the present one pauses between two steps.
    """

    def __init__(self, executor: Executor, preempted_by: WorkQueue | None = None) -> None:
        self._executor = executor
        self._preempted_by = preempted_by
        self._waiting: deque[Run[Any]] = deque()
        self._current: Run[Any] | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self._current is not None

    def submit(self, run: Run[Any]) -> None:
        """Add a run that was not submitted before; it starts when those before it have ended.

        Raises RuntimeError on another thread than the main one, as `cancel` does.
        """
        assert_main_thread()
        if self._preempted_by is not None:
            other = self._preempted_by
            run.pause_while(lambda: other.busy)
        run.on_thread_free(self._next)
        self._waiting.append(run)
        self._start()

    def cancel(self, run: Run[Any]) -> None:
        """Request that a run of this queue stops; one that has not started ends at once."""
        assert_main_thread()
        run.cancel()
        if run in self._waiting:
            self._waiting.remove(run)
            run.end_cancelled()
            self._notify()

    def abandon(self, run: Run[Any]) -> None:
        """Request that a run of this queue stops, and call none of its callbacks any more."""
        assert_main_thread()
        run.abandon()
        if run in self._waiting:
            self._waiting.remove(run)
            # For those that wait behind it.
            self._notify()

    def ahead(self, run: Run[Any]) -> int:
        """Return how many runs have to end before a run starts; 0 if it is in progress or has ended."""
        return self._waiting.index(run) + int(self.busy) if run in self._waiting else 0

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Add a callback for changes of the order; it is called without arguments, on the main thread."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Remove a callback, if it is there."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _next(self) -> None:
        self._current = None
        self._start()

    def _start(self) -> None:
        if self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            self._executor.submit(self._current)
        self._notify()

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener()


@dataclass(frozen=True)
class WorkQueues:
    """The queues of a process.

    Parameters
    ----------
    jobs : WorkQueue
        Upscaling of layers.
    trainings : WorkQueue
        Training of models. It may take hours, during which layers can be upscaled.
    previews : WorkQueue
        Previews, which preempt jobs and trainings.
    models : WorkQueue
        Reading of model files for jobs, in a queue so that jobs keep the order in which they were started.
    background : Executor
        Other short work, such as the search for devices; without an order.
    """

    jobs: WorkQueue
    trainings: WorkQueue
    previews: WorkQueue
    models: WorkQueue
    background: Executor


def queues_on(executor: Executor) -> WorkQueues:
    """Return queues that share one executor."""
    previews = WorkQueue(executor)
    return WorkQueues(
        WorkQueue(executor, previews), WorkQueue(executor, previews), previews, WorkQueue(executor), executor
    )


@cache
def shared_queues() -> WorkQueues:
    """Return the queues of this process, each with a thread of its own; the same at every call."""
    previews = WorkQueue(ThreadExecutor(threads=1))
    return WorkQueues(
        jobs=WorkQueue(ThreadExecutor(threads=1), previews),
        trainings=WorkQueue(ThreadExecutor(threads=1), previews),
        previews=previews,
        models=WorkQueue(ThreadExecutor(threads=1)),
        background=ThreadExecutor(threads=_BACKGROUND_THREADS),
    )
