"""ICC profiles: sRGB's, those that still hold, and CMYK by its own."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

# Rows of a plane that are converted at a time.
_ROWS = 1024

# Bytes 16 to 19 of a profile name the color space of its device.
_SPACE = slice(16, 20)
_SHORTEST = 128


@cache
def srgb_profile() -> bytes:
    """ICC profile of sRGB.

    Returns
    -------
    bytes
        As littleCMS makes it; the same for the whole process.
    """
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def held(profile: bytes | None, *, color: bool) -> bytes | None:
    """A profile if it describes pixels of this kind.

    Parameters
    ----------
    profile : bytes or None
        As a file holds it.
    color : bool
        Whether the pixels are RGB(A); gray otherwise.

    Returns
    -------
    bytes or None
        The same; None if there is none, or if it describes another color space.
    """
    if profile is None or len(profile) < _SHORTEST:
        return None
    return profile if profile[_SPACE] == (b"RGB " if color else b"GRAY") else None


def describes_cmyk(profile: bytes | None) -> bool:
    """Whether a profile is one of CMYK inks that can be used.

    Parameters
    ----------
    profile : bytes or None
        As a file holds it.

    Returns
    -------
    bool
        False for none, for one of another color space, and for a damaged one.
    """
    if profile is None or len(profile) < _SHORTEST or profile[_SPACE] != b"CMYK":
        return False
    try:
        _transform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A damaged profile says nothing of the inks.
        return False
    return True


def cmyk_by_profile(inks: npt.NDArray[Any], profile: bytes) -> npt.NDArray[np.uint8]:
    """SRGB of CMYK inks.

    Parameters
    ----------
    inks : array of uint8 or uint16, shape (..., 4)
        Amounts of cyan, magenta, yellow and black; 0 is none. 16 bits are rounded to the 8 that Pillow converts.
    profile : bytes
        ICC profile of the inks, as `describes_cmyk` accepts it.

    Returns
    -------
    array of uint8, shape (..., 3)
        Red, green and blue of sRGB, with the profile's perceptual rendering.
    """
    transform = _transform(profile)
    lines = inks.reshape(-1, *inks.shape[-2:])
    out = np.empty((*lines.shape[:-1], 3), np.uint8)
    for start in range(0, len(lines), _ROWS):
        block = lines[start : start + _ROWS]
        if block.dtype != np.uint8:
            block = ((block.astype(np.uint32) + 128) // 257).astype(np.uint8)
        picture = Image.frombytes("CMYK", (block.shape[1], block.shape[0]), np.ascontiguousarray(block).tobytes())
        out[start : start + _ROWS] = np.asarray(ImageCms.applyTransform(picture, transform))
    return out.reshape(*inks.shape[:-1], 3)


def _transform(profile: bytes) -> ImageCms.ImageCmsTransform:
    inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(inks, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
