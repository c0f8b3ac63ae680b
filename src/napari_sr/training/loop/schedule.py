"""The learning rate along a stage, as a function of the step only."""

from __future__ import annotations

from math import cos, pi

from napari_sr.training.recipe import Schedule


def learning_rate_fraction(schedule: Schedule, step: int, steps: int) -> float:
    """Return the learning rate at a step as a fraction of the optimizer's.

    Parameters
    ----------
    schedule : Schedule
        Schedule of the stage.
    step : int
        Step of the stage, from 0 to ``steps - 1``.
    steps : int
        Number of steps of the stage.

    Raises
    ------
    IndexError
        If the step is not in the stage.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv:1608.03983, for the cosine.
    """
    position, length, peak = cycle_at(schedule, step, steps)
    rise = min(1.0, (position + 1) / max(1, schedule.warm_up))
    if schedule.kind == "cosine":
        return peak * rise * (schedule.final + (1 - schedule.final) * 0.5 * (1 + cos(pi * position / length)))
    if schedule.kind == "milestones":
        return rise * schedule.factor ** sum(step >= milestone for milestone in schedule.milestones)
    return rise


def cycle_at(schedule: Schedule, step: int, steps: int) -> tuple[int, int, float]:
    """Return the cycle of a step.

    Returns
    -------
    position : int
        Number of steps since the start of the cycle.
    length : int
        Number of steps of the cycle.
    peak : float
        Highest learning rate of the cycle as a fraction of the optimizer's.

    Raises
    ------
    IndexError
        If the step is not in the stage.
    """
    cycles = schedule.cycles or (steps,)
    peaks = schedule.cycle_rates or (1.0,) * len(cycles)
    start = 0
    for length, peak in zip(cycles, peaks, strict=True):
        if step < start + length:
            return step - start, length, peak
        start += length
    raise IndexError(f"The step {step} is not one of the {steps} steps of the stage.")
