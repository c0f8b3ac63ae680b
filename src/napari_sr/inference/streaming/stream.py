"""Rows in, rows out: a network run over an image of any height, no pixel computed twice.

How it works. The image comes in strips of a few rows. Every step of the network makes all the rows it can from the
rows that are there, but never more than a strip's worth at once; what it cannot use yet waits in its `Rows`. A
convolution of height 3 so keeps its last 2 input rows; where two branches join, the one that is ahead waits; and the
border is added only where the image really ends. When the image has come in whole, the steps go on until the tail is
out.

Because a step never hands on more than a strip's worth, the last rows, which the deep layers had been waiting for, come
out strip by strip too, and the memory stays the same from the first row to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil

from torch import Tensor

from napari_sr.inference.streaming.plan import Plan
from napari_sr.inference.streaming.rows import Rows
from napari_sr.inference.streaming.steps import Crop, Step, Unshuffle

Source = Callable[[int, int], Tensor]


def stream(
    plan: Plan, source: Source, rows: int, columns: int, strip: int, ask: Callable[[], None] = lambda: None
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

    Yields
    ------
    Tensor, shape (N, C', rows of the result, scale columns)
        From the top; together they are the result.
    """
    yield from Stream(plan, source, rows, columns, strip, ask).run()


class Stream:
    """One image on its way through; the arguments are those of `stream`."""

    def __init__(
        self, plan: Plan, source: Source, rows: int, columns: int, strip: int, ask: Callable[[], None]
    ) -> None:
        self.source, self.rows, self.ask = source, rows, ask
        self.strip = max(1, strip)
        self.steps = [_fitted(step, rows, columns) for step in plan.steps]
        self.output = plan.output
        self.tensors = [Rows() for _ in plan.rates]
        self.most = [ceil(self.strip * rate) for rate in plan.rates]
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
            done = result.stop
            for step in self.steps:
                self._advance(step)
            if result.stop > done:
                yield from (piece for _, piece in result.pieces(done, result.stop))
                if not self.readers[self.output]:
                    result.let_go(result.stop)

    def _feed(self) -> None:
        """Take in the next strip of the image."""
        start = self.tensors[0].stop
        stop = min(start + self.strip, self.rows)
        if start < stop:
            self.tensors[0].append(self.source(start, stop))

    def _advance(self, step: Step) -> None:
        """Make the rows of one step that can be made, at most a strip's worth; let go of what none needs any more."""
        inputs = [self.tensors[tensor] for tensor in step.inputs]
        rows = self.totals[step.inputs[0]]
        out = self.tensors[step.output]
        stop = min(step.reach(min(part.stop for part in inputs), rows), out.stop + self.most[step.output])
        if stop <= out.stop:
            return
        self.ask()
        out.append(self._made(step, inputs, out.stop, stop, rows))
        for tensor in set(step.inputs):
            total = self.totals[tensor]
            needed = (reader.keeps(self.tensors[reader.output].stop, total) for reader in self.readers[tensor])
            self.tensors[tensor].let_go(min(needed))

    def _made(self, step: Step, inputs: list[Rows], start: int, stop: int, rows: int) -> Tensor:
        return step.run(inputs, start, stop, rows)


def _fitted(step: Step, rows: int, columns: int) -> Step:
    """Tell the steps that fill up to whole groups, and cut off again, how large the image is."""
    if not isinstance(step, Unshuffle | Crop):
        return step
    group = step.factor if isinstance(step, Unshuffle) else step.group
    before = (-rows % group if step.flipped[0] else 0, -columns % group if step.flipped[1] else 0)
    if isinstance(step, Crop):
        return replace(step, image=(rows, columns), before=before)
    return replace(step, before=before)
