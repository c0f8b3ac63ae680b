"""Which parts of the images are kept for validation, and where patches may then lie."""

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
#: The smallest block, in low-resolution pixels: SSIM's window has to fit.
LEAST_BLOCK = 16


@dataclass(frozen=True)
class Block:
    """A rectangle of an image, in low-resolution pixels, that nothing is learned from.

    Parameters
    ----------
    image : int
        Number of the image.
    rows, columns : slice
        Where.
    """

    image: int
    rows: slice
    columns: slice


def cells(height: int, width: int, side: int) -> list[tuple[slice, slice]]:
    """Cut a plane into as many blocks of about `side` pixels as fit; a small plane gives at least a third of it."""
    side = min(side, max(LEAST_BLOCK, min(height, width) // 3))
    edges = [np.linspace(0, n, max(1, n // side) + 1).astype(int) for n in (height, width)]
    rows, columns = ([slice(int(a), int(b)) for a, b in pairwise(e)] for e in edges)
    return [(row, column) for row in rows for column in columns]


def choose_blocks(
    planes: Sequence[npt.NDArray[Any]], regions: Sequence[Mask | None], wanted: Validation, empty: float, seed: int
) -> list[Block]:
    """Choose the blocks to validate on: some of all the images' cells, drawn by the seed.

    Parameters
    ----------
    planes : sequence of array, shape (Y, X)
        One low-resolution plane of each image; every plane of an image keeps the same blocks, for its neighbors in Z
        and T show nearly the same.
    regions : sequence of array of bool, shape (Y, X), or None
        Where an image may be validated on; where any image has a region, only regions are taken.
    wanted : Validation
        Of the recipe.
    empty : float
        Blocks whose standard deviation is below this share of their image's are taken last.
    seed : int
        The recipe's.

    Raises
    ------
    InputError
        If the regions are too small to hold a block.
    """
    drawn = any(region is not None for region in regions)
    candidates: list[Block] = []
    dull: list[Block] = []
    for number, (plane, region) in enumerate(zip(planes, regions, strict=True)):
        if drawn and region is None:
            continue
        spread = float(plane.std())
        for rows, columns in _cells_in(plane, region, wanted.block):
            full = plane[rows, columns].std() >= empty * spread
            (candidates if full else dull).append(Block(number, rows, columns))
    if not candidates and not dull:
        raise InputError(
            f"The region to validate on holds no square of {LEAST_BLOCK} low-resolution pixels: draw a larger one."
        )
    total = len(candidates) + len(dull)
    count = min(wanted.most, total if drawn else max(1, round(wanted.share * total)))
    generator = generator_at(seed, "blocks")
    ordered = [group[i] for group in (candidates, dull) for i in generator.permutation(len(group))]
    return ordered[:count]


def _cells_in(plane: npt.NDArray[Any], region: Mask | None, side: int) -> list[tuple[slice, slice]]:
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


def clear_of(
    shape: tuple[int, int], boxes: Sequence[tuple[slice, slice]], gap: int, region: Mask | None, held: Mask | None
) -> Mask:
    """Pixels that may be learned from: inside the region, and more than `gap` pixels away from what is held back.

    Parameters
    ----------
    shape : (int, int)
        Of the plane.
    boxes : sequence of (slice, slice)
        Blocks of validation.
    gap : int
        In pixels.
    region : array of bool, optional
        Where to learn.
    held : array of bool, optional
        A whole region of validation.
    """
    kept = np.zeros(shape, bool) if held is None else held.copy()
    for rows, columns in boxes:
        kept[rows, columns] = True
    if gap and kept.any():
        kept = maximum_filter(kept, size=2 * gap + 1, mode="constant")
    clear: Mask = ~kept if region is None else region & ~kept
    return clear


def permitted_corners(plane: npt.NDArray[Any], clear: Mask, side: int, empty: float) -> Mask:
    """Top left corners of the patches that lie wholly on clear pixels and are not empty.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Low resolution.
    clear : array of bool, shape (Y, X)
        Pixels that may be learned from.
    side : int
        Of a patch with what it needs around it.
    empty : float
        A patch is empty if its standard deviation is below this share of the plane's.

    Returns
    -------
    array of bool, shape (Y - side + 1, X - side + 1)
    """
    if min(plane.shape) < side:
        return np.zeros((max(0, plane.shape[0] - side + 1), max(0, plane.shape[1] - side + 1)), bool)
    corners: Mask = _sums((~clear).astype(np.float64), side) < 0.5
    spread = float(plane.std())
    values = plane.astype(np.float64) - plane.mean()
    count = side * side
    variance = _sums(values**2, side) / count - (_sums(values, side) / count) ** 2
    # A constant patch teaches nothing, whatever the share; the sums are rounded.
    corners &= variance > max(empty, 1e-4) ** 2 * spread**2
    return corners


def _sums(values: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Sum over every square of `side` pixels, by its top left corner (a summed-area table)."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=table[1:, 1:])
    sums: npt.NDArray[np.float64] = (
        table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    )
    return sums
