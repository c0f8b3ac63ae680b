"""Blocks of the images that are kept for validation, and the positions that are left for training patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

from napari_sr.errors import InputError
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Validation

Mask = npt.NDArray[np.bool_]
#: The smallest side of a block, in low-resolution pixels: the window of SSIM has to fit.
LEAST_BLOCK = 16
#: Smallest fraction of a plane's standard deviation that a part has that is not empty. It excludes constant patches,
#: whose variance is not exactly zero because sums are rounded.
_LEAST = 1e-4


@dataclass(frozen=True)
class Block:
    """A rectangle of an image that is kept for validation.

    Parameters
    ----------
    image : int
        Number of the image, from 0.
    rows : slice
        Rows, in low-resolution pixels.
    columns : slice
        Columns, in low-resolution pixels.
    field : int, default 0
        Number of the field of the image (`TrainingImage.fields`).
    """

    image: int
    rows: slice
    columns: slice
    field: int = 0


def deviation(values: npt.NDArray[Any]) -> float:
    """Return the standard deviation of a plane or of a part of one.

    Returns
    -------
    float
        The standard deviation, computed in float64: squares of values above 255 overflow in float16, and those of
        values above 1.8e19 in float32.
    """
    return float(values.std(dtype=np.float64))


def is_empty(values: npt.NDArray[Any], empty: float, spread: float) -> bool:
    """Whether a part of a plane shows nothing.

    Parameters
    ----------
    values : array
        The part.
    empty : float
        A part is empty if its standard deviation is below this fraction of the plane's. A constant part is always
        empty.
    spread : float
        Standard deviation of the plane.
    """
    return deviation(values) <= max(empty, _LEAST) * spread


def cells(height: int, width: int, side: int) -> list[tuple[slice, slice]]:
    """Divide a plane into a grid of blocks, which cover it once.

    Parameters
    ----------
    height : int
        Number of rows of the plane.
    width : int
        Number of columns of the plane.
    side : int
        Approximate side of a block in pixels. It is reduced to a third of a small plane, but not below 16.
    """
    side = min(side, max(LEAST_BLOCK, min(height, width) // 3))
    edges = [np.linspace(0, n, max(1, n // side) + 1).astype(int) for n in (height, width)]
    rows, columns = ([slice(int(a), int(b)) for a, b in pairwise(e)] for e in edges)
    return [(row, column) for row in rows for column in columns]


def choose_blocks(
    planes: Sequence[npt.NDArray[Any]],
    regions: Sequence[Mask | None],
    settings: Validation,
    empty: float,
    seed: int,
    spreads: Sequence[float] | None = None,
) -> list[Block]:
    """Choose blocks for validation at random from the grids of all images.

    Parameters
    ----------
    planes : sequence of array, shape (Y, X)
        One low-resolution plane of each image. All planes of an image have the same blocks, since neighbors in Z and T
        show nearly the same.
    regions : sequence of array of bool, shape (Y, X), or None
        Region for validation of each image. If any image has a region, blocks are chosen in regions only, and all of
        them are used, up to `settings.most`.
    settings : Validation
        Size, fraction and largest number of the blocks.
    empty : float
        Blocks that are empty by this fraction (`is_empty`) are chosen last.
    seed : int
        Seed of the choice.
    spreads : sequence of float, optional
        Standard deviations in place of those of the planes, for planes that are a field of an image.

    Raises
    ------
    InputError
        If the regions are too small for a block.
    """
    has_regions = any(region is not None for region in regions)
    structured: list[Block] = []
    dull: list[Block] = []
    for number, (plane, region) in enumerate(zip(planes, regions, strict=True)):
        if has_regions and region is None:
            continue
        spread = deviation(plane) if spreads is None else spreads[number]
        for rows, columns in _cells_in(plane, region, settings.block):
            target = dull if is_empty(plane[rows, columns], empty, spread) else structured
            target.append(Block(number, rows, columns))
    total = len(structured) + len(dull)
    if not total:
        raise InputError(
            f"The region to validate on holds no square of {LEAST_BLOCK} low-resolution pixels: draw a larger one."
        )
    count = min(settings.most, total if has_regions else max(1, round(settings.share * total)))
    generator = generator_at(seed, "blocks")
    ordered = [group[i] for group in (structured, dull) for i in generator.permutation(len(group))]
    return ordered[:count]


def _cells_in(plane: npt.NDArray[Any], region: Mask | None, side: int) -> list[tuple[slice, slice]]:
    """Return the blocks of a plane, or those that lie completely in a region of it."""
    height, width = plane.shape
    if region is None:
        return cells(height, width, side)
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    box = region[top : rows[-1] + 1, left : columns[-1] + 1]
    if min(box.shape) < LEAST_BLOCK:
        return []
    inside = []
    for row, column in cells(box.shape[0], box.shape[1], side):
        if box[row, column].all():
            inside.append((slice(row.start + top, row.stop + top), slice(column.start + left, column.stop + left)))
    return inside


def trainable_pixels(
    shape: tuple[int, int], boxes: Sequence[tuple[slice, slice]], gap: int, region: Mask | None, held: Mask | None
) -> Mask:
    """Mark the pixels of a plane that training patches may contain.

    Parameters
    ----------
    shape : (int, int)
        Shape of the plane.
    boxes : sequence of (slice, slice)
        Rows and columns of the validation blocks.
    gap : int
        Distance to validation pixels, in pixels, at and below which pixels are excluded; 0 or more.
    region : array of bool, shape `shape`, optional
        Region for training; by default the whole plane.
    held : array of bool, shape `shape`, optional
        Region for validation, which is excluded as the blocks are.
    """
    excluded = np.zeros(shape, bool) if held is None else held.copy()
    for rows, columns in boxes:
        excluded[rows, columns] = True
    if gap and excluded.any():
        excluded = maximum_filter(excluded, size=2 * gap + 1, mode="constant")
    trainable: Mask = ~excluded if region is None else region & ~excluded
    return trainable


def permitted_corners(
    plane: npt.NDArray[Any], trainable: Mask, side: int, empty: float, spread: float | None = None
) -> Mask:
    """Mark the top left corners of the patches that contain trainable pixels only and are not empty.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Low-resolution plane.
    trainable : array of bool, shape (Y, X)
        Pixels that training patches may contain.
    side : int
        Side of a patch with its margins, in pixels.
    empty : float
        A patch is empty if its standard deviation is below this fraction of the plane's. A constant patch is always
        empty.
    spread : float, optional
        Standard deviation in place of that of the plane, for a plane that is a field of an image.

    Returns
    -------
    array of bool, shape (Y - side + 1, X - side + 1)
        True at the corners.
    """
    if min(plane.shape) < side:
        return np.zeros((max(0, plane.shape[0] - side + 1), max(0, plane.shape[1] - side + 1)), bool)
    corners: Mask = _sums((~trainable).astype(np.float64), side) < 0.5
    spread = deviation(plane) if spread is None else spread
    values = plane.astype(np.float64) - plane.mean(dtype=np.float64)
    count = side * side
    variance = _sums(values**2, side) / count - (_sums(values, side) / count) ** 2
    corners &= variance > max(empty, _LEAST) ** 2 * spread**2
    return corners


def _sums(values: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Sum over every square of `side` pixels, by its top left corner (a summed-area table)."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=table[1:, 1:])
    sums: npt.NDArray[np.float64] = (
        table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    )
    return sums
