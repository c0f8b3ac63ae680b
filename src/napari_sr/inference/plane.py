"""Planes through a network on a device: streamed exactly, whole, or by overlap tiles."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference.device import ieee_float32
from napari_sr.inference.exact import BlockSource, ExactStream, Sink
from napari_sr.inference.memory import budget
from napari_sr.inference.streaming.dihedral import DIHEDRALS, Dihedral
from napari_sr.inference.streaming.plan import NotStreamable, StreamPlan, plan_stream
from napari_sr.inference.streaming.steps import BOUNDING
from napari_sr.inference.tiles import AxisTile, axis_tiles
from napari_sr.settings import Memory, Overlap, Tiling

PieceDone = Callable[[int, int], None]


class PlaneRunner:
    """A network made ready on a device, through which planes go.

    Parameters
    ----------
    network : nn.Module
        A network of `napari_sr.networks` in evaluation mode; it is copied, not touched.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        float32, bfloat16 or float16.
    tiling : {"exact", "overlap", "none"} or Overlap
        How planes are cut.
    memory : int or "auto"
        Bytes that may be taken on the device, for "exact".
    self_ensemble : bool
        Average over the eight flips and turns.
    cancel : callable
        Asked before every layer of the network; True stops the work.

    Attributes
    ----------
    used : str
        How planes are really cut, and why, in words.
    recomputed : int
        Pieces in which half precision made a NaN or an infinity and which were computed again in float32.
    strips, halved : int
        Strips that came out, and how often the device ran out of memory.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tiling: Tiling = "exact",
        *,
        memory: Memory = "auto",
        self_ensemble: bool = False,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = network
        self._ready: dict[torch.dtype, nn.Module] = {}
        self._plans: dict[torch.dtype, StreamPlan] = {}
        self._device, self._dtype, self._memory = device, dtype, memory
        self._cancel = cancel
        self._turns = DIHEDRALS if self_ensemble else (Dihedral(),)
        self._scale: int = network.scale  # type: ignore[assignment]
        self._alignment: int = network.alignment  # type: ignore[assignment]
        self.recomputed = self.strips = self.halved = 0
        self.used = ""
        self.not_exact_because: str | None = None
        self._hidden = False
        budget(memory, device)
        self._overlap: Overlap | None = tiling if isinstance(tiling, Overlap) else None
        self._exact: ExactStream | None = None
        if tiling == "exact":
            self._stream_or_tiles()
        elif tiling == "overlap":
            self._overlap = Overlap()
        self.used = self.used or self._described()

    def run(
        self, source: BlockSource, batch: int, height: int, width: int, sink: Sink, step: PieceDone = lambda d, t: None
    ) -> None:
        """Put a batch of planes of one size through the network.

        Parameters
        ----------
        source : callable
            ``source(top, bottom, left, right)`` gives (batch, C, rows, columns), float32, in the range that the
            network was trained in.
        batch, height, width : int
            Planes, and their size.
        sink : callable
            ``sink(top, left, part)`` takes the parts of the result, (batch, C', rows, columns), float32, from the top,
            each pixel once.
        step : callable
            Told the parts done and in all.

        Raises
        ------
        Cancelled
            If `cancel` said yes.
        InputError
            If the device has too little memory for the smallest piece.
        """
        with torch.inference_mode(), ieee_float32():
            if self._alignment > 1 and len(self._turns) > 1:
                # Groups are filled up once, for all turns alike: which end they begin at is then all the same.
                s = self._scale
                source, sink = _filled_up(source, height, width), _cut_off(sink, s * height, s * width)
                height, width = (-(-n // self._alignment) * self._alignment for n in (height, width))
            if self._exact is not None:
                self._run_exact(self._exact, source, batch, height, width, sink, step)
            elif self._overlap is not None:
                self._run_tiles(self._overlap, source, height, width, sink, step)
            else:
                sink(0, 0, self._piece(source(0, height, 0, width)))
                step(1, 1)

    @property
    def peak(self) -> int | None:
        """Bytes that the stream was cut to; None where nothing was streamed."""
        return self._exact.peak if self._exact is not None and self._exact.cut is not None else None

    def _stream_or_tiles(self) -> None:
        try:
            plan = self._plan(self._dtype)
        except NotStreamable as reason:
            self._overlap = Overlap()
            self.used = self._described()
            self.not_exact_because = str(reason)
            return
        self._exact = ExactStream(
            plan,
            lambda: self._plan(torch.float32),
            self._device,
            self._dtype,
            self._scale,
            int(self._source.receptive_radius),  # type: ignore[arg-type]
            self._alignment,
            int(self._source.in_channels),  # type: ignore[arg-type]
            self._turns,
            lambda: budget(self._memory, self._device),
            self._ask,
        )
        self.used = "exact"

    def _described(self) -> str:
        if self._overlap is None:
            return "each plane whole"
        return f"tiles of {self._overlap.tile} pixels with {self._overlap.overlap} of overlap"

    def _run_exact(
        self, exact: ExactStream, source: BlockSource, batch: int, height: int, width: int, sink: Sink, step: PieceDone
    ) -> None:
        exact.run(source, batch, height, width, sink, step)
        self.recomputed, self.strips, self.halved = exact.recomputed, exact.strips, exact.halved
        cut = exact.cut
        assert cut is not None
        bands = f", {cut.band} columns at a time" if cut.margin else ""
        self.used = f"exact, {cut.strip} rows at a time{bands}"

    def _run_tiles(
        self, overlap: Overlap, source: BlockSource, height: int, width: int, sink: Sink, step: PieceDone
    ) -> None:
        """Go tile by tile, a row of tiles at a time; what two rows of tiles share waits for the second."""
        s = self._scale
        rows, columns = (axis_tiles(n, overlap, self._alignment) for n in (height, width))
        shared: Tensor | None = None
        for n, row in enumerate(rows):
            band: Tensor | None = None
            for m, column in enumerate(columns):
                part = self._tile(source, row, column)
                if band is None:
                    band = part.new_zeros((*part.shape[:2], s * (row.keep_stop - row.keep_start), s * width))
                band[..., s * column.keep_start : s * column.keep_stop] += part
                step(n * len(columns) + m + 1, len(rows) * len(columns))
            assert band is not None
            if shared is not None:
                band[:, :, : shared.shape[2]] += shared
            done = s * ((rows[n + 1].keep_start if n + 1 < len(rows) else height) - row.keep_start)
            sink(s * row.keep_start, 0, band[:, :, :done])
            shared = band[:, :, done:]

    def _tile(self, source: BlockSource, row: AxisTile, column: AxisTile) -> Tensor:
        """One tile's used part, times its weights."""
        s = self._scale
        tile = self._piece(source(row.start, row.stop, column.start, column.stop))
        kept = tile[
            :,
            :,
            s * (row.keep_start - row.start) : s * (row.keep_stop - row.start),
            s * (column.keep_start - column.start) : s * (column.keep_stop - column.start),
        ]
        down, across = (torch.from_numpy(axis.weights(s)) for axis in (row, column))
        return kept * down[:, None] * across[None, :]

    def _piece(self, piece: Tensor) -> Tensor:
        """One piece through the network whole; again in float32 if half precision spoilt it."""
        self._hidden = False
        out = self._compute(piece, self._dtype)
        if self._dtype != torch.float32 and (self._hidden or not bool(torch.isfinite(out).all())):
            self.recomputed += 1
            out = self._compute(piece, torch.float32)
        return out

    def _compute(self, piece: Tensor, dtype: torch.dtype) -> Tensor:
        self._ask()
        network = self._network(dtype)
        try:
            x = piece.to(self._device, dtype)
            total: Tensor | None = None
            for dihedral in self._turns:
                out = dihedral.undo(network(dihedral.apply(x).contiguous(memory_format=torch.channels_last))).float()
                total = out if total is None else total + out
            assert total is not None
            return (total / len(self._turns)).cpu()
        except torch.OutOfMemoryError as error:
            remedy = "a smaller tile" if self._overlap else "the tiling exact"
            raise InputError(
                f"The memory of {self._device} is too small for a piece of {piece.shape[2]} x {piece.shape[3]} pixels: "
                f"choose {remedy}, or another device."
            ) from error

    def _ask(self) -> None:
        if self._cancel():
            raise Cancelled("The work was cancelled; nothing was changed.")

    def _plan(self, dtype: torch.dtype) -> StreamPlan:
        if dtype not in self._plans:
            self._plans[dtype] = plan_stream(self._network(dtype))
        return self._plans[dtype]

    def _network(self, dtype: torch.dtype) -> nn.Module:
        """Copy the network to the device once per precision, each layer asking first whether to go on."""
        if dtype not in self._ready:
            ready = copy.deepcopy(self._source).to(self._device, dtype).eval().requires_grad_(False)
            # torch's own annotations leave this form of `to` out.
            ready = ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for module in ready.modules():
                if not list(module.children()):
                    module.register_forward_pre_hook(self._hook)
                if dtype == torch.float16 and isinstance(module, BOUNDING):
                    module.register_forward_pre_hook(self._watch)
            self._ready[dtype] = ready
        return self._ready[dtype]

    def _watch(self, _module: nn.Module, inputs: Any) -> None:
        """Note an infinity before a layer makes a finite number of it."""
        self._hidden = self._hidden or not bool(torch.isfinite(inputs[0]).all())

    def _hook(self, _module: nn.Module, _inputs: Any) -> None:
        self._ask()


def _filled_up(source: BlockSource, height: int, width: int) -> BlockSource:
    """A source that repeats its last row and column as far as it is asked."""

    def filled(top: int, bottom: int, left: int, right: int) -> Tensor:
        part = source(min(top, height - 1), min(bottom, height), min(left, width - 1), min(right, width))
        below, beside = bottom - top - part.shape[2], right - left - part.shape[3]
        return nn.functional.pad(part, (0, beside, 0, below), mode="replicate") if below or beside else part

    return filled


def _cut_off(sink: Sink, height: int, width: int) -> Sink:
    """A sink that forgets what lies beyond a size."""

    def cut(top: int, left: int, part: Tensor) -> None:
        inside = part[:, :, : max(0, height - top), : max(0, width - left)]
        if inside.numel():
            sink(top, left, inside)

    return cut
