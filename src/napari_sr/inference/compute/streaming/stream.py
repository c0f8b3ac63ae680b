"""A network applied to an image of any height in strips of rows, without computing a pixel twice.

The image is read in strips. Every step of the network computes all rows that it can from the rows that are there, at
most the height of a strip at a time; rows that are needed later stay in its input's `Rows`. A convolution of height 3
therefore holds its last 2 input rows; where two branches join, the one that is ahead is held; and the border is added
at the ends of the image only. After the last strip the steps continue until all rows of the result are computed.

As no step computes more than the height of a strip at a time, the last rows also leave the deep layers in strips, and
the memory in use is the same from the first row to the last.

After upsampling by r, a strip has r * r times as many pixels. It is processed there in r * r pieces, each of which
passes through all upsampled layers before the next one, so that no piece has more pixels than the strip had before. On
an accelerator whose memory holds the whole strip, it is a single piece, since each piece costs as many launches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor
from sys import maxsize
from typing import NamedTuple

import torch
from torch import Tensor

from napari_sr.inference.compute.streaming.plan import StreamPlan
from napari_sr.inference.compute.streaming.rows import Rows, Workspace
from napari_sr.inference.compute.streaming.scaling import UpsampleStep
from napari_sr.inference.compute.streaming.step import Step

RowSource = Callable[[int, int], Tensor]


class Check(NamedTuple):
    """Whether an activation is finite before a layer whose output is finite.

    Parameters
    ----------
    finite : Tensor
        One bool, on the device.
    start, stop : int
        Rows of the result above the activation; may lie outside the result. Rows within one receptive radius of them
        depend on it.
    """

    finite: Tensor
    start: int
    stop: int


def stream(
    plan: StreamPlan,
    source: RowSource,
    rows: int,
    columns: int,
    strip: int,
    before_step: Callable[[], None] = lambda: None,
    checks: list[Check] | None = None,
    whole_strips: bool = False,
    pieces: bool = True,
) -> Iterator[Tensor]:
    """Apply a network to an image, strip by strip.

    Parameters
    ----------
    plan : StreamPlan
        The steps of the network, from `plan_stream`.
    source : callable
        ``source(start, stop)`` returns rows of the image, shape (N, C, stop - start, columns), on the device and in the
        precision of the computation. Each row is requested once, from the top.
    rows, columns : int
        Size of the image.
    strip : int
        Rows of the image that are read at a time, 1 or more. The result does not depend on it.
    before_step : callable, optional
        Called without arguments before every step; an exception stops the stream.
    checks : list of Check, optional
        To which the checks of activations are added, before the rows of the result that were computed after them are
        yielded. By default no check is made.
    whole_strips : bool, default False
        Whether all rows that a strip of the image adds to the result are yielded together. On an accelerator the CPU
        then waits once for each strip; on a CPU smaller parts need less memory.
    pieces : bool, default True
        Whether a strip is processed in pieces after upsampling, which needs less memory. The result is the same.

    Yields
    ------
    Tensor, shape (N, C', rows of the result, scale columns)
        The result, from the top.
    """
    parts = Stream(plan, source, rows, columns, strip, before_step, checks, pieces=pieces)
    yield from parts.strips() if whole_strips else parts.run()


class Stream:
    """One image in a stream.

    Parameters
    ----------
    plan : StreamPlan
        The steps of the network.
    source : callable
        As for `stream`.
    rows, columns, strip : int
        Size of the image, and rows that are read at a time.
    before_step : callable
        As for `stream`.
    checks : list of Check, optional
        As for `stream`.
    pieces : bool, default True
        As for `stream`.

    Raises
    ------
    ValueError
        If branches of different heights join.
    """

    def __init__(
        self,
        plan: StreamPlan,
        source: RowSource,
        rows: int,
        columns: int,
        strip: int,
        before_step: Callable[[], None],
        checks: list[Check] | None = None,
        *,
        pieces: bool = True,
    ) -> None:
        self.source, self.rows = source, rows
        self.before_step, self.checks = before_step, checks
        self.strip = max(1, strip)
        workspace = Workspace()
        self.steps = [step.for_image(rows, columns, workspace) for step in plan.steps]
        self.output, self.rates = plan.output, plan.rates
        #: Rows of the result that have been yielded.
        self.yielded = 0
        self.tensors = [Rows() for _ in plan.rates]
        # Without pieces all rows that are there, also those that a border adds to a strip.
        self.limits = [_most_rows(self.strip, rate) if pieces else maxsize for rate in plan.rates]
        self.leaders = {step.output: _leaders(step, plan) for step in plan.steps}
        self.low_steps = [step for step in self.steps if plan.rates[step.output] <= 1]
        self.upsampled_steps = [step for step in self.steps if plan.rates[step.output] > 1]
        self.totals = [rows] + [0] * (len(plan.rates) - 1)
        self.readers: list[list[Step]] = [[] for _ in plan.rates]
        for step in self.steps:
            heights = {self.totals[tensor] for tensor in step.inputs}
            if len(heights) > 1:
                raise ValueError(f"Branches of {sorted(heights)} rows join in the layer {step.name}.")
            self.totals[step.output] = step.total(self.totals[step.inputs[0]])
            for tensor in set(step.inputs):
                self.readers[tensor].append(step)

    def run(self) -> Iterator[Tensor]:
        """Iterate over the rows of the result.

        Yields
        ------
        Tensor, shape (N, C', rows of the result, scale columns)
            From the top.
        """
        while self._unfinished:
            for part in self._strip():
                yield part
                # Its memory is free while the next part is computed.
                del part

    def strips(self) -> Iterator[Tensor]:
        """Iterate over the rows of the result, those of a strip of the image together.

        Yields
        ------
        Tensor, shape (N, C', rows of the result, scale columns)
            From the top.
        """
        while self._unfinished:
            parts = list(self._strip())
            if parts:
                yield parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    @property
    def _unfinished(self) -> bool:
        return self.tensors[self.output].stop < self.totals[self.output]

    def _strip(self) -> Iterator[Tensor]:
        """Read the next strip of the image, and yield the rows of the result that it adds."""
        self._feed()
        for step in self.low_steps:
            self._advance(step)
        yield from self._new_rows()
        while self._advance_upsampled():
            yield from self._new_rows()

    def _advance_upsampled(self) -> bool:
        """Pass one piece through all upsampled layers; return whether there was any."""
        return sum(self._advance(step) for step in self.upsampled_steps) > 0

    def _new_rows(self) -> Iterator[Tensor]:
        """Yield the rows of the result that have been computed since the last call."""
        result = self.tensors[self.output]
        if result.stop > self.yielded:
            yield from (piece for _, piece in result.pieces(self.yielded, result.stop))
            self.yielded = result.stop
            if not self.readers[self.output]:
                result.release(result.stop)

    def _feed(self) -> None:
        """Read the next strip of the image."""
        start = self.tensors[0].stop
        stop = min(start + self.strip, self.rows)
        if start < stop:
            self.tensors[0].append(self.source(start, stop))

    def _advance(self, step: Step) -> bool:
        """Compute the next rows of one step, at most the height of a strip, and release rows that no step needs."""
        inputs = [self.tensors[tensor] for tensor in step.inputs]
        rows = self.totals[step.inputs[0]]
        out = self.tensors[step.output]
        stop = min(step.reach(min(part.stop for part in inputs), rows), out.stop + self.limits[step.output])
        stop = min([stop, *(self.tensors[tensor].stop for tensor in self.leaders[step.output])])
        if stop <= out.stop:
            return False
        self.before_step()
        out.append(self._compute(step, inputs, out.stop, stop, rows))
        for tensor in set(step.inputs):
            total = self.totals[tensor]
            needed = (reader.keeps(self.tensors[reader.output].stop, total) for reader in self.readers[tensor])
            self.tensors[tensor].release(min(needed))
        return True

    def _compute(self, step: Step, inputs: list[Rows], start: int, stop: int, rows: int) -> Tensor:
        checks = self.checks
        if checks is None:
            return step.run(inputs, start, stop, rows)
        affected = self._rows_of_result(step.output, start, stop)

        def watch(activation: Tensor) -> None:
            checks.append(Check(torch.isfinite(activation).all(), *affected))

        return step.run(inputs, start, stop, rows, watch)

    def _rows_of_result(self, tensor: int, start: int, stop: int) -> tuple[int, int]:
        """Range of rows of the result above a range of rows of a tensor, shifts by borders included."""
        ratio = Fraction(self.totals[self.output], self.rows) / self.rates[tensor]
        shift = ceil(abs(self.totals[tensor] - self.rows * self.rates[tensor]))
        return floor((start - shift) * ratio), ceil((stop + shift) * ratio)


def _leaders(step: Step, plan: StreamPlan) -> list[int]:
    """Tensors that an interpolation does not run ahead of, as they are read together with its output.

    The output of an interpolation has more rows than its input, so it is cheaper to hold the input.
    """
    readers = [other for other in plan.steps if step.output in other.inputs]
    if not isinstance(step, UpsampleStep) or len(readers) > 1:
        return []
    # Where two interpolations join, the later one waits for the earlier one.
    earlier = {other.output for other in plan.steps[: plan.steps.index(step)]}
    return [tensor for reader in readers for tensor in reader.inputs if tensor in earlier - {step.output}]


def _most_rows(strip: int, rate: Fraction) -> int:
    """Rows of a tensor that are computed at a time: those of a strip, or as many pixels if it is upsampled."""
    if rate <= 1:
        return ceil(strip * rate)
    # Whole groups of the rows that one input row becomes, since an upsampling layer computes them together.
    return ceil(rate) * max(1, round(strip / rate**2))
