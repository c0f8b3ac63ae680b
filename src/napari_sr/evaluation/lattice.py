"""A measure of the lattice that upsampling leaves in an image: power at the multiples of its frequency."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from napari_sr.conversion import read_number, read_scale
from napari_sr.errors import InputError

#: Side of a tile in pixels, at least; it is the next multiple of twice the factor.
_TILE = 32
#: Distances in frequency, in bins, of the power that a point is compared with. The window spreads a point over one bin.
_BESIDE = (2, 3, 4)
#: Number of gray levels in the data range, whose rounding is the smallest power that counts.
_LEVELS = 255.0


def lattice(image: npt.ArrayLike, *, scale: int, data_range: float) -> float:
    """Measure the lattice in a plane: how much power the multiples of the upsampling frequency stand out by.

    An upsampling layer repeats its pattern every `scale` pixels. Its errors are a lattice with that period: power at
    the frequencies (i / scale, j / scale) cycles per pixel.

    Parameters
    ----------
    image : array, shape (Y, X)
        Finite values.
    scale : int
        Upscaling factor of the image, 2 or more.
    data_range : float
        Range of the values, more than 0; 255 for 8-bit images. The power of rounding to 1/255 of it is added to all
        powers, so that a uniform area has no lattice.

    Returns
    -------
    float
        The mean, over the frequencies (i / scale, j / scale) except 0, of the power there divided by the geometric mean
        of the power beside them. 1 for white noise and a uniform image, less for an image whose spectrum falls steeply
        to its ends, and more for one with a lattice.

    Raises
    ------
    InputError
        If the image is smaller than a tile of 32 pixels or so, a value is NaN or infinite, or the factor or the range
        cannot be used.

    Notes
    -----
    The power is Welch's: the mean over tiles, half a tile apart, of squared Fourier transforms with a Hann window. A
    point on an axis of the frequency plane is compared with its neighbors on that axis, since edges along the rows and
    columns of an image have much power there.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sr.evaluation import lattice
    >>> image = np.full((96, 96), 100.0)
    >>> round(lattice(image, scale=2, data_range=255), 6)
    1.0
    >>> image[::2, ::2] += 1
    >>> lattice(image, scale=2, data_range=255) > 100
    True
    """
    plane = np.asarray(image, np.float64)
    scale = read_scale(scale)
    if plane.ndim != 2 or scale < 2:
        raise InputError(
            f"A lattice is measured on one plane for a factor of 2 or more, not {plane.shape} and {scale}: give a "
            "plane and its factor."
        )
    span = read_range(data_range)
    side = tile_side(scale)
    if min(plane.shape) < side:
        raise InputError(
            f"A lattice is measured on tiles of {side} pixels, and the image has {plane.shape[0]} x {plane.shape[1]}: "
            "give a larger one."
        )
    if not np.isfinite(plane).all():
        raise InputError("The image has NaN or infinite values: replace them before its lattice is measured.")
    power = tile_power(plane, side) + (span / _LEVELS) ** 2 / 12
    ratios = []
    for i, j in product(range(scale), repeat=2):
        if (i, j) != (0, 0):
            row, column = i * side // scale, j * side // scale
            beside = [power[place] for place in _beside(row, column, side)]
            ratios.append(power[row, column] / np.exp(np.mean(np.log(beside))))
    return float(np.mean(ratios))


def read_range(data_range: Any) -> float:
    """Return a data range as a float; raises `InputError` if it is not a finite number more than 0."""
    span = read_number(data_range, "data range")
    if not span > 0:
        raise InputError(f"The data range {data_range} cannot be used: give a number more than 0.")
    return span


def tile_side(scale: int) -> int:
    """Return the side of a tile, on which the frequencies of the lattice are whole numbers of periods.

    Parameters
    ----------
    scale : int
        Upscaling factor, 1 or more.

    Returns
    -------
    int
        The side in pixels, which an image must have at least.
    """
    return -(-_TILE // (2 * scale)) * 2 * scale


def tile_power(plane: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Return the power of a plane as the mean over tiles, half a tile apart, with a Hann window (Welch).

    Parameters
    ----------
    plane : array, shape (Y, X)
        Finite values; at least one tile.
    side : int
        Side of a tile in pixels, even.

    Returns
    -------
    array, shape (side, side)
        The power, scaled so that white noise has its variance at each frequency; frequency 0 is first.
    """
    window = np.hanning(side + 1)[:side]
    taper = np.outer(window, window)
    tiles = sliding_window_view(plane, (side, side))[:: side // 2, :: side // 2]
    # A tile without its mean has no power at 0, which the window would spread to its neighbors.
    level = (tiles * taper).sum((-2, -1), keepdims=True) / taper.sum()
    spectra = np.fft.fft2((tiles - level) * taper)
    return np.asarray((np.abs(spectra) ** 2).mean((0, 1)) / (taper**2).sum())


def _beside(row: int, column: int, side: int) -> list[tuple[int, int]]:
    """Return the frequencies beside a point: along an axis of the frequency plane for a point on it, or else both."""
    offsets = [sign * distance for distance in _BESIDE for sign in (-1, 1)]
    along_rows = [((row + offset) % side, column) for offset in offsets]
    along_columns = [(row, (column + offset) % side) for offset in offsets]
    if row == 0:
        return along_columns
    return along_rows if column == 0 else along_rows + along_columns
