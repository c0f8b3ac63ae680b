"""Rows outside the image, by the border rules of convolutions, padding layers and interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from napari_sr.accelerators import memory_layout
from napari_sr.imaging.resize import symmetric_indices
from napari_sr.inference.compute.streaming.rows import Rows, Workspace, gather


def fold(start: int, stop: int, length: int, mode: str) -> Tensor:
    """Map indices outside an axis to the pixels that a border rule puts there.

    Parameters
    ----------
    start, stop : int
        First index and one after the last; may lie below 0 and beyond `length`.
    length : int
        Pixels of the axis, 1 or more.
    mode : {"replicate", "reflect", "symmetric"}
        "replicate" repeats the edge pixel, "reflect" mirrors at the center of the edge pixel, "symmetric" at its outer
        edge.

    Returns
    -------
    Tensor of int64, shape (stop - start,)
        Indices from 0 to ``length - 1``.

    Raises
    ------
    ValueError
        If the mode is unknown, or the axis is too short to be reflected that far.
    """
    if mode == "symmetric":
        return torch.from_numpy(symmetric_indices(np.arange(start, stop), length))
    indices = torch.arange(start, stop)
    if mode == "replicate":
        return indices.clamp(0, length - 1)
    if mode == "reflect":
        if start <= -length or stop >= 2 * length:
            raise ValueError(f"An image of {length} rows or columns is too small for a reflection of this width.")
        indices = indices.abs()
        return torch.where(indices < length, indices, 2 * (length - 1) - indices)
    raise ValueError(f"The border rule {mode!r} is unknown.")


@lru_cache(maxsize=32)
def fold_on(device: torch.device, start: int, stop: int, length: int, mode: str) -> Tensor:
    """Return the indices of `fold` on a device, those of the last calls without copying them again.

    Parameters
    ----------
    device : torch.device
        The device.
    start, stop, length : int
        As for `fold`.
    mode : {"replicate", "reflect", "symmetric"}
        As for `fold`.

    Returns
    -------
    Tensor of int64, shape (stop - start,)
        Indices from 0 to ``length - 1``, which must not be changed.
    """
    return fold(start, stop, length, mode).to(device)


def border_reads(low: int, high: int, rows: int, mode: str) -> tuple[int, int]:
    """Range of image rows from which a window is made.

    Parameters
    ----------
    low, high : int
        First row of the window and one after the last; may lie outside the image.
    rows : int
        Rows of the image.
    mode : {"zeros", "replicate", "reflect", "symmetric"}
        Border rule.

    Returns
    -------
    (int, int)
        First row and one after the last; empty for a window of zeros alone.
    """
    if 0 <= low and high <= rows:
        return low, high
    if mode == "zeros":
        return max(low, 0), max(min(high, rows), 0)
    folded = fold(low, high, rows, mode)
    return int(folded.min()), int(folded.max()) + 1


def bordered(
    parts: Sequence[Rows], low: int, high: int, rows: int, mode: str, workspace: Workspace | None = None
) -> Tensor:
    """Gather a window of rows, with the border where it extends beyond the image.

    Parameters
    ----------
    parts : sequence of Rows
        Tensors whose channels are concatenated.
    low, high : int
        First row of the window and one after the last; may lie outside the image.
    rows : int
        Rows of the image.
    mode : {"zeros", "replicate", "reflect", "symmetric"}
        Border rule.
    workspace : Workspace, optional
        Memory for the window.

    Returns
    -------
    Tensor, shape (N, C, high - low, W)
        Read-only: it may be a view of `parts`.
    """
    if 0 <= low and high <= rows:
        return gather(parts, low, high, workspace=workspace)
    if mode == "zeros":
        first, last = max(low, 0), min(high, rows)
        if first >= last:
            example = gather(parts, min(first, rows - 1), min(first, rows - 1) + 1)
            return torch.zeros_like(example).expand(-1, -1, high - low, -1)
        return gather(parts, first, last, max(-low, 0), max(high - rows, 0), workspace)
    first, last = border_reads(low, high, rows, mode)
    window = gather(parts, first, last)
    return window.index_select(2, fold_on(window.device, low, high, rows, mode) - first).contiguous(
        memory_format=memory_layout(window.device, window.dtype)
    )
