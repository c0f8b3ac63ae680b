"""Small recorded microscopy images in the package, each at low and at high resolution.

The file `sources.toml` in this folder contains their sources, licenses and the parts that were cropped. A
low-resolution image is the high-resolution one downsampled by antialiased bicubic interpolation
(`napari_sr.imaging.resize`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.conversion import read_choice
from napari_sr.imaging.files import ImageFile, read_image

SAMPLES: tuple[str, ...] = ("fluorescence", "electron")
"""Names for `load_sample`."""


@dataclass(frozen=True)
class Sample:
    """One field of view at two resolutions.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.
    low, high : array, shape (Y, X)
        The low-resolution image and the high-resolution one: uint16 for fluorescence, uint8 for electron microscopy.
        Read-only.
    axes : str
        Letters of the axes of both images, "YX".
    factor : int
        Ratio of the lengths of `high` and `low` along Y and X.
    pixel_size : float or None
        Side of a pixel of `low`, in `unit`; None if it is not known.
    unit : str or None
        Unit of length by the name in pint and napari; None if the pixel size is not known.
    source : str
        Source of the image.
    license : str
        SPDX identifier of the license.
    title : str
        Description of the image.
    inset : (int, int, int)
        Top row, left column and side, in pixels of `high`, of a square with details.
    """

    name: str
    low: npt.NDArray[Any]
    high: npt.NDArray[Any]
    axes: str
    factor: int
    pixel_size: float | None
    unit: str | None
    source: str
    license: str
    title: str
    inset: tuple[int, int, int]

    @property
    def high_pixel_size(self) -> float | None:
        """Side of a pixel of `high`, in `unit`; None if it is not known."""
        return None if self.pixel_size is None else self.pixel_size / self.factor


def load_sample(name: str) -> Sample:
    """Load a sample image.

    Parameters
    ----------
    name : {"fluorescence", "electron"}
        Name of the sample.

    Raises
    ------
    InputError
        If there is no sample of this name.
    """
    read_choice(name, "sample", SAMPLES)
    low, high = _read(f"{name}-low.tif"), _read(f"{name}-high.tif")
    for image in (low, high):
        image.data.flags.writeable = False
    source = sources()[name]
    top, left, side = source["inset"]
    return Sample(
        name=name,
        low=low.data,
        high=high.data,
        axes=low.axes,
        factor=source["factor"],
        pixel_size=low.pixel_size.get("X"),
        unit=low.unit,
        source=source["source"],
        license=source["license"],
        title=source["title"],
        inset=(top, left, side),
    )


def sample_crop(name: str, side: int) -> npt.NDArray[np.float32]:
    """Return the middle of a low-resolution sample, scaled to values from 0 to 1.

    Parameters
    ----------
    name : {"fluorescence", "electron"}
        Name of the sample.
    side : int
        Largest number of rows and of columns.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        The crop, a copy.
    """
    image = load_sample(name).low
    top, left = (max((n - side) // 2, 0) for n in image.shape)
    crop = image[top : top + side, left : left + side].astype(np.float32)
    scaled: npt.NDArray[np.float32] = (crop - crop.min()) / max(float(np.ptp(crop)), 1.0)
    return scaled


@cache
def sources() -> dict[str, Any]:
    """Return the content of `sources.toml` by the names of the samples."""
    return tomllib.loads((files(__name__) / "sources.toml").read_text(encoding="utf-8"))


def _read(file: str) -> ImageFile:
    with as_file(files(__name__) / file) as path:
        return read_image(path)
