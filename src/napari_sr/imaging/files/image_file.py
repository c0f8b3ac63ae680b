"""The image of a file, and the metadata that its result keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import parse_axes

Color = tuple[int, int, int]
Lut = npt.NDArray[np.uint8]
Limits = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Metadata:
    """Metadata of an image besides its pixels and axes.

    Fields that are not known are empty or None. The fields of channels have one entry for each separate channel, and
    one entry for an image without separate channels.

    Parameters
    ----------
    pixel_size : dict of str to float, optional
        Size of a pixel along Z, Y and X, in `unit`; more than 0.
    unit : str, optional
        Unit of the pixel size and the origin, by its name in pint and napari ("micrometer", "pixel").
    origin : dict of str to float, optional
        Position of the center of the first pixel along Z, Y and X, in `unit`.
    channels : tuple of str, optional
        Names of the separate channels.
    colors : tuple of ((int, int, int) or None), optional
        Color of the largest value of each channel: red, green and blue, 0 to 255.
    luts : tuple of (array or None), optional
        Lookup table of each channel, uint8 of shape (256, 3); None if it is the ramp from black to the color.
    limits : tuple of ((float, float) or None), optional
        Contrast limits of each channel: the values that are displayed in the darkest and the brightest color.
    time_interval : float, optional
        Time between two time points, in seconds; more than 0.
    icc_profile : bytes, optional
        ICC profile of the color space of the pixels.
    name : str, optional
        Name of the image in its file.
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
        """Return the metadata of the image with another number of pixels and the same extent.

        Parameters
        ----------
        factors : mapping of str to float
            Number of new pixels for each old one, by axis letter, more than 0; 1 for axes that are left out.

        Returns
        -------
        Metadata
            The pixel sizes are divided by the factors. The first pixel moves by (1/f - 1)/2 old pixels along each axis
            with a pixel size, so that the outer edges of the image stay where they are.
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
        """Return the values of the metadata by their names.

        Returns
        -------
        dict of str to object
            The arguments of `Metadata`, without those that a subclass adds.
        """
        return {name: getattr(self, name) for name in Metadata.__dataclass_fields__}

    def of_axes(self: _M, letters: str) -> _M:
        """Return the metadata without the values of axes that an image does not have.

        Returns
        -------
        Metadata
            An object of the same class. Its unit is None if there is neither a pixel size nor an origin.
        """
        size = {letter: value for letter, value in self.pixel_size.items() if letter in letters}
        origin = {letter: value for letter, value in self.origin.items() if letter in letters}
        interval = self.time_interval if "T" in letters else None
        unit = self.unit if size or origin else None
        return replace(self, pixel_size=size, origin=origin, unit=unit, time_interval=interval)

    def of_channels(self: _M, count: int, part: slice = slice(None)) -> _M:
        """Return the metadata of some of the channels.

        Parameters
        ----------
        count : int
            Number of separate channels of the image; 1 for an image without separate channels.
        part : slice, optional
            The channels; by default all.

        Returns
        -------
        Metadata
            An object of the same class. Fields with an entry for another number of channels are empty.
        """
        return replace(
            self,
            channels=self.channels[part] if len(self.channels) == count else (),
            colors=self.colors[part] if len(self.colors) == count else (),
            luts=self.luts[part] if len(self.luts) == count else (),
            limits=self.limits[part] if len(self.limits) == count else (),
        )


_M = TypeVar("_M", bound=Metadata)


@dataclass(frozen=True, eq=False)
class ImageFile(Metadata):
    """An image that was read from a file, with its metadata.

    Parameters
    ----------
    data : array
        The pixels: gray values with black as 0, separate channels, RGB, or RGBA with straight alpha, upright. A numpy
        array; of a Zarr store a lazy array, which is read where it is indexed.
    axes : str
        A letter of T, C, Z, Y, X for each dimension; a last C of size 3 or 4 is RGB(A). Axes of length 1 other than Y
        and X are left out, except those of a Zarr store.
    path : Path, optional
        The file or store.
    series : int, default 0
        Number of the image in its file, from 0.
    other_series : tuple of str, optional
        The other images of the file, each with its number, name and size, for a message.
    levels : tuple of array, optional
        The coarser levels of a TIFF that is a pyramid and is read lazily, for display. Empty otherwise.
    planar : int, optional
        Axis of the colors in the file, if they are stored plane by plane: such a file may hold a stack or channels.
    """

    data: Any
    axes: str
    path: Path = Path()
    series: int = 0
    other_series: tuple[str, ...] = ()
    levels: tuple[Any, ...] = ()
    planar: int | None = None

    @property
    def remark(self) -> str:
        """One sentence about planes that may be no colors, with the axes to give instead; mostly empty."""
        if self.planar is None:
            return ""
        before, after = self.axes[: self.planar], self.axes[self.planar : -1]
        others = " or ".join(f"{before}{letter}{after}" for letter in "ZC" if letter not in before)
        return (
            f"It was read as RGB, since the file declares its {self.data.shape[-1]} planes to be colors. If they are "
            f"slices or channels, give the axes {others}."
        )

    def in_axes(self, letters: str) -> ImageFile:
        """Return the image with other axes than those that were read.

        Parameters
        ----------
        letters : str
            A letter of T, C, Z, Y, X for each dimension. With a last C, or where the file is not planar, the
            dimensions are those of `data`; else those in the file.

        Returns
        -------
        ImageFile
            The same pixels, in the order of the file if the planes of its colors are a stack or channels.

        Raises
        ------
        InputError
            If the letters do not fit, or make rows or columns of the colors.
        """
        if letters == self.axes:
            return self
        read = parse_axes(self.axes, tuple(self.data.shape))
        if not read.rgb:
            return replace(self, axes=parse_axes(letters, tuple(self.data.shape)).letters)
        data, colors = self.data, self.data.ndim - 1
        if self.planar is not None and not str(letters).upper().endswith("C"):
            data, colors = np.moveaxis(data, -1, self.planar), self.planar
        named = parse_axes(letters, tuple(data.shape))
        if named.letters[colors] in "YX":
            raise InputError(
                f"The image {self.path} is in color and was read as {self.axes}, with {data.shape[-1]} values for each "
                f"pixel: the axes {letters} would make {named.letters[colors]} of them. Give axes that end in C."
            )
        # A profile describes colors.
        profile = self.icc_profile if named.rgb else None
        return replace(self, data=data, axes=named.letters, planar=None, icc_profile=profile)


def is_ramp(lut: npt.NDArray[Any]) -> bool:
    """Whether a lookup table is the ramp from black to its last color, to rounding.

    Parameters
    ----------
    lut : array, shape (256, 3)
        Red, green and blue of each value, 0 to 255.

    Returns
    -------
    bool
        True if each entry differs from the ramp by 1 at most.
    """
    exact = np.linspace(0.0, 1.0, 256)[:, None] * lut[-1].astype(np.float64)
    return bool(np.abs(lut - exact).max() <= 1.0)


def ramp(color: Color) -> Lut:
    """Return the lookup table from black to a color.

    Parameters
    ----------
    color : (int, int, int)
        Red, green and blue, 0 to 255.

    Returns
    -------
    array of uint8, shape (256, 3)
        The table.
    """
    table: Lut = np.rint(np.linspace(0.0, 1.0, 256)[:, None] * np.array(color, dtype=np.float64)).astype(np.uint8)
    return table


def from_luts(luts: Sequence[npt.NDArray[Any] | None]) -> tuple[tuple[Color | None, ...], tuple[Lut | None, ...]]:
    """Split lookup tables into colors and the tables that are not ramps.

    Parameters
    ----------
    luts : sequence of (array or None)
        Table of each channel, shape (256, 3); None for a channel without one.

    Returns
    -------
    colors : tuple of ((int, int, int) or None)
        Last color of each table; empty if no channel has a table.
    luts : tuple of (array or None)
        The tables that are not ramps; empty if there are none.
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
