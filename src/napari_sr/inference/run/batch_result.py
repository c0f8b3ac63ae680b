"""The result of planes that are computed together: in the data type of the image, without margins, resized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_sr.imaging.axes import Axes, PlaneIndex, WritableArray
from napari_sr.imaging.intensity import IntensityMap
from napari_sr.inference.region import Region
from napari_sr.inference.run.resampling import Resampling


class BatchResult:
    """Blocks of the result of planes, which are written to an array as they arrive.

    Parameters
    ----------
    out : array
        Where the result is written, of the region's shape.
    dtype : dtype
        Data type of the image.
    axes : Axes
        Axes of the part that is read.
    batch : sequence of tuple
        Positions of the planes in it.
    maps : sequence of IntensityMap
        Their intensity maps.
    region : Region
        The pixels that are wanted.
    first : (int, int)
        Row and column of the network's result at which that of the part begins.
    separate : bool
        Whether the colors of each plane are planes of the network.
    check : callable
        Called with the values of each block, float32; an exception stops the work.

    Attributes
    ----------
    clipped : int
        Values that were outside the range of the data type and were clipped.

    Raises
    ------
    InputError
        If planes that are resized do not fit into memory.
    """

    def __init__(
        self,
        out: WritableArray,
        dtype: np.dtype[Any],
        axes: Axes,
        batch: Sequence[PlaneIndex],
        maps: Sequence[IntensityMap],
        region: Region,
        *,
        first: tuple[int, int],
        separate: bool,
        check: Callable[[NDArray[np.float32]], None],
    ) -> None:
        self._out, self._dtype, self._axes = out, dtype, axes
        self._batch, self._maps, self._first = batch, maps, first
        self._separate, self._check = separate, check
        self._rows, self._columns = region.rows, region.columns
        self._resampling: Resampling | None = None
        if region.resized:
            itemsize = dtype.itemsize if isinstance(out, np.ndarray) else 0
            colors = 3 if axes.rgb else 1
            self._resampling = Resampling(len(batch), colors, region.rows, region.columns, itemsize)
        self.clipped = 0

    def add(self, top: int, left: int, part: Tensor) -> None:
        """Add a block of the network's result.

        Parameters
        ----------
        top, left : int
            Its position in the result of the part that is read.
        part : Tensor, shape (planes, channels, rows, columns)
            The block, float32, on the CPU.
        """
        values = part.numpy()
        self._check(values)
        if self._separate:
            values = values.reshape(len(self._batch), 3, *values.shape[2:])
        # Without the margin around the part.
        above, rows = _within(self._first[0] + top, values.shape[2], self._rows.network_range)
        before, columns = _within(self._first[1] + left, values.shape[3], self._columns.network_range)
        values = values[:, :, rows, columns]
        if values.size:
            (self._place if self._resampling is None else self._resampling.add)(above, before, values)

    def finish(self) -> None:
        """Write planes that are resized, after their last block."""
        if self._resampling is not None:
            for top, block in self._resampling.blocks():
                self._place(top, 0, block)

    def _place(self, top: int, left: int, values: NDArray[np.float32]) -> None:
        rows, columns = slice(top, top + values.shape[2]), slice(left, left + values.shape[3])
        for index, intensity, plane in zip(self._batch, self._maps, values, strict=True):
            restored, clipped = intensity.inverse(plane, self._dtype)
            self.clipped += clipped
            restored = np.moveaxis(restored, 0, -1) if self._axes.rgb else restored[0]
            self._axes.place(self._out, self._axes.part(index, rows, columns, slice(0, 3)), restored)


def _within(start: int, count: int, limits: tuple[int, int]) -> tuple[int, slice]:
    """Intersect `count` pixels from `start` on with a range: its position in the range, and its slice of the pixels."""
    first, last = max(start, limits[0]), min(start + count, limits[1])
    return first - limits[0], slice(first - start, max(last, first) - start)
