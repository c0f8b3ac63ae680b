"""Writing of results in a thread of its own, while an accelerator computes the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec

Arguments = ParamSpec("Arguments")

#: Parts of a result that are being written or wait for it.
MOST_WAITING = 2


class Writing:
    """Calls functions in their order: at once, or in one thread while the caller goes on.

    The context ends when all of them have returned. After an exception in it, those that have not begun are left out.

    Parameters
    ----------
    beside : bool
        Whether to use a thread. It serves accelerators, which the caller only gives work to; on a CPU the thread would
        take time from the computation.
    """

    def __init__(self, *, beside: bool) -> None:
        self._executor = ThreadPoolExecutor(1, "napari-sr writing") if beside else None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Writing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._executor is None:
            return
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._executor.shutdown(cancel_futures=True)

    def add(self, function: Callable[Arguments, None], *arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        """Call a function, after those that were added before. Waits while `MOST_WAITING` have not returned.

        Raises
        ------
        Exception
            What a function has raised that was added before, or with no thread this one.
        """
        if self._executor is None:
            function(*arguments, **named)
            return
        while len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(function, *arguments, **named))
