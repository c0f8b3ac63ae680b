"""Copying of images to a device and of results to the CPU, while the device computes others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from napari_sr.accelerators import has_streams

Key = TypeVar("Key")


class Arrived(NamedTuple, Generic[Key]):
    """A part of a result on the CPU.

    Parameters
    ----------
    key : object
        With which it was sent.
    part : Tensor
        The part, float32, on the CPU.
    finite : list of bool
        The values of its checks.
    """

    key: Key
    part: Tensor
    finite: list[bool]


def upload(part: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Copy a part of an image to a device.

    Returns
    -------
    Tensor
        The copy. On devices with streams the CPU does not wait for it, nor for the computations before it.
    """
    part = part.to(dtype)
    # Torch keeps pinned memory until the copies from it have ended.
    return part.pin_memory().to(device, non_blocking=True) if has_streams(device) else part.to(device)


class Transfer(Generic[Key]):
    """Copies parts of the result to the CPU, each with its checks, so that the CPU waits once for both.

    On devices with streams each part is copied while the next one is computed.

    Parameters
    ----------
    device : torch.device
        Device that computes.
    """

    def __init__(self, device: torch.device) -> None:
        # By the module of the kind: torch.accelerator stands for one kind only, the last that was added to torch.
        self._module: Any = torch.get_device_module(device.type)
        self._side = self._module.Stream(device) if has_streams(device) else None
        self._pending: tuple[Key, Tensor, Tensor | None, Any] | None = None

    def send(self, key: Key, part: Tensor, finite: Sequence[Tensor] = ()) -> Iterator[Arrived[Key]]:
        """Start to copy a part, and yield the one that was copied before.

        Parameters
        ----------
        key : object
            Returned with the part.
        part : Tensor
            The part, on the device.
        finite : sequence of Tensor, optional
            Checks, one bool each, on the device.
        """
        if self._side is None:
            yield _copied(key, part, finite)
            return
        checks = torch.stack(list(finite)) if finite else None
        sent = [part] if checks is None else [part, checks]
        hosts = [torch.empty(part.shape, dtype=torch.float32, pin_memory=True)]
        if checks is not None:
            hosts.append(torch.empty(checks.shape, dtype=torch.bool, pin_memory=True))
        arrived = self._module.Event()
        self._side.wait_stream(self._module.current_stream(part.device))
        with self._module.stream(self._side):
            for host, source in zip(hosts, sent, strict=True):
                host.copy_(source, non_blocking=True)
                source.record_stream(self._side)
            arrived.record(self._side)
        yield from self.finish()
        self._pending = (key, hosts[0], None if checks is None else hosts[1], arrived)

    def finish(self) -> Iterator[Arrived[Key]]:
        """Yield the part that is still being copied."""
        if self._pending is not None:
            key, host, checks, arrived = self._pending
            self._pending = None
            arrived.synchronize()
            yield Arrived(key, host, [] if checks is None else checks.tolist())


def _copied(key: Key, part: Tensor, finite: Sequence[Tensor]) -> Arrived[Key]:
    """Copy a part and its checks at once."""
    if part.device.type == "cpu" or not finite:
        return Arrived(key, part.float().cpu(), [bool(check) for check in finite])
    # In one piece of memory, since the CPU waits for each copy.
    joined = torch.cat([part.float().flatten(), torch.stack(list(finite)).float()]).cpu()
    values, checks = joined[: part.numel()], joined[part.numel() :]
    return Arrived(key, values.view(part.shape), (checks != 0).tolist())
