"""How a factor is reached: by doublings, or by one step of three."""

from __future__ import annotations


def upsampling_factors(scale: int) -> tuple[int, ...]:
    """Steps by which a network enlarges: () for 1, (2,) for 2, (3,) for 3, (2, 2) for 4, (2, 2, 2) for 8.

    Raises
    ------
    ValueError
        For any other factor.
    """
    steps = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
    if scale not in steps:
        raise ValueError(f"A network enlarges by 1, 2, 3, 4 or 8, not by {scale}.")
    return steps[scale]
