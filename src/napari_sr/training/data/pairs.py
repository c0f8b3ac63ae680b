"""Two images of one field: where the low-resolution one lies on the high-resolution one.

Layers are matched by their places in the world; what the stage or the registration left over is found by phase
correlation. Only whole pixels are moved: resampling an image would teach the network the resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.registration import phase_cross_correlation

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.geometry import linear_part
from napari_sr.imaging.napari_layer import finest_level
from napari_sr.imaging.resize import resize

Box = tuple[slice, slice]
#: A shift is told to a twentieth of a low-resolution pixel.
_FINENESS = 20
#: Side of the parts whose shifts are compared, at least, in low-resolution pixels.
_PART = 48
#: More doubt than this, in high-resolution pixels, is a warning.
DOUBTFUL = 0.5


@dataclass(frozen=True)
class Match:
    """How a pair was brought together.

    Parameters
    ----------
    low_box, high_box : (slice, slice)
        Rows and columns of each image that show the same field.
    shift : (float, float)
        By how many high-resolution pixels the high image lay beside the low one, in Y and X, before it was moved.
    rest : (float, float)
        What is left of it after moving by whole pixels.
    doubt : float
        How far apart parts of the field say different shifts, in high-resolution pixels (1.48 times the median
        deviation, the larger of Y and X); NaN for a field too small for several parts.
    names : (str, str)
        Of the low and the high image.
    """

    low_box: Box
    high_box: Box
    shift: tuple[float, float]
    rest: tuple[float, float]
    uncertainty: float
    names: tuple[str, str]

    @property
    def warning(self) -> str | None:
        """A sentence with the figure, when the two may not lie on each other to half a high-resolution pixel."""
        if np.isfinite(self.uncertainty) and self.uncertainty <= DOUBTFUL:
            return None
        low, high = self.names
        if not np.isfinite(self.uncertainty):
            return f"{low} and {high} are too small to tell how well they lie on each other: compare them by eye."
        return (
            f"{low} and {high} may not lie on each other: their shift is uncertain by {self.uncertainty:.2f} "
            "high-resolution pixels, and a network learns to blur from that."
        )

    def sentence(self) -> str:
        """Say the shift in words."""
        return (
            f"{self.names[1]} lay ({self.shift[0]:+.2f}, {self.shift[1]:+.2f}) high-resolution pixels (Y, X) beside "
            f"{self.names[0]}; after moving by whole pixels ({self.rest[0]:+.2f}, {self.rest[1]:+.2f}) are left, "
            f"uncertain by {self.uncertainty:.2f}."
        )

    def cut(self, image: ImageArray, axes: Axes, scale: int) -> Any:
        """Cut the common field out of the low image (`scale` 1) or the high one."""
        index: list[slice] = [slice(None)] * axes.ndim
        index[axes.y], index[axes.x] = self.low_box if scale == 1 else self.high_box
        return image[tuple(index)]

    def shape(self, axes: Axes, scale: int) -> tuple[int, ...]:
        """Shape of the cut image."""
        lengths = list(axes.shape)
        for axis, part in zip((axes.y, axes.x), self.low_box if scale == 1 else self.high_box, strict=True):
            lengths[axis] = part.stop - part.start
        return tuple(lengths)


def match_layers(low: Any, high: Any, low_axes: Axes, high_axes: Axes, scale: int) -> Match:
    """Match two layers by their places in the world, then by their content.

    Parameters
    ----------
    low, high : napari Image layers
        Their scale, translate, rotate, shear and affine say where they lie.
    low_axes, high_axes : Axes
        Of their finest levels.
    scale : int
        The model's factor.

    Raises
    ------
    InputError
        If their pixel sizes are not the factor apart, they are turned against each other, do not overlap, or do not
        have the same planes.
    """
    names = (str(low.name), str(high.name))
    _check_planes(low_axes, high_axes, names)
    lows, highs = _world(low, low_axes), _world(high, high_axes)
    # From a pixel of the low image to one of the high image, in Y and X.
    back = np.linalg.inv(highs[0])
    factor = back @ lows[0]
    start = back @ (lows[1] - highs[1])
    found = np.diag(factor)
    if np.abs(factor - np.diag(found)).max() > 0.01 * scale:
        raise InputError(f"{names[0]} and {names[1]} are turned or sheared against each other: align them first.")
    if np.abs(found - scale).max() > 0.01 * scale:
        raise InputError(
            f"The pixels of {names[0]} are {found[0]:.4g} x {found[1]:.4g} times those of {names[1]}, and the model "
            f"upscales by {scale}: correct the scale of a layer, or pick a model for that factor."
        )
    # Edges meet where the first high pixel of a low one lies half a low pixel before its center.
    return _matched(finest_level(low), finest_level(high), low_axes, high_axes, names, scale, start - (scale - 1) / 2)


def match_arrays(
    low: ImageArray, high: ImageArray, low_axes: Axes, high_axes: Axes, names: tuple[str, str], scale: int
) -> Match:
    """Match two arrays that begin at the same corner, then by their content.

    Raises
    ------
    InputError
        If the high image is not `scale` times as long, or they do not have the same planes.
    """
    _check_planes(low_axes, high_axes, names)
    lows = np.array([low_axes.shape[low_axes.y], low_axes.shape[low_axes.x]])
    highs = np.array([high_axes.shape[high_axes.y], high_axes.shape[high_axes.x]])
    if np.any(highs < lows * scale) or np.any(highs >= (lows + 1) * scale):
        raise InputError(
            f"{names[1]} has {highs[0]} x {highs[1]} pixels and {names[0]} {lows[0]} x {lows[1]}, and the model "
            f"upscales by {scale}: give images of one field, or a model for their factor."
        )
    return _matched(low, high, low_axes, high_axes, names, scale, np.zeros(2))


def _matched(
    low: ImageArray,
    high: ImageArray,
    low_axes: Axes,
    high_axes: Axes,
    names: tuple[str, str],
    scale: int,
    start: npt.NDArray[np.float64],
) -> Match:
    """Boxes of the common field: the low pixel p begins at the high pixel ``scale p + start``."""
    first = np.rint(start).astype(int)
    planes = _middle(low, low_axes), _middle(high, high_axes)
    low_box, high_box = _boxes(planes[0].shape, planes[1].shape, first, scale, names)
    measured, uncertainty = _shift(planes[0][low_box], planes[1][high_box], scale)
    moved = np.rint(measured).astype(int)
    if moved.any():
        first = first + moved
        low_box, high_box = _boxes(planes[0].shape, planes[1].shape, first, scale, names)
    rest = measured - moved
    total = first + rest
    return Match(low_box, high_box, (total[0], total[1]), (rest[0], rest[1]), uncertainty, names)


def _boxes(
    low: tuple[int, ...], high: tuple[int, ...], first: npt.NDArray[Any], scale: int, names: tuple[str, str]
) -> tuple[Box, Box]:
    low_parts, high_parts = [], []
    for n_low, n_high, begin in zip(low, high, first, strict=True):
        start = max(0, -(int(begin) // scale))
        stop = min(n_low, (n_high - int(begin)) // scale)
        if stop - start < 1:
            raise InputError(f"{names[0]} and {names[1]} do not overlap in the world: check their translate and scale.")
        low_parts.append(slice(start, stop))
        high_parts.append(slice(int(begin) + scale * start, int(begin) + scale * stop))
    return (low_parts[0], low_parts[1]), (high_parts[0], high_parts[1])


def _shift(low: npt.NDArray[Any], high: npt.NDArray[Any], scale: int) -> tuple[npt.NDArray[np.float64], float]:
    """Shift of the high plane against the low one, in high-resolution pixels, and its doubt."""
    small = resize(high.astype(np.float64), low.shape[:2], axes=(0, 1))
    whole = scale * _correlated(low, small)
    rows, columns = (min(3, n // _PART) for n in low.shape[:2])
    if rows * columns < 2:
        return whole, float("nan")
    parts = []
    for row in np.array_split(np.arange(low.shape[0]), rows):
        for column in np.array_split(np.arange(low.shape[1]), columns):
            part = np.s_[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
            if np.ptp(low[part]) and np.ptp(small[part]):
                parts.append(scale * _correlated(low[part], small[part]))
    if len(parts) < 2:
        return whole, float("nan")
    deviations = np.median(np.abs(np.array(parts) - np.median(parts, axis=0)), axis=0)
    return whole, float(1.4826 * deviations.max())


def _correlated(low: npt.NDArray[Any], small: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    # Windowed, so that the borders, which no field repeats, do not speak.
    window = np.outer(np.hanning(low.shape[0] + 2)[1:-1], np.hanning(low.shape[1] + 2)[1:-1])
    parts = [(part - part.mean()) * window for part in (low.astype(np.float64), small)]
    shift, _, _ = phase_cross_correlation(parts[0], parts[1], upsample_factor=_FINENESS, normalization=None)
    # What it gives would move the second image onto the first; where the second lies is the opposite.
    return -np.asarray(shift, np.float64)


def _middle(image: ImageArray, axes: Axes) -> npt.NDArray[Any]:
    indices = list(axes.plane_indices())
    plane = axes.plane(image, indices[len(indices) // 2])
    return plane[..., :3].mean(axis=2) if axes.rgb else plane


def _check_planes(low: Axes, high: Axes, names: tuple[str, str]) -> None:
    lows, highs = ([axes.shape[axis] for axis in axes.plane_axes] for axes in (low, high))
    if lows != highs or low.rgb != high.rgb:
        raise InputError(
            f"{names[0]} has the planes {tuple(lows)} and {names[1]} {tuple(highs)}: give images with the same planes "
            "and colors."
        )


def _world(layer: Any, axes: Axes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Linear part and origin of a layer in the world, of Y and X alone."""
    linear = linear_part(layer.scale, layer.rotate, layer.shear)
    affine = np.asarray(layer.affine.affine_matrix, float)
    matrix = affine[:-1, :-1] @ linear
    origin = affine[:-1, :-1] @ np.asarray(layer.translate, float) + affine[:-1, -1]
    chosen = [axes.y, axes.x]
    return matrix[np.ix_(chosen, chosen)], origin[chosen]
