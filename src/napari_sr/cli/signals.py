"""Signals that end a command: Ctrl-C, the end of the terminal, and requests of the system or a batch scheduler.

Handlers are installed while a command runs, and only by the command line.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from napari_sr.errors import Cancelled

#: Signals that end a command. Windows has no SIGHUP, other systems have no SIGBREAK.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))


class Ended(KeyboardInterrupt):
    """A signal has ended the command.

    Parameters
    ----------
    number : int
        Number of the signal.

    Attributes
    ----------
    sentence : str
        Message for the user. A command replaces it where a later run can continue.
    """

    sentence = "Stopped: no incomplete file is left."

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        """Exit status, as of a shell: 128 and the number of the signal."""
        return 128 + self.number


class Signals:
    """The signals that a command receives.

    A signal raises `Ended`, except during `deferred`: it is then noted for work that can end by itself, and a second
    one raises `Ended`.

    Attributes
    ----------
    received : int or None
        Number of the last signal; None if there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._on_signal: Callable[[], None] | None = None

    def __enter__(self) -> Signals:
        """Install the handlers. A signal that is ignored, as SIGHUP after nohup, remains ignored."""
        self.received = None
        # Python has handlers in its main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Restore the handlers that were installed before."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def hand_over(self) -> None:
        """Restore the handlers for a window, which Python's own handler of Ctrl-C closes."""
        interruptible = signal.SIGINT in self._before
        self.release()
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def ignore(self) -> None:
        """Ignore further signals, while temporary files are deleted."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def cancel(self) -> bool:
        """Return whether a signal was received; the `cancel` of a long call."""
        return self.received is not None

    def check(self) -> None:
        """End the command if a signal was received.

        Raises
        ------
        Ended
            After a signal.
        """
        if self.received is not None:
            raise Ended(self.received)

    @contextmanager
    def deferred(self, on_signal: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Note the first signal instead of raising an exception, for work that calls `cancel` or is stopped.

        Raises
        ------
        Ended
            If the work was cancelled because of the signal.
        """
        self._on_signal = on_signal
        try:
            yield
        except Cancelled:
            self.check()
            raise
        finally:
            self._on_signal = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self.received = self.received is None, number
        if first and self._on_signal is not None:
            self._on_signal()
        else:
            raise Ended(number)


#: The signals of the running command.
signals = Signals()
