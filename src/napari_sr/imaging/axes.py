"""Which axis of an image is what, and how its (Y, X) planes are taken out and put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError

LETTERS = "TCZYX"
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
        """Take the part of the array that the index names."""
        ...


class WritableArray(Protocol):
    """An array that takes values at integers and slices: numpy or zarr."""

    def __setitem__(self, index: Any, value: Any, /) -> None:
        """Write the values to the part of the array that the index names."""
        ...


@dataclass(frozen=True)
class Axes:
    """The letters and lengths of an image's axes; `parse_axes` makes it from what a caller says.

    Parameters
    ----------
    letters : str
        One of T (time), C (channel), Z, Y and X for each dimension, in any order, each at most once; Y and X always.
        A last C of length 3 or 4 is RGB or RGBA, any other C is separate channels.
    shape : tuple of int
        The image's shape, no length 0.

    Raises
    ------
    InputError
        The letters do not describe an image of this shape.
    """

    letters: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse letters that do not describe an image of the shape."""
        _check(self.letters, self.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions of the array, the color axis among them."""
        return len(self.letters)

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
        """Whether the last axis holds the colors of one pixel: RGB or RGBA."""
        return self.letters[-1] == "C" and self.shape[-1] in (3, 4)

    @property
    def rgba(self) -> bool:
        """Whether the last axis holds RGB and alpha."""
        return self.rgb and self.shape[-1] == 4

    @property
    def channel(self) -> int | None:
        """Position of an axis of separate channels; None without one, as for RGB."""
        return self.letters.index("C") if "C" in self.letters and not self.rgb else None

    @property
    def plane_axes(self) -> tuple[int, ...]:
        """Positions of the axes that count planes: all but Y, X and the colors."""
        inside = {self.y, self.x} | ({self.ndim - 1} if self.rgb else set())
        return tuple(axis for axis in range(self.ndim) if axis not in inside)

    @property
    def plane_count(self) -> int:
        """Number of planes."""
        return int(np.prod([self.shape[axis] for axis in self.plane_axes], dtype=np.int64))

    def plane_indices(self) -> Iterator[PlaneIndex]:
        """Go through the planes in the order they are stored, last plane axis fastest.

        Yields
        ------
        tuple of int or slice
            One entry a dimension: an int on a plane axis, a full slice on Y, X and the colors.
        """
        plane_axes = self.plane_axes
        for position in product(*(range(self.shape[axis]) for axis in plane_axes)):
            index: list[int | slice] = [slice(None)] * self.ndim
            for axis, number in zip(plane_axes, position, strict=True):
                index[axis] = number
            yield tuple(index)

    def plane(self, array: ImageArray, index: PlaneIndex) -> npt.NDArray[Any]:
        """Take one plane out of an array, Y before X whatever the stored order.

        Parameters
        ----------
        array : array, shape `shape`
            numpy, dask or zarr; only the plane itself is computed or read.
        index : tuple of int or slice
            One of `plane_indices`.

        Returns
        -------
        numpy array, shape (Y, X), or (Y, X, C) for RGB(A)
            The array's own dtype; a view where the array is a numpy array.
        """
        plane = np.asarray(array[index])
        return plane.swapaxes(0, 1) if self.x < self.y else plane

    def part(self, index: PlaneIndex, rows: slice, columns: slice, colors: slice | int = slice(None)) -> PlaneIndex:
        """Narrow a plane's index down to some of its rows and columns.

        Parameters
        ----------
        index : tuple of int or slice
            One of `plane_indices`.
        rows, columns : slice
            Along Y and along X.
        colors : slice or int
            Along the colors of RGB(A).

        Returns
        -------
        tuple of int or slice
            As `plane` and `place` take it.
        """
        narrowed = list(index)
        narrowed[self.y], narrowed[self.x] = rows, columns
        if self.rgb:
            narrowed[-1] = colors
        return tuple(narrowed)

    def place(self, out: WritableArray, index: PlaneIndex, plane: npt.NDArray[Any]) -> None:
        """Put one plane into an array of the same axes.

        Parameters
        ----------
        out : array
            numpy or zarr, of `shape` or of `upscaled_shape`.
        index : tuple of int or slice
            One of `plane_indices`.
        plane : numpy array, shape (Y, X), or (Y, X, C) for RGB(A)
            The values, Y before X.
        """
        out[index] = plane.swapaxes(0, 1) if self.x < self.y else plane

    def upscaled_shape(self, factor: float) -> tuple[int, ...]:
        """Shape of the result of a factor on Y and X.

        Parameters
        ----------
        factor : float
            More than 0; a length that does not come out whole is rounded up, as MATLAB's ``imresize`` does.

        Returns
        -------
        tuple of int
            The shape, in the stored order of the axes.

        Raises
        ------
        InputError
            The factor is 0, negative or not finite.
        """
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"The factor {factor} makes no image; give a number more than 0.")
        # 0.1 * 30 is 3.0000000000000004: what only rounding made must not become another pixel (as in resize).
        grown = {axis: int(np.ceil(self.shape[axis] * factor - 1e-9)) for axis in (self.y, self.x)}
        return tuple(grown.get(axis, length) for axis, length in enumerate(self.shape))

    def channel_of(self, index: PlaneIndex) -> int | None:
        """Channel number of a plane; None where there are no separate channels."""
        if self.channel is None:
            return None
        number = index[self.channel]
        if isinstance(number, slice):
            raise TypeError("A plane index holds an int on the channel axis; take it from plane_indices().")
        return number


def parse_axes(letters: str | None, shape: tuple[int, ...]) -> Axes:
    """Read the axes of an image from what the caller says, or from its shape.

    Parameters
    ----------
    letters : str or None
        One letter of T, C, Z, Y, X for each dimension, in any order, capital or small. None takes them from the shape:
        (Y, X) for two dimensions; RGB(A) for a last axis of 3 or 4 with at least three dimensions, the others being
        the last of T, Z, Y, X; otherwise (Z, Y, X), (C, Z, Y, X) or (T, C, Z, Y, X).
    shape : tuple of int
        The image's shape.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    InputError
        An unknown or doubled letter, another count than the dimensions, no Y or no X, a one-dimensional or empty array.
    """
    shape = tuple(int(length) for length in shape)
    if letters is None:
        letters = _default_letters(shape)
    return Axes(letters.upper(), shape)


def _default_letters(shape: tuple[int, ...]) -> str:
    _check_shape(shape)
    ndim = len(shape)
    colors = ndim >= 3 and shape[-1] in (3, 4)
    known = "TZYX" if colors else LETTERS
    spatial = ndim - 1 if colors else ndim
    if spatial > len(known):
        raise InputError(
            f"The image has {ndim} dimensions, more than T, C, Z, Y and X can name; take a part of it with at most 5."
        )
    return known[len(known) - spatial :] + ("C" if colors else "")


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        raise InputError(f"The image has the shape {shape}; pick an array with at least the two dimensions Y and X.")
    if 0 in shape:
        raise InputError(f"The image with the shape {shape} is empty; pick one with at least one pixel.")


def _check(letters: str, shape: tuple[int, ...]) -> None:
    _check_shape(shape)
    for letter in letters:
        if letter not in LETTERS:
            raise InputError(f'The axes "{letters}" hold the unknown letter "{letter}"; use only T, C, Z, Y and X.')
        if letters.count(letter) > 1:
            raise InputError(f'The axes "{letters}" name {letter} twice; give each letter to one dimension only.')
    if len(letters) != len(shape):
        raise InputError(
            f'The axes "{letters}" are {len(letters)} but the image has {len(shape)}; give one letter per dimension.'
        )
    for letter in "YX":
        if letter not in letters:
            raise InputError(f'The axes "{letters}" name no {letter}; say which dimensions are Y and X.')
