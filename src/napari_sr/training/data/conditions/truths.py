"""High-resolution planes at several sizes, with the noise that they have themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.color import GRAY_WEIGHTS
from napari_sr.imaging.resize import resize
from napari_sr.training.data.noise_levels import NoiseLevel, measured_noise

Floats = npt.NDArray[np.float32]
Box = tuple[slice, slice]

#: Largest 8-bit gray level.
WHITE = 255.0
#: Fraction of the values at each end that the range of a plane leaves out.
_ENDS = 0.001
#: Smallest range of a plane in gray levels; planes with less show nothing.
_LEAST_RANGE = 8.0
#: Smallest standard deviation of a patch that is not empty, as a fraction of the range of its plane.
_LEAST_CONTRAST = 0.04
#: Number of draws of a patch with contrast.
_DRAWS = 12


@dataclass(frozen=True)
class Truth:
    """A plane at one size, in gray levels of 8 bits.

    Parameters
    ----------
    values : array of float32, shape (Y, X)
        The plane.
    noise : NoiseLevel
        Noise of the plane itself.
    low, high : float
        Ends of the range of the values, without the extreme 0.1 % on each side.
    weight : float
        Weight of this size among those of the plane.
    kept : tuple of (slice, slice), default ()
        Rows and columns that are kept for validation.
    """

    values: Floats
    noise: NoiseLevel
    low: float
    high: float
    weight: float
    kept: tuple[Box, ...] = ()

    def corners(self, side: int) -> npt.NDArray[np.bool_]:
        """Mark the top left corners of the squares outside the parts that are kept for validation.

        Returns
        -------
        array of bool, shape (Y - side + 1, X - side + 1)
            True at the corners; empty if the plane is smaller than a square.
        """
        height, width = (max(0, n - side + 1) for n in self.values.shape)
        free = np.ones((height, width), bool)
        for rows, columns in self.kept:
            top, left = (max(0, part.start - side + 1) for part in (rows, columns))
            free[top : max(0, rows.stop), left : max(0, columns.stop)] = False
        return free

    def corner(self, side: int, generator: np.random.Generator) -> tuple[int, int]:
        """Draw row and column of the corner of a square outside the parts that are kept; there has to be one."""
        height, width = (n - side + 1 for n in self.values.shape)
        if not self.kept:
            return int(generator.integers(height)), int(generator.integers(width))
        free = np.flatnonzero(self.corners(side))
        row, column = divmod(int(free[generator.integers(len(free))]), width)
        return row, column

    def square(self, corner: tuple[int, int], side: int, halo: int) -> Floats:
        """Cut a square with `halo` pixels around it, which are mirrored beyond the border of the plane."""
        rows, columns = (
            np.pad(np.arange(n), halo, mode="symmetric")[start : start + side + 2 * halo]
            for n, start in zip(self.values.shape, corner, strict=True)
        )
        square: Floats = self.values[np.ix_(rows, columns)]
        return square


TruthSizes = tuple[Truth, ...]
"""A plane at all of its sizes."""


@dataclass(frozen=True)
class Pool:
    """The planes of a set of images.

    Parameters
    ----------
    share : float
        Weight of the set among all sets.
    planes : tuple of tuple of Truth
        The planes, each at all of its sizes.
    """

    share: float
    planes: tuple[TruthSizes, ...]

    def draw(
        self, side: int, halo: int, generator: np.random.Generator, *, empty: bool = False
    ) -> tuple[Truth, Floats]:
        """Draw a plane at any of its sizes, and a square of it with its surroundings.

        Parameters
        ----------
        side : int
            Side of the square in pixels.
        halo : int
            Width of its surroundings in pixels.
        generator : numpy.random.Generator
            Source of the random numbers.
        empty : bool, default False
            Whether the square may be empty. If not, squares are drawn until one has contrast, but at most 12 times.
        """
        for _ in range(_DRAWS):
            sizes = self.planes[int(generator.integers(len(self.planes)))]
            weights = np.array([truth.weight for truth in sizes])
            truth = sizes[int(generator.choice(len(sizes), p=weights / weights.sum()))]
            row, column = truth.corner(side, generator)
            deviation = float(truth.values[row : row + side, column : column + side].std())
            if empty or deviation > _LEAST_CONTRAST * (truth.high - truth.low):
                break
        return truth, truth.square((row, column), side, halo)


def gray_planes(plane: npt.NDArray[Any], colors: Literal["strongest", "separate"]) -> list[npt.NDArray[Any]]:
    """Return the gray planes of a plane: itself, or of an RGB plane one or four as in `ImageSet.colors`."""
    if plane.ndim == 2:
        return [plane]
    if colors == "strongest":
        return [plane[..., int(np.argmax(plane.reshape(-1, 3).std(0, dtype=np.float64)))]]
    luminance = plane.astype(np.float32) @ np.asarray(GRAY_WEIGHTS, np.float32)
    return [*(plane[..., channel] for channel in range(3)), luminance]


def gray_levels(plane: npt.NDArray[Any]) -> Floats:
    """Return a plane in gray levels of 8 bits.

    Returns
    -------
    array of float32, shape (Y, X)
        8-bit values as they are. Values of other types are stretched: their range without the extreme 0.1 % on each
        side becomes 0 to 255.
    """
    values = plane.astype(np.float32)
    if plane.dtype != np.uint8:
        low, high = np.quantile(values, (_ENDS, 1 - _ENDS))
        values = (values - low) * np.float32(WHITE / max(high - low, 1e-6))
    return np.ascontiguousarray(values, np.float32)


def truth_sizes(
    plane: npt.NDArray[Any], sizes: Sequence[float], *, least: int, clean: float, noisy: float
) -> TruthSizes:
    """Return a plane at several sizes, of which those without visible noise of their own have more weight.

    Parameters
    ----------
    plane : array, shape (Y, X)
        The plane in its own values.
    sizes : sequence of float
        Sizes as fractions of the plane's.
    least : int
        Smallest side of a size in pixels.
    clean : float
        Noise as a fraction of the range of the values below which a size is clean.
    noisy : float
        Weight of sizes that are not clean.

    Returns
    -------
    tuple of Truth
        The sizes that are large enough and show something; () if there is none.

    Notes
    -----
    White noise decreases at least as the size does. Measured noise above that is texture and not counted.
    """
    values = gray_levels(plane)
    truths: list[Truth] = []
    for size, small in _resized(values, sorted(sizes, reverse=True), least):
        low, high = (float(q) for q in np.quantile(small, (_ENDS, 1 - _ENDS)))
        if high - low < _LEAST_RANGE:
            continue
        noise, middle = measured_noise([small]), float(np.median(small))
        if not truths:
            first, first_size = noise, size
        elif float(noise.variance(middle)) > (limit := (size / first_size) ** 2) * float(first.variance(middle)):
            noise = first.times(limit)
        own = float(np.sqrt(noise.variance(middle)))
        truths.append(Truth(small, noise, low, high, 1.0 if own < clean * (high - low) else noisy))
    if truths and all(truth.weight == noisy for truth in truths):
        truths[-1] = replace(truths[-1], weight=1.0)
    return tuple(truths)


def _resized(values: Floats, sizes: Sequence[float], least: int) -> Iterator[tuple[float, Floats]]:
    """Yield the plane at each size with sides of at least `least` pixels."""
    for size in sizes:
        height, width = (round(n * size) for n in values.shape)
        if min(height, width) >= least:
            yield size, values if size == 1 else resize(values, (height, width), axes=(0, 1)).astype(np.float32)
