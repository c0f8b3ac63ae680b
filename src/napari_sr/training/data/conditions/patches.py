"""Patches under random conditions, which depend on the seed and the position in the training only."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from napari_sr.training.data.conditions.artificial import uniform_areas
from napari_sr.training.data.conditions.camera import observe
from napari_sr.training.data.conditions.truths import WHITE, Pool, Truth
from napari_sr.training.data.noise_levels import NoiseLevel
from napari_sr.training.data.patches import Patch, PatchOrientation, PatchSource
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Conditions
from napari_sr.training.recipe.table import value_at

Floats = npt.NDArray[np.float32]

#: Largest factor by which an image is stretched.
_LARGEST_STRETCH = 8.0


class ConditionedPatches(PatchSource):
    """Patches of the training images under random conditions."""

    def __init__(
        self,
        pools: Sequence[Pool],
        conditions: Conditions,
        *,
        scale: int,
        size: int,
        seed: int,
        flips: bool = True,
        turns: bool = True,
    ) -> None:
        self.pools, self.scale, self.size = list(pools), scale, size
        self._conditions, self._seed, self._flips, self._turns = conditions, seed, flips, turns
        self._halo = scale * ceil(conditions.halo / scale)
        shares = np.array([pool.share for pool in self.pools])
        self._shares = shares / shares.sum()
        self._count = sum(
            int(truth.corners(scale * size).sum()) for pool in self.pools for sizes in pool.planes for truth in sizes
        )

    def __len__(self) -> int:
        return self._count

    def patch(self, stage: int, step: int, number: int) -> Patch:
        """Draw the patch of a position in the training: (1, size, size), and (1, scale size, scale size)."""
        generator = generator_at(self._seed, "patch", stage, step, number)
        if generator.random() < self._conditions.flats:
            square = uniform_areas(generator, self.scale * self.size + 2 * self._halo)
            return self._observed(square, NoiseLevel(), generator, artificial=True)
        pool = self.pools[int(generator.choice(len(self.pools), p=self._shares))]
        empty = generator.random() < self._conditions.empty
        truth, square = pool.draw(self.scale * self.size, self._halo, generator, empty=empty)
        return self._observed(*self._varied(truth, square, generator), generator)

    def scene(self, pool: Pool, size: int, number: int) -> Patch:
        """Draw a scene for validation with a side of `size` low-resolution pixels, always the same one for a number."""
        generator = generator_at(self._seed, "validation", number=number)
        truth, square = pool.draw(self.scale * size, self._halo, generator)
        return self._observed(*self._varied(truth, square, generator), generator)

    @property
    def blur_range(self) -> tuple[float, float]:
        """Smallest and largest blur in low-resolution pixels, without the error of the width."""
        blur = self._conditions.blur
        if blur is None:
            return 0.0, 0.0
        ends = [value_at(blur.result, fraction) / self.scale for fraction in (0.0, 1.0)]
        if blur.result_fraction < 1:
            ends += [value_at(blur.source, fraction) for fraction in (0.0, 1.0)]
        return 0.0 if blur.absent else min(ends), max(ends)

    def _varied(self, truth: Truth, square: Floats, generator: np.random.Generator) -> tuple[Floats, NoiseLevel]:
        """Stretch, invert and turn a truth at random; its noise changes with it."""
        noise, low, high = truth.noise, truth.low, truth.high
        if generator.random() < self._conditions.stretched:
            factor = min(WHITE / (high - low), _LARGEST_STRETCH)
            square = (square - np.float32(low)) * np.float32(factor)
            noise = noise.scaled(factor, -factor * low)
            low, high = 0.0, (high - low) * factor
        flip = bool(generator.integers(2)) and self._flips
        square = PatchOrientation(flip, int(generator.integers(4)) if self._turns else 0)(square)
        if generator.random() < self._conditions.inverted:
            square, noise = np.float32(low + high) - square, noise.scaled(-1.0, low + high)
        return np.ascontiguousarray(square, np.float32), noise

    def _observed(
        self, square: Floats, noise: NoiseLevel, generator: np.random.Generator, *, artificial: bool = False
    ) -> Patch:
        """Observe a truth under random conditions, and convert gray levels to black at 0 and white at 1."""
        seen = observe(
            square, noise, self._conditions, generator, scale=self.scale, halo=self._halo, artificial=artificial
        )
        low, stated, truth = (
            np.ascontiguousarray(part / np.float32(WHITE), np.float32)[None]
            for part in (seen.low, seen.noise, seen.truth)
        )
        return Patch(low, truth, stated, seen.blur, artificial)
