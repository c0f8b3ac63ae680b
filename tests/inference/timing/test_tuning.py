"""Another way of computing than the usual one is taken only where it was measured to be clearly faster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from napari_sr import accelerators
from napari_sr.accelerators import unavailable
from napari_sr.inference.compute.tunings import Tuning
from napari_sr.inference.timing import tuning as tuning_module
from napari_sr.inference.timing.tuning import fastest, measure_tuning
from napari_sr.networks import SRCNN

USUAL = {"float32": "contiguous", "float16": "channels last"}


def clock(layouts: dict[tuple[str, str], float], strips: float = 1.0):
    """Times by number format and layout, 1 where none is given, and that of strips against whole planes."""

    def seconds(dtype: torch.dtype, tuning: Tuning) -> float:
        name = str(dtype).removeprefix("torch.")
        layout = tuning.layouts.get(name, USUAL[name])
        return layouts.get((name, layout), 1.0) * (1.0 if tuning.whole_planes else strips)

    return seconds


def test_the_usual_way_stays_where_nothing_is_faster() -> None:
    assert fastest(clock({})) == Tuning()


def test_a_faster_layout_is_taken_for_its_number_format() -> None:
    assert fastest(clock({("float32", "channels last"): 0.7})) == Tuning({"float32": "channels last"})
    assert fastest(clock({("float16", "contiguous"): 0.7})) == Tuning({"float16": "contiguous"})


def test_a_difference_within_the_noise_changes_nothing() -> None:
    assert fastest(clock({("float32", "channels last"): 0.97}, strips=0.97)) == Tuning()


def test_planes_are_cut_into_strips_where_that_is_faster() -> None:
    assert fastest(clock({}, strips=0.8)) == Tuning(whole_planes=False)
    assert fastest(clock({}, strips=1.3)) == Tuning()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tuning_module, "SIDES", (8,))
    monkeypatch.setattr(tuning_module, "RUNS", 1)
    yield


@pytest.mark.usefixtures("short")
@pytest.mark.skipif(unavailable("vulkan") is not None, reason="Vulkan cannot be used")
def test_a_device_is_measured_in_all_ways_and_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ways, measure = [], tuning_module._seconds

    def noted(network, device, dtype, tuning, side) -> float:
        ways.append((dtype, dict(tuning.layouts), tuning.whole_planes))
        return measure(network, device, dtype, tuning, side)

    monkeypatch.setattr(tuning_module, "_seconds", noted)
    monkeypatch.setattr(accelerators, "_measured_layouts", {})
    found = measure_tuning(SRCNN(scale=2, features=(4, 3), kernels=(5, 1, 3)).eval(), torch.device("vulkan", 0))
    assert isinstance(found, Tuning)
    for dtype in (torch.float32, torch.float16):
        name = str(dtype).removeprefix("torch.")
        assert {layouts.get(name) for kind, layouts, _ in ways if kind == dtype} >= {"channels last", "contiguous"}
    assert {whole for _, _, whole in ways} == {True, False}
    assert not accelerators._measured_layouts
