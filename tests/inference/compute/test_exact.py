"""Exact tiling: strips and bands, recovery from a lack of memory and from overflow, and cancellation."""

from __future__ import annotations

import copy
import gc
import random
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference import Job
from napari_sr.inference.compute import memory as memory_module
from napari_sr.inference.compute import network as network_module
from napari_sr.inference.compute.exact import ExactStream
from napari_sr.inference.compute.memory import Cut
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.compute.streaming.rows import Rows
from napari_sr.inference.compute.streaming.step import Step
from napari_sr.inference.compute.streaming.steps import ConvolveStep
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.settings import JobSettings
from tests.inference.compute.streaming.drawn import small, whole, with_drawn_weights
from tests.inference.small_models import model_of, rrdb

CPU = torch.device("cpu")
NAMES = ["srcnn x2", "srresnet x3", "rrdbnet x2 unshuffled"]
Image = NDArray[np.float32]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Run:
    """Planes (N, C, Y, X) computed by a runner: requested blocks, result, and how often each pixel was computed."""

    def __init__(self, runner: PlaneRunner, planes: Image) -> None:
        self.requested: list[tuple[int, int, int, int]] = []
        self.progress: list[tuple[int, int]] = []
        source = torch.from_numpy(planes)

        def give(top: int, bottom: int, left: int, right: int) -> Tensor:
            self.requested.append((top, bottom, left, right))
            return source[:, :, top:bottom, left:right]

        parts: list[tuple[int, int, Image]] = []
        batch, _, height, width = planes.shape
        runner.run(
            give,
            batch,
            height,
            width,
            lambda top, left, part: parts.append((top, left, part.numpy().copy())),
            lambda done, total: self.progress.append((done, total)),
        )
        bottom = max(top + part.shape[2] for top, _, part in parts)
        right = max(left + part.shape[3] for _, left, part in parts)
        self.result = np.full((batch, parts[0][2].shape[1], bottom, right), np.nan, np.float32)
        self.times = np.zeros((bottom, right), int)
        for top, left, part in parts:
            place = np.s_[top : top + part.shape[2], left : left + part.shape[3]]
            self.result[:, :, *place] = part
            self.times[place] += 1


def planes_for(network: Any, height: int, width: int, batch: int = 1) -> Image:
    return np.random.default_rng(height).random((batch, network.in_channels, height, width), dtype=np.float32)


def at_once(network: nn.Module, planes: Image) -> Image:
    """The whole image through the network itself."""
    result: Image = whole(network, torch.from_numpy(planes)).numpy()
    return result


def assert_near(result: Image, expected: Image, share: float = 2e-5) -> None:
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= share * np.ptp(expected)


def cut_of(runner: PlaneRunner) -> Cut:
    assert runner._exact is not None
    assert runner._exact.cut is not None
    return runner._exact.cut


@pytest.fixture
def low_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of 16 rows at most, so that a small image has several."""
    monkeypatch.setattr(memory_module, "STRIPS", (16, 8, 4, 2, 1))


# The whole image's result


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(101, 37), (37, 101)], ids=["tall", "wide"])
@pytest.mark.usefixtures("low_strips")
def test_rows_are_streamed_along_the_longer_axis_and_equal_the_whole_image(name: str, height: int, width: int) -> None:
    network = small(name)
    planes = planes_for(network, height, width)
    runner = PlaneRunner(PreparedNetwork(network, CPU))
    run = Run(runner, planes)
    assert_near(run.result, at_once(network, planes))
    assert (run.times == 1).all()
    # The shorter axis is always requested whole; the longer one strip after strip, each row once.
    assert {bounds[2:] if height > width else bounds[:2] for bounds in run.requested} == {(0, 37)}
    along = [bounds[:2] if height > width else bounds[2:] for bounds in run.requested]
    assert along == [(start, min(start + 16, 101)) for start in range(0, 101, 16)]
    assert (cut_of(runner).strip, cut_of(runner).margin) == (16, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exchange", [False, True], ids=["tall", "wide"])
def test_bands_of_columns_equal_the_whole_image(name: str, exchange: bool) -> None:
    network = small(name)
    radius: int = network.receptive_radius  # type: ignore[assignment]
    planes = planes_for(network, radius + 57, radius + 41)
    planes = np.ascontiguousarray(planes.swapaxes(2, 3)) if exchange else planes
    runner = PlaneRunner(PreparedNetwork(network, CPU), memory=1)
    run = Run(runner, planes)
    cut = cut_of(runner)
    assert cut.margin >= radius
    assert cut.band < (radius + 41) / 2
    assert f"{cut.band} columns at a time" in runner.tiling
    assert (run.times == 1).all()
    assert_near(run.result, at_once(network, planes))
    across = {bounds[:2] if exchange else bounds[2:] for bounds in run.requested}
    assert len(across) == ceil((radius + 41) / cut.band)
    assert max(right - left for left, right in across) <= cut.band + 2 * cut.margin
    # Progress counts all bands.
    assert run.progress == sorted(run.progress)
    assert run.progress[-1] == (len(across) * (radius + 57),) * 2


def test_with_a_margin_smaller_than_the_radius_the_test_above_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""
    network = small("srcnn x2")
    planes = planes_for(network, 90, 70)
    runner = PlaneRunner(PreparedNetwork(network, CPU), memory=1)
    monkeypatch.setattr("napari_sr.inference.compute.exact.cut_plane", lambda *_, **__: Cut(8, 16, 1, 1))
    assert np.abs(Run(runner, planes).result - at_once(network, planes)).max() > 1e-3


@pytest.mark.parametrize("memory", ["auto", 1])
def test_planes_of_a_batch_do_not_mix(memory: Any) -> None:
    network = small("srresnet prelu tanh")
    planes = planes_for(network, 71, 83, batch=3)
    run = Run(PlaneRunner(PreparedNetwork(network, CPU), memory=memory), planes)
    assert_near(run.result, at_once(network, planes))
    assert (run.times == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_the_smallest_planes_equal_the_whole_image(size: tuple[int, int]) -> None:
    network = small("rrdbnet x2 unshuffled")
    planes = planes_for(network, *size)
    assert_near(Run(PlaneRunner(PreparedNetwork(network, CPU)), planes).result, at_once(network, planes), 1e-4)


# Self-ensemble


def eight_by_hand(network: nn.Module, planes: Image) -> Image:
    """Mean over the eight flips and turns, each undone, by numpy's own words for them."""
    total = np.zeros(1)
    for quarters in range(4):
        for mirror in (False, True):
            transformed = np.rot90(planes[..., ::-1] if mirror else planes, quarters, (2, 3))
            out = np.rot90(at_once(network, np.ascontiguousarray(transformed)), -quarters, (2, 3)).astype(np.float64)
            total = total + (out[..., ::-1] if mirror else out)
    mean: Image = (total / 8).astype(np.float32)
    return mean


@pytest.mark.parametrize(
    ("name", "size", "memory"),
    [
        ("srcnn x2", (41, 37), "auto"),
        ("srcnn x2", (41, 37), 1),
        ("srresnet x3", (41, 37), "auto"),
        ("srresnet x3", (37, 41), "auto"),
        ("srresnet x3", (37, 41), 1),
    ],
)
def test_self_ensemble_is_the_mean_over_eight(name: str, size: tuple[int, int], memory: Any) -> None:
    network = small(name)
    planes = planes_for(network, *size)
    run = Run(PlaneRunner(PreparedNetwork(network, CPU), memory=memory, self_ensemble=True), planes)
    expected = eight_by_hand(network, planes)
    assert_near(run.result, expected)
    assert (run.times == 1).all()
    # One of the eight alone is something else.
    assert np.abs(at_once(network, planes) - expected).max() > 1e-2 * np.ptp(expected)


@pytest.mark.parametrize("tiling", ["exact", "none"])
@pytest.mark.parametrize("size", [(45, 31), (31, 46)], ids=["tall", "wide"])
def test_self_ensemble_with_pixel_unshuffle_pads_the_image_first(size: tuple[int, int], tiling: Any) -> None:
    network = small("rrdbnet x2 unshuffled")
    planes = planes_for(network, *size)
    height, width = size
    filled = np.pad(planes, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    expected = eight_by_hand(network, filled)[..., : 2 * height, : 2 * width]
    run = Run(PlaneRunner(PreparedNetwork(network, CPU), tiling=tiling, self_ensemble=True), planes)
    assert_near(run.result, expected)
    assert (run.times == 1).all()


# The report


@pytest.mark.usefixtures("low_strips")
def test_the_report_contains_the_height_of_the_strips() -> None:
    progress: list[tuple[int, int]] = []
    image = np.random.default_rng(1).integers(0, 256, (100, 30), np.uint8)
    job = Job(rrdb(2, 1), JobSettings(memory=10**8))
    report = job.run(image, "YX", progress=lambda done, total: progress.append((done, total))).report
    assert report.tiling == "exact, 16 rows at a time"
    # The first word of progress comes before the first strip.
    assert report.strips == len(progress) - 1 >= 100 // 16
    assert report.peak_memory is not None
    assert 100 < report.peak_memory <= 10**8
    assert (report.halved, report.recomputed) == (0, 0)


def test_the_report_contains_the_width_of_the_bands() -> None:
    image = np.random.default_rng(2).integers(0, 256, (80, 70), np.uint8)
    report = Job(rrdb(2, 1), JobSettings(memory=1)).run(image, "YX").report
    assert report.tiling == "exact, 1 rows at a time, 16 columns at a time"


@pytest.mark.parametrize(("batch", "ensemble"), [(4, False), (1, True)], ids=["batch", "self-ensemble"])
def test_the_peak_includes_batch_and_self_ensemble(batch: int, ensemble: bool) -> None:
    network = small("srcnn x2")
    alone, together = (
        PlaneRunner(PreparedNetwork(network, CPU), memory=10**9),
        PlaneRunner(PreparedNetwork(network, CPU), memory=10**9),
    )
    if ensemble:
        together = PlaneRunner(PreparedNetwork(network, CPU), memory=10**9, self_ensemble=True)
    Run(alone, planes_for(network, 40, 30))
    Run(together, planes_for(network, 40, 30, batch))
    assert alone.peak is not None
    assert together.peak is not None
    assert together.peak >= (8 if ensemble else batch) * alone.peak


# Too little memory


class Short:
    """A device that runs out of memory at some of its steps, counted from 0."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: Callable[[int, Step, Sequence[Rows]], bool]) -> None:
        self.steps = self.failed = 0
        run = Step.run

        def short(step: Step, inputs: Sequence[Rows], start: int, stop: int, rows: int, *watch: Any) -> Tensor:
            self.steps += 1
            if fails(self.steps - 1, step, inputs):
                self.failed += 1
                raise torch.OutOfMemoryError("not shown")
            return run(step, inputs, start, stop, rows, *watch)

        monkeypatch.setattr(Step, "run", short)
        # It goes through all that Python holds, which takes longer than these runs.
        monkeypatch.setattr(gc, "collect", lambda *_: 0)


@pytest.mark.parametrize(("name", "every"), [("srcnn x2", 1), ("rrdbnet x2 unshuffled", 29)])
@pytest.mark.parametrize("memory", [10**9, 1], ids=["whole width", "bands"])
@pytest.mark.usefixtures("low_strips")
def test_running_out_of_memory_at_any_step_does_not_change_the_result(
    name: str, every: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small(name)
    radius: int = network.receptive_radius  # type: ignore[assignment]
    planes = planes_for(network, 40, 18 if memory > 1 else 24)
    expected = at_once(network, planes)
    if memory == 1:
        # Bands as above, but of strips that can still be halved.
        margin = ceil(radius / 2) * 2
        monkeypatch.setattr("napari_sr.inference.compute.exact.cut_plane", lambda *_, **__: Cut(16, 16, margin, 1))
    with monkeypatch.context() as patch:
        smooth = Short(patch, lambda n, step, inputs: False)
        Run(PlaneRunner(PreparedNetwork(network, CPU), memory=memory), planes)
    for moment in range(0, smooth.steps, every):
        with monkeypatch.context() as patch:
            short = Short(patch, lambda n, step, inputs, at=moment: n == at)
            runner = PlaneRunner(PreparedNetwork(network, CPU), memory=memory)
            run = Run(runner, planes)
        assert short.failed == runner.halved == 1
        assert (run.times == 1).all()
        assert_near(run.result, expected, 5e-6)
        assert run.progress == sorted(run.progress)


@pytest.mark.usefixtures("low_strips")
def test_strips_are_halved_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small("srcnn x2")
    planes = planes_for(network, 75, 21)
    short = Short(monkeypatch, lambda n, step, inputs: n in (3, 4, 11, 12))
    runner = PlaneRunner(PreparedNetwork(network, CPU))
    run = Run(runner, planes)
    assert short.failed == runner.halved == 4
    assert max(bottom - top for top, bottom, _, _ in run.requested[-5:]) == 1
    assert_near(run.result, at_once(network, planes), 5e-6)
    assert (run.times == 1).all()


@pytest.mark.usefixtures("low_strips")
def test_a_height_that_did_not_fit_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second plane, or band, on: each attempt costs what had been computed."""
    Short(monkeypatch, lambda n, step, inputs: step.inputs == (0,) and inputs[0].stop - inputs[0].start > 12)
    image = np.random.default_rng(3).integers(0, 256, (4, 60, 21), np.uint8)
    report = Job(rrdb(2, 1), JobSettings(batch=1)).run(image, "ZYX").report
    assert report.halved == 1
    assert "8 rows at a time" in report.tiling


@pytest.mark.usefixtures("low_strips")
def test_a_row_that_does_not_fit_is_an_error_of_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Short(monkeypatch, lambda n, step, inputs: True)
    network = small("srcnn x2")
    with pytest.raises(
        InputError, match=r"The memory of cpu is too small for 21 columns of this model: choose"
    ) as caught:
        Run(PlaneRunner(PreparedNetwork(network, CPU)), planes_for(network, 40, 21))
    assert "\n" not in str(caught.value)
    assert short.failed == 5  # 16, 8, 4, 2, 1


@pytest.mark.usefixtures("low_strips")
def test_memory_is_free_before_the_strips_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Tensor]] = []
    left: list[int] = []
    run = Step.run

    def short(step: Step, inputs: Sequence[Rows], start: int, stop: int, rows: int, *watch: Any) -> Tensor:
        if len(made) == 12 and not left:
            raise torch.OutOfMemoryError("not shown")
        out = run(step, inputs, start, stop, rows, *watch)
        made.append(weakref.ref(out))
        return out

    def count(self: ExactStream) -> None:
        gc.collect()
        left.append(sum(tensor() is not None for tensor in made))

    monkeypatch.setattr(Step, "run", short)
    monkeypatch.setattr(ExactStream, "_free", count)
    network = small("srcnn x2")
    Run(PlaneRunner(PreparedNetwork(network, CPU)), planes_for(network, 75, 21))
    assert left == [0]


# Overflow of half precision


def bright_rows(height: int, width: int, rows: slice) -> tuple[Image, Image]:
    """A calm plane, and the same with a few rows whose values leave float16 inside the network."""
    calm = np.random.default_rng(9).random((1, 1, height, width), dtype=np.float32)
    bright = calm.copy()
    bright[:, :, rows] = 6e4
    return calm, bright


def overflowing() -> SRCNN:
    torch.manual_seed(3)
    network = SRCNN(scale=2, features=(6, 4))
    with_drawn_weights(network)
    # Sums of some 40 weights of one sign: 60,000 becomes more than float16 holds.
    network.conv1.weight.data.abs_()
    return network


@pytest.mark.parametrize("exchange", [False, True], ids=["tall", "wide"])
@pytest.mark.usefixtures("low_strips")
def test_only_rows_that_overflowed_are_computed_again(exchange: bool) -> None:
    network = overflowing()
    reach = 2 * network.receptive_radius
    calm, bright = bright_rows(260, 24, slice(130, 133))
    if exchange:
        calm, bright = (np.ascontiguousarray(plane.swapaxes(2, 3)) for plane in (calm, bright))
    runner = PlaneRunner(PreparedNetwork(network, CPU), torch.float16)
    result, half, exact = (
        run.result.swapaxes(2, 3) if exchange else run.result
        for run in (
            Run(runner, bright),
            Run(PlaneRunner(PreparedNetwork(network, CPU), torch.float16), calm),
            Run(PlaneRunner(PreparedNetwork(network, CPU)), bright),
        )
    )
    assert runner.recomputed == 1
    assert np.isfinite(result).all()
    size = np.abs(exact).max((0, 1, 3))
    off = np.abs(result - exact).max((0, 1, 3)) / size
    first, last = 260, 266  # rows of the result above the bright ones
    with torch.inference_mode():
        whole = copy.deepcopy(network).half()(torch.from_numpy(bright).half()).numpy()
    lost = np.flatnonzero(~np.isfinite(whole.swapaxes(2, 3) if exchange else whole).all((0, 1, 3)))
    # The rows that half precision lost see a bright one; with a radius around them they were computed again.
    assert first - reach <= lost[0] <= first and last - 1 <= lost[-1] < last + reach
    assert off[lost[0] - reach : lost[-1] + 1 + reach].max() < 2e-5
    # Beyond it, and beyond the rest of a strip on either side, nothing was touched: bit for bit half precision's rows.
    beyond = 2 * 16 + 2 * reach + 4
    for far in (slice(0, first - beyond), slice(last + beyond, None)):
        assert np.array_equal(result[:, :, far], half[:, :, far])
        assert off[far].max() > 1e-4


@pytest.mark.parametrize("tiling", ["exact", "none"])
@pytest.mark.usefixtures("low_strips")
def test_an_infinity_before_a_bounding_layer_is_computed_again(tiling: Literal["exact", "none"]) -> None:
    """Below 0 beyond float16's range, a ReLU makes 0 of it: the result is finite, and wrong."""
    network = overflowing()
    network.conv1.weight.data.neg_()
    network.conv1.bias.data.fill_(1000.0)
    network.conv1.weight.data[::2].zero_()
    _, bright = bright_rows(160, 24, slice(80, 83))
    with torch.inference_mode():
        half = copy.deepcopy(network).half()(torch.from_numpy(bright).half())
        hidden = copy.deepcopy(network).half().conv1(network.pad(network.upsample(torch.from_numpy(bright))).half())
    assert bool(torch.isfinite(half).all()) and not bool(torch.isfinite(hidden).all())
    exact = Run(PlaneRunner(PreparedNetwork(network, CPU)), bright).result
    runner = PlaneRunner(PreparedNetwork(network, CPU), torch.float16, tiling)
    result = Run(runner, bright).result
    assert runner.recomputed == 1
    rows = slice(160 - 2 * network.receptive_radius, 166 + 2 * network.receptive_radius)
    assert np.abs(result - exact)[:, :, rows].max() / np.abs(exact).max() < 2e-5


@pytest.mark.usefixtures("low_strips")
def test_rows_that_overflowed_at_both_ends_and_in_bands_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network = overflowing()
    _, bright = bright_rows(140, 50, slice(0, 2))
    bright[:, :, -1] = 6e4
    exact = Run(PlaneRunner(PreparedNetwork(network, CPU)), bright).result
    runner = PlaneRunner(PreparedNetwork(network, CPU), torch.float16, memory=1)
    run = Run(runner, bright)
    bands = ceil(50 / cut_of(runner).band)
    assert bands > 1
    assert runner.recomputed == 2 * bands
    assert (run.times >= 1).all()
    size = np.abs(exact).max((0, 1, 3))
    assert (np.abs(run.result - exact).max((0, 1, 3)) / size)[[0, 1, 2, 3, -2, -1]].max() < 2e-5


@pytest.mark.usefixtures("low_strips")
def test_running_out_of_memory_in_float32_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    network = overflowing()
    _, bright = bright_rows(100, 24, slice(50, 53))
    smooth = Run(PlaneRunner(PreparedNetwork(network, CPU), torch.float16), bright)
    failed = []

    def fails(n: int, step: Step, inputs: Sequence[Rows]) -> bool:
        if not failed and isinstance(step, ConvolveStep) and step.module.weight.dtype == torch.float32:
            failed.append(n)
            return True
        return False

    Short(monkeypatch, fails)
    run = Run(PlaneRunner(PreparedNetwork(network, CPU), torch.float16), bright)
    assert failed
    assert np.abs(run.result - smooth.result).max() <= 1e-6 * np.ptp(smooth.result)


#: The factor inside of `much_larger_inside`: ten times white is within float16, twelve times white is not.
INSIDE = 96 * 64


def much_larger_inside() -> Any:
    """A network that returns its input, is `INSIDE` times larger inside, and halves the values by its card."""
    settings = {"scale": 2, "kernels": (3, 3, 3), "features": (1, 1), "upsampling": "nearest"}
    network = SRCNN(**settings)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    for conv, weight in ((network.conv1, 96), (network.conv2, 64), (network.conv3, 1 / INSIDE)):
        conv.weight.data[0, 0, 1, 1] = weight
    return model_of(network, "SRCNN", settings, color="gray", family="srcnn", output_range=(0.0, 0.5))


@pytest.mark.parametrize("intensity", [(0.0, 4000.0), (0.0, 0.5)], ids=["in the network", "around the network"])
@pytest.mark.usefixtures("low_strips")
def test_no_nan_is_converted_to_an_integer(intensity: tuple[float, float]) -> None:
    image = np.full((120, 9), 200 if intensity[1] > 1 else 2, np.uint16)
    image[60:62] = 50_000
    # 50,000 is 12.5 times white, 76,800 in the network: beyond float16, not beyond float32. With (0, 0.5) it is 100,000
    # times white, and already the input is beyond float16.
    exact, half = (
        Job(much_larger_inside(), JobSettings(precision=precision, intensity=intensity)).run(image, "YX")
        for precision in ("float32", "float16")
    )
    assert half.report.recomputed == 1
    assert np.array_equal(half.data[116:128], exact.data[116:128])
    assert np.abs(half.data.astype(int) - exact.data).max() <= 1
    assert half.report.clipped == exact.report.clipped
    assert exact.report.clipped == (4 * 9 * 2 if intensity[1] > 1 else 0)


@pytest.mark.usefixtures("low_strips")
def test_clipped_values_near_an_overflow_are_counted_once() -> None:
    image = np.full((120, 9), 40_000, np.uint16)
    image[60:62] = 60_000
    # With (0, 4000), 40,000 is 61,440 inside, within float16, and 60,000 is 92,160. Doubled, all of them leave uint16.
    result = Job(much_larger_inside(), JobSettings(precision="float16", intensity=(0.0, 4000.0))).run(image, "YX")
    assert result.report.recomputed == 1
    assert (result.data == 65535).all()
    assert result.report.clipped == result.data.size


# Cancelling


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.usefixtures("low_strips")
def test_cancel_at_any_step_stops_before_the_next_layer_and_leaves_no_file(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (2, 40, 18), np.uint8)
    # The first seed has bands of one row, which are many steps.
    job = Job(rrdb(2, 1), JobSettings(batch=1, self_ensemble=seed % 2 == 1, memory=10**9 if seed else 1))
    calls = 0
    with monkeypatch.context() as patch:
        smooth = Short(patch, lambda n, step, inputs: False)

        def count() -> bool:
            nonlocal calls
            calls += 1
            return False

        job.run(image, "ZYX", cancel=count)
    assert calls >= smooth.steps > 0
    moment = random.Random(seed).randrange(1, calls + 1)
    left = moment
    short = Short(monkeypatch, lambda n, step, inputs: False)
    after: list[int] = []

    def cancel() -> bool:
        nonlocal left
        left -= 1
        if left <= 0:
            after.append(short.steps)
        return left <= 0

    store = tmp_path / "result.zarr"
    with pytest.raises(Cancelled):
        job.run(image, "ZYX", out=store, cancel=cancel)
    assert after == [short.steps]
    assert list(tmp_path.iterdir()) == []


# Networks that cannot be streamed


class Unstreamable(nn.Module):
    """A doubling network with a layer in its middle that sees more than its surroundings."""

    scale, in_channels, out_channels, receptive_radius, alignment = 2, 1, 1, 12, 2

    def __init__(self, middle: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.middle, self.back = middle, back
        self.last = nn.Conv2d(4, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(self.last(self.back(self.middle(self.first(x)))))
        return out


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.softmax(x.mean((2, 3), keepdim=True), 1)


@pytest.mark.parametrize(
    ("middle", "back", "words"),
    [
        (nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.Upsample(scale_factor=2), r"the layer middle \(Conv2d.*stride"),
        (nn.AvgPool2d(2), nn.Upsample(scale_factor=2), r"the layer middle \(AvgPool2d"),
        (nn.InstanceNorm2d(4), nn.Identity(), r"the layer middle \(InstanceNorm2d"),
        (Attention(), nn.Identity(), "the operation mean"),
    ],
    ids=["stride", "pooling", "instance norm", "attention"],
)
def test_a_network_that_cannot_be_streamed_uses_tiles_and_the_report_has_the_reason(
    middle: nn.Module, back: nn.Module, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    network = with_drawn_weights(Unstreamable(middle, back))
    monkeypatch.setattr(network_module, "network_for", lambda *_: network)
    image = np.random.default_rng(0).integers(0, 256, (330, 20), np.uint8)
    streamed, tiled = (Job(rrdb(2, 1), JobSettings(tiling=tiling)).run(image, "YX") for tiling in ("exact", "overlap"))
    assert np.array_equal(streamed.data, tiled.data)
    assert streamed.data.shape == (660, 40)
    assert streamed.report.tiling == tiled.report.tiling
    reason = streamed.report.not_exact_because
    assert reason is not None
    assert re.search(words, reason)
    assert reason.endswith("cannot be streamed")
    assert tiled.report.not_exact_because is None
    assert (streamed.report.strips, streamed.report.peak_memory) == (0, None)


def test_the_models_network_is_shared_and_not_changed_by_streaming() -> None:
    network = RRDBNet(scale=2, features=8, growth=4, blocks=1, in_channels=1, out_channels=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Run(PlaneRunner(PreparedNetwork(network, CPU), torch.bfloat16, self_ensemble=True), planes_for(network, 20, 31))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
