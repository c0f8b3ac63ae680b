"""The coarser levels of a store, each computed from the one before in pieces whose results are whole files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_sr.errors import Cancelled
from napari_sr.imaging.pyramid import halved
from napari_sr.progress import Cancel

#: Index of a part of one plane of an array: integers, and slices of rows and columns.
Piece = tuple[Any, ...]
#: ``halve(finer, coarser, pieces)`` computes the pieces of a level, in any order.
Halve = Callable[[Any, Any, Iterator[Piece]], None]


def pieces_of(finer: Any, coarser: Any) -> Iterator[Piece]:
    """Divide a level into pieces, so that each file of the next level is written once.

    Parameters
    ----------
    finer, coarser : zarr.Array
        The level and the next one, whose last two axes have half the length.

    Yields
    ------
    tuple of int and slice
        Index of a piece in the finer level, which begins at an even row and column.
    """
    height, width = finer.shape[-2:]
    high, wide = (2 * length for length in (coarser.shards or coarser.chunks)[-2:])
    for plane in np.ndindex(*finer.shape[:-2]):
        for top in range(0, height, high):
            for left in range(0, width, wide):
                yield (*plane, slice(top, min(top + high, height)), slice(left, min(left + wide, width)))


def halve_piece(finer: Any, coarser: Any, piece: Piece) -> None:
    """Compute one piece of a level: averages of 2 x 2 pixels.

    Parameters
    ----------
    finer, coarser : zarr.Array
        The level and the next one, which is written.
    piece : tuple of int and slice
        Index of the piece in the finer level.
    """
    *plane, rows, columns = piece
    halves = (slice(span.start // 2, -(-span.stop // 2)) for span in (rows, columns))
    coarser[(*plane, *halves)] = halved(np.asarray(finer[piece]))


def one_by_one(cancel: Cancel) -> Halve:
    """Return a function that computes the pieces of a level in this process.

    Parameters
    ----------
    cancel : callable
        Called before every piece; returning True ends the work with `Cancelled`.

    Returns
    -------
    callable
        ``halve(finer, coarser, pieces)``.
    """

    def halve(finer: Any, coarser: Any, pieces: Iterator[Piece]) -> None:
        for piece in pieces:
            if cancel():
                raise Cancelled
            halve_piece(finer, coarser, piece)

    return halve
