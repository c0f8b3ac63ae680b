"""Copying of results from a device to the CPU, while the device computes the next ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from napari_sr.accelerators import has_streams


class Transfer:
    """Copies rows of the result to the CPU; on devices with streams each strip while the next one is computed.

    Parameters
    ----------
    device : torch.device
        Device that computes.
    """

    def __init__(self, device: torch.device) -> None:
        # By the module of the kind: torch.accelerator knows one kind only, the last that was added to torch.
        self._module: Any = torch.get_device_module(device.type)
        self._side = self._module.Stream(device) if has_streams(device) else None
        self._pending: tuple[int, Tensor, Any] | None = None

    def send(self, row: int, part: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Start to copy a strip, and yield the one that was copied before.

        Parameters
        ----------
        row : int
            Its first row.
        part : Tensor
            The strip, on the device.

        Yields
        ------
        (int, Tensor)
            First row and strip, float32, on the CPU.
        """
        if self._side is None:
            yield row, part.float().cpu()
            return
        host = torch.empty(part.shape, dtype=torch.float32, pin_memory=True)
        arrived = self._module.Event()
        self._side.wait_stream(self._module.current_stream(part.device))
        with self._module.stream(self._side):
            host.copy_(part, non_blocking=True)
            part.record_stream(self._side)
            arrived.record(self._side)
        yield from self.finish()
        self._pending = (row, host, arrived)

    def finish(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the strip that is still being copied.

        Yields
        ------
        (int, Tensor)
            First row and strip, float32, on the CPU.
        """
        if self._pending is not None:
            row, host, arrived = self._pending
            self._pending = None
            arrived.synchronize()
            yield row, host
