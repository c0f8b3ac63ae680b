"""What a job gives and costs, before it runs."""

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
from napari_sr.inference.estimate import format_bytes, format_seconds
from napari_sr.inference.speed import speed_file
from napari_sr.settings import JobSettings, Overlap
from tests.inference.small_models import rrdb

GRAY = rrdb(2, 1)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(3, 20), st.integers(3, 20)),
    target=st.sampled_from([None, 0.7, 2.4]),
    rows=st.none() | st.tuples(st.integers(0, 1), st.integers(2, 9)),
)
def test_shape_and_bytes_are_those_of_the_result(shape: Any, target: Any, rows: Any) -> None:
    job, axes, part = Job(GRAY, JobSettings(target=target)), parse_axes("ZYX", shape), Part(rows=rows)
    found = estimate_region(job, axes, np.uint16, part=part)
    data = job.run(np.random.default_rng(0).integers(0, 4000, shape, np.uint16), axes, part=part).data
    assert found.result.shape == data.shape
    assert found.bytes == data.nbytes


def test_the_sentence_says_it_all() -> None:
    job = Job(rrdb(4, 1), JobSettings(device="cpu"))
    measure_speed(job, np.uint16)
    axes = parse_axes("YX", (2048, 2048))
    found = estimate_region(job, axes, np.uint16, pixel_size={"Y": 0.1, "X": 0.1}, unit="micrometer")
    start = "2048 x 2048 uint16, 0.1 µm -> 8192 x 8192, 0.025 µm, 128 MiB, "
    assert found.sentence().startswith(start)
    assert found.sentence().endswith(" on this CPU")


def test_what_is_not_known_is_not_said() -> None:
    found = estimate_region(
        Job(GRAY), parse_axes("YXC", (20, 30, 3)), np.uint8, pixel_size={"Y": 1, "X": 1}, unit="pixel"
    )
    assert found.sentence() == "20 x 30 RGB uint8 -> 40 x 60 RGB, 7.03 KiB"
    assert found.seconds is None


def test_a_speed_is_kept_and_thrown_away_with_another_torch() -> None:
    job = Job(GRAY)
    assert known_speed(job, np.uint8) is None
    speed = measure_speed(job, np.uint8)
    assert known_speed(job, np.uint8) == speed > 0
    # Weights do not matter, the network does.
    assert known_speed(Job(rrdb(3, 1)), np.uint8) is None
    kept = json.loads(speed_file().read_text())
    assert kept["torch"] == torch.__version__
    speed_file().write_text(json.dumps({**kept, "torch": "0.0"}))
    assert known_speed(job, np.uint8) is None


@pytest.mark.parametrize("content", ["", "[]", '{"torch": 3}', "\x00"])
def test_a_damaged_cache_is_measured_anew(content: str) -> None:
    speed_file().parent.mkdir(parents=True)
    speed_file().write_text(content)
    assert known_speed(Job(GRAY), np.uint8) is None
    assert measure_speed(Job(GRAY), np.uint8) > 0


def test_a_cancelled_measurement_keeps_nothing() -> None:
    with pytest.raises(Cancelled):
        measure_speed(Job(GRAY), np.uint8, cancel=lambda: True)
    assert not speed_file().exists()


def test_more_work_takes_longer() -> None:
    axes = parse_axes("ZYX", (4, 300, 300))
    job = Job(GRAY)
    measure_speed(job, np.uint8)

    def seconds(part: Part | None = None, **settings: Any) -> float:
        found = estimate_region(Job(GRAY, JobSettings(**settings)), axes, np.uint8, part=part).seconds
        assert found is not None
        return found

    assert seconds(self_ensemble=True) == pytest.approx(8 * seconds())
    assert seconds(Part(at={"Z": 1})) == pytest.approx(seconds() / 4)
    assert seconds(tiling=Overlap(tile=64, overlap=16)) > 1.3 * seconds()


@pytest.mark.parametrize(
    ("count", "words"),
    [(5, "5 bytes"), (2**27, "128 MiB"), (3 * 2**29, "1.5 GiB"), (1024, "1 KiB"), (2**50, "1024 TiB")],
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert format_bytes(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
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
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


def test_a_finished_run_corrects_what_was_known() -> None:
    job = Job(rrdb(2, 1))
    axes = parse_axes("ZYX", (3, 20, 30))
    learn_speed(job, axes, np.uint16, 9.0)
    assert estimate_region(job, axes, np.uint16).seconds == pytest.approx(9.0)
    larger = parse_axes("ZYX", (6, 20, 30))
    assert estimate_region(job, larger, np.uint16).seconds == pytest.approx(18.0)
    learn_speed(job, larger, np.uint16, 6.0)
    assert estimate_region(job, axes, np.uint16).seconds == pytest.approx(3.0)


def test_a_run_too_short_to_say_anything_corrects_nothing() -> None:
    job = Job(rrdb(2, 1))
    axes = parse_axes("YX", (20, 30))
    learn_speed(job, axes, np.uint16, 0.01)
    assert estimate_region(job, axes, np.uint16).seconds is None
