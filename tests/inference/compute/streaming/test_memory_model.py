"""The predicted memory of a stream, compared with that of real streams."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_sr.inference.compute.streaming.memory_model import peak_per_column
from napari_sr.inference.compute.streaming.plan import StreamPlan, plan_stream
from napari_sr.inference.compute.streaming.stream import stream
from tests.inference.compute.streaming.drawn import small

NAMES = ["srcnn x2", "srresnet x4", "msrresnet x3", "rrdbnet x2 unshuffled", "rrdbnet x4", "rrdbnet x4 bilinear skip"]
COLUMNS = 64


class Ledger(TorchDispatchMode):
    """Counts the numbers in all memory that torch's operations have made and somebody still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._live[storage._cdata] = StorageWeakRef(storage), storage.nbytes() // tensor.element_size()
        self._live = {key: (kept, count) for key, (kept, count) in self._live.items() if not kept.expired()}
        self.peak = max(self.peak, sum(count for _, count in self._live.values()))
        return out


def real_peak(plan: StreamPlan, channels: int, rows: int, strip: int, **how: bool) -> float:
    """Numbers per column that a real stream holds at most, beyond its weights."""
    with torch.inference_mode(), Ledger() as ledger:
        source = lambda a, b: torch.rand(1, channels, b - a, COLUMNS)  # noqa: E731
        for part in stream(plan, source, rows, COLUMNS, strip, **how):
            del part
    return ledger.peak / COLUMNS


def plan_of(name: str) -> tuple[StreamPlan, int, int]:
    network: Any = small(name)
    return plan_stream(network), network.in_channels, network.receptive_radius


@pytest.mark.parametrize("strip", [4, 16])
@pytest.mark.parametrize("name", NAMES)
def test_a_real_stream_uses_the_predicted_memory_or_a_little_less(name: str, strip: int) -> None:
    plan, channels, radius = plan_of(name)
    rows = 3 * radius + 7 * strip
    ratio = peak_per_column(plan, channels, rows, strip, radius) / real_peak(plan, channels, rows, strip)
    assert 1.0 <= ratio <= 1.6


@pytest.mark.parametrize("rows", [24, 90])
@pytest.mark.parametrize("name", NAMES)
def test_a_plane_in_one_piece_uses_the_predicted_memory_or_half_of_it(name: str, rows: int) -> None:
    plan, channels, radius = plan_of(name)
    real = real_peak(plan, channels, rows, rows, whole_strips=True, pieces=False)
    # The workspace and the held rows are not at their largest at the same time.
    assert 1.0 <= peak_per_column(plan, channels, rows, rows, radius, pieces=False) / real <= 2.2


@pytest.mark.parametrize("name", ["srcnn x2", "srresnet x4", "rrdbnet x2 unshuffled"])
def test_the_peak_does_not_grow_with_the_height(name: str) -> None:
    plan, channels, radius = plan_of(name)
    # Without a radius to say where nothing more is held, the whole height is rehearsed.
    peaks = [peak_per_column(plan, channels, rows, 32, rows) for rows in (512, 2048, 8192)]
    peaks += [peak_per_column(plan, channels, rows, 32, radius) for rows in (512, 2048, 8192)]
    assert max(peaks) <= 1.01 * min(peaks)
    assert min(peaks) > 32 * channels


@pytest.mark.parametrize("name", NAMES)
def test_higher_strips_need_more_memory(name: str) -> None:
    plan, channels, radius = plan_of(name)
    peaks = [peak_per_column(plan, channels, 1600, strip, radius) for strip in (1, 2, 4, 8, 16, 32, 64, 128, 256)]
    assert peaks == sorted(peaks)
    assert peaks[-1] > 4 * peaks[0]


def test_a_low_image_needs_less_memory() -> None:
    plan, channels, radius = plan_of("srresnet x4")
    assert peak_per_column(plan, channels, 8, 64, radius) < peak_per_column(plan, channels, 200, 64, radius) / 3


def test_more_channels_of_the_image_need_more_memory() -> None:
    plan, _, radius = plan_of("srcnn x2")
    # Only what lies before the first convolution grows: that one has its own features.
    one, four = (peak_per_column(plan, channels, 300, 16, radius) for channels in (1, 4))
    assert one < four < 4 * one


def test_a_prediction_does_not_keep_the_plan_alive() -> None:
    """A plan holds its network's weights, on the device."""
    network: Any = small("srcnn x2")
    weights = weakref.ref(network.conv1.weight)
    peak_per_column(plan_stream(network), 1, 100, 16, network.receptive_radius)
    del network
    gc.collect()
    forgotten = weights() is None
    assert forgotten
