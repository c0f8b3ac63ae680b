"""How much memory a stream will take, found by playing it through without numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from napari_sr.inference.streaming.plan import StreamPlan
from napari_sr.inference.streaming.rows import Rows
from napari_sr.inference.streaming.steps import Convolve, Step
from napari_sr.inference.streaming.stream import Stream


@dataclass(frozen=True)
class ShapeOnly:
    """The shape of rows, without the rows."""

    shape: tuple[int, int, int, int]

    def __getitem__(self, index: tuple[slice, slice, slice]) -> ShapeOnly:
        n, channels, rows, width = self.shape
        return ShapeOnly((n, channels, len(range(rows)[index[2]]), width))

    def clone(self, **_: Any) -> ShapeOnly:
        """Stand for a copy."""
        return self

    def copy_(self, _: ShapeOnly) -> ShapeOnly:
        """Stand for what is written over."""
        return self


class _ShapeStream(Stream):
    """A stream of one column of ghosts, which counts the numbers that are held."""

    def __init__(self, plan: StreamPlan, channels: int, rows: int, strip: int) -> None:
        super().__init__(plan, _shapes_only(channels), rows, 1, strip, lambda: None)
        self.sizes = [count * float(rate) for count, rate in zip(plan.channels(channels), plan.rates, strict=True)]
        self.held = 0.0
        self.most_beside = 0.0
        self.workspace = 0.0

    @property
    def peak(self) -> float:
        """Most numbers at once: the workspace stays from the first convolution to the last."""
        return self.most_beside + self.workspace

    def _feed(self) -> None:
        before = self.tensors[0].held
        super()._feed()
        self.held += (self.tensors[0].held - before) * self.sizes[0]

    def _given(self) -> Iterator[Tensor]:
        before = self.tensors[self.output].held
        yield from super()._given()
        self.held += (self.tensors[self.output].held - before) * self.sizes[self.output]

    def _advance(self, step: Step) -> bool:
        touched = {*step.inputs, step.output}
        before = sum(self.tensors[t].held * self.sizes[t] for t in touched)
        advanced = super()._advance(step)
        self.held += sum(self.tensors[t].held * self.sizes[t] for t in touched) - before
        return advanced

    def _made(self, step: Step, inputs: list[Rows], start: int, stop: int, rows: int) -> Tensor:
        low, high = step.needs(start, stop, rows)
        # While a step is computed its window and its result are there beside all that is held.
        window = (high - low) * sum(self.sizes[t] for t in step.inputs)
        made = step.takes(start, stop, rows) * self.sizes[step.output]
        if isinstance(step, Convolve):
            self.workspace = max(self.workspace, window)
            window = 0.0
        self.most_beside = max(self.most_beside, self.held + window + made)
        return cast("Tensor", ShapeOnly((1, 1, stop - start, 1)))


def _shapes_only(channels: int) -> Any:
    return lambda start, stop: ShapeOnly((1, channels, stop - start, 1))


def peak_per_column(plan: StreamPlan, channels: int, rows: int, strip: int, radius: int) -> float:
    """Numbers that a stream holds at most, per column of the image.

    Parameters
    ----------
    plan : Plan
        The network's steps.
    channels : int
        Channels of the image.
    rows : int
        Height of the image.
    strip : int
        Rows that flow together.
    radius : int
        The network's receptive radius: from that depth on nothing more is held.

    Returns
    -------
    float
        Numbers per column; times the columns, the images in a batch and the bytes of a number it is memory.
    """
    key = (channels, min(rows, 2 * radius + 6 * strip), strip)
    if key not in plan.peaks:
        memory_model = _ShapeStream(plan, *key)
        for _ in memory_model.run():
            pass
        plan.peaks[key] = memory_model.peak
    return plan.peaks[key]
