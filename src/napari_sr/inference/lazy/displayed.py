"""A lazy result as it is displayed: tiles that have been computed, and pixels of the image where there are none yet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import ImageArray
from napari_sr.imaging.part import Range
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.facts.calibration import Calibration
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region
from napari_sr.progress import Cancel

TILE = 128
"""Side of the tiles, in pixels of the result."""

CACHE_BYTES = 512 * 2**20
"""Memory of the tiles that are kept while they are not displayed."""

#: Position of the plane along the other axes than Y, X and the colors, and row and column in the grid of tiles.
Tile = tuple[tuple[int, ...], int, int]


@dataclass(frozen=True)
class Piece:
    """Adjoining tiles of one plane, which are computed together.

    Parameters
    ----------
    plane : tuple of int
        Position of the plane along the other axes than Y, X and the colors.
    rows, columns : (int, int)
        Ranges in the grid of tiles.
    """

    plane: tuple[int, ...]
    rows: Range
    columns: Range

    def __iter__(self) -> Iterator[Tile]:
        """Iterate over the tiles."""
        for row, column in product(range(*self.rows), range(*self.columns)):
            yield self.plane, row, column


class DisplayedResult:
    """The result of a job over a whole image, of which the part in view is computed piece by piece.

    `read` returns at once. It is called on one thread, and `compute` on one other thread at a time.

    Parameters
    ----------
    job : Job
        Model and settings.
    calibration : Calibration
        Facts of the whole image.
    image : array
        The image.
    region : Region
        The region of the whole image.
    limit : int, default CACHE_BYTES
        Bytes of tiles that are kept. Those of the present view are kept in any case.

    Attributes
    ----------
    axes : Axes
        Axes of the result.
    dtype : dtype
        Data type of image and result.
    on_read : callable
        Called without arguments after `read`, on its thread, if a tile of the view is missing.
    """

    def __init__(
        self, job: Job, calibration: Calibration, image: ImageArray, region: Region, limit: int = CACHE_BYTES
    ) -> None:
        self._job, self._calibration, self._image, self._region = job, calibration, image, region
        self._network = JobNetwork(job.model, job.settings)
        self._limit = limit
        # The lengths of the plane axes and of the colors are those of the image.
        self.axes = region.result_axes
        self.dtype = np.dtype(image.dtype)
        self.on_read: Callable[[], None] = lambda: None
        self._tiles: OrderedDict[Tile, NDArray[Any]] = OrderedDict()
        self._view: tuple[Range, ...] | None = None
        self._lock = Lock()

    @property
    def view(self) -> tuple[Range, ...] | None:
        """Ranges of the result that were read last, along each dimension; None before the first time."""
        return self._view

    def read(self, ranges: tuple[Range, ...]) -> NDArray[Any]:
        """Return a part of the result, in which missing tiles have the pixels of the image, without waiting for them.

        Parameters
        ----------
        ranges : tuple of (int, int)
            First position and the one after the last, along each dimension. Colors are read as a whole.
        """
        axes = self.axes
        out = np.empty([last - first for first, last in ranges], self.dtype)
        complete = True
        if out.size:
            self._view = ranges
            for plane in product(*(range(*ranges[axis]) for axis in axes.plane_axes)):
                complete = self._read_plane(out, plane, ranges) and complete
        if not complete:
            self.on_read()
        return out

    def missing(self, visible: tuple[Range, Range] | None = None) -> tuple[int, int]:
        """Count the tiles of the view.

        Parameters
        ----------
        visible : ((int, int), (int, int)), optional
            Rows and columns to which the count is restricted: napari reads more than the window shows.
        """
        tiles = self._in_view(visible)
        with self._lock:
            return sum(tile not in self._tiles for tile in tiles), len(tiles)

    def next_piece(self, side: int, visible: tuple[Range, Range] | None = None) -> Piece | None:
        """Choose the tiles of the view to compute next: those around the missing one that is nearest to its center.

        Parameters
        ----------
        side : int
            Largest number of rows and of columns of tiles.
        visible : ((int, int), (int, int)), optional
            Rows and columns to which the choice is restricted.

        Returns
        -------
        Piece or None
            None if no tile is missing.
        """
        tiles = self._in_view(visible)
        with self._lock:
            missing = {tile for tile in tiles if tile not in self._tiles}
        if not missing:
            return None
        plane = next(tile[0] for tile in tiles if tile in missing)
        (top, bottom), (left, right) = visible or self._plane_view()
        center = (top + bottom) / TILE / 2 - 0.5, (left + right) / TILE / 2 - 0.5
        start = min(
            (tile for tile in missing if tile[0] == plane),
            key=lambda tile: ((tile[1] - center[0]) ** 2 + (tile[2] - center[1]) ** 2, tile),
        )
        return _grown(start, missing, side)

    def displays(self, piece: Piece) -> bool:
        """Return whether a tile of a piece is in the view.

        Returns
        -------
        bool
            False if the view has changed so that the piece is not needed any more.
        """
        view = set(self._in_view())
        return any(tile in view for tile in piece)

    def compute(self, piece: Piece, *, cancel: Cancel) -> None:
        """Compute the tiles of a piece, which `read` returns from then on.

        Parameters
        ----------
        piece : Piece
            From `next_piece`.
        cancel : callable
            Called before every layer of the network; returning True ends the work with `Cancelled`.

        Raises
        ------
        InputError
            If values do not fit.
        Cancelled
            If `cancel` returned True.
        """
        axes, region = self._region.axes, self._region
        rows = region.rows.with_result(*self._pixels(axes.y, piece.rows))
        columns = region.columns.with_result(*self._pixels(axes.x, piece.columns))
        ranges = list(region.ranges)
        ranges[axes.y], ranges[axes.x] = rows.source_range, columns.source_range
        for axis, position in zip(axes.plane_axes, piece.plane, strict=True):
            ranges[axis] = (position, position + 1)
        part = replace(region, ranges=tuple(ranges), rows=rows, columns=columns)
        done = self._job.run_region(
            self._image, part, calibration=self._calibration, network=self._network, cancel=cancel
        )
        plane = self.axes.plane(done.data, self.axes.plane_index((0,) * len(piece.plane)))
        first_row, first_column = rows.result_range[0], columns.result_range[0]
        computed = {}
        for tile in piece:
            (top, bottom), (left, right) = self._tile_pixels(tile)
            inside = plane[top - first_row : bottom - first_row, left - first_column : right - first_column]
            # A view would keep the whole piece in memory.
            computed[tile] = inside.copy()
        self._keep(computed)

    def forget(self) -> None:
        """Release the memory of all tiles."""
        with self._lock:
            self._tiles.clear()

    def _keep(self, computed: dict[Tile, NDArray[Any]]) -> None:
        """Add tiles, and remove those that were displayed longest ago beyond the limit of memory."""
        view = set(self._in_view())
        with self._lock:
            self._tiles |= computed
            used = sum(tile.nbytes for tile in self._tiles.values())
            for key in list(self._tiles):
                if used <= self._limit:
                    break
                if key not in view:
                    used -= self._tiles.pop(key).nbytes

    def _read_plane(self, out: NDArray[Any], plane: tuple[int, ...], ranges: tuple[Range, ...]) -> bool:
        """Fill one plane of a part of the result, and return whether all of its tiles have been computed."""
        axes = self.axes
        rows, columns = ranges[axes.y], ranges[axes.x]
        origin = [ranges[axis][0] for axis in axes.plane_axes]
        index = self.axes.plane_index(tuple(position - first for position, first in zip(plane, origin, strict=True)))
        found = {}
        keys = [(plane, row, column) for row in _grid(rows) for column in _grid(columns)]
        with self._lock:
            for key in keys:
                if key in self._tiles:
                    self._tiles.move_to_end(key)
                    found[key] = self._tiles[key]
        if len(found) < len(keys):
            axes.place(out, index, self._of_image(plane, rows, columns))
        for key, tile in found.items():
            (top, bottom), (left, right) = self._tile_pixels(key)
            first, last = max(top, rows[0]), min(bottom, rows[1])
            before, after = max(left, columns[0]), min(right, columns[1])
            down, across = slice(first - rows[0], last - rows[0]), slice(before - columns[0], after - columns[0])
            inside = tile[first - top : last - top, before - left : after - left]
            axes.place(out, axes.part(index, down, across), inside)
        return len(found) == len(keys)

    def _of_image(self, plane: tuple[int, ...], rows: Range, columns: Range) -> NDArray[Any]:
        """The pixel of the image that contains the center of each pixel of a part of the result."""
        axes, region = self._region.axes, self._region
        down, across = region.rows.nearest[slice(*rows)], region.columns.nearest[slice(*columns)]
        index = axes.part(self.axes.plane_index(plane), slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
        block = axes.plane(self._image, index)
        nearest: NDArray[Any] = block[down - down[0]][:, across - across[0]]
        return nearest

    def _plane_view(self) -> tuple[Range, Range]:
        """Rows and columns of the view."""
        assert self._view is not None
        return self._view[self.axes.y], self._view[self.axes.x]

    def _in_view(self, visible: tuple[Range, Range] | None = None) -> list[Tile]:
        """The tiles of the view, or those that have some of its rows and columns."""
        if self._view is None:
            return []
        rows, columns = self._plane_view()
        if visible is not None:
            rows, columns = _common(rows, visible[0]), _common(columns, visible[1])
        planes = product(*(range(*self._view[axis]) for axis in self.axes.plane_axes))
        return [(plane, row, column) for plane in planes for row in _grid(rows) for column in _grid(columns)]

    def _pixels(self, axis: int, tiles: Range) -> Range:
        """Pixels of the result in a range of tiles."""
        return tiles[0] * TILE, min(tiles[1] * TILE, self.axes.shape[axis])

    def _tile_pixels(self, tile: Tile) -> tuple[Range, Range]:
        _, row, column = tile
        return self._pixels(self.axes.y, (row, row + 1)), self._pixels(self.axes.x, (column, column + 1))


def _grid(pixels: Range) -> range:
    """Numbers of the tiles that have pixels of a range."""
    return range(pixels[0] // TILE, -(-pixels[1] // TILE)) if pixels[0] < pixels[1] else range(0)


def _common(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _grown(start: Tile, missing: set[Tile], side: int) -> Piece:
    """The largest piece around a tile that grows row by row and column by column, of missing tiles only."""
    plane, row, column = start
    piece = Piece(plane, (row, row + 1), (column, column + 1))
    grows = True
    while grows:
        grows = False
        (top, bottom), (left, right) = piece.rows, piece.columns
        for edge in (
            Piece(plane, (bottom, bottom + 1), (left, right)),
            Piece(plane, (top - 1, top), (left, right)),
            Piece(plane, (top, bottom), (right, right + 1)),
            Piece(plane, (top, bottom), (left - 1, left)),
        ):
            larger = Piece(plane, _union(piece.rows, edge.rows), _union(piece.columns, edge.columns))
            fits = all(last - first <= side for first, last in (larger.rows, larger.columns))
            if fits and all(tile in missing for tile in larger):
                piece, grows = larger, True
                break
    return piece


def _union(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
