"""Strips are brought back in order, and none is read before it has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_sr.inference.compute import transfer as transfer_module
from napari_sr.inference.compute.transfer import Transfer

CPU = torch.device("cpu")


def strips(count: int) -> Iterator[tuple[int, Tensor]]:
    for n in range(count):
        yield 4 * n, torch.full((1, 1, 4, 3), float(n), dtype=torch.float16)


def sent(transfer: Transfer, count: int) -> list[tuple[int, Tensor]]:
    received = [pair for row, part in strips(count) for pair in transfer.send(row, part)]
    return [*received, *transfer.finish()]


def test_without_streams_each_strip_is_copied_at_once() -> None:
    transfer = Transfer(CPU)
    ((row, part),) = transfer.send(8, torch.ones(1, 1, 4, 3, dtype=torch.float16))
    assert (row, part.dtype) == (8, torch.float32)
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
    transfer = Transfer(CPU)
    first, second = list(strips(2))
    assert not list(transfer.send(*first))
    assert "copy 0 arrived" not in log
    ((row, part),) = transfer.send(*second)
    assert (row, float(part.mean())) == (0, 0.0)
    assert log == [
        *["side waits for main", "on side", "kept for side", "copy 0 recorded", "off side"],
        *["side waits for main", "on side", "kept for side", "copy 1 recorded", "off side"],
        "copy 0 arrived",
    ]
    ((row, part),) = transfer.finish()
    assert (row, float(part.mean()), part.dtype) == (4, 1.0, torch.float32)
    assert log[-1] == "copy 1 arrived"


@pytest.mark.usefixtures("log")
def test_all_strips_arrive_in_order() -> None:
    received = sent(Transfer(CPU), 5)
    assert [row for row, _ in received] == [0, 4, 8, 12, 16]
    assert [float(part.mean()) for _, part in received] == [0.0, 1.0, 2.0, 3.0, 4.0]
