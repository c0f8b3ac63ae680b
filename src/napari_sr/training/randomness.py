"""Random numbers that depend on a position in the training only, not on the numbers that were drawn before.

Each patch of each step has a random generator of its own, made from the seed of the recipe and the numbers of stage,
step and patch. An interrupted run therefore continues with the same numbers, and several processes share a batch
without communication.

References
----------
J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Purpose = Literal["patch", "validation", "blocks", "fields", "shift"]


def generator_at(seed: int, purpose: Purpose, stage: int = 0, step: int = 0, number: int = 0) -> np.random.Generator:
    """Make the random generator (Philox) of a position in a training.

    Parameters
    ----------
    seed : int
        Seed of the recipe, at least 0 and below 2^63.
    purpose : {"patch", "validation", "blocks", "fields", "shift"}
        Use of the random numbers; different uses have different numbers.
    stage : int, default 0
        Number of the stage, from 0.
    step : int, default 0
        Number of the step in its stage, from 0.
    number : int, default 0
        Number of the patch in the batch over all processes, of the validation scene, or of the image, from 0.
    """
    # Philox increments the first word of the counter with each block that it draws, so the position takes the others.
    counter = np.array([0, number, step, stage], np.uint64)
    key = np.array([seed, get_args(Purpose).index(purpose)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
