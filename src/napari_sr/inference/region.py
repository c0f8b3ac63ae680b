"""The pixels of an image that are read for a result, and the pixels of the result that are computed from them.

A part of an image is read with a margin of the network's receptive radius, which is cut off afterward, so the part is
the same as in the whole result. With a target size the result of the network is resized along each axis, and the pixels
that the resizing needs are read as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.files import Metadata
from napari_sr.imaging.files.descriptions.omero import channel_attributes
from napari_sr.imaging.part import Part, Range
from napari_sr.imaging.resize import resizing_matrix
from napari_sr.imaging.rounding import round_to
from napari_sr.inference.output.store_metadata import StorePlace

#: Tolerance in pixels, so that a rounding error does not add a pixel.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Span:
    """One axis of the planes, from the source to the result.

    All ranges are (first pixel, one after the last).

    Parameters
    ----------
    length : int
        Pixels of the source.
    source_range : (int, int)
        Pixels of the source that are upscaled.
    scale : int
        Factor of the network.
    target : int
        Pixels of the whole result.
    """

    length: int
    source_range: Range
    scale: int
    target: int

    @property
    def resized(self) -> bool:
        """Whether the result of the network is resized."""
        return self.target != self.scale * self.length

    @property
    def factor(self) -> float:
        """Pixels of the result for each pixel of the source."""
        return self.target / self.length

    @property
    def result_range(self) -> Range:
        """Pixels of the whole result that are computed: those that overlap with the source range."""
        first = floor(self.source_range[0] * self.factor + _TOLERANCE)
        last = ceil(self.source_range[1] * self.factor - _TOLERANCE)
        return min(first, self.target - 1), min(max(last, first + 1), self.target)

    @property
    def network_range(self) -> Range:
        """Pixels of the whole result of the network on which the result depends."""
        if not self.resized:
            return self.result_range
        return _support(self._matrix)

    @property
    def weights(self) -> Any:
        """Weights of the resizing: a sparse matrix (result pixels, network pixels), or None without resizing."""
        return self._matrix[:, slice(*self.network_range)] if self.resized else None

    @property
    def _matrix(self) -> Any:
        return resizing_matrix(self.scale * self.length, self.target)[slice(*self.result_range)]

    @property
    def nearest(self) -> NDArray[np.intp]:
        """Pixel of the source that contains the center of each pixel of the result range."""
        return (2 * np.arange(*self.result_range) + 1) * self.length // (2 * self.target)

    def read(self, radius: int, alignment: int) -> Range:
        """Compute the range of the source to read.

        Parameters
        ----------
        radius : int
            Pixels to read on each side of the range, within the image.
        alignment : int
            The range starts, and ends unless the image ends, at multiples of this number of pixels.
        """
        first, last = self.network_range[0] // self.scale, -(-self.network_range[1] // self.scale)
        first = max(0, first - radius) // alignment * alignment
        return first, min(self.length, -(-(last + radius) // alignment) * alignment)

    def with_result(self, first: int, last: int) -> Span:
        """Return the span of the source pixels that overlap with some pixels of the result.

        Parameters
        ----------
        first, last : int
            First pixel of the whole result and the one after the last.

        Returns
        -------
        Span
            Its `result_range` has all of the pixels, and at most few others.
        """
        source = first * self.length // self.target, -(-last * self.length // self.target)
        return replace(self, source_range=source)

    def opacity(self) -> tuple[Range, Any]:
        """Compute the range of the source to read for an alpha channel, and the weights of its resizing.

        Returns
        -------
        (int, int)
            The range.
        sparse matrix or None
            Weights (result pixels, source pixels) of bilinear resizing; None without resizing.
        """
        if self.target == self.length:
            return self.result_range, None
        matrix = resizing_matrix(self.length, self.target, "bilinear")[slice(*self.result_range)]
        source_range = _support(matrix)
        return source_range, matrix[:, slice(*source_range)]


@dataclass(frozen=True)
class Region:
    """A part of an image and the part of the result that is computed from it.

    Parameters
    ----------
    axes : Axes
        Axes of the whole image.
    ranges : tuple of (int, int)
        First position and the one after the last of the part, along each dimension of the image.
    rows, columns : Span
        The axes Y and X.
    margin : int or None
        Largest number of pixels around the part that are read; None for the receptive radius of the network.
    along : int or None
        Axis along which exact tiling streams the planes, Y or X; None for the longer one.
    """

    axes: Axes
    ranges: tuple[Range, ...]
    rows: Span
    columns: Span
    margin: int | None = None
    along: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        lengths = [stop - start for start, stop in self.ranges]
        for axis, span in ((self.axes.y, self.rows), (self.axes.x, self.columns)):
            lengths[axis] = span.result_range[1] - span.result_range[0]
        return tuple(lengths)

    @property
    def result_axes(self) -> Axes:
        """Axes of the result."""
        return Axes(self.axes.letters, self.shape)

    @property
    def factors(self) -> NDArray[np.float64]:
        """Pixels of the result for each pixel of the source, along each axis but the colors."""
        factors = np.ones(self._ndim)
        factors[[self.axes.y, self.axes.x]] = self.rows.factor, self.columns.factor
        return factors

    @property
    def origin(self) -> NDArray[np.float64]:
        """Outer edge of the first pixel of the result, in pixels of the source, along each axis but the colors."""
        origin = np.array([float(start) for start, _ in self.ranges[: self._ndim]])
        for axis, span in ((self.axes.y, self.rows), (self.axes.x, self.columns)):
            origin[axis] = span.result_range[0] / span.factor
        return origin

    @property
    def nearest(self) -> tuple[NDArray[np.intp], ...]:
        """Position in the source of each position of the result, along each axis."""
        positions = [np.arange(*span) for span in self.ranges]
        positions[self.axes.y], positions[self.axes.x] = self.rows.nearest, self.columns.nearest
        return tuple(positions)

    @property
    def whole(self) -> bool:
        """Whether the part is the whole image."""
        return self.ranges == tuple((0, length) for length in self.axes.shape)

    @property
    def resized(self) -> bool:
        """Whether the result of the network is resized."""
        return self.rows.resized or self.columns.resized

    @property
    def longer(self) -> int:
        """The longer one of the axes Y and X; Y if both are equal."""
        rows, columns = (stop - start for start, stop in (self.ranges[self.axes.y], self.ranges[self.axes.x]))
        return self.axes.x if columns > rows else self.axes.y

    def span(self, axis: int) -> Span:
        """Return one axis of the planes.

        Returns
        -------
        Span
            `rows` or `columns`.
        """
        return self.rows if axis == self.axes.y else self.columns

    @property
    def first_channel(self) -> int:
        """Number of the first channel of the part in the image; 0 without separate channels."""
        return 0 if self.axes.channel is None else self.ranges[self.axes.channel][0]

    def read(self, radius: int, alignment: int) -> tuple[Range, ...]:
        """Compute the ranges to read along each dimension.

        Returns
        -------
        tuple of (int, int)
            First position and the one after the last along each dimension of the image.
        """
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
    """Compute the region of a part of an image.

    Parameters
    ----------
    axes : Axes
        Axes of the whole image.
    scale : int
        Factor of the network.
    part : Part, optional
        The part to upscale; by default all.
    factors : (float, float), optional
        Factors of the result along Y and X; by default that of the network. The size of the result is rounded as by
        `Axes.upscaled_shape`.

    Returns
    -------
    Region
        The pixels that are read and computed.

    Raises
    ------
    InputError
        If the part is outside the image, or the factors leave no pixel.
    """
    part = part or Part()
    ranges = part.ranges(axes)
    target = axes.upscaled_shape(factors or (scale, scale))
    rows, columns = (Span(axes.shape[axis], ranges[axis], scale, target[axis]) for axis in (axes.y, axes.x))
    return Region(axes, ranges, rows, columns, part.margin)


def place_of(region: Region, name: str, metadata: Metadata) -> StorePlace:
    """Compute the position of a result in the world of its source, and select the metadata of its channels.

    Parameters
    ----------
    region : Region
        The region of the source.
    name : str
        Name of the result.
    metadata : Metadata
        Metadata of the source. The pixel size is 1 for axes that are missing. The origin is 0 for axes that are missing
        or have no pixel size.

    Returns
    -------
    StorePlace
        Result and source cover the same region of the world.
    """
    axes = region.axes
    letters = axes.without_colors
    known = {letter: (size, metadata.unit) for letter, size in metadata.pixel_size.items()}
    if metadata.time_interval is not None:
        known.setdefault("T", (metadata.time_interval, "second"))
    sizes = [float(known[letter][0]) if letter in known else 1.0 for letter in letters]
    starts = [metadata.origin.get(letter, 0.0) if letter in known else 0.0 for letter in letters]
    factors, origin = region.factors, region.origin
    return StorePlace(
        name,
        [size / float(factor) for size, factor in zip(sizes, factors, strict=True)],
        [
            start + size * float(first + (1 / factor - 1) / 2)
            for start, size, first, factor in zip(starts, sizes, origin, factors, strict=True)
        ],
        [known[letter][1] if letter in known else None for letter in letters],
        () if axes.rgb else channel_attributes(_of_channels(metadata, region)),
        unitless="" if metadata.unit is not None else "".join(letter for letter in "ZYX" if letter in known),
    )


def metadata_of(region: Region, metadata: Metadata) -> Metadata:
    """Return the metadata of a result in an image file.

    Returns
    -------
    Metadata
        Result and source cover the same region of the world. Axes without a pixel size have no position.
    """
    axes = region.axes
    letters = axes.without_colors
    place = place_of(region, "", metadata)
    size = {letter: step for letter, step in zip(letters, place.scale, strict=True) if letter in metadata.pixel_size}
    origin = {
        letter: position
        for letter, position in zip(letters, place.translate, strict=True)
        if letter in size and (position or letter in metadata.origin)
    }
    return replace(_of_channels(metadata.of_axes(axes.letters), region), pixel_size=size, origin=origin)


def _of_channels(metadata: Metadata, region: Region) -> Metadata:
    """Select the metadata of the channels of a region."""
    axes = region.axes
    part = slice(None) if axes.channel is None else slice(*region.ranges[axes.channel])
    return metadata.of_channels(len(axes.channels), part)


def resize_opacity(opacity: NDArray[Any], rows: Any, columns: Any) -> NDArray[Any]:
    """Resize an alpha channel bilinearly, so that no value lies beyond those of its neighbors.

    Parameters
    ----------
    opacity : array, shape (Y, X)
        The pixels in the ranges of `Span.opacity`.
    rows, columns : sparse matrix or None
        The weights of `Span.opacity` along Y and X; None leaves an axis as it is.

    Returns
    -------
    array, shape (Y', X')
        The dtype of `opacity`; rounded as by `napari_sr.imaging.resize`, uint8 after each of the two axes.
    """
    if rows is None and columns is None:
        # Integers of 64 bits would lose digits in float64.
        return opacity
    values = opacity.astype(np.float64)
    if rows is not None:
        values = np.asarray(rows @ values)
        if opacity.dtype == np.uint8:
            values = round_to(values, np.uint8).astype(np.float64)
    if columns is not None:
        values = np.asarray(columns @ values.T).T
    return round_to(values, opacity.dtype)


def _support(matrix: Any) -> Range:
    """Range of the columns with a weight other than 0."""
    columns = matrix.indices[matrix.data != 0]
    return int(columns.min()), int(columns.max()) + 1
