"""Free memory, and the size of the strips and bands that fit into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import torch

from napari_sr.accelerators import MOST_NUMBERS, free_memory, memory_fraction
from napari_sr.conversion import Memory
from napari_sr.inference.compute.streaming.memory_model import peak_per_column
from napari_sr.inference.compute.streaming.plan import StreamPlan

#: Heights of strips, in rows. The highest one that fits is used, and an image of fewer rows is a single strip. On a
#: CPU all heights from 32 rows on were measured to be about equally fast (docs/performance.md). On an accelerator each
#: strip is a number of launches and a wait, so the highest ones there are whole planes.
STRIPS = (320, 128, 64, 32, 16, 8, 4, 2, 1)
STRIPS_OF_ACCELERATORS = (4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1)

#: Copies of a strip of an accelerator's result in the main memory: two that arrive, two that are being written, and one
#: in the data type of the image.
HELD_STRIPS = 5

#: Height below which a strip is too small to be fast. Bands of columns are preferred to lower strips.
LEAST_STRIP = 8

#: The same on a CPU for planes of this many columns and more, whose lower strips take at most a sixth longer
#: (docs/performance.md). A plane without bands is finished from its first row to its last, so an interrupted job
#: continues inside it.
LEAST_STRIP_WIDE = 4
WIDE = 2000

#: Safety factor over the predicted memory of the rows, for the workspace of kernels and for fragmentation (2.3 was the
#: largest ratio measured, docs/performance.md), and bytes that are used at any width.
SAFETY = 2.4
OVERHEAD = {"cpu": 48 * 2**20}

#: Bytes of a number of a result on the CPU.
_FLOAT32 = 4

#: Largest input window of a step on a CPU, in bytes. Blocks of about this size and more are requested from the system
#: page by page each time by the C library (from 32 MiB on), and higher strips were measured to be no faster.
LARGEST_WINDOW = 32 * 2**20


@dataclass(frozen=True)
class Cut:
    """The division of a plane into strips and bands.

    Parameters
    ----------
    strip : int
        Height of a strip, in rows of the image.
    band : int
        Width of a band, in columns of the image.
    margin : int
        Columns on each side of a band that are computed and cut off, so that the band is exact; 0 where the whole width
        fits.
    peak : int
        Predicted memory, in bytes.
    pieces : bool, default True
        Whether strips are processed in pieces after upsampling.
    """

    strip: int
    band: int
    margin: int
    peak: int
    pieces: bool = True


def free_memory_of_host() -> int:
    """Return the free main memory.

    Returns
    -------
    int
        Bytes.
    """
    return free_memory(torch.device("cpu"))


def budget(memory: Memory | str, device: torch.device) -> int:
    """Return the memory in bytes that a job may use on a device: a fraction of the free one for "auto"."""
    return int(free_memory(device) * memory_fraction(device)) if memory == "auto" else int(memory)


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
    highest: int | None = None,
    planes: int = 1,
    whole: bool = True,
) -> Cut:
    """Choose the height of strips, and the width of bands where the whole width does not fit.

    Parameters
    ----------
    plan : StreamPlan
        The steps of the network.
    channels : int
        Channels of the image.
    rows, columns : int
        Size of the plane, in pixels; rows along its longer axis.
    radius, alignment : int
        Receptive radius and alignment of the network, in pixels.
    item : int
        Bytes of a number.
    budget : int
        Bytes that may be used for each plane.
    device : torch.device
        Device that computes; accelerators limit the size of a tensor.
    highest : int, optional
        Largest height of a strip, after a device ran out of memory.
    planes : int, default 1
        Planes that are computed at the same time.
    whole : bool, default True
        Whether a plane that fits into the memory of an accelerator is a single piece.

    Returns
    -------
    Cut
        On an accelerator the whole plane in one piece, if it fits; or the highest strip that fits with the whole width,
        or else bands with exact margins. If nothing fits, the smallest cut: the prediction has a safety factor, so it
        may still work.

    Notes
    -----
    A band of b columns costs (b + 2 radius) / b times the work of the whole width, so bands are as wide as the
    budget allows.
    """
    prediction = _Prediction(plan, channels, rows, radius, item, device.type, planes)
    heights: tuple[int, ...] = STRIPS
    if device.type != "cpu":
        most = _rows_in_main_memory(plan, channels, columns * planes)
        heights = tuple(s for s in STRIPS_OF_ACCELERATORS if s <= most) or STRIPS_OF_ACCELERATORS[-1:]
        whole = whole and rows <= most
    if device.type != "cpu" and highest is None and whole:
        at_once = replace(prediction, pieces=False)
        if at_once.widest(rows, budget) >= columns:
            return Cut(rows, columns, 0, at_once.memory(rows, columns), pieces=False)
    allowed = [s for s in heights if highest is None or s <= highest]
    wide = device.type == "cpu" and columns >= WIDE
    least = min(LEAST_STRIP_WIDE if wide else LEAST_STRIP, allowed[0])
    if device.type == "cpu":
        window = columns * prediction.window_per_column()
        allowed = [s for s in allowed if s <= least or min(s, rows) * window <= LARGEST_WINDOW]
    for strip in allowed:
        if strip >= least and prediction.widest(strip, budget) >= columns:
            return Cut(min(strip, rows), columns, 0, prediction.memory(strip, columns))
    margin = -(-radius // alignment) * alignment
    strip = next((s for s in allowed if s <= least), allowed[-1])
    narrowest = -(-max(16, margin) // alignment) * alignment
    widest = prediction.widest(strip, budget)
    if widest < narrowest + 2 * margin:
        # The band would consist mostly of margins: with lower strips it can be wider.
        strip = allowed[-1]
        widest = prediction.widest(strip, budget)
        narrowest = -(-16 // alignment) * alignment
    if widest >= columns:
        return Cut(min(strip, rows), columns, 0, prediction.memory(strip, columns))
    band = max(narrowest, (widest - 2 * margin) // alignment * alignment)
    return Cut(strip, min(band, columns), margin, prediction.memory(strip, min(columns, band + 2 * margin)))


def _rows_in_main_memory(plan: StreamPlan, channels: int, columns: int) -> int:
    """Rows of the image whose results, while they are brought back and written, fit into half of the main memory."""
    result = plan.channels(channels)[plan.output] * float(plan.rates[plan.output]) ** 2
    return int(free_memory_of_host() / 2 / (HELD_STRIPS * _FLOAT32 * result * columns))


@dataclass(frozen=True)
class _Prediction:
    """Memory of a stream, by the height of its strips and the width of its bands."""

    plan: StreamPlan
    channels: int
    rows: int
    radius: int
    item: int
    device_type: str
    planes: int
    pieces: bool = True

    @property
    def overhead(self) -> int:
        """Bytes that are used at any width."""
        return OVERHEAD.get(self.device_type, 0)

    def memory(self, strip: int, width: int) -> int:
        """Bytes for strips of a height and a width."""
        return self.overhead + ceil(SAFETY * self.item * width * self._numbers_per_column(strip))

    def widest(self, strip: int, budget: int) -> int:
        """Columns that fit into a budget."""
        available = max(0, budget - self.overhead)
        widest = int(available / (SAFETY * self.item * self._numbers_per_column(strip)))
        # The division may round down where the multiplication does not.
        widest += self.memory(strip, widest + 1) <= budget
        if self.device_type != "cpu":
            widest = min(widest, int(MOST_NUMBERS / (self._largest_channels() * (strip + 2 * self.radius))))
        return widest

    def _largest_channels(self) -> float:
        """Channels of the largest tensor or window for each row and column of the image, over all planes of a batch."""
        rates, counts = self.plan.rates, self.plan.channels(self.channels)
        tensors = [count * float(rate) ** 2 for count, rate in zip(counts, rates, strict=True)]
        windows = [
            sum(counts[tensor] for tensor in step.inputs) * max(float(rates[tensor]) for tensor in step.inputs) ** 2
            for step in self.plan.steps
        ]
        return self.planes * max(*tensors, *windows)

    def window_per_column(self) -> int:
        """Bytes of one row and column of the largest input window of a step."""
        counts = self.plan.channels(self.channels)
        return self.item * max(sum(counts[tensor] for tensor in step.inputs) for step in self.plan.steps)

    def _numbers_per_column(self, strip: int) -> float:
        rows = min(strip, self.rows)
        numbers = peak_per_column(self.plan, self.channels, self.rows, rows, self.radius, pieces=self.pieces)
        if self.device_type != "cpu":
            # Accelerators hold the whole result of a strip, once in parts and once joined.
            output = self.plan.output
            result = self.plan.channels(self.channels)[output] * float(self.plan.rates[output]) ** 2
            numbers += 2 * result * rows
        return numbers
