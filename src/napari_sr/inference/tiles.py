"""The geometry of overlap tiles: one axis at a time, two axes by their product."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from napari_sr.settings import Overlap


@dataclass(frozen=True)
class AxisTile:
    """One tile along one axis.

    Parameters
    ----------
    start, stop : int
        Pixels of the low-resolution image that go through the network.
    keep_start, keep_stop : int
        The part of them that is used, borders of the image included.
    fade_in, fade_out : int
        Widths at the two ends of the used part over which it is cross-faded with its neighbors.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int
    fade_in: int
    fade_out: int

    def weights(self, scale: int) -> NDArray[np.float32]:
        """Weight of each used output pixel, shape (scale * (keep_stop - keep_start),); neighbors' weights sum to 1."""
        weights = np.ones(scale * (self.keep_stop - self.keep_start), np.float32)
        if self.fade_in:
            weights[: scale * self.fade_in] = _ramp(scale * self.fade_in)
        if self.fade_out:
            weights[len(weights) - scale * self.fade_out :] = 1 - _ramp(scale * self.fade_out)
        return weights


def _ramp(length: int) -> NDArray[np.float32]:
    """Half a sine from 0 to 1, sampled at the centers of `length` pixels."""
    return (0.5 - 0.5 * np.cos(pi * (np.arange(length) + 0.5) / length)).astype(np.float32)


def axis_tiles(length: int, tiling: Overlap, alignment: int = 1) -> list[AxisTile]:
    """Cut an axis into evenly spread tiles whose used parts meet in cross-faded seams.

    Parameters
    ----------
    length : int
        Pixels of the axis.
    tiling : Overlap
        Side of a tile, pixels thrown away at its inner ends, width of the cross-fade.
    alignment : int
        Tiles start at multiples of this, for networks that gather pixels in groups.

    Returns
    -------
    list of AxisTile
        Every pixel of the axis is used by one tile or cross-faded between two; no tile throws away a true border.
    """
    tile, margin, blend = tiling.tile, tiling.overlap, tiling.blend
    if length <= tile:
        return [AxisTile(0, length, 0, length, 0, 0)]
    # A start may move by up to alignment - 1 pixels, which the seams must be able to bear.
    step = max(1, tile - 2 * margin - blend - (alignment - 1))
    count = ceil((length - tile) / step) + 1
    spread = (i * (length - tile) // (count - 1) // alignment * alignment for i in range(count))
    # Where alignment pulls two starts together, one tile does for both.
    starts = sorted(set(spread))
    stops = [start + tile for start in starts[:-1]] + [length]
    seams = [0]
    for after, before in zip(starts[1:], stops[:-1], strict=True):
        seams.append((after + margin + before - margin - blend) // 2)
    # Tiles hardly larger than their overlap have seams nearer than the blend: a fade ends where the next one begins.
    room = [after - seam for seam, after in zip(seams[1:], [*seams[1:], length][1:], strict=True)]
    fades = [0, *(min(blend, width) for width in room), 0]
    keep_stops = [*(seam + fade for seam, fade in zip(seams[1:], fades[1:-1], strict=True)), length]
    return [AxisTile(*edges) for edges in zip(starts, stops, seams, keep_stops, fades[:-1], fades[1:], strict=True)]
