"""The lanes that all panels of all windows share: jobs wait for one another, and previews for none of them.

The threads are few and the device is one, so two jobs at once would only take longer together. A preview is what
somebody is waiting for: jobs and trainings stand still for the second that it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from napari_sr.widgets.executor import Executor, Run, ThreadExecutor, assert_main_thread

_BACKGROUND_THREADS = 2


class WorkQueue:
    """Runs one after another, in the order in which they were submitted.

    Parameters
    ----------
    executor : Executor
        Where the one whose turn it is is worked on.
    gives_way_to : Lane, optional
        While that lane is busy, the work here waits between two steps.
    """

    def __init__(self, executor: Executor, gives_way_to: WorkQueue | None = None) -> None:
        self._executor = executor
        self._gives_way_to = gives_way_to
        self._waiting: deque[Run[Any]] = deque()
        self._current: Run[Any] | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def busy(self) -> bool:
        """Whether a run is being worked on."""
        return self._current is not None

    def submit(self, run: Run[Any]) -> None:
        """Take a run in, from the main thread; it starts when those before it have ended."""
        assert_main_thread()
        if self._gives_way_to is not None:
            other = self._gives_way_to
            run.make_way(lambda: other.busy)
        run.when_left(self._next)
        self._waiting.append(run)
        self._start()

    def cancel(self, run: Run[Any]) -> None:
        """Ask a run to stop; one that has not started ends at once."""
        assert_main_thread()
        run.cancel()
        if run in self._waiting:
            self._waiting.remove(run)
            run.end_cancelled()
            self._tell()

    def ahead(self, run: Run[Any]) -> int:
        """Count the runs that a waiting run waits for; 0 when it is its turn."""
        waiting = [other for other in self._waiting if not other.ended]
        return waiting.index(run) + int(self.busy) if run in waiting else 0

    def on_event(self, listener: Callable[[], None]) -> None:
        """Have somebody told whenever the order has changed."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Tell that somebody no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _next(self) -> None:
        self._current = None
        self._start()

    def _start(self) -> None:
        while self._current is None and self._waiting:
            run = self._waiting.popleft()
            if run.ended:
                continue
            self._current = run
            self._executor.submit(run)
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


@dataclass(frozen=True)
class WorkQueues:
    """Who waits for whom.

    Parameters
    ----------
    jobs : Lane
        Layers that are upscaled.
    trainings : Lane
        Models that are trained: hours during which layers can be upscaled as well.
    previews : Lane
        What is waited for with the hand on the slider.
    models : Lane
        Model files that are read for jobs; in turn, so that jobs keep the order in which they were started.
    background : Executor
        Files and devices that are looked at; nobody waits for anybody.
    """

    jobs: WorkQueue
    trainings: WorkQueue
    previews: WorkQueue
    models: WorkQueue
    background: Executor


def queues_on(executor: Executor) -> WorkQueues:
    """Make lanes that share one executor: in place for tests, on napari's threads for a script."""
    previews = WorkQueue(executor)
    return WorkQueues(
        WorkQueue(executor, previews), WorkQueue(executor, previews), previews, WorkQueue(executor), executor
    )


@cache
def shared_queues() -> WorkQueues:
    """Give the lanes of this process, each with a thread of its own."""
    previews = WorkQueue(ThreadExecutor(threads=1))
    return WorkQueues(
        jobs=WorkQueue(ThreadExecutor(threads=1), previews),
        trainings=WorkQueue(ThreadExecutor(threads=1), previews),
        previews=previews,
        models=WorkQueue(ThreadExecutor(threads=1)),
        background=ThreadExecutor(threads=_BACKGROUND_THREADS),
    )
