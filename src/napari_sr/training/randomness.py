"""Random numbers by their place, not by their order.

Every patch of every step has a generator of its own, made of the recipe's seed and of where the training stands. What
was drawn before changes nothing, so a run that was interrupted goes on with the same numbers, and several processes
share a batch without talking to each other.

References
----------
J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

_PURPOSES = ("patch", "validation", "blocks")
Purpose = Literal["patch", "validation", "blocks"]


def generator_at(seed: int, purpose: Purpose, stage: int = 0, step: int = 0, number: int = 0) -> np.random.Generator:
    """Make the generator that belongs to a place in a training.

    Parameters
    ----------
    seed : int
        The recipe's.
    purpose : {"patch", "validation", "blocks"}
        What is drawn.
    stage, step, number : int
        Where: for a patch its number within the whole batch, over all processes.
    """
    # The first word of the counter is left to the generator itself, which counts what it has given.
    place = np.array([0, number, step, stage], np.uint64)
    key = np.array([seed, _PURPOSES.index(purpose)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=place))
