"""Resizing of a network's result to a target size, block by block.

Resizing is linear and separable, so each block of the network's result is multiplied by its weights and added to the
pixels that depend on it. The whole result of the network is never in memory, and intermediate values are not rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.inference.compute.memory import free_memory_of_host
from napari_sr.inference.region import Span

#: Largest number of values of a block that is mapped back to values of the image.
_BLOCK = 2**22


class Resampling:
    """The resized result of a batch of planes, as a sum over blocks.

    Parameters
    ----------
    planes, channels : int
        Number of planes, and channels of each.
    rows, columns : Span
        The axes Y and X.
    itemsize : int, default 0
        Bytes of a value of the result, if the result is in memory too.

    Attributes
    ----------
    result : array of float32, shape (planes, channels, Y, X)
        The sum of the blocks that have been added.

    Raises
    ------
    InputError
        If the planes do not fit into memory.
    """

    def __init__(self, planes: int, channels: int, rows: Span, columns: Span, itemsize: int = 0) -> None:
        height, width = (span.result_range[1] - span.result_range[0] for span in (rows, columns))
        shape = (planes, channels, height, width)
        # The planes, a block that is added, which may be as large as a plane, and the result.
        needed, free = (4 + itemsize) * prod(shape) + 4 * height * width, free_memory_of_host()
        if needed > free:
            raise InputError(
                f"Planes of {height} x {width} pixels need {needed / 2**30:.1f} GiB while they are resized, and "
                f"{free / 2**30:.1f} GiB of memory are free: choose a smaller part, or the factor of the model."
            )
        self.result = np.zeros(shape, np.float32)
        self._rows, self._columns = _by_column(rows), _by_column(columns)

    def add(self, top: int, left: int, block: NDArray[np.float32]) -> None:
        """Add a block of the network's result.

        Parameters
        ----------
        top, left : int
            Position of the block, in pixels from the start of `Span.network_range`.
        block : array of float32, shape (planes, channels, rows, columns)
            The block. Each pixel of the network's result must be added once.
        """
        above, down = _weights_of(self._rows, top, block.shape[2])
        before, across = _weights_of(self._columns, left, block.shape[3])
        for n, m in np.ndindex(*block.shape[:2]):
            resized = block[n, m] if down is None else down @ block[n, m]
            resized = resized if across is None else (across @ resized.T).T
            height, width = resized.shape
            self.result[n, m, above : above + height, before : before + width] += resized

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Iterate over blocks of rows of the result, which are small enough to be copied in float64.

        Yields
        ------
        top : int
            First row of the block.
        block : array of float32, shape (planes, channels, rows, X)
            The block.
        """
        height = self.result.shape[2]
        step = max(1, _BLOCK * height // self.result.size)
        for top in range(0, height, step):
            yield top, self.result[:, :, top : top + step]


def _by_column(span: Span) -> Any:
    weights = span.weights
    return None if weights is None else weights.astype(np.float32).tocsc()


def _weights_of(weights: Any, start: int, count: int) -> tuple[int, Any]:
    """First pixel of the result that depends on a range of network pixels, and the weights of that range."""
    if weights is None:
        return start, None
    block = weights[:, start : start + count]
    if block.nnz == 0:
        return 0, block[:0].tocsr()
    first, last = int(block.indices.min()), int(block.indices.max()) + 1
    return first, block[first:last].tocsr()
