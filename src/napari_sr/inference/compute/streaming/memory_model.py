"""Prediction of the peak memory of a stream, by executing its schedule on shapes only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from napari_sr.inference.compute.streaming.plan import StreamPlan
from napari_sr.inference.compute.streaming.rows import Rows
from napari_sr.inference.compute.streaming.step import Step
from napari_sr.inference.compute.streaming.steps import ConvolveStep
from napari_sr.inference.compute.streaming.stream import Stream

#: Peaks that were predicted, for each plan by channels, rows, strip and pieces. A plan holds the weights of its
#: network, so the entry does not keep it alive.
_PEAKS: WeakKeyDictionary[StreamPlan, dict[tuple[int, int, int, bool], float]] = WeakKeyDictionary()


@dataclass(frozen=True)
class _ShapeOnly:
    """A tensor (N, C, H, W) that has a shape but no memory."""

    shape: tuple[int, int, int, int]
    device: ClassVar[torch.device] = torch.device("cpu")
    dtype: ClassVar[torch.dtype] = torch.float32

    def __getitem__(self, index: tuple[slice, slice, slice]) -> _ShapeOnly:
        n, channels, rows, width = self.shape
        return _ShapeOnly((n, channels, len(range(rows)[index[2]]), width))

    def clone(self, **_: Any) -> _ShapeOnly:
        return self

    def copy_(self, _: _ShapeOnly) -> _ShapeOnly:
        return self


class _ShapeStream(Stream):
    """A stream of shapes one column wide, which counts the numbers in memory."""

    def __init__(self, plan: StreamPlan, channels: int, rows: int, strip: int, pieces: bool) -> None:
        super().__init__(plan, _shapes_only(channels), rows, 1, strip, lambda: None, pieces=pieces)
        self.sizes = [count * float(rate) for count, rate in zip(plan.channels(channels), plan.rates, strict=True)]
        self.held = 0.0
        self.most_without_workspace = 0.0
        self.workspace = 0.0

    @property
    def peak(self) -> float:
        """Most numbers at once. The workspace stays allocated from the first convolution to the last."""
        return self.most_without_workspace + self.workspace

    def _feed(self) -> None:
        before = self.tensors[0].held
        super()._feed()
        self.held += (self.tensors[0].held - before) * self.sizes[0]

    def _new_rows(self) -> Iterator[Tensor]:
        before = self.tensors[self.output].held
        yield from super()._new_rows()
        self.held += (self.tensors[self.output].held - before) * self.sizes[self.output]

    def _advance(self, step: Step) -> bool:
        touched = {*step.inputs, step.output}
        before = sum(self.tensors[t].held * self.sizes[t] for t in touched)
        advanced = super()._advance(step)
        self.held += sum(self.tensors[t].held * self.sizes[t] for t in touched) - before
        return advanced

    def _compute(self, step: Step, inputs: list[Rows], start: int, stop: int, rows: int) -> Tensor:
        low, high = step.needs(start, stop, rows)
        # The input window and the output of a step exist in addition to all rows that are held.
        window = (high - low) * sum(self.sizes[t] for t in step.inputs)
        output = step.takes(start, stop, rows) * self.sizes[step.output]
        if isinstance(step, ConvolveStep):
            self.workspace = max(self.workspace, window)
            window = 0.0
        self.most_without_workspace = max(self.most_without_workspace, self.held + window + output)
        return cast("Tensor", _ShapeOnly((1, 1, stop - start, 1)))


def _shapes_only(channels: int) -> Any:
    return lambda start, stop: _ShapeOnly((1, channels, stop - start, 1))


def peak_per_column(
    plan: StreamPlan, channels: int, rows: int, strip: int, radius: int, *, pieces: bool = True
) -> float:
    """Predict the largest count of numbers that a stream has in memory, per column of the image.

    Parameters
    ----------
    plan : StreamPlan
        The steps of the network.
    channels : int
        Channels of the image.
    rows : int
        Height of the image.
    strip : int
        Rows of the image that are read at a time.
    radius : int
        Receptive radius of the network, in pixels: beyond that many rows the memory no longer grows.
    pieces : bool, default True
        Whether a strip is processed in pieces after upsampling.

    Returns
    -------
    float
        Numbers per column. The memory in bytes is this times the columns, the images of a batch and the bytes of a
        number.
    """
    key = (channels, min(rows, 2 * radius + 6 * strip), strip, pieces)
    peaks = _PEAKS.setdefault(plan, {})
    if key not in peaks:
        shapes = _ShapeStream(plan, *key)
        for _ in shapes.run():
            pass
        peaks[key] = shapes.peak
    return peaks[key]
