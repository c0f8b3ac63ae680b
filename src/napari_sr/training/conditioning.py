"""The ranges of noise and blur that a training covers, for the card of its model."""

from __future__ import annotations

import numpy as np

from napari_sr.training.data.patches import PatchSource
from napari_sr.training.generator.generator import Generator
from napari_sr.zoo.card import Conditioning

#: Number of patches by which the range of the noise is measured, and the quantiles that are its ends.
_PATCHES, _ENDS = 256, (0.01, 0.95)
#: Smallest length of a range.
_LEAST = 1e-3


def covered_conditions(generator: Generator, patches: PatchSource) -> Conditioning | None:
    """Return the conditions that a training covers.

    Parameters
    ----------
    generator : Generator
        The network with its card. The ranges of a model that is trained further are extended.
    patches : PatchSource
        The patches of the training.

    Returns
    -------
    Conditioning or None
        Noise as a fraction of the standard deviation of the noise-free patch, from the 1st to the 95th percentile of
        256 patches, and blur in low-resolution pixels; None for a network that takes neither.
    """
    if not generator.conditioned:
        return None
    before = generator.card.conditioning or Conditioning()
    noise = blur = None
    if getattr(generator.network, "noise_plane", False):
        noise = _extended(before.noise, _noise_range(patches))
    if getattr(generator.network, "gate", None) is not None:
        blur = _extended(before.blur, patches.blur_range)
    return Conditioning(noise=noise, blur=blur, correlated=before.correlated)


def _noise_range(patches: PatchSource) -> tuple[float, float]:
    fractions = []
    for step in range(_PATCHES):
        patch = patches.patch(0, step, 0)
        if patch.noise is not None and not patch.artificial:
            variance = float(np.mean(patch.noise.astype(np.float64) ** 2))
            # The variance of the image without noise cannot be known better than that of its noise.
            clean = max(float(patch.low.var(dtype=np.float64)) - variance, 0.01 * variance, 1e-12)
            fractions.append(np.sqrt(variance / clean))
    low, high = np.quantile(fractions, _ENDS) if fractions else (0.0, 0.0)
    return float(low), float(high)


def _extended(before: tuple[float, float] | None, now: tuple[float, float]) -> tuple[float, float]:
    """Return a range that contains both, of three decimals."""
    low, high = now if before is None else (min(before[0], now[0]), max(before[1], now[1]))
    low = round(low, 3)
    return low, max(round(high, 3), low + _LEAST)
