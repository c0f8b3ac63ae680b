"""The network of a job is prepared once, and several runs give the results of runs with networks of their own."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.compute import network as network_module
from napari_sr.inference.compute import prepared as prepared_module
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.region import Region
from napari_sr.inference.run.unfinished import Rest, RestPart
from napari_sr.networks import SRCNN

IMAGE = np.random.default_rng(0).integers(0, 4096, (64, 48), np.uint16)
AXES = parse_axes("YX", IMAGE.shape)
PARTS = [sr.Part(rows=rows, columns=columns) for rows in ((0, 32), (32, 64)) for columns in ((0, 16), (16, 48))]


def job_of(name: str, **settings: Any) -> sr.Job:
    return sr.Job(name, sr.JobSettings(device="cpu", **settings))


def upscaled(job: sr.Job, part: sr.Part, **options: Any) -> np.ndarray[Any, Any]:
    calibration = job.calibrate(IMAGE, AXES)
    data: np.ndarray[Any, Any] = job.run_region(IMAGE, job.region(AXES, part), calibration=calibration, **options).data
    return data


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An item for each network that is built for a job."""
    made: list[int] = []
    build = network_module.network_for
    monkeypatch.setattr(network_module, "network_for", lambda *args: made.append(1) or build(*args))
    return made


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("srcnn-x2", {}),
        ("srcnn-x2", {"self_ensemble": True}),
        ("srcnn-microscopy-x2", {"noise": (20.0, 0.5)}),
        ("srcnn-x2", {"tiling": "none"}),
        ("srcnn-x2", {"precision": "bfloat16"}),
    ],
)
def test_runs_with_one_network_give_the_same_bits(name: str, settings: dict[str, Any], built: list[int]) -> None:
    job = job_of(name, **settings)
    expected = [upscaled(job, part) for part in PARTS]
    built.clear()
    network = JobNetwork(job.model, job.settings)
    for part, alone in zip(PARTS, expected, strict=True):
        np.testing.assert_array_equal(upscaled(job, part, network=network), alone)
    assert built == [1]


def test_the_copies_of_a_network_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of("srcnn-x2", self_ensemble=True)
    planned: list[int] = []
    transformed: list[int] = []
    plan, transform = prepared_module.plan_stream, prepared_module.transformed_plan
    monkeypatch.setattr(prepared_module, "plan_stream", lambda *args: planned.append(1) or plan(*args))
    monkeypatch.setattr(prepared_module, "transformed_plan", lambda *args: transformed.append(1) or transform(*args))
    network = JobNetwork(job.model, job.settings)
    for part in PARTS:
        upscaled(job, part, network=network)
    assert (len(planned), len(transformed)) == (1, 8)


def test_the_parts_of_a_continued_store_use_one_network(built: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of("srcnn-x2")

    def in_parts(region: Region, out: Any, model: sr.Model) -> Rest:
        parts = [
            RestPart(job.region(AXES, sr.Part(rows=(top, top + 32))), out[2 * top : 2 * top + 64], 0) for top in (0, 32)
        ]
        return Rest(tuple(parts), region, 0, 0)

    monkeypatch.setattr("napari_sr.inference.run.run_region.unfinished", in_parts)
    found = job.run(IMAGE).data
    assert built == [1]
    monkeypatch.undo()
    # A part rounds otherwise than the whole.
    assert np.abs(found.astype(int) - job.run(IMAGE).data.astype(int)).max() <= 1


def test_a_canceled_run_does_not_cancel_the_next_one() -> None:
    job = job_of("srcnn-x2")
    network = JobNetwork(job.model, job.settings)
    expected = upscaled(job, PARTS[0])
    for calls in (1, 3, 6):
        counted: list[int] = []

        def cancel(counted: list[int] = counted, calls: int = calls) -> bool:
            counted.append(1)
            return len(counted) > calls

        with pytest.raises(sr.Cancelled):
            upscaled(job, PARTS[1], network=network, cancel=cancel)
        seen = len(counted)
        np.testing.assert_array_equal(upscaled(job, PARTS[0], network=network), expected)
        assert len(counted) == seen


def test_the_noise_of_a_run_is_not_that_of_the_one_before() -> None:
    job = job_of("srcnn-microscopy-x2")
    network = JobNetwork(job.model, job.settings)
    noisy = np.random.default_rng(1).poisson(50, IMAGE.shape).astype(np.uint16)
    region = job.region(AXES)
    expected = job.run_region(IMAGE, region).data
    job.run_region(noisy, region, network=network)
    np.testing.assert_array_equal(job.run_region(IMAGE, region, network=network).data, expected)


def test_a_run_inside_another_one_has_a_network_of_its_own(built: list[int]) -> None:
    job = job_of("srcnn-x2")
    network = JobNetwork(job.model, job.settings)
    inside: list[Any] = []

    def progress(done: int, total: int) -> None:
        if not inside:
            inside.append(None)
            inside[0] = upscaled(job, PARTS[1], network=network)

    outer = upscaled(job, PARTS[0], network=network, progress=progress)
    assert len(built) == 2
    np.testing.assert_array_equal(outer, upscaled(job, PARTS[0]))
    np.testing.assert_array_equal(inside[0], upscaled(job, PARTS[1]))


def test_a_network_is_pickled_without_its_copies_on_the_device() -> None:
    job = job_of("srcnn-x2")
    network = JobNetwork(job.model, job.settings)
    empty = len(pickle.dumps(network))
    expected = upscaled(job, PARTS[0], network=network)
    assert len(pickle.dumps(network)) == empty
    job, again = pickle.loads(pickle.dumps((job, network)))
    np.testing.assert_array_equal(upscaled(job, PARTS[0], network=again), expected)


def test_the_network_of_another_job_is_refused() -> None:
    job = job_of("srcnn-x2")
    for other in (job_of("srcnn-x2"), job_of("srcnn-x4")):
        with pytest.raises(ValueError, match="another job"):
            upscaled(job, PARTS[0], network=JobNetwork(other.model, other.settings))
    changed = job_of("srcnn-x2", self_ensemble=True).settings
    with pytest.raises(ValueError, match="another job"):
        upscaled(job, PARTS[0], network=JobNetwork(job.model, changed))


def test_layers_are_not_checked_after_the_context() -> None:
    network = PreparedNetwork(SRCNN(scale=2, features=(4, 4)), torch.device("cpu"))
    calls: list[int] = []
    with pytest.raises(RuntimeError, match="stop"), network.checked(lambda: calls.append(1)):
        network.module(torch.float32)(torch.zeros(1, 1, 8, 8))
        raise RuntimeError("stop")
    seen = len(calls)
    assert seen > 0
    network.module(torch.float32)(torch.zeros(1, 1, 8, 8))
    assert len(calls) == seen
