"""Small real microscopy images that travel with the package, each at low and at high resolution.

`sources.toml` beside this file names where each comes from, its license and which part was cut; the low-resolution
image is the high-resolution one shrunk by antialiased bicubic interpolation (`napari_sr.imaging.resize`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.files import ImageFile, read_image

SAMPLES: tuple[str, ...] = ("fluorescence", "electron")
"""Names that `load_sample` takes."""


@dataclass(frozen=True)
class Sample:
    """One field of view at two resolutions.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.
    low, high : array, shape (Y, X)
        The low-resolution image and what it should become: uint16 for fluorescence, uint8 for electron microscopy.
        Read only.
    axes : str
        The letters of both images' axes, "YX".
    factor : int
        How many times longer `high` is in Y and X.
    pixel_size : float or None
        Side of a pixel of `low`, in `unit`; None where the source does not say.
    unit : str or None
        The unit of length, by the name pint and napari use; None with `pixel_size`.
    source : str
        Where the image comes from.
    license : str
        The terms it may be used under, an SPDX identifier.
    title : str
        What it shows.
    inset : (int, int, int)
        Top row, left column and side, in pixels of `high`, of a square worth a closer look.
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
        """Side of a pixel of `high`, in `unit`; None where it is unknown."""
        return None if self.pixel_size is None else self.pixel_size / self.factor


def load_sample(name: str) -> Sample:
    """Load one of the sample images.

    Parameters
    ----------
    name : {"fluorescence", "electron"}
        Which one.

    Returns
    -------
    Sample
        Both images and where they come from.

    Raises
    ------
    InputError
        If there is no sample of this name.
    """
    if name not in SAMPLES:
        raise InputError(f"There is no sample {name!r}: choose one of {', '.join(SAMPLES)}.")
    low, high = _read(f"{name}-low.tif"), _read(f"{name}-high.tif")
    for image in (low, high):
        image.data.flags.writeable = False
    about = sources()[name]
    top, left, side = about["inset"]
    return Sample(
        name=name,
        low=low.data,
        high=high.data,
        axes=low.axes,
        factor=about["factor"],
        pixel_size=low.pixel_size.get("X"),
        unit=low.unit,
        source=about["source"],
        license=about["license"],
        title=about["title"],
        inset=(top, left, side),
    )


@cache
def sources() -> dict[str, Any]:
    """What `sources.toml` says of each sample, by its name."""
    return tomllib.loads((files(__name__) / "sources.toml").read_text(encoding="utf-8"))


def _read(file: str) -> ImageFile:
    with as_file(files(__name__) / file) as path:
        return read_image(path)
