"""The learning rate is a function of the step."""

from math import cos, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.training.loop.schedule import cycle_at, learning_rate_fraction
from napari_sr.training.recipe import Schedule


def test_a_cosine_falls_to_zero_in_every_cycle():
    schedule = Schedule(kind="cosine", cycles=(10, 20), cycle_rates=(0.5, 1.0))
    fractions = [learning_rate_fraction(schedule, step, 30) for step in range(30)]
    assert fractions[0] == 0.5
    assert fractions[5] == pytest.approx(0.25)
    assert fractions[10] == 1.0
    assert fractions[9] < 0.02
    assert fractions[29] < 0.01
    assert cycle_at(schedule, 12, 30) == (2, 20, 1.0)


def test_the_rate_is_halved_at_milestones():
    schedule = Schedule(kind="milestones", milestones=(3, 5))
    assert [learning_rate_fraction(schedule, step, 8) for step in range(8)] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


@given(st.integers(1, 50), st.sampled_from(["constant", "cosine", "milestones"]))
def test_the_rate_rises_during_the_warm_up(warm_up, kind):
    schedule = Schedule(kind=kind, warm_up=warm_up)
    fractions = [learning_rate_fraction(schedule, step, 200) for step in range(warm_up)]
    assert fractions[0] == pytest.approx(1 / warm_up)
    assert all(0 < fraction <= 1 for fraction in fractions)


def test_a_step_beyond_the_stage_is_refused():
    with pytest.raises(IndexError):
        learning_rate_fraction(Schedule(), 5, 5)


def test_the_cosine_ends_at_the_final_fraction():
    schedule = Schedule(kind="cosine", final=0.01, warm_up=10)
    rates = [learning_rate_fraction(schedule, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert rates[500] == pytest.approx(0.505, abs=1e-3)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
    without = Schedule(kind="cosine", warm_up=10)
    # The rates of recipes without `final` keep their bits.
    assert [learning_rate_fraction(without, step, 7) for step in range(7)] == [
        min(1.0, (step + 1) / 10) * 0.5 * (1 + cos(pi * step / 7)) for step in range(7)
    ]
