"""ICC profiles: that of sRGB, those that fit an image, and the conversion of CMYK by its profile."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

# Number of rows of a plane that are converted at a time.
_ROWS = 1024

# Bytes 16 to 19 of a profile are the name of the color space of its device.
_SPACE = slice(16, 20)
_HEADER_BYTES = 128


@cache
def srgb_profile() -> bytes:
    """Return the ICC profile of sRGB.

    Returns
    -------
    bytes
        The profile of littleCMS; the same in all calls.
    """
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def fitting_profile(profile: bytes | None, *, color: bool) -> bytes | None:
    """Return a profile if it is one for RGB, or for gray values.

    Parameters
    ----------
    profile : bytes or None
        The profile of a file.
    color : bool
        Whether the pixels are RGB(A); gray values otherwise.

    Returns
    -------
    bytes or None
        The profile; None if there is none, or if it is one for another color space.
    """
    if profile is None or len(profile) < _HEADER_BYTES:
        return None
    return profile if profile[_SPACE] == (b"RGB " if color else b"GRAY") else None


def is_cmyk_profile(profile: bytes | None) -> bool:
    """Whether a profile is a valid one for CMYK.

    Returns
    -------
    bool
        False if there is none, if it is one for another color space, or if it is damaged.
    """
    if profile is None or len(profile) < _HEADER_BYTES or profile[_SPACE] != b"CMYK":
        return False
    try:
        _transform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A damaged profile is the same as none.
        return False
    return True


def cmyk_by_profile(inks: npt.NDArray[Any], profile: bytes) -> npt.NDArray[np.uint8]:
    """Convert CMYK to sRGB by a profile.

    Parameters
    ----------
    inks : array of uint8 or uint16, shape (..., 4)
        Amounts of cyan, magenta, yellow and black ink; 0 is no ink. 16 bits are rounded to the 8 bits of Pillow.
    profile : bytes
        ICC profile of the inks for which `is_cmyk_profile` is True.

    Returns
    -------
    array of uint8, shape (..., 3)
        Red, green and blue, with the perceptual intent of the profile.
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
