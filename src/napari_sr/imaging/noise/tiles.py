"""Tiles of an image: brightness, energies in bands, and correlation of neighboring pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, uniform_filter

from napari_sr.imaging.noise.bands import BANDS, COARSE, DIRECTED, ORDER, TILE, centers, tile_energies, tile_means
from napari_sr.imaging.noise.sampling import Window

Array = npt.NDArray[np.float64]

# Tiles overlap by half in images with fewer pixels.
_FEW = 90_000
# Smallest side of a window with room for a tile and the filters.
_LEAST_SIDE = TILE + ORDER
# Tiles with a larger fraction of pixels at the ends of the values are clipped: their noise is reduced.
_CLIPPED = 0.03
# All tiles are taken if fewer than this many, or than this fraction of them, would be left.
_LEAST_TILES, _LEAST_FRACTION = 32, 0.1
# Side in pixels of the window of the mean that is subtracted before neighbors are compared.
_SURROUND = 9
# Planes with more equal pixels than this fraction are copies of each other.
_EQUAL = 0.5


@dataclass(frozen=True)
class Scale:
    """Center and range of the values, by which they are made free of units.

    Parameters
    ----------
    middle, low, high : float
        Median, smallest and largest finite value.
    """

    middle: float
    low: float
    high: float

    @property
    def span(self) -> float:
        """The range of the values, above 0."""
        return self.high - self.low

    def unit(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Subtract the median and divide by the range; NaN and infinite values become 0."""
        scaled = (values.astype(np.float64) - self.middle) / self.span
        return np.where(np.isfinite(scaled), scaled, 0.0).astype(np.float32)


@dataclass(frozen=True)
class Tiles:
    """Tiles of 8 x 8 pixels, in units of the image's range and counted from its median.

    Parameters
    ----------
    brightness : array, shape (tiles,)
        Mean values of the tiles.
    energies : array, shape (tiles, bands)
        Energies in `BANDS`.
    coarse : array, shape (tiles,)
        Energies in the coarse band.
    neighbors : array, shape (tiles, 3)
        Of the difference from the mean of the surrounding 9 x 9 pixels: mean square, and mean product with the pixel
        to the right and the pixel below.
    directed : array, shape (tiles, 2)
        Energies in `DIRECTED`.
    worth : float
        Number of disjoint tiles per tile: 1, or 1/4 where they overlap.
    """

    brightness: Array
    energies: Array
    coarse: Array
    neighbors: Array
    directed: Array
    worth: float

    def __len__(self) -> int:
        """The number of tiles."""
        return len(self.brightness)


def scale_of(parts: Sequence[Window]) -> Scale | None:
    """Find the median and the ends of the values.

    Returns
    -------
    Scale or None
        None without finite values, or with a single value.
    """
    finite = [part.values[np.isfinite(part.values)] for part in parts]
    finite = [values for values in finite if values.size]
    if not finite:
        return None
    low, high = min(float(values.min()) for values in finite), max(float(values.max()) for values in finite)
    if not high > low:
        return None
    return Scale(float(np.median(np.concatenate(finite).astype(np.float64))), low, high)


def tiles_of(parts: Sequence[Window], scale: Scale) -> Tiles:
    """Compute the tiles of planes.

    Returns
    -------
    Tiles
        Tiles without NaN and infinite values. Clipped tiles are left out, unless few others remain. There may be none.
    """
    stride = _stride(parts)
    brightness, energies, neighbors, clipped = [], [], [], []
    for part in parts:
        if min(part.values.shape) < _LEAST_SIDE:
            continue
        unit = scale.unit(part.values)
        whole = _without_gaps(np.isfinite(part.values), stride)
        ends = (part.values == scale.low) | (part.values == scale.high)
        brightness.append(tile_means(centers(unit), stride)[whole])
        energies.append(_energies(unit, stride)[whole])
        neighbors.append(_neighbors(unit, stride)[whole])
        clipped.append(tile_means(centers(ends), stride)[whole])
    if not brightness:
        return _joined([], [], [], stride)
    free = np.concatenate(clipped) <= _CLIPPED
    if free.sum() < max(_LEAST_TILES, _LEAST_FRACTION * len(free)):
        free[:] = True
    brightness, energies, neighbors = ([np.concatenate(one)[free]] for one in (brightness, energies, neighbors))
    return _joined(brightness, energies, neighbors, stride)


def tiles_of_differences(parts: Sequence[Window], scale: Scale, *, distant: bool) -> Tiles:
    """Compute the tiles of differences of two planes over the square root of 2, which have the noise of one plane.

    Parameters
    ----------
    parts : sequence of Window
        Parts of the image. Parts without a second plane, or with a copy of the first, are left out.
    scale : Scale
        Center and range of its values.
    distant : bool
        Whether the second plane is a few planes away; else it is the next one.

    Returns
    -------
    Tiles
        The tiles, with the mean brightness of both planes. There may be none.
    """
    stride = _stride(parts)
    brightness, energies, neighbors = [], [], []
    for part in parts:
        other = part.distant if distant else part.following
        if other is None or min(part.values.shape) < _LEAST_SIDE or np.mean(part.values == other) > _EQUAL:
            continue
        first, second = scale.unit(part.values), scale.unit(other)
        planes = (part.values, other)
        ends = np.any([(plane <= scale.low) | (plane >= scale.high) for plane in planes], axis=0)
        whole = _without_gaps(np.isfinite(part.values) & np.isfinite(other), stride)
        whole &= tile_means(centers(ends), stride) <= _CLIPPED
        brightness.append(tile_means(centers((first + second) / 2), stride)[whole])
        difference = (second - first) / np.float32(np.sqrt(2))
        energies.append(_energies(difference, stride)[whole])
        neighbors.append(_neighbors(difference, stride)[whole])
    return _joined(brightness, energies, neighbors, stride)


def _stride(parts: Sequence[Window]) -> int:
    return TILE if sum(part.values.size for part in parts) > _FEW else TILE // 2


def _without_gaps(finite: npt.NDArray[np.bool_], stride: int) -> npt.NDArray[np.bool_]:
    """Return which tiles have only finite values within the reach of the filters."""
    reach = ORDER + 1
    gaps = maximum_filter(~finite, reach) if not finite.all() else ~finite
    return np.asarray(tile_means(centers(gaps), stride) == 0)


def _energies(unit: npt.NDArray[np.float32], stride: int) -> Array:
    found, directed = tile_energies(unit, stride)
    return np.concatenate([np.stack([found[band] for band in (*BANDS, COARSE)], axis=1), directed], axis=1)


def _neighbors(unit: npt.NDArray[np.float32], stride: int) -> Array:
    rest = unit - uniform_filter(unit, _SURROUND, mode="reflect")
    products = (rest**2, rest * np.roll(rest, -1, axis=1), rest * np.roll(rest, -1, axis=0))
    return np.stack([tile_means(centers(product), stride) for product in products], axis=1)


def _joined(brightness: list[Array], energies: list[Array], neighbors: list[Array], stride: int) -> Tiles:
    bands = len(BANDS)
    rows = np.concatenate([np.zeros((0, bands + 1 + len(DIRECTED))), *energies])
    return Tiles(
        np.concatenate([np.zeros(0), *brightness]),
        rows[:, :bands],
        rows[:, bands],
        np.concatenate([np.zeros((0, 3)), *neighbors]),
        rows[:, bands + 1 :],
        (stride / TILE) ** 2,
    )
