"""Reading of the next images while one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Generic, TypeVar

from napari_sr.errors import NapariSRError

T = TypeVar("T")
R = TypeVar("R")


class ReadAhead(Generic[T, R]):
    """Reads the items after the one that is taken, on a thread of its own. Several threads may take items.

    Parameters
    ----------
    items : iterable
        What is read, in order.
    read : callable
        Reads an item.
    fits : callable
        Whether an item may be read before its turn, while others are in memory.
    ahead : int, default 1
        Largest number of items that are read before their turn.
    """

    def __init__(self, items: Iterable[T], read: Callable[[T], R], fits: Callable[[T], bool], ahead: int = 1) -> None:
        self._waiting = deque(items)
        self._read, self._fits, self._ahead = read, fits, ahead
        self._begun: deque[tuple[T, Future[R]]] = deque()
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, "napari-sr-reading")

    def __enter__(self) -> ReadAhead[T, R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # An image that is being read cannot be interrupted; nobody waits for it.
        self._thread.shutdown(wait=False, cancel_futures=True)

    def take(self) -> tuple[T, Callable[[], R]] | None:
        """Take the next item, and begin to read those after it.

        Returns
        -------
        tuple or None
            The item, and a function that returns what was read or reads it; None if there is no item left.
        """
        with self._lock:
            if self._begun:
                item, future = self._begun.popleft()
                taken: tuple[T, Callable[[], R]] = item, lambda: self._result(item, future)
            elif self._waiting:
                item = self._waiting.popleft()
                taken = item, lambda: self._read(item)
            else:
                return None
            while self._waiting and len(self._begun) < self._ahead and self._fits(self._waiting[0]):
                following = self._waiting.popleft()
                self._begun.append((following, self._thread.submit(self._read, following)))
            return taken

    def _result(self, item: T, future: Future[R]) -> R:
        try:
            return future.result()
        except (NapariSRError, MemoryError):
            # There may have been too little memory beside the image before it.
            return self._read(item)
