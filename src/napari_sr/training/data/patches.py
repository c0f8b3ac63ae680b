"""Patches of the planes, which depend on the seed and the position in the training only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.training.data.blocks import Mask
from napari_sr.training.data.plane_pairs import PatchColor, PlanePair
from napari_sr.training.randomness import generator_at


@dataclass(frozen=True)
class PatchOrientation:
    """A flip and a rotation of a patch.

    Parameters
    ----------
    flip : bool
        Whether the patch is flipped along X first.
    quarters : int
        Number of rotations by 90 degrees, from 0 to 3.
    """

    flip: bool
    quarters: int

    def __call__(self, patch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Flip and rotate a patch of the shape (C, Y, X)."""
        if self.flip:
            patch = patch[..., ::-1]
        return np.rot90(patch, self.quarters, (-2, -1)) if self.quarters else patch


class Patches:
    """All patches of the training images.

    Parameters
    ----------
    plane_pairs : sequence of PlanePair
        The planes.
    corners : sequence of array of bool
        For each plane, the top left corners of its patches (`permitted_corners`).
    scale : int
        Factor of the model.
    size : int
        Side of a patch in low-resolution pixels.
    margin : int
        Margin of a patch that the network consumes, in low-resolution pixels.
    color : {"gray", "luma", "rgb"}
        Meaning of the channels of a patch.
    seed : int
        Seed of the recipe.
    flips : bool, default True
        Flip patches at random.
    turns : bool, default True
        Rotate patches at random by multiples of 90 degrees.

    Raises
    ------
    InputError
        If there is no patch.
    """

    def __init__(
        self,
        plane_pairs: Sequence[PlanePair],
        corners: Sequence[Mask],
        *,
        scale: int,
        size: int,
        margin: int,
        color: PatchColor,
        seed: int,
        flips: bool = True,
        turns: bool = True,
    ) -> None:
        self.plane_pairs, self._corners = list(plane_pairs), list(corners)
        self.scale, self.size, self.margin, self.color = scale, size, margin, color
        self._seed, self._flips, self._turns = seed, flips, turns
        # The sums of the rows of each mask locate the n-th corner, which needs less memory than a list of all corners.
        self._rows = [np.cumsum(mask.sum(axis=1, dtype=np.int64)) for mask in self._corners]
        self._ends = np.cumsum([int(rows[-1]) if len(rows) else 0 for rows in self._rows])
        if not len(self._ends) or self._ends[-1] == 0:
            raise InputError(
                f"No patch of {size + 2 * margin} low-resolution pixels is left for training, since the images are too "
                "small, empty, or kept for validation: give larger ones, or choose smaller patches."
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def patch(self, stage: int, step: int, number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Draw the patch of a position in the training.

        Parameters
        ----------
        stage : int
            Number of the stage, from 0.
        step : int
            Number of the step in the stage, from 0.
        number : int
            Number of the patch in the batch over all processes, from 0.

        Returns
        -------
        low : array of float32, shape (C, size + 2 margin, size + 2 margin)
            Low-resolution patch, black at 0 and white at 1.
        high : array of float32, shape (C, scale size, scale size)
            High-resolution patch of the same range.
        """
        generator = generator_at(self._seed, "patch", stage, step, number)
        plane_pair, top, left = self._at(int(generator.integers(len(self))))
        flip = bool(generator.integers(2)) and self._flips
        orientation = PatchOrientation(flip, int(generator.integers(4)) if self._turns else 0)
        variant = int(generator.integers(len(plane_pair.lows)))
        side = self.size + 2 * self.margin
        low = plane_pair.low_part(slice(top, top + side), slice(left, left + side), self.color, generator, variant)
        y, x, length = (self.scale * n for n in (top + self.margin, left + self.margin, self.size))
        high = plane_pair.high_part(slice(y, y + length), slice(x, x + length), self.color)
        return orientation(low), orientation(high)

    def batch(self, stage: int, step: int, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Draw patches of a step.

        Parameters
        ----------
        stage : int
            Number of the stage, from 0.
        step : int
            Number of the step in the stage, from 0.
        numbers : sequence of int
            Numbers of the patches in the batch over all processes.

        Returns
        -------
        low : Tensor, float32, shape (N, C, size + 2 margin, size + 2 margin)
            Low-resolution patches.
        high : Tensor, float32, shape (N, C, scale size, scale size)
            High-resolution patches.
        """
        pairs = [self.patch(stage, step, number) for number in numbers]
        low, high = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return low, high

    def _at(self, n: int) -> tuple[PlanePair, int, int]:
        """Return plane, row and column of the n-th corner."""
        number = int(np.searchsorted(self._ends, n, side="right"))
        n -= int(self._ends[number - 1]) if number else 0
        rows = self._rows[number]
        row = int(np.searchsorted(rows, n, side="right"))
        n -= int(rows[row - 1]) if row else 0
        column = int(np.flatnonzero(self._corners[number][row])[n])
        return self.plane_pairs[number], row, column
