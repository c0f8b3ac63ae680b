"""Strips are brought back in order with their checks, and none is read before it has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_sr.inference.compute import transfer as transfer_module
from napari_sr.inference.compute.transfer import Arrived, Transfer, upload

CPU = torch.device("cpu")


def strips(count: int) -> Iterator[tuple[int, Tensor]]:
    for n in range(count):
        yield 4 * n, torch.full((1, 1, 4, 3), float(n), dtype=torch.float16)


def sent(transfer: Transfer[int], count: int) -> list[Arrived[int]]:
    received = [arrived for row, part in strips(count) for arrived in transfer.send(row, part)]
    return [*received, *transfer.finish()]


def test_without_streams_each_strip_is_copied_at_once() -> None:
    transfer = Transfer[int](CPU)
    checks = [torch.tensor(True), torch.tensor(False)]
    ((row, part, finite),) = transfer.send(8, torch.ones(1, 1, 4, 3, dtype=torch.float16), checks)
    assert (row, part.dtype, finite) == (8, torch.float32, [True, False])
    assert not list(transfer.finish())


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Streams and events that write down their use, in place of those of a graphics card."""
    done: list[str] = []

    class Stream:
        def __init__(self, device: torch.device) -> None: ...

        def wait_stream(self, other: str) -> None:
            done.append(f"side waits for {other}")

    class Event:
        number = 0

        def __init__(self) -> None:
            self.number = Event.number
            Event.number += 1

        def record(self, stream: Stream) -> None:
            done.append(f"copy {self.number} recorded")

        def synchronize(self) -> None:
            done.append(f"copy {self.number} arrived")

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        done.append("on side")
        yield
        done.append("off side")

    empty = torch.empty

    def unpinned(*size: Any, pin_memory: bool, **more: Any) -> Tensor:
        assert pin_memory
        return empty(*size, **more)

    monkeypatch.setattr(transfer_module, "has_streams", lambda device: True)
    monkeypatch.setattr(torch, "empty", unpinned)
    module = SimpleNamespace(Stream=Stream, Event=Event, stream=on, current_stream=lambda device: "main")
    monkeypatch.setattr(torch, "get_device_module", lambda kind: module)
    monkeypatch.setattr(Tensor, "record_stream", lambda part, stream: done.append("kept for side"))
    return done


def test_with_streams_a_strip_is_yielded_after_the_next_one_is_sent(log: list[str]) -> None:
    transfer = Transfer[int](CPU)
    first, second = list(strips(2))
    assert not list(transfer.send(*first))
    assert "copy 0 arrived" not in log
    ((row, part, finite),) = transfer.send(*second, [torch.tensor(False)])
    assert (row, float(part.mean()), finite) == (0, 0.0, [])
    assert log == [
        *["side waits for main", "on side", "kept for side", "copy 0 recorded", "off side"],
        *["side waits for main", "on side", "kept for side", "kept for side", "copy 1 recorded", "off side"],
        "copy 0 arrived",
    ]
    ((row, part, finite),) = transfer.finish()
    assert (row, float(part.mean()), part.dtype, finite) == (4, 1.0, torch.float32, [False])
    assert log[-1] == "copy 1 arrived"


@pytest.mark.usefixtures("log")
def test_all_strips_arrive_in_order() -> None:
    received = sent(Transfer[int](CPU), 5)
    assert [arrived.key for arrived in received] == [0, 4, 8, 12, 16]
    assert [float(arrived.part.mean()) for arrived in received] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_with_streams_images_are_copied_from_pinned_memory_without_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    to = Tensor.to

    def copied(part: Tensor, *how: Any, **more: Any) -> Tensor:
        calls.append(more.get("non_blocking", how[0]))
        return to(part, *how)

    monkeypatch.setattr(transfer_module, "has_streams", lambda device: True)
    monkeypatch.setattr(Tensor, "pin_memory", lambda part: calls.append("pinned") or part)
    monkeypatch.setattr(Tensor, "to", copied)
    found = upload(torch.ones(1, 1, 2, 2), CPU, torch.float16)
    assert found.dtype == torch.float16
    # In the number format of the device, which may need half of the transfer.
    assert calls == [torch.float16, "pinned", True]
