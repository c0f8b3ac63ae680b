"""The image of a file, and the metadata that go with its pixels into the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Color = tuple[int, int, int]
Lut = npt.NDArray[np.uint8]
Limits = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Metadata:
    """Metadata that a file holds beside the pixels and their axes.

    Fields that the file does not give are empty or None. The fields of channels have one entry for each separate
    channel, and one entry for an image without separate channels.

    Parameters
    ----------
    pixel_size : dict of str to float
        Size of a pixel along Z, Y and X, in `unit`; more than 0.
    unit : str or None
        Unit of the sizes and of the origin by pint's and napari's name ("micrometer", "pixel").
    origin : dict of str to float
        Position of the center of the first pixel along Z, Y and X, in `unit`.
    channels : tuple of str
        Names of the separate channels.
    colors : tuple of (int, int, int) or None
        Color of the brightest value of each channel, red, green and blue from 0 to 255.
    luts : tuple of array or None
        Lookup table of each channel, uint8 of shape (256, 3), where it is no ramp from black to its color.
    limits : tuple of (float, float) or None
        Values of each channel that are displayed as its darkest and its brightest color.
    time_interval : float or None
        Seconds between two time points; more than 0.
    icc_profile : bytes or None
        ICC profile that describes the color space of the pixels.
    name : str
        Name of the image inside its file.
    """

    pixel_size: dict[str, float] = field(default_factory=dict)
    unit: str | None = None
    origin: dict[str, float] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    colors: tuple[Color | None, ...] = ()
    luts: tuple[Lut | None, ...] = ()
    limits: tuple[Limits | None, ...] = ()
    time_interval: float | None = None
    icc_profile: bytes | None = None
    name: str = ""

    def resampled(self, factors: Mapping[str, float]) -> Metadata:
        """Metadata of the same image with another number of pixels over the same extent.

        Parameters
        ----------
        factors : mapping of str to float
            New pixels for each old one, by axis letter; 1 for axes that are left out. More than 0.

        Returns
        -------
        Metadata
            Pixel sizes divided by the factors. The first pixel moves by (1/f - 1)/2 old pixels along each axis with a
            pixel size, so that the outer edges of the image stay where they were.
        """
        size, origin = dict(self.pixel_size), dict(self.origin)
        for letter, old in self.pixel_size.items():
            factor = float(factors.get(letter, 1.0))
            size[letter] = old / factor
            moved = origin.get(letter, 0.0) + old * (1 / factor - 1) / 2
            if letter in origin or moved:
                origin[letter] = moved
        return Metadata(**{**self.fields(), "pixel_size": size, "origin": origin})

    def fields(self) -> dict[str, Any]:
        """Values of the metadata by their names.

        Returns
        -------
        dict of str to value
            As `Metadata` takes them; what a subclass adds is left out.
        """
        return {name: getattr(self, name) for name in Metadata.__dataclass_fields__}

    def of_axes(self: _M, letters: str) -> _M:
        """Metadata without the sizes and positions of axes that an image does not have.

        Parameters
        ----------
        letters : str
            Letters of the image's axes.

        Returns
        -------
        Metadata
            The same kind of object; without any size and position the unit is None.
        """
        size = {letter: value for letter, value in self.pixel_size.items() if letter in letters}
        origin = {letter: value for letter, value in self.origin.items() if letter in letters}
        interval = self.time_interval if "T" in letters else None
        unit = self.unit if size or origin else None
        return replace(self, pixel_size=size, origin=origin, unit=unit, time_interval=interval)


_M = TypeVar("_M", bound=Metadata)


@dataclass(frozen=True, eq=False)
class ImageFile(Metadata):
    """An image read from a file, with its metadata.

    Parameters
    ----------
    data : numpy array, or zarr array
        The pixels with the meaning that the file gives them: 0 is black, colors are RGB or RGBA with straight opacity,
        upright. A zarr array, which is read where it is indexed, for a Zarr store.
    axes : str
        A letter of T, C, Z, Y, X for each dimension, as `parse_axes` takes them. A last C of length 3 or 4 is RGB or
        RGBA. Axes of length 1 other than Y and X are left out, except of a Zarr store.
    path : Path
        The file or store.
    series : int
        Number of the image inside its file, from 0.
    left_series : tuple of str
        The other images of the file, each with its number, name and size, for a message.
    """

    data: Any
    axes: str
    path: Path = Path()
    series: int = 0
    left_series: tuple[str, ...] = ()


def is_ramp(lut: npt.NDArray[Any]) -> bool:
    """Whether a lookup table is a straight ramp from black to its last color, to rounding.

    Parameters
    ----------
    lut : array, shape (256, 3)
        Red, green and blue from 0 to 255 for each value.

    Returns
    -------
    bool
        True if no entry differs from the ramp by more than 1.
    """
    ramp = np.linspace(0.0, 1.0, 256)[:, None] * lut[-1].astype(np.float64)
    return bool(np.abs(lut - ramp).max() <= 1.0)


def ramp(color: Color) -> Lut:
    """Lookup table that runs from black to a color.

    Parameters
    ----------
    color : (int, int, int)
        Red, green and blue from 0 to 255.

    Returns
    -------
    array of uint8, shape (256, 3)
        The table.
    """
    table: Lut = np.rint(np.linspace(0.0, 1.0, 256)[:, None] * np.array(color, dtype=np.float64)).astype(np.uint8)
    return table


def from_luts(luts: tuple[npt.NDArray[Any] | None, ...]) -> tuple[tuple[Color | None, ...], tuple[Lut | None, ...]]:
    """Split lookup tables into colors, for those that are ramps, and tables for the others.

    Parameters
    ----------
    luts : tuple of array or None
        One table for each channel, shape (256, 3).

    Returns
    -------
    colors : tuple of (int, int, int) or None
        Last color of each table; empty if no channel has a table.
    luts : tuple of array or None
        The tables that are no ramps; empty if all are.
    """
    colors: list[Color | None] = []
    tables: list[Lut | None] = []
    for lut in luts:
        if lut is None:
            colors.append(None)
            tables.append(None)
            continue
        red, green, blue = (int(value) for value in lut[-1])
        colors.append((red, green, blue))
        tables.append(None if is_ramp(lut) else np.ascontiguousarray(lut, dtype=np.uint8))
    return (
        tuple(colors) if any(color is not None for color in colors) else (),
        tuple(tables) if any(table is not None for table in tables) else (),
    )
