"""Pausing, stopping and cancelling of a training from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_sr.errors import Cancelled
from napari_sr.progress import Cancel, never

#: Seconds between two checks during a pause.
_POLL_INTERVAL = 0.05


class Controls:
    """The requests of a user to a running training.

    Its methods may be called from any thread.

    Parameters
    ----------
    cancel : callable, optional
        Called without arguments between the phases of a step; returning True ends the training with `Cancelled`.
    pause : callable, optional
        Called without arguments before each step; the training waits as long as it returns True.
    """

    def __init__(self, cancel: Cancel = never, pause: Callable[[], bool] = never) -> None:
        self._cancel, self._pause = cancel, pause
        self._paused, self._stopped = threading.Event(), threading.Event()

    def pause(self) -> None:
        """Make the training wait before its next step, until `resume` is called."""
        self._paused.set()

    def resume(self) -> None:
        """End a pause that `pause` began."""
        self._paused.clear()

    def stop(self) -> None:
        """End the training after its present step, or before the first one of the next run."""
        self._stopped.set()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Discard the request to stop at the end of a run, so that the next one continues."""
        try:
            yield
        finally:
            self._stopped.clear()

    @property
    def stopped(self) -> bool:
        """Whether the training should end after its present step."""
        return self._stopped.is_set()

    @property
    def paused(self) -> bool:
        """Whether the training should wait; a request to stop ends the pause."""
        return (self._paused.is_set() or self._pause()) and not self.stopped

    def wait(self) -> None:
        """Wait as long as the training is paused.

        Raises
        ------
        Cancelled
            If the training is cancelled during the pause.
        """
        while self.paused:
            self.check()
            time.sleep(_POLL_INTERVAL)

    def check(self, phase: str = "") -> None:
        """Raise an exception if the training is cancelled; called after each phase of a step.

        Parameters
        ----------
        phase : str, default ""
            Name of the phase that has ended, such as "forward"; empty between two steps. Profilers use it.

        Raises
        ------
        Cancelled
            If the training is cancelled.
        """
        if self._cancel():
            raise Cancelled("The training was cancelled; its last checkpoint is kept.")
