"""Positions and weights of overlapping tiles, along one axis; those of a plane are the product of two axes."""

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
        First pixel of the image that is read and one after the last.
    keep_start, keep_stop : int
        The range of them whose results are used.
    fade_in, fade_out : int
        Widths of the cross-fades with the neighbors at the two ends of the used range, in pixels of the image; 0 at a
        border of the image.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int
    fade_in: int
    fade_out: int

    def weights(self, scale: int) -> NDArray[np.float32]:
        """Compute the weights of the results, which sum to 1 over all tiles.

        Returns
        -------
        array of float32, shape (scale * (keep_stop - keep_start),)
            One weight for each pixel of the result.
        """
        weights = np.ones(scale * (self.keep_stop - self.keep_start), np.float32)
        if self.fade_in:
            weights[: scale * self.fade_in] = _ramp(scale * self.fade_in)
        if self.fade_out:
            weights[len(weights) - scale * self.fade_out :] = 1 - _ramp(scale * self.fade_out)
        return weights


def _ramp(length: int) -> NDArray[np.float32]:
    """Half a period of a cosine from 0 to 1, sampled at the centers of `length` pixels."""
    return (0.5 - 0.5 * np.cos(pi * (np.arange(length) + 0.5) / length)).astype(np.float32)


def axis_tiles(length: int, tiling: Overlap, alignment: int = 1) -> list[AxisTile]:
    """Divide an axis into evenly spaced tiles, with a cross-fade between neighbors.

    Parameters
    ----------
    length : int
        Pixels of the axis.
    tiling : Overlap
        Side of a tile, overlap and width of the cross-fade.
    alignment : int, default 1
        Tiles start at multiples of this number of pixels, for networks with a pixel unshuffle.

    Returns
    -------
    list of AxisTile
        Every pixel of the axis is used by one tile, or cross-faded between two. Pixels at the borders of the image are
        not discarded.
    """
    tile, margin, blend = tiling.tile, tiling.overlap, tiling.blend
    if length <= tile:
        return [AxisTile(0, length, 0, length, 0, 0)]
    # Alignment moves a start by up to alignment - 1 pixels; the overlap must remain sufficient.
    step = max(1, tile - 2 * margin - blend - (alignment - 1))
    count = ceil((length - tile) / step) + 1
    spread = (i * (length - tile) // (count - 1) // alignment * alignment for i in range(count))
    # Alignment may move two starts to the same pixel.
    starts = sorted(set(spread))
    stops = [start + tile for start in starts[:-1]] + [length]
    seams = [0]
    for after, before in zip(starts[1:], stops[:-1], strict=True):
        seams.append((after + margin + before - margin - blend) // 2)
    # Tiles that are little larger than their overlap have seams closer together than the blend: a fade ends where the
    # next one begins.
    distances = [after - seam for seam, after in zip(seams[1:], [*seams[1:], length][1:], strict=True)]
    fades = [0, *(min(blend, width) for width in distances), 0]
    keep_stops = [*(seam + fade for seam, fade in zip(seams[1:], fades[1:-1], strict=True)), length]
    return [AxisTile(*edges) for edges in zip(starts, stops, seams, keep_stops, fades[:-1], fades[1:], strict=True)]
