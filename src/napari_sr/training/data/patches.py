"""Patches of the planes, which depend on the seed and the position in the training only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.training.data.blocks import Mask
from napari_sr.training.data.plane_pairs import PatchColor, PlanePair
from napari_sr.training.randomness import generator_at

Floats = npt.NDArray[np.float32]


class Patch(NamedTuple):
    """A patch, black at 0 and white at 1.

    Parameters
    ----------
    low : array of float32, shape (C, Y, X)
        Low-resolution patch, with its margin.
    high : array of float32, shape (C, scale Y, scale X)
        High-resolution patch, without a margin.
    noise : array of float32, shape (1, Y, X), optional
        Standard deviation of the noise of each low-resolution pixel; for networks that take it.
    blur : float, optional
        Blur as a standard deviation in low-resolution pixels; for networks that take it.
    artificial : bool, default False
        Whether the patch shows artificial flat areas.
    """

    low: Floats
    high: Floats
    noise: Floats | None = None
    blur: float | None = None
    artificial: bool = False


@dataclass(frozen=True)
class Batch:
    """Patches as tensors, black at 0 and white at 1.

    Parameters
    ----------
    low : Tensor, float32, shape (N, C, Y, X)
        Low-resolution patches.
    high : Tensor, float32, shape (N, C, scale Y, scale X)
        High-resolution patches.
    noise : Tensor, float32, shape (N, 1, Y, X), optional
        Standard deviations of the noise; for networks that take them.
    blur : Tensor, float32, shape (N,), optional
        Blurs as standard deviations in low-resolution pixels; for networks that take them.
    artificial : Tensor of bool, shape (N,), optional
        Whether each patch shows artificial flat areas; by default none does.
    """

    low: Tensor
    high: Tensor
    noise: Tensor | None = None
    blur: Tensor | None = None
    artificial: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Arguments of the network: the low-resolution patches, and noise and blur if it takes them."""
        return (self.low,) if self.noise is None or self.blur is None else (self.low, self.noise, self.blur)

    def to(self, device: torch.device, layout: torch.memory_format = torch.contiguous_format) -> Batch:
        """Move the patches to a device, images in a memory layout."""
        values = {
            name: value.to(device).contiguous(memory_format=layout if value.ndim == 4 else torch.contiguous_format)
            for name, value in vars(self).items()
            if value is not None
        }
        return Batch(**values)


def stacked(patches: Sequence[Patch]) -> Batch:
    """Stack patches to a batch; all have noise and blur, or none has."""
    low, high = (torch.from_numpy(np.stack(part)) for part in zip(*((p.low, p.high) for p in patches), strict=True))
    noises = [patch.noise for patch in patches if patch.noise is not None]
    if not noises:
        return Batch(low, high)
    blur = torch.tensor([patch.blur for patch in patches], dtype=torch.float32)
    artificial = torch.tensor([patch.artificial for patch in patches])
    return Batch(low, high, torch.from_numpy(np.stack(noises)), blur, artificial)


class PatchSource(ABC):
    """Patches of training images, which depend on the seed and the position in the training only.

    Attributes
    ----------
    size : int
        Side of a patch in low-resolution pixels, without its margin.
    """

    size: int

    @property
    @abstractmethod
    def blur_range(self) -> tuple[float, float]:
        """Smallest and largest blur in low-resolution pixels, of patches that have one."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of positions of patches."""

    @abstractmethod
    def patch(self, stage: int, step: int, number: int) -> Patch:
        """Draw the patch of a position in the training.

        Parameters
        ----------
        stage : int
            Number of the stage, from 0.
        step : int
            Number of the step in the stage, from 0.
        number : int
            Number of the patch in the batch over all processes, from 0.
        """

    def batch(self, stage: int, step: int, numbers: Sequence[int]) -> Batch:
        """Draw patches of a step by their numbers, as `patch` does."""
        return stacked([self.patch(stage, step, number) for number in numbers])


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


class Patches(PatchSource):
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

    def patch(self, stage: int, step: int, number: int) -> Patch:
        """Draw the patch of a position: low resolution with a margin on all sides, high resolution without one."""
        generator = generator_at(self._seed, "patch", stage, step, number)
        plane_pair, top, left = self._at(int(generator.integers(len(self))))
        flip = bool(generator.integers(2)) and self._flips
        orientation = PatchOrientation(flip, int(generator.integers(4)) if self._turns else 0)
        variant = int(generator.integers(len(plane_pair.lows)))
        side = self.size + 2 * self.margin
        low_field = slice(top, top + side), slice(left, left + side)
        y, x, length = (self.scale * n for n in (top + self.margin, left + self.margin, self.size))
        high = orientation(plane_pair.high_part(slice(y, y + length), slice(x, x + length), self.color))
        low, noise, blur = plane_pair.low_part(*low_field, self.color, generator, variant)
        return Patch(orientation(low), high, None if noise is None else orientation(noise), blur)

    @property
    def blur_range(self) -> tuple[float, float]:
        """Smallest and largest blur of the low-resolution planes, in their pixels; for conditioned patches."""
        blurs = [blur for pair in self.plane_pairs for blur in pair.blurs]
        return min(blurs), max(blurs)

    def _at(self, n: int) -> tuple[PlanePair, int, int]:
        """Return plane, row and column of the n-th corner."""
        number = int(np.searchsorted(self._ends, n, side="right"))
        n -= int(self._ends[number - 1]) if number else 0
        rows = self._rows[number]
        row = int(np.searchsorted(rows, n, side="right"))
        n -= int(rows[row - 1]) if row else 0
        column = int(np.flatnonzero(self._corners[number][row])[n])
        return self.plane_pairs[number], row, column
