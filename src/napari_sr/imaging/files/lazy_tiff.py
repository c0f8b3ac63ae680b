"""Pixels of a TIFF that are read where they are indexed, for images that are larger than memory."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import prod
from threading import Lock
from typing import Any

import numpy as np
import tifffile
import zarr

from napari_sr.errors import InputError
from napari_sr.imaging.files.lazy_array import Array, Box, LazyArray

#: Size in bytes from which pixels are read lazily. Smaller images are read at once, which is faster.
LARGE = 1 << 26

#: Position of a plane, and the first position and the one after the last along each of its axes.
_Part = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]

# Memory in bytes for decoded strips and tiles; one part of a plane is kept even if it is larger.
_KEPT = 1 << 26


class LazyTiff(LazyArray):
    """The pixels of a series, which are read from its file where they are indexed by integers and slices.

    Uncompressed pixels that are stored one after another are read by rows. Others are read by their strips or tiles;
    those that were decoded last are kept for the next index, because rows are read in their order, and those of several
    planes in turn.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        The open file, which is closed with this object.
    series : tifffile.TiffPageSeries
        The series. Its last axes are Y and X, or Y, X and S.
    planes : int
        Number of its axes before Y.
    kept : sequence of int
        Those of them that the image has; the others have the length 1.
    describe : callable
        Returns the sentence about an exception of the reader.
    """

    def __init__(
        self,
        tiff: tifffile.TiffFile,
        series: Any,
        planes: int,
        kept: Sequence[int],
        describe: Callable[[Exception], str],
    ) -> None:
        stored = tuple(int(length) for length in series.shape)
        self._before, self._plane, self._kept = stored[:planes], stored[planes:], tuple(kept)
        super().__init__((*(stored[axis] for axis in self._kept), *self._plane), series.dtype, len(self._kept))
        self._tiff, self._describe = tiff, describe
        self._offset: int | None = series.dataoffset
        self._array: Any = None if self._offset is not None else zarr.open_array(series.aszarr(level=0), mode="r")
        self._decoded: OrderedDict[_Part, Array] = OrderedDict()
        self._lock = Lock()
        weakref.finalize(self, tiff.close)

    def __repr__(self) -> str:
        return f"<LazyTiff {self._tiff.filename!r}, shape {self.shape}, {self.dtype}>"

    def read_part(self, position: tuple[int, ...], box: Box) -> Array:
        """Read a part of a plane; see `LazyArray.read_part`.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        stored = [0] * len(self._before)
        for axis, place in zip(self._kept, position, strict=True):
            stored[axis] = place
        place_in_file = tuple(stored)
        try:
            with self._lock:
                return self._rows(place_in_file, box) if self._array is None else self._segments(place_in_file, box)
        except MemoryError:
            raise
        except Exception as error:
            # A damaged file can raise any exception.
            raise InputError(self._describe(error)) from error

    def _rows(self, position: tuple[int, ...], box: Box) -> Array:
        """Read the rows of uncompressed pixels."""
        assert self._offset is not None
        (top, bottom), rest = box[0], box[1:]
        row = self._plane[1:]
        first = int(np.ravel_multi_index(position, self._before)) if position else 0
        start = (first * self._plane[0] + top) * prod(row) * self.dtype.itemsize
        stored = self.dtype.newbyteorder(self._tiff.byteorder)
        handle = self._tiff.filehandle
        handle.seek(self._offset + start)
        values = handle.read_array(stored, (bottom - top) * prod(row)).reshape(bottom - top, *row)
        part: Array = values[(slice(None), *(slice(low, high) for low, high in rest))]
        return part

    def _segments(self, position: tuple[int, ...], box: Box) -> Array:
        """Read whole strips or tiles, or take those that were read last."""
        part = next((known for known in self._decoded if known[0] == position and _contains(known[1], box)), None)
        if part is None:
            chunks = self._array.chunks[len(self._before) :]
            whole = tuple(
                (low // chunk * chunk, min(-(-high // chunk) * chunk, length))
                for (low, high), chunk, length in zip(box, chunks, self._plane, strict=True)
            )
            part = position, whole
            needed = prod(high - low for low, high in whole) * self.dtype.itemsize
            # Released first, so that no more than needed are ever in memory.
            while self._decoded and sum(values.nbytes for values in self._decoded.values()) + needed > _KEPT:
                self._decoded.popitem(last=False)
            self._decoded[part] = np.asarray(self._array[(*position, *(slice(low, high) for low, high in whole))])
        self._decoded.move_to_end(part)
        inside = (slice(low - start, high - start) for (low, high), (start, _) in zip(box, part[1], strict=True))
        return self._decoded[part][tuple(inside)]


def _contains(outer: Box, inner: Box) -> bool:
    return all(a <= low and high <= b for (a, b), (low, high) in zip(outer, inner, strict=True))
