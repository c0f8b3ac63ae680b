"""The whole-image result by streaming, in bounded memory: strips, bands of columns, and going on when it goes wrong."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.inference.memory import Cut, cut_plane
from napari_sr.inference.streaming.dihedral import Dihedral, transformed_plan
from napari_sr.inference.streaming.plan import StreamPlan
from napari_sr.inference.streaming.stream import stream

#: ``source(top, bottom, left, right)`` gives (N, C, bottom - top, right - left) of the image, float32 on the CPU.
BlockSource = Callable[[int, int, int, int], Tensor]
#: ``sink(top, left, part)`` takes (N, C', rows, columns) of the result, float32 on the CPU.
Sink = Callable[[int, int, Tensor], None]


@dataclass
class ExactStream:
    """A network ready to be streamed on a device.

    Parameters
    ----------
    plan : Plan
        Its steps, on the device and in the precision.
    exact : callable
        Gives its steps in float32, for what half precision spoilt.
    device, dtype
        Where and in which numbers to compute.
    scale, radius, alignment, channels : int
        The network's.
    turns : sequence of Turn
        The flips and turns to average over; one for none.
    budget : callable
        Bytes that may be taken now.
    ask : callable
        Called before every step; may raise.

    Attributes
    ----------
    recomputed, halved, strips : int
        Spans computed again in float32, how often memory ran out, strips that came out.
    cut : Cut or None
        How the last planes were cut.
    peak : int
        Bytes that the largest cut was to take.
    most : int or None
        Rows that a strip may have at most, after memory ran out.
    """

    plan: StreamPlan
    exact: Callable[[], StreamPlan]
    device: torch.device
    dtype: torch.dtype
    scale: int
    radius: int
    alignment: int
    channels: int
    dihedral: tuple[Dihedral, ...]
    budget: Callable[[], int]
    ask: Callable[[], None]
    recomputed: int = 0
    halved: int = 0
    strips: int = 0
    cut: Cut | None = None
    peak: int = 0
    most: int | None = None
    _turned: dict[tuple[int, Dihedral], StreamPlan] = field(default_factory=dict)

    def run(
        self, source: BlockSource, batch: int, height: int, width: int, sink: Sink, step: Callable[[int, int], None]
    ) -> None:
        """Put a batch of planes through.

        Parameters
        ----------
        source : callable
            The image.
        batch, height, width : int
            Planes, and their size.
        sink : callable
            Takes the parts of the result as they come, each pixel once.
        step : callable
            Told the rows done and in all, counted over bands.
        """
        # Rows flow along the longer axis: what is held is as wide as the shorter one.
        exchange = width > height
        rows, columns = (width, height) if exchange else (height, width)
        view = _exchanged_source(source) if exchange else source
        target = _exchanged_sink(sink) if exchange else sink
        cut = self._cut(batch, rows, columns)
        lefts = range(0, columns, cut.band)
        for n, left in enumerate(lefts):

            def told(done: int, before: int = n * rows) -> None:
                step(before + done, len(lefts) * rows)

            self._band(view, (rows, columns), (left, min(left + cut.band, columns)), exchange, target, told)

    def _cut(self, batch: int, rows: int, columns: int) -> Cut:
        self.cut = cut_plane(
            self.plan,
            self.channels,
            rows,
            columns,
            radius=self.radius,
            alignment=self.alignment,
            item=self.dtype.itemsize,
            budget=self.budget() // (batch * len(self.dihedral)),
            device=self.device,
            most=self.most,
        )
        self.peak = max(self.peak, self.cut.peak * batch * len(self.dihedral))
        return self.cut

    def _band(
        self,
        source: BlockSource,
        size: tuple[int, int],
        band: tuple[int, int],
        exchange: bool,
        sink: Sink,
        step: Callable[[int], None],
    ) -> None:
        """Stream one band of columns from top to bottom; after a lack of memory go on where it stopped."""
        assert self.cut is not None
        (rows, columns), (left, right), margin = size, band, self.cut.margin
        outer = (max(0, left - margin), min(columns, right + margin))
        strip, done = min(self.cut.strip, self.most or self.cut.strip), 0
        bad: list[tuple[int, int]] = []
        # In half precision rows wait until those below, which would spoil them too, are known to be sound.
        around = 0 if self.dtype == torch.float32 else self.radius * self.scale
        waiting: deque[tuple[int, Tensor]] = deque()

        def release(until: int) -> None:
            while waiting and waiting[0][0] + waiting[0][1].shape[2] <= until:
                row, part = waiting.popleft()
                for first, last in _outside(row, row + part.shape[2], _joined(bad, around, rows * self.scale)):
                    sink(first, left * self.scale, part[:, :, first - row : last - row])

        def noted(first: int, last: int) -> None:
            bad.append((max(0, first), min(last, rows * self.scale)))

        # Only float16 runs over: the others reach as far as float32.
        hidden = noted if self.dtype == torch.float16 else None
        while done < rows * self.scale:
            # What the rows still to come see above them is computed again: the answer is the same as without the stop.
            top = max(0, done // self.scale - self.radius) // self.alignment * self.alignment
            try:
                span = (top, rows)
                for row, part in self._rows(self.plan, self.dtype, source, span, outer, exchange, strip, done, hidden):
                    inner = part[..., (left - outer[0]) * self.scale : (right - outer[0]) * self.scale]
                    if self.dtype != torch.float32 and not bool(torch.isfinite(part).all()):
                        bad.append((row, row + part.shape[2]))
                    done = row + part.shape[2]
                    waiting.append((row, inner))
                    release(done - around)
                    self.strips += 1
                    step(done // self.scale)
                full = False
            except torch.OutOfMemoryError:
                full = True
            if full:
                strip = self._halved(strip, outer[1] - outer[0])
        release(done)
        for first, last in _joined(bad, around, rows * self.scale):
            self._again(source, rows, outer, band, exchange, (first, last), sink)

    def _halved(self, strip: int, columns: int) -> int:
        """Halve the strips, for good: called when the error, which holds on to all that was computed, is gone."""
        self._free()
        if strip == 1:
            raise InputError(
                f"The memory of {self.device} is too small for {columns} columns of this model: "
                "choose another device, or a smaller part of the image."
            )
        self.halved += 1
        self.most = strip // 2
        assert self.cut is not None
        self.cut = replace(self.cut, strip=self.most)
        return self.most

    def _again(
        self,
        source: BlockSource,
        rows: int,
        outer: tuple[int, int],
        band: tuple[int, int],
        exchange: bool,
        spoilt: tuple[int, int],
        sink: Sink,
    ) -> None:
        """Compute rows of the result again in float32, from the input: half precision made a NaN there."""
        assert self.cut is not None
        self.recomputed += 1
        bottom = min(rows, -(-(-(-spoilt[1] // self.scale) + self.radius) // self.alignment) * self.alignment)
        strip, done = max(1, self.cut.strip // 2), spoilt[0]
        exact = self.exact()
        while done < spoilt[1]:
            top = max(0, done // self.scale - self.radius) // self.alignment * self.alignment
            try:
                for row, part in self._rows(exact, torch.float32, source, (top, bottom), outer, exchange, strip, done):
                    wanted = part[:, :, : max(0, spoilt[1] - row)]
                    inner = wanted[..., (band[0] - outer[0]) * self.scale : (band[1] - outer[0]) * self.scale]
                    if inner.shape[2]:
                        sink(row, band[0] * self.scale, inner)
                    done = row + part.shape[2]
                    if done >= spoilt[1]:
                        break
                full = False
            except torch.OutOfMemoryError:
                full = True
            if full:
                strip = self._halved(strip, outer[1] - outer[0])

    def _rows(
        self,
        plan: StreamPlan,
        dtype: torch.dtype,
        source: BlockSource,
        span: tuple[int, int],
        columns: tuple[int, int],
        exchange: bool,
        strip: int,
        begin: int,
        hidden: Callable[[int, int], None] | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """Rows of the result from `begin` on, as (row, part), for rows `span` and `columns` of the image."""

        def over(first: int, last: int) -> None:
            assert hidden is not None
            hidden(first + span[0] * self.scale, last + span[0] * self.scale)

        height, width = span[1] - span[0], columns[1] - columns[0]
        streams = []
        for dihedral in self.dihedral:
            whole = Dihedral(dihedral.flip_rows, dihedral.flip_columns, dihedral.exchange != exchange)

            def strip_of(start: int, stop: int) -> Tensor:
                part = source(span[0] + start, span[0] + stop, *columns)
                return part.to(self.device, dtype).contiguous(memory_format=torch.channels_last)

            streams.append(stream(self._plan(plan, whole), strip_of, height, width, strip, self.ask, hidden and over))
        row = span[0] * self.scale
        outgoing = _Outgoing(self.device)
        with closing(_averaged(streams)) as parts:
            for part in parts:
                skipped = min(part.shape[2], max(0, begin - row))
                first, row = row + skipped, row + part.shape[2]
                if skipped < part.shape[2]:
                    yield from outgoing.take(first, part[:, :, skipped:])
            yield from outgoing.rest()

    def _plan(self, plan: StreamPlan, dihedral: Dihedral) -> StreamPlan:
        key = (id(plan), dihedral)
        if key not in self._turned:
            self._turned[key] = transformed_plan(plan, dihedral)
        return self._turned[key]

    def _free(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()


class _Outgoing:
    """Brings the rows of the result to the CPU; on CUDA one strip late, while the next one is being computed."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._side = torch.cuda.Stream(device) if self._cuda else None
        self._waiting: tuple[int, Tensor, torch.cuda.Event] | None = None

    def take(self, row: int, part: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Take a strip on its way, and give the one that has arrived."""
        if self._side is None:
            yield row, part.float().cpu()
            return
        host = torch.empty(part.shape, dtype=torch.float32, pin_memory=True)
        arrived = torch.cuda.Event()
        self._side.wait_stream(torch.cuda.current_stream(part.device))
        with torch.cuda.stream(self._side):
            host.copy_(part, non_blocking=True)
            part.record_stream(self._side)
            arrived.record(self._side)
        yield from self.rest()
        self._waiting = (row, host, arrived)

    def rest(self) -> Iterator[tuple[int, Tensor]]:
        """Give the strip that is still on its way."""
        if self._waiting is not None:
            row, host, arrived = self._waiting
            self._waiting = None
            arrived.synchronize()
            yield row, host


def _averaged(streams: list[Iterator[Tensor]]) -> Generator[Tensor]:
    """Mean of streams; as many rows at a time as all of them have given."""
    if len(streams) == 1:
        yield from streams[0]
        return
    waiting: list[Tensor | None] = [None] * len(streams)
    while True:
        for n, rows in enumerate(streams):
            if waiting[n] is None:
                waiting[n] = next(rows, None)
        parts = [part for part in waiting if part is not None]
        if len(parts) < len(streams):
            return
        count = min(part.shape[2] for part in parts)
        total = parts[0][:, :, :count].float()
        for part in parts[1:]:
            total = total + part[:, :, :count].float()
        yield total / len(parts)
        waiting = [part[:, :, count:] if part.shape[2] > count else None for part in parts]


def _exchanged_source(source: BlockSource) -> BlockSource:
    return lambda top, bottom, left, right: source(left, right, top, bottom).transpose(2, 3)


def _exchanged_sink(sink: Sink) -> Sink:
    return lambda top, left, part: sink(left, top, part.transpose(2, 3))


def _outside(start: int, stop: int, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of `start` to `stop` without some spans, which are in order and do not touch."""
    for first, last in spans:
        if start < min(first, stop):
            yield start, min(first, stop)
        start = max(start, last)
    if start < stop:
        yield start, stop


def _joined(spans: list[tuple[int, int]], around: int, end: int) -> list[tuple[int, int]]:
    """Spans widened by `around` on both sides, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        start, stop = max(0, start - around), min(end, stop + around)
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
