"""What of an image is read, and what of the whole result is made of it.

A part of an image is read with a margin of the network's receptive radius, which is cut off afterward, so that the
part is what it would be inside the whole result. With a target size the network's result is resized to it, axis by
axis; then a little more of the network's result is needed than lies above the part, and that is read as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part, Range
from napari_sr.imaging.resize import resizing_matrix, round_to

#: What only rounding made must not become another pixel.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Span:
    """One axis of the planes, from the source to the result.

    Parameters
    ----------
    length : int
        Pixels of the source.
    wanted : (int, int)
        First and one after the last pixel of the source that is wanted.
    scale : int
        The network's factor.
    target : int
        Pixels of the whole result.
    """

    length: int
    wanted: Range
    scale: int
    target: int

    @property
    def resized(self) -> bool:
        """Whether the network's result is not yet the result."""
        return self.target != self.scale * self.length

    @property
    def factor(self) -> float:
        """Pixels of the result for each pixel of the source."""
        return self.target / self.length

    @property
    def made(self) -> Range:
        """Pixels of the whole result that are made: all that touch the wanted ones."""
        first = floor(self.wanted[0] * self.factor + _ROUNDING)
        last = ceil(self.wanted[1] * self.factor - _ROUNDING)
        return min(first, self.target - 1), min(max(last, first + 1), self.target)

    @property
    def kept(self) -> Range:
        """Pixels of the network's whole result that the made ones are made of."""
        if not self.resized:
            return self.made
        return _support(self._matrix)

    @property
    def weights(self) -> Any:
        """Sparse matrix (made, kept) that resizes the network's result; None where it is the result."""
        return self._matrix[:, slice(*self.kept)] if self.resized else None

    @property
    def _matrix(self) -> Any:
        return resizing_matrix(self.scale * self.length, self.target)[slice(*self.made)]

    def read(self, radius: int, alignment: int) -> Range:
        """Pixels of the source to read, for a network that sees `radius` pixels and gathers `alignment` in groups."""
        first, last = self.kept[0] // self.scale, -(-self.kept[1] // self.scale)
        first = max(0, first - radius) // alignment * alignment
        return first, min(self.length, -(-(last + radius) // alignment) * alignment)

    def opacity(self) -> tuple[Range, Any]:
        """Pixels of the source that the made pixels of an opacity see, and the weights (made, seen) of them."""
        if self.target == self.length:
            first, last = self.made
            return (first, last), None
        matrix = resizing_matrix(self.length, self.target, "bilinear")[slice(*self.made)]
        seen = _support(matrix)
        return seen, matrix[:, slice(*seen)]


@dataclass(frozen=True)
class Region:
    """A part of an image on its way to a part of the result.

    Parameters
    ----------
    axes : Axes
        The whole image's.
    ranges : tuple of (int, int)
        First and one after the last that is wanted along each dimension.
    rows, columns : Span
        Along Y and X.
    margin : int or None
        Pixels around the part that are read at most; None for as many as the network sees.
    """

    axes: Axes
    ranges: tuple[Range, ...]
    rows: Span
    columns: Span
    margin: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        lengths = [stop - start for start, stop in self.ranges]
        for axis, span in ((self.axes.y, self.rows), (self.axes.x, self.columns)):
            lengths[axis] = span.made[1] - span.made[0]
        return tuple(lengths)

    @property
    def made(self) -> Axes:
        """Axes of the result."""
        return Axes(self.axes.letters, self.shape)

    @property
    def factors(self) -> NDArray[np.float64]:
        """Pixels of the result for each of the source, for each axis but the colors."""
        factors = np.ones(self._ndim)
        factors[[self.axes.y, self.axes.x]] = self.rows.factor, self.columns.factor
        return factors

    @property
    def origin(self) -> NDArray[np.float64]:
        """Where the result begins, in pixels of the source, for each axis but the colors."""
        origin = np.array([float(start) for start, _ in self.ranges[: self._ndim]])
        for axis, span in ((self.axes.y, self.rows), (self.axes.x, self.columns)):
            origin[axis] = span.made[0] / span.factor
        return origin

    @property
    def whole(self) -> bool:
        """Whether the part is the whole image."""
        return self.ranges == tuple((0, length) for length in self.axes.shape)

    @property
    def resized(self) -> bool:
        """Whether the network's result is resized to the result."""
        return self.rows.resized or self.columns.resized

    @property
    def first_channel(self) -> int:
        """Number, in the image, of the part's first channel."""
        return 0 if self.axes.channel is None else self.ranges[self.axes.channel][0]

    def read(self, radius: int, alignment: int) -> tuple[Range, ...]:
        """What to read along each dimension, for a network of this receptive radius and alignment."""
        if self.margin is not None:
            radius = min(radius, self.margin)
        ranges = list(self.ranges)
        ranges[self.axes.y] = self.rows.read(radius, alignment)
        ranges[self.axes.x] = self.columns.read(radius, alignment)
        return tuple(ranges)

    @property
    def _ndim(self) -> int:
        return self.axes.ndim - int(self.axes.rgb)


def region_of(axes: Axes, scale: int, part: Part | None = None, factors: tuple[float, float] | None = None) -> Region:
    """Work out what is made of an image.

    Parameters
    ----------
    axes : Axes
        The whole image's.
    scale : int
        The network's factor.
    part : Part, optional
        All when left out.
    factors : (float, float), optional
        Wished for along Y and X; the network's own when left out. The result has the nearest whole number of pixels.

    Raises
    ------
    InputError
        The part does not lie in the image, or the factors leave no pixel of it.
    """
    part = part or Part()
    ranges = part.ranges(axes)
    spans = []
    for axis, factor in zip((axes.y, axes.x), factors or (scale, scale), strict=True):
        length = axes.shape[axis]
        target = floor(length * factor + 0.5)
        if target < 1:
            raise InputError(f"The factor {factor:g} leaves nothing of {length} pixels; wish for a larger one.")
        spans.append(Span(length, ranges[axis], scale, target))
    return Region(axes, ranges, spans[0], spans[1], part.margin)


def resize_opacity(opacity: NDArray[Any], rows: Any, columns: Any) -> NDArray[Any]:
    """Resize the A of RGBA in its own dtype: resized, never invented, never beyond its neighbors.

    Parameters
    ----------
    opacity : array, shape (Y, X)
        What `Span.opacity` says to read.
    rows, columns : sparse matrix or None
        Its weights along Y and X; None leaves an axis as it is.

    Returns
    -------
    array, shape (Y', X')
        As `napari_sr.imaging.resize` rounds: uint8 between the two passes too, rows first.
    """
    values = opacity.astype(np.float64)
    if rows is not None:
        values = np.asarray(rows @ values)
        if opacity.dtype == np.uint8:
            values = round_to(values, np.uint8).astype(np.float64)
    if columns is not None:
        values = np.asarray(columns @ values.T).T
    return round_to(values, opacity.dtype)


def _support(matrix: Any) -> Range:
    """First column with a weight, and the one after the last."""
    seen = matrix.indices[matrix.data != 0]
    return int(seen.min()), int(seen.max()) + 1
