"""Division of an image into blocks whose results fill whole files of a store."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd, prod

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part

#: Side of a block in pixels of the image, if there are blocks enough.
SIDE = 2048
#: Blocks for each thread of the workers, so that all of them have work until near the end.
_PER_THREAD = 4


def block_shape(axes: Axes, scale: int, file: tuple[int, int], threads: int) -> tuple[int, int]:
    """Choose the size of the blocks.

    Parameters
    ----------
    axes : Axes
        Axes of the image.
    scale : int
        Factor of the model.
    file : (int, int)
        Rows and columns of the result in one file, a chunk or a shard.
    threads : int
        Threads of all workers, 1 or more.

    Returns
    -------
    (int, int)
        Rows and columns of a block, in pixels of the image: of about `SIDE` pixels, or smaller where there would be
        too few for the workers. Their results are multiples of `file`, so that no two blocks write to one.
    """
    units = [length // gcd(length, scale) for length in file]
    lengths = [axes.shape[axis] for axis in (axes.y, axes.x)]
    planes = axes.plane_count
    side = SIDE
    while True:
        shape = [unit * max(1, round(side / unit)) for unit in units]
        count = planes * prod(ceil(length / block) for length, block in zip(lengths, shape, strict=True))
        if count >= _PER_THREAD * threads or shape == units:
            return shape[0], shape[1]
        side //= 2


def blocks_of(axes: Axes, shape: tuple[int, int]) -> Iterator[Part]:
    """Yield the blocks of an image, plane by plane.

    Parameters
    ----------
    axes : Axes
        Axes of the image.
    shape : (int, int)
        Rows and columns of a block, in pixels.

    Yields
    ------
    Part
        A rectangle of one plane. The last ones of a row and of a column may be smaller.
    """
    height, width = axes.shape[axes.y], axes.shape[axes.x]
    for index in axes.plane_indices():
        at = {letter: place for letter, place in zip(axes.letters, index, strict=False) if isinstance(place, int)}
        for top in range(0, height, shape[0]):
            for left in range(0, width, shape[1]):
                rows, columns = (top, min(top + shape[0], height)), (left, min(left + shape[1], width))
                yield Part(rows=rows, columns=columns, at=at)
