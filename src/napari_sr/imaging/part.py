"""A part of an image: a rectangle of its planes, one position along its other axes, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray

#: First pixel or plane, and the one after the last.
Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What of an image is meant; by default all of it.

    Parameters
    ----------
    rows, columns : (int, int), optional
        First pixel and the one after the last, along Y and along X. What lies beyond the image is left out.
    at : mapping of str to int, optional
        The one plane to take along an axis, by the axis' letter: ``{"T": 0, "Z": 12}``. The axis stays, with length 1.
    margin : int, optional
        Pixels to read around the part at most. Left out, as many as the network sees, which makes the part exactly
        what it is in the whole result; fewer are faster and change its outer pixels a little, as a preview may.

    Raises
    ------
    InputError
        A range without pixels, a position on Y, on X or on no axis, or a margin below 0.
    """

    rows: Range | None = None
    columns: Range | None = None
    at: Mapping[str, int] = field(default_factory=dict)
    margin: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no part of any image."""
        for name, span in (("rows", self.rows), ("columns", self.columns)):
            if span is not None and not span[0] < span[1]:
                raise InputError(f"The {name} {span[0]} to {span[1]} hold no pixel; give a first one before the last.")
        if self.margin is not None and self.margin < 0:
            raise InputError(f"A margin of {self.margin} pixels is none; give 0 or more, or leave it out.")
        for letter in self.at:
            if letter not in ("T", "C", "Z"):
                raise InputError(f'The axis "{letter}" is none of T, C and Z; give rows and columns for Y and X.')

    def ranges(self, axes: Axes) -> tuple[Range, ...]:
        """Find the part in an image.

        Parameters
        ----------
        axes : Axes
            The whole image's.

        Returns
        -------
        tuple of (int, int)
            First and one after the last along each dimension of the array.

        Raises
        ------
        InputError
            The part does not lie in the image, or names an axis that the image does not have.
        """
        found = [(0, length) for length in axes.shape]
        for axis, name, span in ((axes.y, "rows", self.rows), (axes.x, "columns", self.columns)):
            if span is not None:
                first, last = max(0, span[0]), min(axes.shape[axis], span[1])
                if first >= last:
                    raise InputError(
                        f"The {name} {span[0]} to {span[1]} lie outside the image, which has {axes.shape[axis]}; "
                        "choose a part of the image."
                    )
                found[axis] = (first, last)
        for letter, position in self.at.items():
            axis = axes.letters.find(letter)
            if axis < 0 or (letter == "C" and axes.rgb):
                raise InputError(f'An image with the axes "{axes.letters}" has no planes along {letter}; leave it out.')
            if not 0 <= position < axes.shape[axis]:
                raise InputError(
                    f"There is no plane {position} along {letter}, which has {axes.shape[axis]}; count from 0."
                )
            found[axis] = (int(position), int(position) + 1)
        return tuple(found)


class Cropped:
    """A part of an array that is read only where it is asked for, as zarr's own indexing is not.

    Parameters
    ----------
    array : array
        zarr, dask, or another that takes integers and slices.
    ranges : sequence of (int, int)
        First and one after the last along each dimension.
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
        """Take the part that integers and slices with a step of 1 name, one for each axis."""
        moved: list[int | slice] = []
        for entry, (start, stop) in zip(index, self._ranges, strict=True):
            if isinstance(entry, slice):
                first, last, _ = entry.indices(stop - start)
                moved.append(slice(start + first, start + max(first, last)))
            else:
                moved.append(start + int(entry))
        return self._array[tuple(moved)]


def crop(array: ImageArray, ranges: tuple[Range, ...]) -> ImageArray:
    """Take a part of an array: a view of a numpy array, and of any other one that is read where it is asked for."""
    if ranges == tuple((0, length) for length in array.shape):
        return array
    if isinstance(array, np.ndarray):
        part: ImageArray = array[tuple(slice(*span) for span in ranges)]
        return part
    return Cropped(array, ranges)
