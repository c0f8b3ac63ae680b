"""Inference of planes on a device: streamed exactly, in overlapping tiles, or each plane whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from napari_sr.accelerators import memory_layout
from napari_sr.conversion import Memory
from napari_sr.errors import Cancelled
from napari_sr.inference.compute.exact import BlockSource, ExactStream, Sink
from napari_sr.inference.compute.memory import budget
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.compute.streaming.dihedral import DIHEDRALS, Dihedral
from napari_sr.inference.compute.streaming.plan import NotStreamable
from napari_sr.inference.compute.tiles import AxisTile, axis_tiles
from napari_sr.inference.compute.too_little_memory import sentence_for_too_little_memory
from napari_sr.inference.compute.transfer import Arrived, Transfer, upload
from napari_sr.progress import Cancel, Progress, never
from napari_sr.settings import Overlap, Tiling
from napari_sr.torch_state import ieee_float32


class PlaneRunner:
    """A network on a device, applied to planes of any size: the state of one run.

    Parameters
    ----------
    network : PreparedNetwork
        The network on its device. No other run may use it at the same time.
    dtype : torch.dtype, default torch.float32
        Number format of the computation: float32, bfloat16 or float16.
    tiling : {"exact", "overlap", "none"} or Overlap, default "exact"
        How planes are cut.
    memory : int or "auto", default "auto"
        Memory in bytes that exact tiling may use on the device.
    self_ensemble : bool, default False
        Average the results of the eight flips and turns of the image.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the work with `Cancelled`.

    Attributes
    ----------
    not_exact_because : str or None
        Why the tiles do not give the result of the whole plane although exact tiling was requested; None where that is
        not so.
    """

    def __init__(
        self,
        network: PreparedNetwork,
        dtype: torch.dtype = torch.float32,
        tiling: Tiling = "exact",
        *,
        memory: Memory | str = "auto",
        self_ensemble: bool = False,
        cancel: Cancel = never,
    ) -> None:
        self._network, self._device = network, network.device
        self._dtype, self._memory = dtype, memory
        self._cancel = cancel
        self._dihedrals = DIHEDRALS if self_ensemble else (Dihedral(),)
        self._scale, self._alignment = network.scale, network.alignment
        self._recomputed_blocks = 0
        self.not_exact_because: str | None = None
        self._overlap: Overlap | None = tiling if isinstance(tiling, Overlap) else None
        self._exact: ExactStream | None = None
        #: Whether the tiles give the result of the whole plane, with a network that is local and not streamed.
        self._exact_tiles = False
        if tiling == "exact":
            self._stream_or_tiles()
        elif tiling == "overlap":
            self._overlap = Overlap()

    def run(
        self,
        source: BlockSource,
        batch: int,
        height: int,
        width: int,
        sink: Sink,
        progress: Progress = lambda done, total: None,
        *,
        along_x: bool | None = None,
    ) -> None:
        """Apply the network to a batch of planes of one size.

        Parameters
        ----------
        source : callable
            ``source(top, bottom, left, right)`` returns a block of the planes, shape (batch, C, rows, columns),
            float32, in the range of values of the network.
        batch : int
            Number of planes.
        height, width : int
            Size of the planes, in pixels.
        sink : callable
            ``sink(top, left, part)`` receives the blocks of the result, shape (batch, C', rows, columns), float32, each
            pixel once.
        progress : callable, optional
            Called as ``progress(done, total)`` after every block.
        along_x : bool, optional
            Whether exact tiling streams columns instead of rows; by default the ones of which there are more.

        Raises
        ------
        Cancelled
            If `cancel` returned True.
        InputError
            If the device has too little memory for the smallest block.
        """
        with torch.inference_mode(), ieee_float32(), self._network.checked(self._check_cancel):
            if self._alignment > 1 and len(self._dihedrals) > 1:
                # Padded to whole groups once, so that all members of the self-ensemble have the same groups.
                s = self._scale
                source, sink = _padded_source(source, height, width), _cropping_sink(sink, s * height, s * width)
                height, width = (-(-n // self._alignment) * self._alignment for n in (height, width))
            if self._exact is not None:
                self._exact.run(source, batch, height, width, sink, progress, along_x=along_x)
            elif self._overlap is not None:
                self._run_tiles(self._overlap, source, height, width, sink, progress)
            else:
                for part in self._computed([source(0, height, 0, width)]):
                    sink(0, 0, part)
                progress(1, 1)

    @property
    def is_streamed(self) -> bool:
        """Whether rows, or columns, are streamed through the network."""
        return self._exact is not None

    @property
    def tiling(self) -> str:
        """Description of the tiling in use, such as "exact, 64 rows at a time"."""
        if self._exact is not None:
            cut = self._exact.cut
            if cut is None:
                return "exact"
            bands = f", {cut.band} columns at a time" if cut.margin else ""
            return f"exact, {cut.strip} rows at a time{bands}"
        if self._overlap is not None:
            tiles = f"tiles of {self._overlap.tile} pixels with {self._overlap.overlap} of overlap"
            return f"exact, {tiles}" if self._exact_tiles else tiles
        return "each plane whole"

    @property
    def peak(self) -> int | None:
        """Predicted memory of the stream in bytes; None before the first plane and without exact tiling."""
        return self._exact.peak if self._exact is not None and self._exact.cut is not None else None

    @property
    def recomputed(self) -> int:
        """Ranges of rows, or tiles, that were computed again in float32 because half precision overflowed."""
        return self._recomputed_blocks if self._exact is None else self._exact.recomputed

    @property
    def strips(self) -> int:
        """Strips of the result that were computed; 0 without exact tiling."""
        return 0 if self._exact is None else self._exact.strips

    @property
    def halved(self) -> int:
        """How often the device ran out of memory and the strips were halved."""
        return 0 if self._exact is None else self._exact.halved

    def _stream_or_tiles(self) -> None:
        try:
            plan = self._network.plan(self._dtype)
        except NotStreamable as reason:
            if self._network.is_local:
                self._exact_tiles = True
                margin = max(Overlap().overlap, self._network.receptive_radius)
                self._overlap = Overlap(tile=max(Overlap().tile, 4 * margin), overlap=margin)
            else:
                self._overlap = Overlap()
                self.not_exact_because = str(reason)
            return
        self._exact = ExactStream(
            plan=plan,
            float32_plan=lambda: self._network.plan(torch.float32),
            transformed=self._network.transformed,
            device=self._device,
            dtype=self._dtype,
            scale=self._scale,
            radius=self._network.receptive_radius,
            alignment=self._alignment,
            channels=self._network.in_channels,
            dihedrals=self._dihedrals,
            whole_planes=self._network.whole_planes,
            budget=lambda: budget(self._memory, self._device),
            before_step=self._check_cancel,
        )

    def _run_tiles(
        self, overlap: Overlap, source: BlockSource, height: int, width: int, sink: Sink, progress: Progress
    ) -> None:
        """Compute one row of tiles after the other; the seam of two rows is held until both are there."""
        s = self._scale
        rows, columns = (axis_tiles(n, overlap, self._alignment) for n in (height, width))
        tiles = self._computed(source(r.start, r.stop, c.start, c.stop) for r in rows for c in columns)
        shared: Tensor | None = None
        for n, row in enumerate(rows):
            band: Tensor | None = None
            for m, column in enumerate(columns):
                part = self._weighted(next(tiles), row, column)
                if band is None:
                    band = part.new_zeros((*part.shape[:2], s * (row.keep_stop - row.keep_start), s * width))
                band[..., s * column.keep_start : s * column.keep_stop] += part
                progress(n * len(columns) + m + 1, len(rows) * len(columns))
            assert band is not None
            if shared is not None:
                band[:, :, : shared.shape[2]] += shared
            done = s * ((rows[n + 1].keep_start if n + 1 < len(rows) else height) - row.keep_start)
            sink(s * row.keep_start, 0, band[:, :, :done])
            shared = band[:, :, done:]

    def _weighted(self, tile: Tensor, row: AxisTile, column: AxisTile) -> Tensor:
        """Cut the margins off a tile, and multiply it by its weights."""
        s = self._scale
        inner = tile[
            :,
            :,
            s * (row.keep_start - row.start) : s * (row.keep_stop - row.start),
            s * (column.keep_start - column.start) : s * (column.keep_stop - column.start),
        ]
        down, across = (torch.from_numpy(axis.weights(s)) for axis in (row, column))
        return inner * down[:, None] * across[None, :]

    def _computed(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Compute blocks in order; again in float32 where half precision overflowed."""
        transfer: Transfer[Tensor] = Transfer(self._device)
        for block in blocks:
            with self._sentence(block):
                arrived = list(transfer.send(block, *self._compute(block, self._dtype)))
            yield from map(self._finished, arrived)
        yield from map(self._finished, transfer.finish())

    def _finished(self, arrived: Arrived[Tensor]) -> Tensor:
        block, part, finite = arrived
        if self._dtype != torch.float32 and not (all(finite) and bool(torch.isfinite(part).all())):
            self._recomputed_blocks += 1
            with self._sentence(block):
                part = self._compute(block, torch.float32)[0].cpu()
        return part

    def _sentence(self, block: Tensor) -> AbstractContextManager[None]:
        remedy = "a smaller tile" if self._overlap else "the tiling exact"
        return sentence_for_too_little_memory(
            f"The memory of {self._device} is too small for a block of {block.shape[2]} x {block.shape[3]} pixels: "
            f"choose {remedy}, or another device."
        )

    def _compute(self, block: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        """Compute a block on the device; return the result and the checks for overflow."""
        self._check_cancel()
        network = self._network.module(dtype)
        layout = memory_layout(self._device, dtype)
        self._network.take_checks()
        x = upload(block, self._device, dtype)
        total: Tensor | None = None
        for dihedral in self._dihedrals:
            out = dihedral.undo(network(dihedral.apply(x).contiguous(memory_format=layout))).float()
            total = out if total is None else total + out
        assert total is not None
        return total / len(self._dihedrals), self._network.take_checks()

    def _check_cancel(self) -> None:
        if self._cancel():
            raise Cancelled


def _padded_source(source: BlockSource, height: int, width: int) -> BlockSource:
    """A source that repeats its last row and column beyond its size."""

    def padded(top: int, bottom: int, left: int, right: int) -> Tensor:
        part = source(min(top, height - 1), min(bottom, height), min(left, width - 1), min(right, width))
        rows, columns = bottom - top - part.shape[2], right - left - part.shape[3]
        return nn.functional.pad(part, (0, columns, 0, rows), mode="replicate") if rows or columns else part

    return padded


def _cropping_sink(sink: Sink, height: int, width: int) -> Sink:
    """A sink that discards pixels beyond a size."""

    def crop(top: int, left: int, part: Tensor) -> None:
        inside = part[:, :, : max(0, height - top), : max(0, width - left)]
        if inside.numel():
            sink(top, left, inside)

    return crop
