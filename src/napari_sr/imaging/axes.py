"""Axes of images: their letters, and the (Y, X) planes of which an image consists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_sr.conversion import quote, shorten
from napari_sr.errors import InputError

LETTERS = "TCZYX"
#: Largest length of an axis of a result. Image files have 32 bits for it.
_LONGEST = 2**31 - 1
PlaneIndex = tuple[int | slice, ...]


class ImageArray(Protocol):
    """An array that can be indexed with integers and slices: numpy, dask or zarr."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the part of the array at an index."""
        ...


class WritableArray(Protocol):
    """An array with values that can be set at integers and slices: numpy or zarr."""

    def __setitem__(self, index: Any, value: Any, /) -> None:
        """Set the values of the part of the array at an index."""
        ...


class StoredArray(ImageArray, Protocol):
    """An array on disk whose values are read where it is indexed: zarr, or an `AxisView`. It has no arithmetic."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        ...

    @property
    def size(self) -> int:
        """Number of values."""
        ...

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]:
        """Read the part of the array at an index."""
        ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all values."""
        ...


@dataclass(frozen=True)
class Axes:
    """Letters and lengths of the axes of an image; `parse_axes` makes them from the argument of a caller.

    Parameters
    ----------
    letters : str
        One letter of T (time), C (channel), Z, Y and X for each dimension, in any order and each at most once. Y and X
        are required. A last C of length 3 or 4 is RGB or RGBA; any other C is separate channels.
    shape : tuple of int
        Shape of the image, without a length 0.

    Raises
    ------
    InputError
        If the letters do not describe an image of this shape.
    """

    letters: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the letters describe an image of the shape."""
        _check(self.letters, self.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions of the array, including the color axis."""
        return len(self.letters)

    @property
    def without_colors(self) -> str:
        """Letters of all axes but the colors of a pixel."""
        return self.letters[:-1] if self.rgb else self.letters

    @property
    def y(self) -> int:
        """Position of the Y axis."""
        return self.letters.index("Y")

    @property
    def x(self) -> int:
        """Position of the X axis."""
        return self.letters.index("X")

    @property
    def rgb(self) -> bool:
        """Whether the last axis is the colors of a pixel: RGB or RGBA."""
        return self.letters[-1] == "C" and self.shape[-1] in (3, 4)

    @property
    def rgba(self) -> bool:
        """Whether the last axis is RGB and alpha."""
        return self.rgb and self.shape[-1] == 4

    @property
    def channel(self) -> int | None:
        """Position of the axis of separate channels; None without one, as for RGB."""
        return self.letters.index("C") if "C" in self.letters and not self.rgb else None

    @property
    def channels(self) -> tuple[int | None, ...]:
        """Numbers of the separate channels; None alone if there are none."""
        return (None,) if self.channel is None else tuple(range(self.shape[self.channel]))

    @property
    def plane_axes(self) -> tuple[int, ...]:
        """Positions of the axes along which planes are stacked: all except Y, X and the colors."""
        inside = {self.y, self.x} | ({self.ndim - 1} if self.rgb else set())
        return tuple(axis for axis in range(self.ndim) if axis not in inside)

    @property
    def plane_count(self) -> int:
        """Number of planes."""
        return int(np.prod([self.shape[axis] for axis in self.plane_axes], dtype=np.int64))

    def plane_indices(self, channel: int | None = None) -> Iterator[PlaneIndex]:
        """Return the indices of the planes in their stored order, the last plane axis fastest.

        Parameters
        ----------
        channel : int or None, default None
            One of `channels`, whose planes alone are returned; by default all planes.

        Returns
        -------
        iterator of tuple
            Indices, as `plane_index` returns them.
        """
        spans = [range(self.shape[axis]) for axis in self.plane_axes]
        if channel is not None:
            spans[self.plane_axes.index(self.channel)] = range(channel, channel + 1)
        return map(self.plane_index, product(*spans))

    def plane_index(self, position: Sequence[int]) -> PlaneIndex:
        """Return the index of the plane at a position.

        Parameters
        ----------
        position : sequence of int
            Position along each of `plane_axes`.

        Returns
        -------
        tuple of int or slice
            An int for each plane axis, and slices for Y, X and the colors.
        """
        index: list[int | slice] = [slice(None)] * self.ndim
        for axis, number in zip(self.plane_axes, position, strict=True):
            index[axis] = number
        return tuple(index)

    def plane(self, array: ImageArray, index: PlaneIndex) -> npt.NDArray[Any]:
        """Return one plane of an array, with Y before X in any stored order.

        Parameters
        ----------
        array : array, shape `shape`
            A numpy, dask or zarr array, of which only the plane itself is computed or read.
        index : tuple of int or slice
            One of `plane_indices`.

        Returns
        -------
        numpy array, shape (Y, X), or (Y, X, C) for RGB(A)
            In the dtype of the array; a view if the array is a numpy array.
        """
        plane = np.asarray(array[index])
        return plane.swapaxes(0, 1) if self.x < self.y else plane

    def part(self, index: PlaneIndex, rows: slice, columns: slice, colors: slice | int = slice(None)) -> PlaneIndex:
        """Restrict the index of a plane to some of its rows and columns.

        Parameters
        ----------
        index : tuple of int or slice
            One of `plane_indices`.
        rows, columns : slice
            Range along Y and along X.
        colors : slice or int, default slice(None)
            Range along the colors of RGB(A).

        Returns
        -------
        tuple of int or slice
            An index for `plane` and `place`.
        """
        narrowed = list(index)
        narrowed[self.y], narrowed[self.x] = rows, columns
        if self.rgb:
            narrowed[-1] = colors
        return tuple(narrowed)

    def place(self, out: WritableArray, index: PlaneIndex, plane: npt.NDArray[Any]) -> None:
        """Write one plane to an array with the same axes.

        Parameters
        ----------
        out : array
            A numpy or zarr array of `shape` or of `upscaled_shape`.
        index : tuple of int or slice
            One of `plane_indices`.
        plane : numpy array, shape (Y, X), or (Y, X, C) for RGB(A)
            The values, with Y before X.
        """
        out[index] = plane.swapaxes(0, 1) if self.x < self.y else plane

    def upscaled_shape(self, factor: float | tuple[float, float]) -> tuple[int, ...]:
        """Return the shape of the image upscaled along Y and X.

        Parameters
        ----------
        factor : float or (float, float)
            Factor along both axes, or along Y and along X; more than 0. Lengths are rounded to the nearest whole
            number, halves up.

        Returns
        -------
        tuple of int
            The shape, in the stored order of the axes.

        Raises
        ------
        InputError
            If a factor is 0, negative or not finite, so small that no pixel is left, or so large that an axis has more
            than 2,147,483,647 pixels.
        """
        factors = factor if isinstance(factor, tuple) else (factor, factor)
        shape = list(self.shape)
        for axis, value in zip((self.y, self.x), factors, strict=True):
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"The factor {value} cannot be used: give a number more than 0.")
            if self.shape[axis] * value > _LONGEST:
                raise InputError(
                    f"The factor {value:g} makes more than {_LONGEST} pixels in a row: give a smaller one."
                )
            shape[axis] = floor(self.shape[axis] * value + 0.5)
            if shape[axis] < 1:
                raise InputError(f"The factor {value:g} leaves no pixel of {self.shape[axis]}: give a larger factor.")
        return tuple(shape)

    def channel_of(self, index: PlaneIndex) -> int | None:
        """Return the channel number of a plane.

        Parameters
        ----------
        index : tuple of int or slice
            One of `plane_indices`.

        Returns
        -------
        int or None
            None if there are no separate channels.
        """
        if self.channel is None:
            return None
        number = index[self.channel]
        if isinstance(number, slice):
            raise TypeError("A plane index has an int on the channel axis: use one of plane_indices().")
        return number


def parse_axes(letters: str | None, shape: tuple[int, ...]) -> Axes:
    """Read the axes of an image from their letters, or from its shape.

    Parameters
    ----------
    letters : str or None
        One letter of T, C, Z, Y, X for each dimension, in any order, capital or small. If None, they follow from the
        shape: (Y, X) for two dimensions; RGB(A) for at least three dimensions of which the last has length 3 or 4,
        with the last of T, Z, Y, X before it; otherwise (Z, Y, X), (C, Z, Y, X) or (T, C, Z, Y, X).
    shape : tuple of int
        Shape of the image.

    Raises
    ------
    InputError
        If a letter is unknown or repeated, Y or X is missing, there is not one letter for each dimension, or the array
        has less than two dimensions or is empty.

    Examples
    --------
    >>> parse_axes("zyx", (5, 16, 20))
    Axes(letters='ZYX', shape=(5, 16, 20))
    >>> parse_axes(None, (16, 20, 3)).letters
    'YXC'
    """
    shape = tuple(int(length) for length in shape)
    letters = read_letters(letters)
    return Axes((_default_letters(shape) if letters is None else letters).upper(), shape)


def read_letters(letters: Any) -> str | None:
    """Check that the axes that a caller gives are text.

    Returns
    -------
    str or None
        The axes; None if they were left out.

    Raises
    ------
    InputError
        If they are neither.
    """
    if letters is None or isinstance(letters, str):
        return letters
    raise InputError(f'The axes {shorten(letters)} are not text: give one letter for each dimension, as in "ZYX".')


def _default_letters(shape: tuple[int, ...]) -> str:
    _check_shape(shape)
    ndim = len(shape)
    colors = ndim >= 3 and shape[-1] in (3, 4)
    known = "TZYX" if colors else LETTERS
    spatial = ndim - 1 if colors else ndim
    if spatial > len(known):
        raise InputError(
            f"The image has {ndim} dimensions, more than T, C, Z, Y and X can name: take a part with at most 5."
        )
    return known[len(known) - spatial :] + ("C" if colors else "")


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        raise InputError(f"The image has the shape {shape}: give an array with at least the two dimensions Y and X.")
    if 0 in shape:
        raise InputError(f"The image with the shape {shape} is empty: give one with at least one pixel.")


def _check(letters: str, shape: tuple[int, ...]) -> None:
    _check_shape(shape)
    for letter in letters:
        if letter not in LETTERS:
            raise InputError(
                f"The axes {quote(letters)} have the unknown letter {quote(letter)}: use only T, C, Z, Y and X."
            )
        if letters.count(letter) > 1:
            raise InputError(f"The axes {quote(letters)} have {letter} twice: give each letter to one dimension only.")
    if len(letters) != len(shape):
        raise InputError(
            f"The axes {quote(letters)} do not fit an image of {len(shape)} dimensions: give one letter for each."
        )
    for letter in "YX":
        if letter not in letters:
            raise InputError(f"The axes {quote(letters)} have no {letter}: Y and X are required.")
