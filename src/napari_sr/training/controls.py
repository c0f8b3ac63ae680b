"""How a training is paused, stopped and cancelled, from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from napari_sr.errors import Cancelled

Predicate = Callable[[], bool]
#: Seconds between two looks during a pause.
_LOOK = 0.05


def never() -> bool:
    """Say no."""
    return False


class Controls:
    """What a training asks while it runs.

    Parameters
    ----------
    cancel, pause : predicate
        Asked again and again; True cancels, or holds the training for as long as it is True.
    """

    def __init__(self, cancel: Predicate = never, pause: Predicate = never) -> None:
        self._cancel, self._pause = cancel, pause
        self._paused, self._stopped = threading.Event(), threading.Event()

    def pause(self) -> None:
        """Hold the training before its next step, until `resume`."""
        self._paused.set()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused.clear()

    def stop(self) -> None:
        """End the training after its step."""
        self._stopped.set()

    def start(self) -> None:
        """Forget a stop that ended an earlier run."""
        self._stopped.clear()

    @property
    def stopped(self) -> bool:
        """Whether the training is to end after its step."""
        return self._stopped.is_set()

    @property
    def paused(self) -> bool:
        """Whether the training is to wait; a stop ends the waiting."""
        return (self._paused.is_set() or self._pause()) and not self.stopped

    def wait(self) -> None:
        """Wait while the training is paused.

        Raises
        ------
        Cancelled
            If it is cancelled meanwhile.
        """
        while self.paused:
            self.check()
            time.sleep(_LOOK)

    def check(self, phase: str = "") -> None:
        """Raise `Cancelled` if the training is to end at once; called between the phases of a step."""
        if self._cancel():
            raise Cancelled("The training was cancelled; its last checkpoint stands.")
