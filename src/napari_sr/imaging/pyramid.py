"""Coarser levels of an image pyramid, each the average of 2 x 2 pixels of the one before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.rounding import to_integers


def halved(block: NDArray[Any]) -> NDArray[Any]:
    """Average 2 x 2 pixels of a plane, or of a part of one that begins at even rows and columns.

    Parameters
    ----------
    block : array, shape (Y, X), or (Y, X, C) for colors
        The pixels. If the number of rows or columns is odd, the last one is repeated.

    Returns
    -------
    array, shape (ceil(Y / 2), ceil(X / 2)), with C as in `block`
        The averages in the dtype of `block`; those of integers are rounded to the nearest, halves to even.
    """
    height, width, *colors = block.shape
    even = np.pad(block, [(0, height % 2), (0, width % 2), *((0, 0) for _ in colors)], mode="edge")
    pairs = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, *colors)
    mean: NDArray[np.float64] = pairs.mean(axis=(1, 3), dtype=np.float64)
    return to_integers(np.rint(mean), block.dtype) if block.dtype.kind in "biu" else mean.astype(block.dtype)
