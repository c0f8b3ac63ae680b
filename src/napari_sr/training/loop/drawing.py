"""Drawing of the patches of each step, beside the computation of the step before."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple

from napari_sr.training.data.patches import Batch, PatchSource


class _Place(NamedTuple):
    """A part of the batch of a step."""

    stage: int
    step: int
    part: int
    parts: int

    @property
    def next(self) -> _Place:
        """The part that is needed after this one, as long as the stage lasts."""
        if self.part + 1 < self.parts:
            return self._replace(part=self.part + 1)
        return self._replace(step=self.step + 1, part=0)


class Drawing:
    """Draws the patches of one process: every n-th of the batch, for n processes. A context, which ends its thread.

    Parameters
    ----------
    patches : PatchSource
        The patches. Each depends on its place in the training only, so it does not matter when it is drawn.
    batch : int
        Patches of a step, over all processes.
    processes, rank : int
        Number of processes, and that of this one, from 0.
    ahead : bool
        Whether the next part is drawn in a thread. It serves accelerators, which compute meanwhile; on a CPU the thread
        would take time from the computation.
    """

    def __init__(self, patches: PatchSource, batch: int, *, processes: int, rank: int, ahead: bool) -> None:
        self._patches, self._batch = patches, batch
        self._own = range(rank, batch, processes)
        self._executor = ThreadPoolExecutor(1, "napari-sr patches") if ahead else None
        self._drawn: tuple[_Place, Future[Batch]] | None = None

    def __enter__(self) -> Drawing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def part(self, stage: int, step: int, part: int, parts: int) -> Batch:
        """Draw the patches of this process in a part of the batch.

        Parameters
        ----------
        stage, step : int
            Numbers of the stage and of the step in it, from 0.
        part, parts : int
            Number of the part, from 0, and count of the parts. A part has the same patches for any number of processes.
        """
        place = _Place(stage, step, part, parts)
        if self._executor is None:
            return self._draw(place)
        drawn, self._drawn = self._drawn, None
        batch = drawn[1].result() if drawn is not None and drawn[0] == place else self._draw(place)
        self._drawn = place.next, self._executor.submit(self._draw, place.next)
        return batch

    def _draw(self, place: _Place) -> Batch:
        numbers = [n for n in self._own if n * place.parts // self._batch == place.part]
        return self._patches.batch(place.stage, place.step, numbers)
