"""One plane through a network on a device: whole, or by overlap tiles."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference.device import ieee_float32
from napari_sr.inference.settings import Overlap
from napari_sr.inference.tiles import axis_tiles

Image = NDArray[np.float32]


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
    tiling : Overlap or None
        Overlap tiles, or None for the whole plane in one piece.
    cancel : callable
        Asked before every layer of the network; True stops the work.

    Attributes
    ----------
    recomputed : int
        Pieces in which half precision made a NaN or an infinity and which were computed again in float32.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tiling: Overlap | None = None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = network
        self._ready: dict[torch.dtype, nn.Module] = {}
        self._device = device
        self._dtype = dtype
        self._cancel = cancel
        self.tiling = tiling
        self.scale: int = network.scale  # type: ignore[assignment]
        self._alignment: int = network.alignment  # type: ignore[assignment]
        self.recomputed = 0

    def pieces(self, height: int, width: int) -> int:
        """Count the pieces in which a plane of this size goes through the network."""
        if self.tiling is None:
            return 1
        return len(axis_tiles(height, self.tiling, self._alignment)) * len(
            axis_tiles(width, self.tiling, self._alignment)
        )

    def run(self, plane: Image, step: Callable[[], None] = lambda: None) -> Image:
        """Put one plane through the network.

        Parameters
        ----------
        plane : ndarray, shape (C, Y, X), float32
            In the range that the network was trained in.
        step : callable
            Called after every piece.

        Returns
        -------
        ndarray, shape (C', scale Y, scale X), float32

        Raises
        ------
        Cancelled
            If `cancel` said yes.
        InputError
            If the device has too little memory for one piece.
        """
        if self.tiling is None:
            out = self._piece(plane)
            step()
            return out
        height, width = plane.shape[1:]
        rows = axis_tiles(height, self.tiling, self._alignment)
        columns = axis_tiles(width, self.tiling, self._alignment)
        result: Image | None = None
        s = self.scale
        for row in rows:
            for column in columns:
                tile = self._piece(plane[:, row.start : row.stop, column.start : column.stop])
                if result is None:
                    result = np.zeros((tile.shape[0], s * height, s * width), np.float32)
                kept = tile[
                    :,
                    s * (row.keep_start - row.start) : s * (row.keep_stop - row.start),
                    s * (column.keep_start - column.start) : s * (column.keep_stop - column.start),
                ]
                weights = row.weights(s)[:, None] * column.weights(s)[None, :]
                result[:, s * row.keep_start : s * row.keep_stop, s * column.keep_start : s * column.keep_stop] += (
                    kept * weights
                )
                step()
        assert result is not None
        return result

    def _piece(self, piece: Image) -> Image:
        out = self._compute(piece, self._dtype)
        if self._dtype != torch.float32 and not np.isfinite(out).all():
            self.recomputed += 1
            out = self._compute(piece, torch.float32)
        return out

    def _compute(self, piece: Image, dtype: torch.dtype) -> Image:
        if self._cancel():
            raise Cancelled("The work was cancelled; nothing was changed.")
        network = self._network(dtype)
        try:
            with torch.inference_mode(), ieee_float32():
                x = torch.from_numpy(np.ascontiguousarray(piece))[None].to(self._device, dtype)
                out = network(x.contiguous(memory_format=torch.channels_last))
                return np.asarray(out[0].float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            remedy = "a smaller tile" if self.tiling else "overlap tiles"
            raise InputError(
                f"The memory of {self._device} is too small for a piece of {piece.shape[1]} x {piece.shape[2]} pixels: "
                f"choose {remedy}, or another device."
            ) from error

    def _network(self, dtype: torch.dtype) -> nn.Module:
        """Copy the network to the device once per precision, each layer asking first whether to go on."""
        if dtype not in self._ready:
            ready = copy.deepcopy(self._source).to(self._device, dtype).eval()
            # torch's own annotations leave this form of `to` out.
            ready = ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

            def ask(_module: nn.Module, _inputs: Any) -> None:
                if self._cancel():
                    raise Cancelled("The work was cancelled; nothing was changed.")

            for module in ready.modules():
                if not list(module.children()):
                    module.register_forward_pre_hook(ask)
            self._ready[dtype] = ready
        return self._ready[dtype]
