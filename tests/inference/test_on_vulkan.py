"""Inference on a second, real device gives the CPU's result: no value is left on the CPU or read before it has arrived.

Vulkan is that device, computed by the CPU itself where there is no graphics card. It is slow, so networks and images
are tiny.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import napari_sr as sr
from napari_sr import Cancelled, accelerators
from napari_sr.accelerators import unavailable
from napari_sr.inference.compute import memory as memory_module
from napari_sr.inference.compute import prepared as prepared_module
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.compute.streaming.rows import Rows
from napari_sr.inference.compute.streaming.step import Step
from napari_sr.inference.compute.tunings import Tuning
from napari_sr.inference.run.batch_result import BatchResult
from napari_sr.networks import SRCNN, RRDBNet, SRResNet
from napari_sr.zoo.card import Conditioning
from tests.inference.compute.streaming.drawn import with_drawn_weights
from tests.inference.small_models import model_of, rrdb

reason = unavailable("vulkan")
pytestmark = pytest.mark.skipif(reason is not None, reason=f"Vulkan cannot be used: {reason}")

VULKAN = torch.device("vulkan")
#: Largest difference from the CPU, for values from 0 to 1.
BOUND = 1e-4
NETWORKS: dict[str, Callable[[], Any]] = {
    "SRCNN": lambda: SRCNN(scale=2, features=(4, 3), kernels=(5, 1, 3)),
    "SRResNet": lambda: SRResNet(scale=2, in_channels=1, out_channels=1, features=4, blocks=1),
    "RRDBNet": lambda: RRDBNet(scale=2, in_channels=1, out_channels=1, features=4, growth=3, blocks=1),
}
CONDITIONED = {
    "scale": 2,
    "kernels": (5, 3, 3),
    "features": (4, 3),
    "bias": False,
    "zero_sum": True,
    "noise_plane": True,
    "gate": 4,
    "residual": True,
}


@pytest.fixture(autouse=True)
def low_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of 8 rows at most, so that a small image has several."""
    for name in ("STRIPS", "STRIPS_OF_ACCELERATORS"):
        monkeypatch.setattr(memory_module, name, (8, 4, 2, 1))


def image(*shape: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    values = np.random.default_rng(sum(shape)).random(shape)
    return values.astype(dtype) if dtype == "float32" else (values * np.iinfo(dtype).max).astype(dtype)


def computed(network: torch.nn.Module, device: torch.device, dtype: torch.dtype = torch.float32, **more: Any) -> Any:
    """The result for a plane of 21 x 12 pixels, and the runner."""
    runner = PlaneRunner(PreparedNetwork(network, device), dtype, **more)
    plane = torch.from_numpy(image(1, 1, 21, 12))
    result = torch.zeros(1, 1, 42, 24)

    def sink(top: int, left: int, part: Tensor) -> None:
        assert part.device.type == "cpu"
        result[:, :, top : top + part.shape[2], left : left + part.shape[3]] = part

    runner.run(lambda top, bottom, left, right: plane[:, :, top:bottom, left:right], 1, 21, 12, sink)
    return result.numpy(), runner


def drawn(name: str) -> torch.nn.Module:
    torch.manual_seed(1)
    return with_drawn_weights(NETWORKS[name]())


def assert_same(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    assert np.abs(found - expected).max() <= BOUND * max(1.0, float(np.abs(expected).max()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tiling", ["exact", "none"])
def test_networks_streamed_and_whole(name: str, tiling: Any) -> None:
    network = drawn(name)
    assert_same(computed(network, VULKAN, tiling=tiling)[0], computed(network, torch.device("cpu"), tiling=tiling)[0])


def test_overlapping_tiles() -> None:
    network, tiling = drawn("SRCNN"), sr.Overlap(tile=12, overlap=3, blend=2)
    assert_same(computed(network, VULKAN, tiling=tiling)[0], computed(network, torch.device("cpu"), tiling=tiling)[0])


def test_bands_of_columns() -> None:
    network = drawn("SRCNN")
    result, runner = computed(network, VULKAN, memory=1)
    assert "columns at a time" in runner.tiling
    assert_same(result, computed(network, torch.device("cpu"))[0])


def test_a_self_ensemble() -> None:
    network = drawn("SRCNN")
    (found, _), (expected, _) = (
        computed(network, device, self_ensemble=True) for device in (VULKAN, torch.device("cpu"))
    )
    assert_same(found, expected)


@pytest.mark.parametrize("tiling", ["exact", "none"])
def test_half_precision_is_computed_again_where_it_overflows(tiling: Any) -> None:
    network = drawn("SRCNN")
    # Below 0 beyond float16's range, where a ReLU makes 0 of it: the result would be finite, and wrong.
    network.conv1.weight.data.mul_(1e5).abs_().neg_()  # type: ignore[union-attr, operator]
    result, runner = computed(network, VULKAN, torch.float16, tiling=tiling)
    assert runner.recomputed > 0
    expected, _ = computed(network, torch.device("cpu"), tiling=tiling)
    assert np.abs(result - expected).max() <= 1e-3 * np.abs(expected).max()


def test_strips_are_halved_when_the_device_runs_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    network = drawn("SRCNN")
    expected, _ = computed(network, torch.device("cpu"))
    run, steps = Step.run, []

    def short(step: Step, inputs: Sequence[Rows], start: int, stop: int, rows: int, *watch: Any) -> Tensor:
        steps.append(start)
        if len(steps) == 5:
            raise RuntimeError("MPS backend out of memory")
        return run(step, inputs, start, stop, rows, *watch)

    monkeypatch.setattr(Step, "run", short)
    result, runner = computed(network, VULKAN)
    assert runner.halved == 1
    assert_same(result, expected)


def test_a_job_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        sr.upscale(image(16, 12), rrdb(channels=1), device="vulkan", cancel=lambda: True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_images_of_integers_have_the_same_pixels(dtype: str) -> None:
    (found, expected) = (
        sr.upscale(image(16, 12, dtype=dtype), rrdb(channels=1), device=device, precision="float32")
        for device in ("vulkan", "cpu")
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 3},
        {"target": 1.5},
        {"part": sr.Part(rows=(2, 9), columns=(1, 8), at={"Z": 1})},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_stacks_targets_and_parts(settings: dict[str, Any]) -> None:
    (found, expected) = (
        sr.upscale(image(3, 10, 9), rrdb(channels=1), "ZYX", device=device, **settings) for device in ("vulkan", "cpu")
    )
    assert_same(found, expected)


@pytest.mark.parametrize("mixing", ["weights", "images"])
def test_a_mixture_of_two_endpoints(mixing: Any) -> None:
    first, second = rrdb(channels=1), rrdb(channels=1)
    (weights,) = first.endpoints.values()
    torch.manual_seed(7)
    other = {key: value + 0.05 * torch.randn_like(value) for key, value in weights.items()}
    card = first.card.model_copy(update={"endpoints": ("psnr", "gan"), "mixing": mixing})
    pair = type(second)(card, {"psnr": weights, "gan": other}).with_alpha(0.5)
    (found, expected) = (sr.upscale(image(12, 10), pair, device=device) for device in ("vulkan", "cpu"))
    assert_same(found, expected)


def test_a_network_with_inputs_for_noise_and_blur() -> None:
    torch.manual_seed(2)
    model = model_of(
        SRCNN(**CONDITIONED),  # type: ignore[arg-type]
        "SRCNN",
        CONDITIONED,
        family="srcnn",
        color="gray",
        conditioning=Conditioning(noise=(0.0, 1.0), blur=(0.0, 1.6)),
    )
    (found, expected) = (
        sr.upscale(image(12, 10), model, device=device, noise=(0.05, 0.01), blur=0.7) for device in ("vulkan", "cpu")
    )
    assert_same(found, expected)


class Waits(TorchDispatchMode):
    """Counts the times that the CPU reads a value of the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        sources = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        results = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        there = any(x.device.type == "vulkan" for x in sources)
        self.count += there and (not results or any(x.device.type == "cpu" for x in results))
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_the_cpu_waits_once_for_each_strip(dtype: torch.dtype) -> None:
    network = drawn("SRCNN")
    plane, sizes = torch.from_numpy(image(1, 1, 64, 12)), []
    runner = PlaneRunner(PreparedNetwork(network, VULKAN), dtype)
    # The weights are copied before.
    for counted in (False, True):
        sizes.clear()
        with Waits() as waits:
            runner.run(
                lambda top, bottom, *_: plane[:, :, top:bottom],
                1,
                64,
                12,
                lambda top, left, part: sizes.append(part.shape[2]),
            )
        if counted:
            assert waits.count == len(sizes) <= 64 // 8
            assert sum(sizes) == 128


def test_a_tuning_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    network = drawn("RRDBNet")
    expected, _ = computed(network, torch.device("cpu"))
    monkeypatch.setattr(accelerators, "_measured_layouts", {})
    monkeypatch.setattr(memory_module, "STRIPS_OF_ACCELERATORS", (4096, 8))
    tuning = Tuning({"float32": "channels last"}, whole_planes=False)
    monkeypatch.setattr(prepared_module, "tuning_of", lambda device: tuning)
    found, _ = computed(network, VULKAN)
    assert accelerators.memory_layout(VULKAN, torch.float32) == torch.channels_last
    assert_same(found, expected)
    monkeypatch.setattr(prepared_module, "tuning_of", lambda device: Tuning())
    assert_same(computed(network, VULKAN)[0], expected)


def test_an_error_of_the_writing_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(BatchResult, "_place", full)
    with pytest.raises(OSError, match="disk full"):
        sr.upscale(image(40, 12), rrdb(channels=1), device="vulkan")


def test_lazy_results() -> None:
    found, expected = (
        np.asarray(sr.upscale_lazy(image(20, 12), rrdb(channels=1), device=device, intensity=(0, 1)))
        for device in ("vulkan", "cpu")
    )
    assert_same(found, expected)


def test_files_on_two_devices_at_the_same_time(tmp_path: Path) -> None:
    for n in range(4):
        sr.write_image(tmp_path / f"cells{n}.tif", image(10 + n, 12, dtype="uint16"), "YX")
    paths = sorted(tmp_path.glob("*.tif"))
    for name, devices in (("both", ["cpu", "vulkan"]), ("one", ["cpu"])):
        sr.upscale_files(paths, tmp_path / name, rrdb(channels=1), devices=devices, precision="float32")
    results = sorted((tmp_path / "both").glob("*.tif"))
    assert len(results) == 4
    for path in results:
        assert np.array_equal(sr.read_image(path).data, sr.read_image(tmp_path / "one" / path.name).data)
