"""Turning an image upright that its file stores lying on its side or mirrored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Number of the tag that TIFF and EXIF share.
TAG = 274

#: Values of the tag: 1 is upright. 0 is written by programs that leave the tag empty.
KNOWN = range(9)

# Whether Y and X change places, and then whether Y and whether X is mirrored.
_STEPS: dict[int, tuple[bool, bool, bool]] = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def turned(orientation: int) -> bool:
    """Whether Y and X change places for an image of this orientation.

    Parameters
    ----------
    orientation : int
        The tag's value.

    Returns
    -------
    bool
        True for 5 to 8.
    """
    return orientation in _STEPS and _STEPS[orientation][0]


def upright(data: npt.NDArray[Any], letters: str, orientation: int) -> npt.NDArray[Any]:
    """Turn the planes of an image upright.

    Parameters
    ----------
    data : numpy array
        The image as it is stored.
    letters : str
        Letters of its axes, Y and X among them.
    orientation : int
        The tag's value: where row 0 and column 0 of the stored image lie in the upright one.

    Returns
    -------
    numpy array
        The image upright, its axes in the same order of letters; the same array if it was upright.
    """
    if orientation not in _STEPS:
        return data
    y, x = letters.index("Y"), letters.index("X")
    swapped, down, across = _STEPS[orientation]
    out = np.swapaxes(data, y, x) if swapped else data
    mirrored = tuple(axis for axis, wanted in ((y, down), (x, across)) if wanted)
    return np.ascontiguousarray(np.flip(out, mirrored))
