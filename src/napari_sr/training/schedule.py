"""How the rate goes along a stage; it follows from the step alone."""

from __future__ import annotations

from math import cos, pi

from napari_sr.training.recipe import Schedule


def learning_rate_fraction(schedule: Schedule, step: int, steps: int) -> float:
    """Share of the optimizer's rate at a step.

    Parameters
    ----------
    schedule : Schedule
        Of the stage.
    step : int
        From 0 to ``steps - 1``.
    steps : int
        Of the stage.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv:1608.03983, for the cosine.
    """
    place, length, share = cycle_at(schedule, step, steps)
    rise = min(1.0, (place + 1) / max(1, schedule.warm_up))
    if schedule.kind == "cosine":
        return share * rise * 0.5 * (1 + cos(pi * place / length))
    if schedule.kind == "milestones":
        return rise * schedule.factor ** sum(step >= milestone for milestone in schedule.milestones)
    return rise


def cycle_at(schedule: Schedule, step: int, steps: int) -> tuple[int, int, float]:
    """Place within the cycle that a step falls into, the cycle's length, and its share of the rate."""
    cycles = schedule.cycles or (steps,)
    shares = schedule.cycle_rates or (1.0,) * len(cycles)
    begin = 0
    for length, share in zip(cycles, shares, strict=True):
        if step < begin + length:
            return step - begin, length, share
        begin += length
    raise IndexError(f"The step {step} lies beyond the stage's {steps}.")
