"""Exact whole-image inference in bounded memory.

Strips of rows are streamed through the network, within bands of columns where the whole width does not fit into memory.
Running out of memory halves the strips. Rows that overflowed in half precision are computed again in float32.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from napari_sr.accelerators import is_out_of_memory, memory_layout, release_memory
from napari_sr.errors import InputError
from napari_sr.inference.compute.memory import Cut, cut_plane
from napari_sr.inference.compute.overflow import Interval, OverflowFilter
from napari_sr.inference.compute.streaming.dihedral import Dihedral
from napari_sr.inference.compute.streaming.plan import StreamPlan
from napari_sr.inference.compute.streaming.stream import Check, stream
from napari_sr.inference.compute.transfer import Arrived, Transfer, upload

#: ``source(top, bottom, left, right)`` returns a block of the image, (N, C, bottom - top, right - left), float32 on the
#: CPU.
BlockSource = Callable[[int, int, int, int], Tensor]
#: ``sink(top, left, part)`` takes a block of the result, (N, C', rows, columns), float32 on the CPU.
Sink = Callable[[int, int, Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Band:
    """A band of columns that is streamed from top to bottom, in the orientation of the stream.

    Parameters
    ----------
    source : callable
        The image, transposed if `exchange` is True.
    height : int
        Rows of the image.
    left, right : int
        First column of the band and one after the last.
    outer_left, outer_right : int
        The same with the margins, which are computed and cut off.
    exchange : bool
        Whether rows and columns are exchanged, because the image is wider than high.
    """

    source: BlockSource
    height: int
    left: int
    right: int
    outer_left: int
    outer_right: int
    exchange: bool

    @property
    def outer_width(self) -> int:
        """Columns that are read."""
        return self.outer_right - self.outer_left

    def without_margins(self, part: Tensor, scale: int) -> Tensor:
        """Cut the margins off rows of the result.

        Parameters
        ----------
        part : Tensor, shape (N, C, rows, scale outer_width)
            The rows.
        scale : int
            Factor of the network.

        Returns
        -------
        Tensor, shape (N, C, rows, scale (right - left))
            A view.
        """
        return part[..., (self.left - self.outer_left) * scale : (self.right - self.outer_left) * scale]


@dataclass(kw_only=True)
class ExactStream:
    """A network that is streamed on a device.

    Parameters
    ----------
    plan : StreamPlan
        The steps of the network, on the device and in the number format.
    float32_plan : callable
        Called without arguments; returns the steps in float32, for rows that overflowed in half precision.
    transformed : callable
        ``transformed(plan, dihedral)`` returns a plan with flipped or transposed kernels.
    device : torch.device
        Device that computes.
    dtype : torch.dtype
        Number format of the computation.
    scale, radius, alignment, channels : int
        Factor, receptive radius, alignment and input channels of the network.
    dihedrals : tuple of Dihedral
        Flips and transpositions over which the result is averaged; one for no self-ensemble.
    whole_planes : bool
        Whether a plane that fits into the memory of an accelerator is computed in one piece.
    budget : callable
        Called without arguments before a plane is cut; returns the bytes that may be used.
    before_step : callable
        Called without arguments before every step; an exception stops the work.

    Attributes
    ----------
    recomputed : int
        Ranges of rows that were computed again in float32.
    halved : int
        How often the device ran out of memory and the strips were halved.
    strips : int
        Strips of the result that were computed.
    cut : Cut or None
        How the last planes were cut.
    peak : int
        Predicted memory of the largest cut, in bytes.
    highest : int or None
        Largest height of a strip that has not run out of memory; None before the first time.
    """

    plan: StreamPlan
    float32_plan: Callable[[], StreamPlan]
    transformed: Callable[[StreamPlan, Dihedral], StreamPlan]
    device: torch.device
    dtype: torch.dtype
    scale: int
    radius: int
    alignment: int
    channels: int
    dihedrals: tuple[Dihedral, ...]
    whole_planes: bool
    budget: Callable[[], int]
    before_step: Callable[[], None]
    recomputed: int = field(default=0, init=False)
    halved: int = field(default=0, init=False)
    strips: int = field(default=0, init=False)
    cut: Cut | None = field(default=None, init=False)
    peak: int = field(default=0, init=False)
    highest: int | None = field(default=None, init=False)

    def run(
        self,
        source: BlockSource,
        batch: int,
        height: int,
        width: int,
        sink: Sink,
        progress: Callable[[int, int], None],
        *,
        along_x: bool | None = None,
    ) -> None:
        """Process a batch of planes.

        Parameters
        ----------
        source : callable
            The planes, as `BlockSource`.
        batch : int
            Number of planes.
        height, width : int
            Size of the planes, in pixels.
        sink : callable
            Receives the blocks of the result as they are computed, each pixel once.
        progress : callable
            Called as ``progress(done, total)`` with rows, counted over all bands.
        along_x : bool, optional
            Whether columns are streamed instead of rows. By default the ones of which there are more, because the
            memory in use grows with the length of each.

        Raises
        ------
        InputError
            If one row does not fit into the memory of the device.
        """
        exchange = width > height if along_x is None else along_x
        rows, columns = (width, height) if exchange else (height, width)
        view = _exchanged_source(source) if exchange else source
        target = _exchanged_sink(sink) if exchange else sink
        cut = self._cut(batch, rows, columns)
        lefts = range(0, columns, cut.band)
        for n, left in enumerate(lefts):
            right = min(left + cut.band, columns)
            band = Band(
                source=view,
                height=rows,
                left=left,
                right=right,
                outer_left=max(0, left - cut.margin),
                outer_right=min(columns, right + cut.margin),
                exchange=exchange,
            )

            def band_progress(done: int, before: int = n * rows) -> None:
                progress(before + done, len(lefts) * rows)

            self._band(band, target, band_progress)

    def _cut(self, batch: int, rows: int, columns: int) -> Cut:
        self.cut = cut_plane(
            self.plan,
            self.channels,
            rows,
            columns,
            radius=self.radius,
            alignment=self.alignment,
            item=self.dtype.itemsize,
            budget=self.budget() // (batch * len(self.dihedrals)),
            device=self.device,
            highest=self.highest,
            planes=batch,
            whole=self.whole_planes,
        )
        self.peak = max(self.peak, self.cut.peak * batch * len(self.dihedrals))
        return self.cut

    def _band(self, band: Band, sink: Sink, progress: Callable[[int], None]) -> None:
        """Compute one band of columns."""
        assert self.cut is not None
        whole = Interval(0, band.height * self.scale)

        def emit(row: int, part: Tensor) -> None:
            sink(row, band.left * self.scale, band.without_margins(part, self.scale))

        if self.dtype == torch.float32:
            rows = OverflowFilter(0, whole.stop, emit, check=False)
        else:
            rows = OverflowFilter(self.radius * self.scale, whole.stop, emit)
        # Of the formats only float16 has a smaller range than float32.
        on_overflow = rows.mark if self.dtype == torch.float16 else None
        for row, part in self._resilient_rows(self.plan, self.dtype, band, whole, self.cut.strip, on_overflow):
            rows.add(row, part)
            self.strips += 1
            progress((row + part.shape[2]) // self.scale)
        for interval in rows.finish():
            self.recomputed += 1
            strip = max(1, self.cut.strip // 2)
            for row, part in self._resilient_rows(self.float32_plan(), torch.float32, band, interval, strip):
                emit(row, part)

    def _resilient_rows(
        self,
        plan: StreamPlan,
        dtype: torch.dtype,
        band: Band,
        interval: Interval,
        strip: int,
        on_overflow: Callable[[int, int], None] | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield rows of the result of a band as (first row, rows); after running out of memory in lower strips."""
        done = interval.start
        bottom = min(band.height, self._aligned_up(-(-interval.stop // self.scale) + self.radius))
        while done < interval.stop:
            # The rows above that the next ones depend on are computed again, so the result is that without the stop.
            top = max(0, done // self.scale - self.radius) // self.alignment * self.alignment
            out_of_memory = False
            try:
                for row, part in self._rows(plan, dtype, band, Interval(top, bottom), strip, done, on_overflow):
                    inside = part[:, :, : interval.stop - row]
                    done = row + inside.shape[2]
                    yield row, inside
                    if done >= interval.stop:
                        return
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                out_of_memory = True
            # Outside of the except clause: the traceback refers to the tensors of the stream.
            if out_of_memory:
                strip = self._halve(strip, band.outer_width)

    def _aligned_up(self, row: int) -> int:
        return -(-row // self.alignment) * self.alignment

    def _halve(self, strip: int, columns: int) -> int:
        """Halve the strips, for this plane and those that follow."""
        self._free()
        if strip == 1:
            raise InputError(
                f"The memory of {self.device} is too small for {columns} columns of this model: "
                "choose another device, or a smaller part of the image."
            )
        self.halved += 1
        self.highest = strip // 2
        assert self.cut is not None
        self.cut = replace(self.cut, strip=self.highest, pieces=True)
        return self.highest

    def _rows(
        self,
        plan: StreamPlan,
        dtype: torch.dtype,
        band: Band,
        rows: Interval,
        strip: int,
        begin: int,
        on_overflow: Callable[[int, int], None] | None,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield rows of the result from `begin` on as (first row, rows), streaming the given rows of the image."""

        def strip_of(start: int, stop: int) -> Tensor:
            part = band.source(rows.start + start, rows.start + stop, band.outer_left, band.outer_right)
            return upload(part, self.device, dtype).contiguous(memory_format=memory_layout(self.device, dtype))

        assert self.cut is not None
        above = rows.start * self.scale
        checks: list[Check] | None = None if on_overflow is None else []
        streams = []
        for dihedral in self.dihedrals:
            oriented = replace(dihedral, exchange=dihedral.exchange != band.exchange)
            streams.append(
                stream(
                    self.transformed(plan, oriented),
                    strip_of,
                    rows.stop - rows.start,
                    band.outer_width,
                    strip,
                    self.before_step,
                    checks,
                    whole_strips=self.device.type != "cpu",
                    pieces=self.cut.pieces or strip != self.cut.strip,
                )
            )
        transfer: Transfer[tuple[int, list[Check]]] = Transfer(self.device)

        def arrived(parts: Iterator[Arrived[tuple[int, list[Check]]]]) -> Iterator[tuple[int, Tensor]]:
            for (first, found), part, finite in parts:
                for check, whole in zip(found, finite, strict=True):
                    if not whole and on_overflow is not None:
                        on_overflow(check.start + above, check.stop + above)
                yield first, part

        row = above
        with closing(_averaged(streams)) as parts:
            for part in parts:
                skipped = min(part.shape[2], max(0, begin - row))
                first, row = row + skipped, row + part.shape[2]
                if skipped < part.shape[2]:
                    found = list(checks or ())
                    if checks is not None:
                        checks.clear()
                    sent = transfer.send((first, found), part[:, :, skipped:], [check.finite for check in found])
                    yield from arrived(sent)
            yield from arrived(transfer.finish())

    def _free(self) -> None:
        gc.collect()
        release_memory(self.device)


def _averaged(streams: list[Iterator[Tensor]]) -> Generator[Tensor]:
    """Average streams, as many rows at a time as all of them have yielded."""
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
