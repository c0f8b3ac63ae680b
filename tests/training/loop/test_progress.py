import pytest

from napari_sr.training.loop import progress
from napari_sr.training.loop.progress import Pace


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def advance(clock, pace, *seconds):
    for each in seconds:
        clock.now += each
        pace.step()


def test_the_first_step_and_its_preparations_are_no_measure_of_the_others(clock):
    pace = Pace(0, 100)
    advance(clock, pace, 60.0)
    assert pace.seconds_left is None
    advance(clock, pace, 2.0, 4.0)
    assert pace.seconds_left == pytest.approx(97 * 3.0)


def test_there_is_no_estimate_from_a_moment(clock):
    pace = Pace(0, 100)
    advance(clock, pace, 0.1, 0.1, 0.1)
    assert pace.seconds_left is None


def test_steps_of_an_earlier_run_have_no_time(clock):
    pace = Pace(90, 100)
    advance(clock, pace, 5.0, 3.0)
    assert pace.seconds_left == pytest.approx(8 * 3.0)


@pytest.mark.parametrize("before", [0, 2])
def test_a_pause_does_not_count(clock, before):
    pace = Pace(0, 10)
    advance(clock, pace, *[4.0] * before)
    with pace.stopped():
        clock.now += 1000.0
    advance(clock, pace, *[4.0] * (3 - before))
    assert pace.seconds_left == pytest.approx(7 * 4.0)
