"""Estimates of size, memory and time of a job."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.errors import Cancelled
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.part import Part
from napari_sr.inference import Job, estimate_region, known_speed, learn_speed, measure_speed
from napari_sr.inference.compute.cache import cache_folder
from napari_sr.inference.formatting import format_bytes, format_seconds, format_speed
from napari_sr.inference.region import Region
from napari_sr.networks import RRDBNet
from napari_sr.settings import JobSettings, Overlap
from napari_sr.zoo.card import Conditioning
from tests.inference.small_models import model_of, rrdb

GRAY = rrdb(2, 1)


def speed_file():
    return cache_folder() / "speeds.json"


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(3, 20), st.integers(3, 20)),
    target=st.sampled_from([None, 0.7, 2.4]),
    rows=st.none() | st.tuples(st.integers(0, 1), st.integers(2, 9)),
)
def test_shape_and_bytes_are_those_of_the_result(shape: Any, target: Any, rows: Any) -> None:
    job, axes, part = Job(GRAY, JobSettings(target=target)), parse_axes("ZYX", shape), Part(rows=rows)
    estimated = estimate_region(job, job.region(axes, part), np.uint16)
    data = job.run(np.random.default_rng(0).integers(0, 4000, shape, np.uint16), axes, part=part).data
    assert estimated.result.shape == data.shape
    assert estimated.bytes == data.nbytes


def whole(job: Job, letters: str, shape: tuple[int, ...]) -> Region:
    """The region of a whole image."""
    return job.region(parse_axes(letters, shape))


def test_the_sentence_has_sizes_memory_and_time() -> None:
    job = Job(rrdb(4, 1), JobSettings(device="cpu"))
    measure_speed(job, np.uint16)
    region = whole(job, "YX", (2048, 2048))
    estimated = estimate_region(job, region, np.uint16, pixel_size={"Y": 0.1, "X": 0.1}, unit="micrometer")
    start = "2048 x 2048 uint16, 0.1 µm -> 8192 x 8192, 0.025 µm, 128 MiB, "
    assert estimated.sentence().startswith(start)
    assert estimated.sentence().endswith(" on this CPU")


def test_unknown_sizes_and_times_are_left_out() -> None:
    job = Job(GRAY)
    region = whole(job, "YXC", (20, 30, 3))
    estimated = estimate_region(job, region, np.uint8, pixel_size={"Y": 1, "X": 1}, unit="pixel")
    assert estimated.sentence() == "20 x 30 RGB uint8 -> 40 x 60 RGB, 7.03 KiB"
    assert estimated.seconds is None


def test_a_speed_is_stored_and_ignored_with_another_torch() -> None:
    job = Job(GRAY)
    assert known_speed(job, np.uint8) is None
    speed = measure_speed(job, np.uint8)
    assert known_speed(job, np.uint8) == speed > 0
    # Weights do not matter, the network does.
    assert known_speed(Job(rrdb(3, 1)), np.uint8) is None
    stored = json.loads(speed_file().read_text())
    assert stored["torch"] == torch.__version__
    speed_file().write_text(json.dumps({**stored, "torch": "0.0"}))
    assert known_speed(job, np.uint8) is None


@pytest.mark.parametrize("rgb", [False, True])
def test_the_speed_of_a_model_that_takes_noise_and_blur_is_measured(rgb: bool) -> None:
    settings = {
        "features": 8, "growth": 4, "blocks": 1, "scale": 2, "in_channels": 1, "out_channels": 1, "bias": False,
        "zero_sum": True, "padding": "replicate", "skip": "bicubic", "noise_plane": True, "gate": 8, "first_kernel": 5,
    }  # fmt: skip
    taken = Conditioning(noise=(0.0, 3.0), blur=(0.0, 1.6))
    model = model_of(RRDBNet(**settings), "RRDBNet", settings, color="gray", conditioning=taken)
    assert measure_speed(Job(model, JobSettings(blur=0.8)), np.uint8, rgb) > 0


@pytest.mark.parametrize("content", ["", "[]", '{"torch": 3}', "\x00"])
def test_with_a_damaged_cache_the_speed_is_measured_again(content: str) -> None:
    speed_file().parent.mkdir(parents=True)
    speed_file().write_text(content)
    assert known_speed(Job(GRAY), np.uint8) is None
    assert measure_speed(Job(GRAY), np.uint8) > 0


def test_a_cancelled_measurement_stores_nothing() -> None:
    with pytest.raises(Cancelled):
        measure_speed(Job(GRAY), np.uint8, cancel=lambda: True)
    assert not speed_file().exists()


def test_more_work_takes_longer() -> None:
    axes = parse_axes("ZYX", (4, 300, 300))
    job = Job(GRAY)
    measure_speed(job, np.uint8)

    def seconds(part: Part | None = None, **settings: Any) -> float:
        job = Job(GRAY, JobSettings(**settings))
        estimated = estimate_region(job, job.region(axes, part), np.uint8).seconds
        assert estimated is not None
        return estimated

    assert seconds(self_ensemble=True) == pytest.approx(8 * seconds())
    assert seconds(Part(at={"Z": 1})) == pytest.approx(seconds() / 4)
    assert seconds(tiling=Overlap(tile=64, overlap=16)) > 1.3 * seconds()


@pytest.mark.parametrize(
    ("count", "text"),
    [(5, "5 bytes"), (2**27, "128 MiB"), (3 * 2**29, "1.5 GiB"), (1024, "1 KiB"), (2**50, "1024 TiB")],
)
def test_bytes_are_formatted_with_a_binary_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.3, "less than 1 s"),
        (4.4, "about 4 s"),
        (38, "about 40 s"),
        (59, "about 1 min"),
        (200, "about 3 min"),
        (9000, "about 2.5 h"),
        (80000, "about 22 h"),
    ],
)
def test_times_are_formatted_roughly(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("speed", "text"),
    [(0, "0"), (12, "0.000012"), (3400, "0.0034"), (99_000, "0.099"), (2.1e6, "2.1"), (123e6, "120")],
)
def test_speeds_are_formatted_with_two_digits_and_no_exponent(speed: float, text: str) -> None:
    assert format_speed(speed) == text


def test_a_finished_run_updates_the_speed() -> None:
    job = Job(rrdb(2, 1))
    small, large = whole(job, "ZYX", (3, 20, 30)), whole(job, "ZYX", (6, 20, 30))
    learn_speed(job, small, np.uint16, 9.0)
    assert estimate_region(job, small, np.uint16).seconds == pytest.approx(9.0)
    assert estimate_region(job, large, np.uint16).seconds == pytest.approx(18.0)
    learn_speed(job, large, np.uint16, 6.0)
    assert estimate_region(job, small, np.uint16).seconds == pytest.approx(3.0)


def test_a_short_run_does_not_update_the_speed() -> None:
    job = Job(rrdb(2, 1))
    region = whole(job, "YX", (20, 30))
    learn_speed(job, region, np.uint16, 0.01)
    assert estimate_region(job, region, np.uint16).seconds is None
