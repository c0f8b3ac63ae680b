"""Measurement of the fastest way of computing on an accelerator: memory layouts, and planes in one piece or in strips.

No result depends on it, but for rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.compute.tunings import LAYOUTS, Tuning
from napari_sr.inference.timing.speed import SIDES, compute_noise

#: Least duration of a run, in seconds, by which ways of computing are compared.
LEAST_SECONDS = 0.1
#: A way is taken in place of the usual one if it takes at most this fraction of its time; less is within the noise.
CLEARLY = 0.95
#: Runs of each way, of which the fastest counts.
RUNS = 3


def measure_tuning(network: nn.Module, device: torch.device) -> Tuning:
    """Measure how an accelerator computes a network fastest.

    Returns
    -------
    Tuning
        The fastest way. It is neither stored nor used from now on.

    Notes
    -----
    The plane is as large as `LEAST_SECONDS` take in the usual way, so that a fast card is not measured by the time that
    the launches take.
    """
    side = SIDES[0]
    for side in SIDES:
        if _seconds(network, device, torch.float32, Tuning(), side) >= LEAST_SECONDS:
            break
    try:
        return fastest(lambda dtype, tuning: _seconds(network, device, dtype, tuning, side))
    finally:
        Tuning().use_layouts(device)


def fastest(seconds: Callable[[torch.dtype, Tuning], float]) -> Tuning:
    """Choose among the ways of computing.

    Parameters
    ----------
    seconds : callable
        ``seconds(dtype, tuning)`` returns the time of a run in a number format.

    Returns
    -------
    Tuning
        With each layout and the whole planes only where they differ from the usual way and are clearly faster.
    """
    layouts: dict[str, str] = {}
    for dtype in (torch.float32, torch.float16):
        name = str(dtype).removeprefix("torch.")
        times = {layout: seconds(dtype, Tuning({name: layout})) for layout in LAYOUTS}
        best = min(times, key=lambda layout: times[layout])
        if times[best] <= CLEARLY * seconds(dtype, Tuning()):
            layouts[name] = best
    whole, strips = (seconds(torch.float32, Tuning(layouts, whole_planes=way)) for way in (True, False))
    return Tuning(layouts, whole_planes=strips > CLEARLY * whole)


def _seconds(network: nn.Module, device: torch.device, dtype: torch.dtype, tuning: Tuning, side: int) -> float:
    """The shortest time of a plane, after a run that is not counted."""
    prepared = PreparedNetwork(network, device, tuning=tuning)
    runner = PlaneRunner(prepared, dtype)
    times = []
    for _ in range(1 + RUNS):
        started = time.perf_counter()
        compute_noise(runner, prepared.in_channels, side)
        times.append(time.perf_counter() - started)
    return min(times[1:])
