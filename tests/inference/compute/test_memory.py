"""The memory budget, and the division of planes into strips and bands."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.accelerators import MOST_NUMBERS, free_memory, memory_fraction
from napari_sr.device_names import KINDS
from napari_sr.errors import InputError
from napari_sr.inference.compute import memory as memory_module
from napari_sr.inference.compute.memory import (
    HELD_STRIPS,
    LARGEST_WINDOW,
    LEAST_STRIP,
    LEAST_STRIP_WIDE,
    OVERHEAD,
    STRIPS,
    WIDE,
    Cut,
    budget,
    cut_plane,
)
from napari_sr.inference.compute.streaming.plan import StreamPlan, plan_stream
from napari_sr.settings import JobSettings
from tests.inference.compute.streaming.drawn import small

CPU = torch.device("cpu")
NAMES = ["srcnn x2", "srresnet x4", "rrdbnet x2 unshuffled"]


@cache
def planned(name: str) -> tuple[StreamPlan, Any]:
    network = small(name)
    return plan_stream(network), network


def cut(name: str, allowed: int, rows: int = 3000, columns: int = 2000, device: torch.device = CPU, **more: Any) -> Cut:
    plan, network = planned(name)
    return cut_plane(
        plan,
        network.in_channels,
        rows,
        columns,
        radius=network.receptive_radius,
        alignment=network.alignment,
        item=more.pop("item", 4),
        budget=allowed,
        device=device,
        **more,
    )


# The budget


@pytest.mark.parametrize("nonsense", [0, -1, 1.5, True, "much", None, [1]])
def test_invalid_budgets_are_refused(nonsense: Any) -> None:
    with pytest.raises(InputError, match="is not a budget: give auto, a number of bytes") as caught:
        JobSettings(memory=nonsense)
    assert repr(nonsense) in str(caught.value)


def test_a_number_of_bytes_is_the_budget() -> None:
    assert budget(12345, CPU) == 12345


def test_auto_is_a_fraction_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "free_memory", lambda device: 1000)
    for device in (CPU, *map(torch.device, KINDS)):
        assert budget("auto", device) == int(1000 * memory_fraction(device))
        assert 0 < memory_fraction(device) < 1


def test_the_free_memory_of_the_host_is_plausible() -> None:
    assert 2**20 < free_memory(CPU) < 2**50


# The cut


@pytest.mark.parametrize("name", NAMES)
def test_with_enough_memory_strips_are_the_highest_and_as_wide_as_the_image(name: str) -> None:
    chosen = cut(name, 2**40, columns=100)
    assert (chosen.strip, chosen.band, chosen.margin) == (STRIPS[0], 100, 0)


@pytest.mark.parametrize("columns", [500, 2000, 8000, 32000])
@pytest.mark.parametrize("name", NAMES)
def test_windows_of_strips_stay_below_the_limit(name: str, columns: int) -> None:
    chosen = cut(name, 2**60, columns=columns, rows=40000)
    plan, network = planned(name)
    counts = plan.channels(network.in_channels)
    window = 4 * columns * max(sum(counts[tensor] for tensor in step.inputs) for step in plan.steps)
    assert chosen.strip <= LEAST_STRIP or chosen.strip * window <= LARGEST_WINDOW
    higher = [strip for strip in STRIPS if strip > chosen.strip]
    assert all(strip * window > LARGEST_WINDOW for strip in higher)


@pytest.mark.parametrize("name", NAMES)
@given(allowed=st.integers(10**4, 10**9))
def test_the_peak_is_within_the_budget_if_any_cut_is(name: str, allowed: int) -> None:
    least = cut(name, 1)
    chosen = cut(name, allowed)
    assert chosen.peak <= max(allowed, least.peak)
    assert chosen.peak > 0


@pytest.mark.parametrize("name", NAMES)
def test_more_memory_never_gives_lower_strips_or_narrower_bands(name: str) -> None:
    cuts = [cut(name, int(10 ** (exponent / 40))) for exponent in range(4 * 40, 10 * 40)]
    assert [c.strip for c in cuts] == sorted(c.strip for c in cuts)
    assert len({c.strip for c in cuts}) > 3
    # At one height of strip the bands only grow, up to the whole width.
    assert cuts[-1].band == 2000
    for height in {c.strip for c in cuts}:
        bands = [c.band for c in cuts if c.strip == height]
        assert bands == sorted(bands)


@pytest.mark.parametrize("name", NAMES)
def test_bands_have_the_exact_margin_and_are_aligned(name: str) -> None:
    _, network = planned(name)
    whole = cut(name, 2**40, columns=2000)
    for divisor in (10, 30, 100, 10**6):
        chosen = cut(name, whole.peak // divisor)
        if chosen.band < 2000:
            assert network.receptive_radius <= chosen.margin < network.receptive_radius + network.alignment
            assert chosen.margin % network.alignment == chosen.band % network.alignment == 0
            assert chosen.band > 0
    assert cut(name, 1).band < 2000


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_cut_is_returned_if_nothing_fits(name: str) -> None:
    chosen = cut(name, 1)
    assert chosen.strip == 1
    assert chosen.band <= 16
    assert chosen.peak > 1


def test_strips_are_no_higher_than_the_image() -> None:
    chosen = cut("srcnn x2", 2**40, rows=5, columns=3)
    assert chosen.strip == 5
    assert chosen.peak < cut("srcnn x2", 2**40, rows=500, columns=3).peak


@pytest.mark.parametrize("most", [1, 4, 16])
def test_strips_are_no_higher_than_the_limit_of_the_device(most: int) -> None:
    assert cut("srcnn x2", 2**40, highest=most).strip == most


def test_half_precision_needs_half_the_memory() -> None:
    half, full = (cut("srcnn x2", 2**40, item=item).peak - OVERHEAD["cpu"] for item in (2, 4))
    assert half == pytest.approx(full / 2, abs=1)


def test_the_peak_does_not_grow_with_the_height() -> None:
    low, *peaks = [cut("srresnet x4", 2**40, rows=rows, columns=500).peak for rows in (512, 2048, 8192)]
    assert max(peaks) <= 1.01 * min(peaks)
    # An image of less than two strips does not come to hold all that a higher one does.
    assert max(peaks) / 1.1 <= low <= max(peaks)


@pytest.mark.parametrize(("columns", "least"), [(WIDE - 1, LEAST_STRIP), (WIDE, LEAST_STRIP_WIDE)])
def test_bands_are_preferred_to_low_strips(columns: int, least: int) -> None:
    """Between the whole width in the lowest strips that are fast and that in strips of 1 lie bands."""
    low = cut("srcnn x2", 2**40, columns=columns, highest=least)
    fitting = cut("srcnn x2", low.peak, columns=columns)
    assert (fitting.strip, fitting.margin) == (least, 0)
    chosen = cut("srcnn x2", low.peak - 1, columns=columns)
    assert chosen.strip == least
    assert chosen.band < columns


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_plane_that_fits_an_accelerator_is_a_single_piece(kind: str, name: str) -> None:
    device = torch.device(kind)
    chosen = cut(name, 2**40, rows=300, columns=200, device=device)
    assert (chosen.strip, chosen.band, chosen.pieces) == (300, 200, False)
    # With a little less memory strips are processed in pieces, and so they are after a lack of memory.
    assert cut(name, chosen.peak - 1, rows=300, columns=200, device=device).pieces
    assert cut(name, 2**40, rows=300, columns=200, device=device, highest=64).pieces
    assert cut(name, 2**40, rows=300, columns=200).pieces


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("planes", [1, 5])
@pytest.mark.parametrize("columns", [2000, 100_000, 3_000_000])
def test_the_limit_of_accelerators_on_numbers_in_one_tensor_is_respected(kind: str, planes: int, columns: int) -> None:
    plan, network = planned("srresnet x4")
    device = torch.device(kind)
    chosen = cut("srresnet x4", 2**60, rows=columns, columns=columns, device=device, planes=planes)
    width = min(columns, chosen.band + 2 * chosen.margin)
    largest = max(
        count * float(rate) ** 2 for count, rate in zip(plan.channels(network.in_channels), plan.rates, strict=True)
    )
    # A tensor of a strip with its window.
    assert planes * largest * width * (chosen.strip + 2) <= MOST_NUMBERS
    if columns == 2000:
        assert chosen.margin == 0


@pytest.mark.parametrize("name", NAMES)
def test_results_of_accelerators_fit_into_half_of_the_main_memory_while_they_are_written(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, scale = torch.device("mps"), planned(name)[1].scale
    plane = HELD_STRIPS * 4 * planned(name)[1].out_channels * scale**2 * 600 * 400
    monkeypatch.setattr(memory_module, "free_memory_of_host", lambda: 2 * plane)
    assert (chosen := cut(name, 2**50, 600, 400, device)).strip == 600
    assert not chosen.pieces
    monkeypatch.setattr(memory_module, "free_memory_of_host", lambda: plane)
    assert cut(name, 2**50, 600, 400, device).strip == 256
    monkeypatch.setattr(memory_module, "free_memory_of_host", lambda: 0)
    assert cut(name, 2**50, 600, 400, device).strip == 1


def test_a_plane_of_an_accelerator_is_cut_into_strips_where_that_is_faster() -> None:
    whole, strips = (cut(NAMES[0], 2**40, 3000, 100, torch.device("mps"), whole=way) for way in (True, False))
    assert (whole.strip, whole.pieces, strips.strip, strips.pieces) == (3000, False, 3000, True)
