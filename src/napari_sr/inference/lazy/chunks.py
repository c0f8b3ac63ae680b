"""The chunks of a lazy result: which pixels each one has, and which pixels of the image are read for it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product
from math import ceil, prod, sqrt
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Range
from napari_sr.inference.channels import CarryAdapter
from napari_sr.inference.compute.network import network_of, not_exact_because
from napari_sr.inference.compute.opacity import REACH
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region, Span
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.torch_state import own_torch_state

#: Cost above which larger chunks are advised: pixels that pass through the network for each pixel of the image.
WORTH_A_WARNING = 1.5
# Advised sides of chunks are multiples of this number of pixels.
_STEP = 64
# Least side of the chunks of an image without chunks of its own.
_LEAST_SIDE = 512

#: Lengths of the chunks along each dimension, as in dask.
Chunks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Reach:
    """How far around a chunk the image is read.

    Parameters
    ----------
    radius : int
        Receptive radius of the network with all layers around it, in pixels of the image.
    alignment : int
        What is read starts at a multiple of this number of pixels.
    beyond : int
        Pixels beyond it that are read as well, for the colors of transparent pixels.
    """

    radius: int
    alignment: int
    beyond: int = 0

    @property
    def advised_side(self) -> int:
        """Side in pixels of square chunks through which 1.5 times the pixels of the image pass the network."""
        return max(1, ceil(2 * self.radius / (sqrt(WORTH_A_WARNING) - 1) / _STEP)) * _STEP


@own_torch_state()
def reach_of(job: Job, axes: Axes) -> Reach:
    """Compute how far around a chunk the image is read, so that the chunk is that of the whole result.

    Raises
    ------
    InputError
        If the tiling is overlapping tiles, or exact and not possible for the network.
    """
    reason = not_exact_because(job.model, job.settings, axes.rgb)
    if reason is not None:
        raise InputError(
            f"Chunks would differ from the whole result of {job.model.name}, because {reason}: choose the tiling "
            "exact, or none for a network that cannot be streamed."
        )
    network = network_of(job.model, job.settings, axes.rgb, NoiseLevels())
    # The interpolation of colors has a radius of two pixels, which may be more than that of the network.
    radius = max(2, job.model.receptive_radius, CarryAdapter(network).receptive_radius)
    return Reach(radius, int(network.alignment), REACH if axes.rgba else 0)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Chunk:
    """A chunk of the result.

    Parameters
    ----------
    region : Region
        A region whose result has all pixels of the chunk, and at most few others.
    read : tuple of (int, int)
        Ranges of the image that are read, along each dimension.
    inside : tuple of (int, int)
        Ranges of the chunk in the result of the region.
    """

    region: Region
    read: tuple[Range, ...]
    inside: tuple[Range, ...]


@dataclass(frozen=True)
class _AxisChunk:
    """A chunk along one axis; `span` is None along other axes than Y and X."""

    result: Range
    source: Range
    computed: Range
    read: Range
    inside: Range
    span: Span | None = None


class ChunkGrid:
    """The chunks of a lazy result, which follow those of the image.

    Parameters
    ----------
    region : Region
        The region of the whole image.
    chunks : tuple of tuple of int
        Lengths of the chunks of the image along each dimension. Colors are in one chunk.
    reach : Reach
        How far around a chunk the image is read.
    """

    def __init__(self, region: Region, chunks: Chunks, reach: Reach) -> None:
        self._region, self._reach = region, reach
        axes, spans = region.axes, {region.axes.y: region.rows, region.axes.x: region.columns}
        self._bounds = [[0, *accumulate(length for length in lengths if length)] for lengths in chunks]
        self._along = [
            _along_plane(spans[axis], bounds, reach) if axis in spans else _along_others(bounds)
            for axis, bounds in enumerate(self._bounds)
        ]
        self._plane = axes.y, axes.x

    @property
    def chunks(self) -> Chunks:
        """Lengths of the chunks of the result along each dimension."""
        return tuple(tuple(one.result[1] - one.result[0] for one in along) for along in self._along)

    def __iter__(self) -> Any:
        """Iterate over (position in the grid, `Chunk`)."""
        for position in product(*(range(len(along)) for along in self._along)):
            parts = [along[number] for along, number in zip(self._along, position, strict=True)]
            rows, columns = (parts[axis].span for axis in self._plane)
            assert rows is not None and columns is not None
            ranges = tuple(part.source for part in parts)
            region = replace(self._region, ranges=ranges, rows=rows, columns=columns)
            yield position, Chunk(region, tuple(part.read for part in parts), tuple(part.inside for part in parts))

    def blocks(self, read: tuple[Range, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Find the chunks of the image that have pixels of a range.

        Returns
        -------
        list of (tuple of int, tuple of int)
            Position in the grid of the image's chunks, and position of the first value in the image.
        """
        along = [
            range(bisect_right(bounds, first) - 1, bisect_left(bounds, last))
            for bounds, (first, last) in zip(self._bounds, read, strict=True)
        ]
        return [
            (position, tuple(bounds[number] for bounds, number in zip(self._bounds, position, strict=True)))
            for position in product(*along)
        ]

    def cost(self) -> HaloCost:
        """Compute the cost of the margins."""
        factors, sides, advised = [], [], []
        for axis in self._plane:
            along, length = self._along[axis], self._region.axes.shape[axis]
            factors.append(sum(one.computed[1] - one.computed[0] for one in along) / length)
            sides.append(max(one.source[1] - one.source[0] for one in along))
            advised.append(min(length, max(self._reach.advised_side, sides[-1])))
        return HaloCost(prod(factors), (sides[0], sides[1]), self._reach.radius, (advised[0], advised[1]), self._plane)


@dataclass(frozen=True)
class HaloCost:
    """The cost of the margins around the chunks of a lazy result.

    Parameters
    ----------
    factor : float
        Pixels that pass through the network for each pixel of the image: 1 for a chunk that is a whole plane.
    chunk : (int, int)
        Largest rows and columns of the image's chunks.
    margin : int
        Pixels on each side of a chunk that pass through the network with it.
    advised : (int, int)
        Rows and columns of chunks with a factor of about 1.5 or less.
    dimensions : (int, int)
        Positions of Y and X among the dimensions of the image.
    """

    factor: float
    chunk: tuple[int, int]
    margin: int
    advised: tuple[int, int]
    dimensions: tuple[int, int]

    @property
    def high(self) -> bool:
        """Whether larger chunks are advised."""
        return self.factor > WORTH_A_WARNING

    def sentence(self) -> str:
        """Return the cost as one sentence, with the advised chunks if it is high.

        Returns
        -------
        str
            Such as "Chunks of 64 x 64 pixels are computed with a margin of 16 pixels, so 2.1 times the pixels of the
            image pass through the network: rechunk the image first, as image.rechunk({0: 192, 1: 192})."
        """
        rows, columns = self.chunk
        y, x = self.dimensions
        remedy = f": rechunk the image first, as image.rechunk({{{y}: {self.advised[0]}, {x}: {self.advised[1]}}})"
        return (
            f"Chunks of {rows} x {columns} pixels are computed with a margin of {self.margin} pixels, so "
            f"{self.factor:.1f} times the pixels of the image pass through the network{remedy if self.high else ''}."
        )


def _along_plane(whole: Span, bounds: Sequence[int], reach: Reach) -> list[_AxisChunk]:
    """Chunks along Y or X; without those that have no pixel of a result that is smaller than the image."""
    length, target = whole.length, whole.target
    # Rounded to the nearest pixel, halves up.
    ends = sorted({(2 * bound * target + length) // (2 * length) for bound in bounds})
    along = []
    for first, last in pairwise(ends):
        span = whole.with_result(first, last)
        start, computed = span.result_range[0], span.read(reach.radius, reach.alignment)
        read = max(0, computed[0] - reach.beyond), min(length, computed[1] + reach.beyond)
        along.append(_AxisChunk((first, last), span.source_range, computed, read, (first - start, last - start), span))
    return along


def _along_others(bounds: Sequence[int]) -> list[_AxisChunk]:
    return [
        _AxisChunk((first, last), (first, last), (first, last), (first, last), (0, last - first))
        for first, last in pairwise(bounds)
    ]


def default_chunks(axes: Axes, reach: Reach) -> tuple[int, ...]:
    """Choose chunks for an image without chunks of its own: single planes, or parts with a cost of about 1.5.

    Parameters
    ----------
    axes : Axes
        Axes of the image.
    reach : Reach
        How far around a chunk the image is read.
    """
    side = max(_LEAST_SIDE, reach.advised_side)
    chunks = [1 if axis in axes.plane_axes else length for axis, length in enumerate(axes.shape)]
    for axis in (axes.y, axes.x):
        chunks[axis] = min(side, axes.shape[axis])
    return tuple(chunks)
