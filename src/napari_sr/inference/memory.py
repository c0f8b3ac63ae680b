"""What memory there is, and how a plane is cut so as to stay within it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import psutil
import torch

from napari_sr.errors import InputError
from napari_sr.inference.streaming.memory_model import peak_per_column
from napari_sr.inference.streaming.plan import StreamPlan

#: Of the free memory, what a job takes: the rest is for the image, the result and everybody else.
SHARE = {"cpu": 0.5, "cuda": 0.8, "mps": 0.6}

#: Rows that flow together when there is memory enough; a low image so goes through its small layers whole. On a CPU
#: strips from 32 rows on were measured to be about as fast (docs/performance.md); the heights for a GPU are a guess.
STRIPS = {"cpu": (320, 128, 64, 32, 16, 8, 4, 2, 1), "cuda": (1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1)}

#: Rows below which a strip computes too little at once to be fast; bands of columns come before that.
LEAST_STRIP = 8

#: What a process takes over what the rows come to, and bytes that it takes however narrow they are: what the kernels
#: need for themselves, and gaps between pieces of memory: 2.3 was the most that was measured (docs/performance.md).
SAFETY = 2.4
OVERHEAD = {"cpu": 48 * 2**20}

#: Bytes of a step's window on a CPU up to which strips may grow. Beyond it what steps make comes near the size that
#: the C library takes from the system each time, page by page (32 MiB), and higher strips were measured no faster.
LARGEST_WINDOW = 32 * 2**20

#: Metal refuses tensors of more numbers than this.
MOST_NUMBERS_MPS = 2**31 - 1


@dataclass(frozen=True)
class Cut:
    """How a plane goes through a stream: rows at a time, and columns at a time.

    Parameters
    ----------
    strip : int
        Rows of the image that flow together.
    band : int
        Columns of the result that are made at a time, counted in pixels of the image.
    margin : int
        Columns on each side of a band that are computed again so that it is exact; 0 where the width fits.
    peak : int
        Bytes that it will take.
    """

    strip: int
    band: int
    margin: int
    peak: int


def free_memory(device: torch.device) -> int:
    """Bytes free on a device."""
    if device.type == "cuda":
        # What torch keeps for itself it gives to us as well.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + cached)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return free_memory_of_host()


def free_memory_of_host() -> int:
    """Bytes of main memory that are free."""
    return int(psutil.virtual_memory().available)


def budget(memory: object, device: torch.device) -> int:
    """Bytes that a job may take on a device.

    Raises
    ------
    InputError
        If `memory` is neither "auto" nor a positive number of bytes.
    """
    if memory == "auto":
        return int(free_memory(device) * SHARE.get(device.type, 0.5))
    if isinstance(memory, bool) or not isinstance(memory, int) or memory <= 0:
        raise InputError(f'The memory {memory!r} is no budget: give a number of bytes, or "auto".')
    return memory


def cut_plane(
    plan: StreamPlan,
    channels: int,
    rows: int,
    columns: int,
    *,
    radius: int,
    alignment: int,
    item: int,
    budget: int,
    device: torch.device,
    most: int | None = None,
) -> Cut:
    """Choose strips, and bands of columns where the width does not fit, before the first one is computed.

    Parameters
    ----------
    plan : Plan
        The network's steps.
    channels : int
        Channels of the image times the planes in a batch.
    rows, columns : int
        Size of the plane, rows along its longer axis.
    radius, alignment : int
        The network's receptive radius and alignment.
    item : int
        Bytes of a number.
    budget : int
        Bytes that may be taken.
    device : torch.device
        Where to compute; Metal has a limit of its own.
    most : int, optional
        Rows that a strip may have at most, after a device ran out of memory.

    Returns
    -------
    Cut
        The highest strip that fits over the whole width; else bands with their exact margins.

    Notes
    -----
    A band of b columns costs (b + 2 radius) / b times the work of the whole width, so bands are as wide as the
    budget allows. If nothing fits, the smallest cut is given: the device itself will say whether it can.
    """
    steps = STRIPS["cpu" if device.type == "cpu" else "cuda"]
    allowed = [s for s in steps if most is None or s <= most]
    least = min(LEAST_STRIP, allowed[0])

    counts = plan.channels(channels)
    largest = max(c * float(r) ** 2 for c, r in zip(counts, plan.rates, strict=True))
    overhead = OVERHEAD.get(device.type, 0)
    if device.type == "cpu":
        window = item * columns * max(sum(counts[tensor] for tensor in step.inputs) for step in plan.steps)
        allowed = [s for s in allowed if s <= least or min(s, rows) * window <= LARGEST_WINDOW]

    def bytes_of(strip: int, width: int) -> int:
        return overhead + ceil(SAFETY * item * width * peak_per_column(plan, channels, rows, min(strip, rows), radius))

    def widest_of(strip: int) -> int:
        """Columns that fit."""
        rest = max(0, budget - overhead)
        widest = int(rest / (SAFETY * item * peak_per_column(plan, channels, rows, min(strip, rows), radius)))
        # The division may round down what the multiplication does not.
        widest += bytes_of(strip, widest + 1) <= budget
        if device.type == "mps":
            widest = min(widest, int(MOST_NUMBERS_MPS / (largest * (strip + 2 * radius))))
        return widest

    for strip in allowed:
        if strip >= least and widest_of(strip) >= columns:
            return Cut(min(strip, rows), columns, 0, bytes_of(strip, columns))
    margin = -(-radius // alignment) * alignment
    strip = next((s for s in allowed if s <= LEAST_STRIP), allowed[-1])
    narrowest = -(-max(16, margin) // alignment) * alignment
    widest = widest_of(strip)
    if widest < narrowest + 2 * margin:
        # So narrow a band would mostly be margin: lower strips leave room for wider ones.
        strip = allowed[-1]
        widest = widest_of(strip)
        narrowest = -(-16 // alignment) * alignment
    if widest >= columns:
        return Cut(min(strip, rows), columns, 0, bytes_of(strip, columns))
    band = max(narrowest, (widest - 2 * margin) // alignment * alignment)
    return Cut(strip, min(band, columns), margin, bytes_of(strip, min(columns, band + 2 * margin)))
