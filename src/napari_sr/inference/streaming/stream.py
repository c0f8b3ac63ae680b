"""Rows in, rows out: a network run over an image of any height, no pixel computed twice.

How it works. The image comes in strips of a few rows. Every step of the network makes all the rows it can from the
rows that are there, but never more than a strip's worth at once; what it cannot use yet waits in its `Rows`. A
convolution of height 3 so keeps its last 2 input rows; where two branches join, the one that is ahead waits; and the
border is added only where the image really ends. When the image has come in whole, the steps go on until the tail is
out.

Because a step never hands on more than a strip's worth, the last rows, which the deep layers had been waiting for, come
out strip by strip too, and the memory stays the same from the first row to the last.

Where the network has enlarged its rows by r, they are r times as long, so a strip goes on there in r * r pieces, each
through all the enlarged layers before the next: a piece is never larger than the strip was before it was enlarged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import torch
from torch import Tensor

from napari_sr.inference.streaming.plan import StreamPlan
from napari_sr.inference.streaming.rows import Rows, Workspace
from napari_sr.inference.streaming.steps import Convolve, CropStep, EnlargeStep, Step, UnshuffleStep

RowSource = Callable[[int, int], Tensor]


def stream(
    plan: StreamPlan,
    source: RowSource,
    rows: int,
    columns: int,
    strip: int,
    ask: Callable[[], None] = lambda: None,
    hidden: Callable[[int, int], None] | None = None,
) -> Iterator[Tensor]:
    """Run a network over an image, strip by strip.

    Parameters
    ----------
    plan : Plan
        The network's steps, from `plan_stream`.
    source : callable
        ``source(start, stop)`` gives rows of the image, (N, C, stop - start, columns), on the device and in the
        precision in which to compute; each row is asked for once, from the top.
    rows, columns : int
        Size of the image.
    strip : int
        Rows of the image that flow together, 1 or more. The result does not depend on it.
    ask : callable
        Called before every step; it may raise to stop the work.
    hidden : callable, optional
        ``hidden(start, stop)`` hears of rows of the result over which a layer was about to make finite numbers of
        infinite ones; what sees them lies within a receptive radius. Left out, nobody looks.

    Yields
    ------
    Tensor, shape (N, C', rows of the result, scale columns)
        From the top; together they are the result.
    """
    yield from Stream(plan, source, rows, columns, strip, ask, hidden).run()


class Stream:
    """One image on its way through; the arguments are those of `stream`."""

    def __init__(
        self,
        plan: StreamPlan,
        source: RowSource,
        rows: int,
        columns: int,
        strip: int,
        ask: Callable[[], None],
        hidden: Callable[[int, int], None] | None = None,
    ) -> None:
        self.source, self.rows, self.ask, self.hidden = source, rows, ask, hidden
        self.strip = max(1, strip)
        workspace = Workspace()
        self.steps = [_fitted(step, rows, columns, workspace) for step in plan.steps]
        self.output, self.rates = plan.output, plan.rates
        self.given = 0
        self.tensors = [Rows() for _ in plan.rates]
        self.most = [_most(self.strip, rate) for rate in plan.rates]
        self.leaders = {step.output: _leaders(step, plan) for step in plan.steps}
        self.before = [step for step in self.steps if plan.rates[step.output] <= 1]
        self.enlarged = [step for step in self.steps if plan.rates[step.output] > 1]
        self.totals = [rows] + [0] * (len(plan.rates) - 1)
        self.readers: list[list[Step]] = [[] for _ in plan.rates]
        for step in self.steps:
            heights = {self.totals[tensor] for tensor in step.inputs}
            if len(heights) > 1:
                raise ValueError(f"Branches of {sorted(heights)} rows meet in {step.name}.")
            self.totals[step.output] = step.total(self.totals[step.inputs[0]])
            for tensor in set(step.inputs):
                self.readers[tensor].append(step)

    def run(self) -> Iterator[Tensor]:
        """Give the rows of the result, strip by strip."""
        result = self.tensors[self.output]
        while result.stop < self.totals[self.output]:
            self._feed()
            for step in self.before:
                self._advance(step)
            yield from self._given()
            while self._advance_enlarged():
                yield from self._given()

    def _advance_enlarged(self) -> bool:
        """Take one piece through the enlarged layers, every one of them; say whether there was any."""
        return sum(self._advance(step) for step in self.enlarged) > 0

    def _given(self) -> Iterator[Tensor]:
        """Give the rows of the result that have been made since the last time."""
        result = self.tensors[self.output]
        if result.stop > self.given:
            yield from (piece for _, piece in result.pieces(self.given, result.stop))
            self.given = result.stop
            if not self.readers[self.output]:
                result.let_go(result.stop)

    def _feed(self) -> None:
        """Take in the next strip of the image."""
        start = self.tensors[0].stop
        stop = min(start + self.strip, self.rows)
        if start < stop:
            self.tensors[0].append(self.source(start, stop))

    def _advance(self, step: Step) -> bool:
        """Make the rows of one step that can be made, at most a strip's worth; let go of what none needs any more."""
        inputs = [self.tensors[tensor] for tensor in step.inputs]
        rows = self.totals[step.inputs[0]]
        out = self.tensors[step.output]
        stop = min(step.reach(min(part.stop for part in inputs), rows), out.stop + self.most[step.output])
        stop = min([stop, *(self.tensors[tensor].stop for tensor in self.leaders[step.output])])
        if stop <= out.stop:
            return False
        self.ask()
        out.append(self._made(step, inputs, out.stop, stop, rows))
        for tensor in set(step.inputs):
            total = self.totals[tensor]
            needed = (reader.keeps(self.tensors[reader.output].stop, total) for reader in self.readers[tensor])
            self.tensors[tensor].let_go(min(needed))
        return True

    def _made(self, step: Step, inputs: list[Rows], start: int, stop: int, rows: int) -> Tensor:
        if self.hidden is None:
            return step.run(inputs, start, stop, rows)
        tell = self.hidden

        def watch(made: Tensor) -> None:
            if not bool(torch.isfinite(made).all()):
                tell(*self._above(step.output, start, stop))

        return step.run(inputs, start, stop, rows, watch)

    def _above(self, tensor: int, start: int, stop: int) -> tuple[int, int]:
        """Rows of the result that lie over rows of a tensor, those that borders have shifted included."""
        ratio = Fraction(self.totals[self.output], self.rows) / self.rates[tensor]
        shift = ceil(abs(self.totals[tensor] - self.rows * self.rates[tensor]))
        return floor((start - shift) * ratio), ceil((stop + shift) * ratio)


def _leaders(step: Step, plan: StreamPlan) -> list[int]:
    """Tensors that an interpolation must not run ahead of, since it waits for them in the step that reads both.

    Its rows are larger than those they are made of, so it is these that wait.
    """
    readers = [other for other in plan.steps if step.output in other.inputs]
    if not isinstance(step, EnlargeStep) or len(readers) > 1:
        return []
    # Of two that meet, the later one waits for the earlier.
    earlier = {other.output for other in plan.steps[: plan.steps.index(step)]}
    return [tensor for reader in readers for tensor in reader.inputs if tensor in earlier - {step.output}]


def _most(strip: int, rate: Fraction) -> int:
    """Rows of a tensor made at once: a strip's worth, or where it is enlarged as many pixels as a strip has."""
    if rate <= 1:
        return ceil(strip * rate)
    # Whole groups of the rows that one row became: an enlarging layer would make the others in vain.
    return ceil(rate) * max(1, round(strip / rate**2))


def _fitted(step: Step, rows: int, columns: int, workspace: Workspace) -> Step:
    """Tell a step what is known when a stream begins: where to lay out what it reads, and how large the image is."""
    if isinstance(step, Convolve):
        fitted = copy(step)
        fitted.workspace = workspace
        return fitted
    if not isinstance(step, UnshuffleStep | CropStep):
        return step
    group = step.factor if isinstance(step, UnshuffleStep) else step.group
    before = (-rows % group if step.flipped[0] else 0, -columns % group if step.flipped[1] else 0)
    if isinstance(step, CropStep):
        return replace(step, image=(rows, columns), before=before)
    return replace(step, before=before)
