"""Rotation and reflection of images whose file has the tag Orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Number of the tag Orientation in TIFF and EXIF.
TAG = 274

#: Values of the tag. 1 is upright, and so is 0, which some programs write for an empty tag.
KNOWN = range(9)

# Whether Y and X are exchanged, and then whether Y and whether X is reversed.
_STEPS: dict[int, tuple[bool, bool, bool]] = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def exchanges_axes(orientation: int) -> bool:
    """Whether Y and X are exchanged in an image with an orientation.

    Returns
    -------
    bool
        True for 5 to 8.
    """
    return orientation in _STEPS and _STEPS[orientation][0]


def upright(data: npt.NDArray[Any], letters: str, orientation: int) -> npt.NDArray[Any]:
    """Rotate and reflect the planes of an image so that they are upright.

    Parameters
    ----------
    data : numpy array
        The stored image.
    letters : str
        Letters of its axes, Y and X among them.
    orientation : int
        Value of the tag: the sides of the upright image on which the stored row 0 and column 0 are.

    Returns
    -------
    numpy array
        The upright image, with the same letters; the array itself if it is upright.
    """
    if orientation not in _STEPS:
        return data
    y, x = letters.index("Y"), letters.index("X")
    exchanged, y_reversed, x_reversed = _STEPS[orientation]
    out = np.swapaxes(data, y, x) if exchanged else data
    reversed_axes = tuple(axis for axis, is_reversed in ((y, y_reversed), (x, x_reversed)) if is_reversed)
    return np.ascontiguousarray(np.flip(out, reversed_axes))
