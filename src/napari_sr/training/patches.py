"""Patches of the planes, drawn by their place in the training: the same ones whenever and wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.training.blocks import Mask
from napari_sr.training.plane_pairs import PatchColor, PlanePair
from napari_sr.training.randomness import generator_at


@dataclass(frozen=True)
class PatchOrientation:
    """A flip and a number of quarter turns."""

    flip: bool
    quarters: int

    def __call__(self, patch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Flip and turn (C, Y, X)."""
        if self.flip:
            patch = patch[..., ::-1]
        return np.rot90(patch, self.quarters, (-2, -1)) if self.quarters else patch


class Patches:
    """All patches that may be learned from.

    Parameters
    ----------
    twins : sequence of Twin
        The planes.
    corners : sequence of array of bool
        For each plane, the top left corners of its patches (`permitted_corners`).
    scale : int
        Factor.
    size : int
        Side of a patch, in low-resolution pixels.
    margin : int
        Low-resolution pixels that the network needs around the patch and gives nothing for.
    color : {"gray", "luma", "rgb"}
        Channels.
    seed : int
        The recipe's.
    flips, turns : bool
        Whether patches are flipped and turned.

    Raises
    ------
    InputError
        If there is no patch at all.
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
        # A mask of a byte a pixel and the sums of its rows find the n-th corner without a list of all.
        self._rows = [np.cumsum(mask.sum(axis=1, dtype=np.int64)) for mask in self._corners]
        self._ends = np.cumsum([int(rows[-1]) if len(rows) else 0 for rows in self._rows])
        if not len(self._ends) or self._ends[-1] == 0:
            raise InputError(
                f"No patch of {size + 2 * margin} low-resolution pixels is left to learn from: the images are too "
                "small, empty, or all kept for validation; give larger ones, or choose smaller patches."
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def patch(self, stage: int, step: int, number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Draw one patch by its place.

        Parameters
        ----------
        stage, step, number : int
            Number within the whole batch.

        Returns
        -------
        low : array, shape (C, size + 2 margin, size + 2 margin)
        high : array, shape (C, scale size, scale size)
            Both in [0, 1].
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
        """Draw the patches of these numbers, as (N, C, Y, X) each."""
        pairs = [self.patch(stage, step, number) for number in numbers]
        low, high = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return low, high

    def _at(self, place: int) -> tuple[PlanePair, int, int]:
        number = int(np.searchsorted(self._ends, place, side="right"))
        place -= int(self._ends[number - 1]) if number else 0
        rows = self._rows[number]
        row = int(np.searchsorted(rows, place, side="right"))
        place -= int(rows[row - 1]) if row else 0
        column = int(np.flatnonzero(self._corners[number][row])[place])
        return self.plane_pairs[number], row, column
