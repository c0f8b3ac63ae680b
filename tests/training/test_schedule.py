"""Rates follow from the step alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.training.recipe import Schedule
from napari_sr.training.schedule import cycle_at, learning_rate_fraction


def test_a_cosine_falls_to_zero_in_every_cycle():
    schedule = Schedule(kind="cosine", cycles=(10, 20), cycle_rates=(0.5, 1.0))
    shares = [learning_rate_fraction(schedule, step, 30) for step in range(30)]
    assert shares[0] == 0.5
    assert shares[5] == pytest.approx(0.25)
    assert shares[10] == 1.0
    assert shares[9] < 0.02
    assert shares[29] < 0.01
    assert cycle_at(schedule, 12, 30) == (2, 20, 1.0)


def test_milestones_halve():
    schedule = Schedule(kind="milestones", milestones=(3, 5))
    assert [learning_rate_fraction(schedule, step, 8) for step in range(8)] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


@given(st.integers(1, 50), st.sampled_from(["constant", "cosine", "milestones"]))
def test_a_rate_rises_before_it_is_whole(warm_up, kind):
    schedule = Schedule(kind=kind, warm_up=warm_up)
    shares = [learning_rate_fraction(schedule, step, 200) for step in range(warm_up)]
    assert shares[0] == pytest.approx(1 / warm_up)
    assert all(0 < share <= 1 for share in shares)


def test_no_step_lies_beyond_the_stage():
    with pytest.raises(IndexError):
        learning_rate_fraction(Schedule(), 5, 5)
