"""Parts of images: a rectangle of the planes, one position along the other axes, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.conversion import quote, read_whole, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray

#: First pixel or plane, and the one after the last.
Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of an image; by default all of it.

    Parameters
    ----------
    rows, columns : (int, int), optional
        First pixel and the one after the last, along Y and along X. Pixels beyond the image are left out.
    at : mapping of str to int, optional
        Position of the single plane along an axis, by the letter of the axis: ``{"T": 0, "Z": 12}``. The axis remains,
        with length 1.
    margin : int, optional
        Largest number of pixels around the part that are read; 0 or more. By default the receptive radius of the
        network, so that the part has the same pixels as in the whole result. A smaller margin is faster and changes the
        outer pixels slightly, which is enough for a preview.

    Raises
    ------
    InputError
        If a range is not a pair of whole numbers or has no pixels, a position is along Y, X or an unknown axis, or the
        margin is less than 0.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> stack = np.zeros((5, 40, 40), np.uint8)
    >>> part = sr.Part(rows=(0, 16), columns=(8, 24), at={"Z": 2})
    >>> sr.upscale(stack, "srcnn-x2", part=part, device="cpu").shape
    (1, 32, 32)
    """

    rows: Range | None = None
    columns: Range | None = None
    at: Mapping[str, int] = field(default_factory=dict, hash=False)
    margin: int | None = None

    def __post_init__(self) -> None:
        """Convert and check all values."""
        for name in ("rows", "columns"):
            span = getattr(self, name)
            if span is not None:
                object.__setattr__(self, name, _range(span, name))
        if self.margin is not None:
            object.__setattr__(self, "margin", read_whole(self.margin, "margin", 0, ", or leave it out"))
        if not isinstance(self.at, Mapping):
            raise InputError(
                f'The positions {shorten(self.at)} are not a mapping: give a plane by axis, as in {{"Z": 2}}.'
            )
        for letter in self.at:
            if letter not in ("T", "C", "Z"):
                raise InputError(f"The axis {quote(letter)} is none of T, C and Z: give rows and columns for Y and X.")
        positions = {letter: read_whole(position, f"position along {letter}") for letter, position in self.at.items()}
        object.__setattr__(self, "at", positions)

    def ranges(self, axes: Axes) -> tuple[Range, ...]:
        """Return the range of the part along each axis of an image.

        Parameters
        ----------
        axes : Axes
            Axes of the whole image.

        Returns
        -------
        tuple of (int, int)
            First pixel and the one after the last along each dimension of the array.

        Raises
        ------
        InputError
            If the part is outside the image, or has a position along an axis that the image does not have.
        """
        ranges = [(0, length) for length in axes.shape]
        for axis, name, span in ((axes.y, "rows", self.rows), (axes.x, "columns", self.columns)):
            if span is not None:
                first, last = max(0, span[0]), min(axes.shape[axis], span[1])
                if first >= last:
                    raise InputError(
                        f"The {name} {span[0]} to {span[1]} are outside the image, which has {axes.shape[axis]}: "
                        "choose a part of the image."
                    )
                ranges[axis] = (first, last)
        for letter, position in self.at.items():
            axis = axes.letters.find(letter)
            if axis < 0 or (letter == "C" and axes.rgb):
                raise InputError(f'An image with the axes "{axes.letters}" has no planes along {letter}: leave it out.')
            if not 0 <= position < axes.shape[axis]:
                raise InputError(
                    f"There is no plane {position} along {letter}, which has {axes.shape[axis]}: count from 0."
                )
            ranges[axis] = (position, position + 1)
        return tuple(ranges)


class Cropped:
    """Lazy view of a rectangular part of an array; an index reads only the requested region.

    Parameters
    ----------
    array : array
        A zarr or dask array, or another one that can be indexed with integers and slices.
    ranges : tuple of (int, int)
        First position and the one after the last along each dimension.
    """

    def __init__(self, array: ImageArray, ranges: tuple[Range, ...]) -> None:
        self._array, self._ranges = array, ranges

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(stop - start for start, stop in self._ranges)

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self._array.dtype

    def __getitem__(self, index: Any, /) -> Any:
        """Return the part at an index of integers and slices with a step of 1, one for each axis."""
        moved: list[int | slice] = []
        for entry, (start, stop) in zip(index, self._ranges, strict=True):
            if isinstance(entry, slice):
                first, last, _ = entry.indices(stop - start)
                moved.append(slice(start + first, start + max(first, last)))
            else:
                moved.append(start + int(entry))
        return self._array[tuple(moved)]


class LoadedPart:
    """A part of an array that is in memory, indexed like the whole array.

    Parameters
    ----------
    values : array
        The part.
    origin : tuple of int
        Position of its first value in the whole array, along each dimension.
    shape : tuple of int
        Shape of the whole array.
    """

    def __init__(self, values: NDArray[Any], origin: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self._values, self._origin = values, origin
        self.shape, self.dtype = shape, values.dtype

    def __getitem__(self, index: Any, /) -> Any:
        """Return the values at an index of integers and slices with a step of 1, one for each axis.

        Raises
        ------
        IndexError
            If a value is not in memory.
        """
        moved: list[int | slice] = []
        spans = zip(index, self._origin, self._values.shape, self.shape, strict=True)
        for entry, start, count, length in spans:
            whole = entry if isinstance(entry, slice) else slice(int(entry), int(entry) + 1)
            first, last, _ = whole.indices(length)
            if first < start or last > start + count:
                raise IndexError(f"The index {index} is outside the loaded part, which starts at {self._origin}.")
            moved.append(slice(first - start, max(first, last) - start) if isinstance(entry, slice) else first - start)
        return self._values[tuple(moved)]


def crop(array: ImageArray, ranges: tuple[Range, ...]) -> ImageArray:
    """Return a part of an array.

    Parameters
    ----------
    array : array
        A numpy, dask or zarr array.
    ranges : tuple of (int, int)
        First position and the one after the last along each dimension.

    Returns
    -------
    array
        The array itself if the part is all of it, a view of a numpy array, and a lazy view of any other array.
    """
    if ranges == tuple((0, length) for length in array.shape):
        return array
    if isinstance(array, np.ndarray):
        part: ImageArray = array[tuple(slice(*span) for span in ranges)]
        return part
    return Cropped(array, ranges)


def _range(span: Any, name: str) -> Range:
    try:
        first, last = span
    except (TypeError, ValueError):
        raise InputError(f"The {name} {shorten(span)} are not a range: give (first, one after the last).") from None
    first, last = read_whole(first, f"first of the {name}"), read_whole(last, f"end of the {name}")
    if not first < last:
        raise InputError(f"The {name} {first} to {last} have no pixel: give a first one before the last.")
    return first, last
