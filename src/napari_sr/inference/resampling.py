"""The network's result brought to a wished size while it comes, piece by piece.

Resizing is linear and works axis by axis: each piece of the network's result adds its share to the pixels that see it.
So the network's whole result is never held, and nothing is rounded in between.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.inference.compute.memory import free_memory_of_host
from napari_sr.inference.region import Span


class Resampling:
    """The planes of one group, growing.

    Parameters
    ----------
    planes, channels : int
        How many of them, and channels of each.
    rows, columns : Span
        Along Y and X.

    Raises
    ------
    InputError
        If they do not fit into memory.
    """

    def __init__(self, planes: int, channels: int, rows: Span, columns: Span) -> None:
        shape = (
            planes,
            channels,
            rows.result_range[1] - rows.result_range[0],
            columns.result_range[1] - columns.result_range[0],
        )
        needed, free = 4 * prod(shape), free_memory_of_host()
        if needed > free:
            raise InputError(
                f"Planes of {shape[2]} x {shape[3]} pixels take {needed / 2**30:.1f} GiB while they are resized and "
                f"{free / 2**30:.1f} GiB of memory are free: take a smaller part, or the model's own factor."
            )
        self.result = np.zeros(shape, np.float32)
        self._rows, self._columns = _by_column(rows), _by_column(columns)

    def add(self, top: int, left: int, piece: NDArray[np.float32]) -> None:
        """Take a piece of the network's result.

        Parameters
        ----------
        top, left : int
            Where it begins, in pixels of what is kept of the network's result.
        piece : array of float32, shape (planes, channels, rows, columns)
            Each pixel of the network's result comes once.
        """
        above, down = _shares(self._rows, top, piece.shape[2], self.result.shape[2])
        before, across = _shares(self._columns, left, piece.shape[3], self.result.shape[3])
        for n, m in np.ndindex(*piece.shape[:2]):
            share = piece[n, m] if down is None else down @ piece[n, m]
            share = share if across is None else (across @ share.T).T
            height, width = share.shape
            self.result[n, m, above : above + height, before : before + width] += share


def _by_column(span: Span) -> Any:
    weights = span.weights
    return None if weights is None else weights.astype(np.float32).tocsc()


def _shares(weights: Any, start: int, count: int, length: int) -> tuple[int, Any]:
    """First made pixel that sees some of the kept ones, and the weights of those that do."""
    if weights is None:
        return start, None
    some = weights[:, start : start + count]
    if some.nnz == 0:
        return 0, some[:0].tocsr()
    first, last = int(some.indices.min()), int(some.indices.max()) + 1
    return first, some[first:last].tocsr()
