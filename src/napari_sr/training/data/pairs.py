"""Pairs of images of one field: the position of the low-resolution image on the high-resolution one.

Layers are matched by their positions in the world. The remaining shift, such as that of the stage, is measured by
cross-correlation in Fourier space and corrected by whole pixels. Images are not resampled, since a network would learn
the resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.registration import phase_cross_correlation

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.geometry import linear_part
from napari_sr.imaging.intensity import check_finite
from napari_sr.imaging.napari_layer import finest_level
from napari_sr.imaging.part import Cropped
from napari_sr.imaging.resize import resize

Box = tuple[slice, slice]
#: Shifts are measured to this fraction of a low-resolution pixel: a twentieth.
_UPSAMPLING = 20
#: Smallest side of the parts whose shifts are compared, in low-resolution pixels.
_PART = 48
#: Largest number of pixels of a high-resolution plane that is compared as a whole, and side of the center of larger
#: ones that is compared, in low-resolution pixels.
_LARGEST, _CENTER = 2**26, 1024
#: Uncertainty of a shift above which there is a warning, in high-resolution pixels.
UNCERTAIN = 0.5
#: Largest factor whose inverse, as the ratio of the pixel sizes, shows that two images are exchanged.
_LARGEST_FACTOR = 8


@dataclass(frozen=True)
class Match:
    """The positions of the two images of a pair on each other.

    Parameters
    ----------
    low_box : (slice, slice)
        Rows and columns of the low-resolution image that show the common field.
    high_box : (slice, slice)
        Rows and columns of the high-resolution image that show the common field.
    shift : (float, float)
        Shift of the high-resolution image in Y and X before the correction, in high-resolution pixels.
    residual : (float, float)
        Shift that remains after the correction by whole pixels, in high-resolution pixels.
    uncertainty : float
        Spread of the shift estimated in sub-fields: 1.48 times the median absolute deviation, in high-resolution
        pixels, the larger of Y and X. NaN for a field too small for several sub-fields.
    names : (str, str)
        Names of the low- and the high-resolution image.
    """

    low_box: Box
    high_box: Box
    shift: tuple[float, float]
    residual: tuple[float, float]
    uncertainty: float
    names: tuple[str, str]

    @property
    def warning(self) -> str | None:
        """A sentence if the uncertainty is unknown or above half a high-resolution pixel; else None."""
        if np.isfinite(self.uncertainty) and self.uncertainty <= UNCERTAIN:
            return None
        low, high = self.names
        if not np.isfinite(self.uncertainty):
            return f"{low} and {high} are too small to estimate the uncertainty of their shift: compare them by eye."
        return (
            f"The shift between {low} and {high} is uncertain by {self.uncertainty:.2f} high-resolution pixels, which "
            "makes the results of a network blurred: check the pair."
        )

    def sentence(self) -> str:
        """Return the shift as a sentence.

        Returns
        -------
        str
            The shift before the correction, the residual and the uncertainty if it is known.
        """
        # Adding zero turns the -0.0 that rounding leaves into 0.0.
        shift, residual = ([round(length, 2) + 0.0 for length in pair] for pair in (self.shift, self.residual))
        uncertainty = f", uncertain by {self.uncertainty:.2f}" if np.isfinite(self.uncertainty) else ""
        return (
            f"{self.names[1]} was shifted by ({shift[0]:+.2f}, {shift[1]:+.2f}) high-resolution pixels (Y, X) against "
            f"{self.names[0]}; after a correction by whole pixels ({residual[0]:+.2f}, {residual[1]:+.2f}) remain"
            f"{uncertainty}."
        )

    def cut(self, image: ImageArray, axes: Axes, scale: int) -> Any:
        """Cut the common field out of an image of the pair.

        Parameters
        ----------
        image : array
            The low- or the high-resolution image.
        axes : Axes
            Its axes.
        scale : int
            1 for the low-resolution image, and the factor of the model for the high-resolution one.

        Returns
        -------
        array
            The common field: a view of a numpy array, and of another one a view that reads where it is indexed.
        """
        index: list[slice] = [slice(0, length) for length in axes.shape]
        index[axes.y], index[axes.x] = self.low_box if scale == 1 else self.high_box
        if isinstance(image, np.ndarray):
            return image[tuple(index)]
        return Cropped(image, tuple((part.start, part.stop) for part in index))

    def shape(self, axes: Axes, scale: int) -> tuple[int, ...]:
        """Return the shape of the common field in an image of the pair.

        Parameters
        ----------
        axes : Axes
            Axes of the image.
        scale : int
            1 for the low-resolution image, and the factor of the model for the high-resolution one.

        Returns
        -------
        tuple of int
            The shape.
        """
        lengths = list(axes.shape)
        for axis, part in zip((axes.y, axes.x), self.low_box if scale == 1 else self.high_box, strict=True):
            lengths[axis] = part.stop - part.start
        return tuple(lengths)


def match_layers(low: Any, high: Any, low_axes: Axes, high_axes: Axes, scale: int) -> Match:
    """Match two layers by their positions in the world, then by their content.

    Parameters
    ----------
    low : napari Image layer
        Low-resolution layer, whose position follows from scale, translate, rotate, shear and affine.
    high : napari Image layer
        High-resolution layer.
    low_axes : Axes
        Axes of the finest level of `low`.
    high_axes : Axes
        Axes of the finest level of `high`.
    scale : int
        Factor of the model.

    Returns
    -------
    Match
        Positions of the two images on each other.

    Raises
    ------
    InputError
        If the ratio of the pixel sizes is not the factor, the layers are rotated against each other or do not overlap,
        or they do not have the same planes.
    """
    names = (str(low.name), str(high.name))
    _check_planes(low_axes, high_axes, names)
    lows, highs = _world(low, low_axes), _world(high, high_axes)
    # From pixels of the low image to pixels of the high image, in Y and X.
    to_high = np.linalg.inv(highs[0])
    linear = to_high @ lows[0]
    start = to_high @ (lows[1] - highs[1])
    factors = np.diag(linear)
    if np.abs(linear - np.diag(factors)).max() > 0.01 * scale:
        raise InputError(f"{names[0]} and {names[1]} are rotated or sheared against each other: align them first.")
    if np.abs(factors - scale).max() > 0.01 * scale:
        remedy = (
            "the two images seem to be exchanged, so give the low-resolution image first"
            if _is_inverse(factors)
            else "correct the scale of a layer, or choose a model for that factor"
        )
        raise InputError(
            f"The pixels of {names[0]} are {factors[0]:.4g} x {factors[1]:.4g} times those of {names[1]}, and the "
            f"model upscales by {scale}: {remedy}."
        )
    # `start` is the position of a pixel's center; its first high-resolution pixel is (scale - 1) / 2 before it.
    return _matched(finest_level(low), finest_level(high), low_axes, high_axes, names, scale, start - (scale - 1) / 2)


def match_arrays(
    low: ImageArray, high: ImageArray, low_axes: Axes, high_axes: Axes, names: tuple[str, str], scale: int
) -> Match:
    """Match two arrays with the same top left corner by their content.

    Raises
    ------
    InputError
        If the high-resolution image is not `scale` times as long, or the images do not have the same planes.
    """
    _check_planes(low_axes, high_axes, names)
    lows = np.array([low_axes.shape[low_axes.y], low_axes.shape[low_axes.x]])
    highs = np.array([high_axes.shape[high_axes.y], high_axes.shape[high_axes.x]])
    if np.any(highs < lows * scale) or np.any(highs >= (lows + 1) * scale):
        swapped = np.all(lows >= highs * scale) and np.all(lows < (highs + 1) * scale)
        remedy = "give the low-resolution image first" if swapped else "give images of one field, or another model"
        raise InputError(
            f"{names[1]} has {highs[0]} x {highs[1]} pixels and {names[0]} {lows[0]} x {lows[1]}, and the model "
            f"upscales by {scale}: {remedy}."
        )
    return _matched(low, high, low_axes, high_axes, names, scale, np.zeros(2))


def _is_inverse(factors: npt.NDArray[np.float64]) -> bool:
    """Whether the ratios of the pixel sizes in Y and X are the inverse of one factor of a model."""
    wholes = np.arange(2, _LARGEST_FACTOR + 1)[:, np.newaxis]
    return bool((np.abs(factors * wholes - 1) <= 0.01).all(axis=1).any())


def _matched(
    low: ImageArray,
    high: ImageArray,
    low_axes: Axes,
    high_axes: Axes,
    names: tuple[str, str],
    scale: int,
    start: npt.NDArray[np.float64],
) -> Match:
    """Match two images, of which the low pixel p starts at the high pixel ``scale p + start`` before the correction."""
    first = np.rint(start).astype(int)
    shapes = _plane_shape(low_axes), _plane_shape(high_axes)
    low_box, high_box = _boxes(*shapes, first, scale, names)
    compared = _compared(low_box, high_box, scale)
    planes = _middle(low, low_axes, compared[0], names[0]), _middle(high, high_axes, compared[1], names[1])
    measured, uncertainty = _shift(*planes, scale)
    correction = np.rint(measured).astype(int)
    if correction.any():
        first = first + correction
        low_box, high_box = _boxes(*shapes, first, scale, names)
    residual = measured - correction
    total = first + residual
    return Match(low_box, high_box, (total[0], total[1]), (residual[0], residual[1]), uncertainty, names)


def _boxes(
    low: tuple[int, ...], high: tuple[int, ...], first: npt.NDArray[Any], scale: int, names: tuple[str, str]
) -> tuple[Box, Box]:
    """Return the boxes of the common field in both images, where the first low pixel starts at `first`."""
    low_parts, high_parts = [], []
    for n_low, n_high, begin in zip(low, high, first, strict=True):
        start = max(0, -(int(begin) // scale))
        stop = min(n_low, (n_high - int(begin)) // scale)
        if stop - start < 1:
            raise InputError(
                f"{names[0]} and {names[1]} do not overlap in the world: correct the translate or scale of a layer."
            )
        low_parts.append(slice(start, stop))
        high_parts.append(slice(int(begin) + scale * start, int(begin) + scale * stop))
    return (low_parts[0], low_parts[1]), (high_parts[0], high_parts[1])


def _compared(low: Box, high: Box, scale: int) -> tuple[Box, Box]:
    """Return the part of the common field of which the content is compared: its center in large images."""
    if prod(part.stop - part.start for part in high) <= _LARGEST:
        return low, high
    lows, highs = [], []
    for small, large in zip(low, high, strict=True):
        length = min(small.stop - small.start, _CENTER)
        first = (small.stop - small.start - length) // 2
        lows.append(slice(small.start + first, small.start + first + length))
        highs.append(slice(large.start + scale * first, large.start + scale * (first + length)))
    return (lows[0], lows[1]), (highs[0], highs[1])


def _shift(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], scale: int
) -> tuple[npt.NDArray[np.float64], float]:
    """Measure the shift of the high plane against the low one and its uncertainty, in high-resolution pixels."""
    small = resize(high, low.shape[:2], axes=(0, 1))
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


def _correlated(low: npt.NDArray[np.float64], small: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Measure the shift of the second plane against the first by cross-correlation, in pixels."""
    # The window suppresses the borders, since the correlation assumes periodic images.
    window = np.outer(np.hanning(low.shape[0] + 2)[1:-1], np.hanning(low.shape[1] + 2)[1:-1])
    parts = [(part - part.mean()) * window for part in (low, small)]
    shift, _, _ = phase_cross_correlation(parts[0], parts[1], upsample_factor=_UPSAMPLING, normalization=None)
    # skimage returns the shift that registers the second image with the first, which is the opposite.
    return -np.asarray(shift, np.float64)


def _plane_shape(axes: Axes) -> tuple[int, int]:
    return axes.shape[axes.y], axes.shape[axes.x]


def _middle(image: ImageArray, axes: Axes, box: Box, name: str) -> npt.NDArray[np.float64]:
    """Return a part of the middle plane of an image, without colors, as numbers that can be subtracted."""
    indices = list(axes.plane_indices())
    plane = axes.plane(image, axes.part(indices[len(indices) // 2], *box)).astype(np.float64)
    if not np.isfinite(plane).all():
        # The whole image is read, so that the sentence has the number of all missing values.
        try:
            check_finite(image, axes)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    return plane[..., :3].mean(axis=2) if axes.rgb else plane


def _check_planes(low: Axes, high: Axes, names: tuple[str, str]) -> None:
    lows, highs = ([axes.shape[axis] for axis in axes.plane_axes] for axes in (low, high))
    if low.rgb != high.rgb:
        colored, gray = names if low.rgb else names[::-1]
        raise InputError(f"{colored} is an RGB image and {gray} is not: give two images of the same kind.")
    if lows != highs:
        counts = [" x ".join(str(length) for length in lengths) or "1" for lengths in (lows, highs)]
        raise InputError(
            f"{names[0]} and {names[1]} have different numbers of planes, {counts[0]} and {counts[1]}: give images "
            "with the same planes."
        )


def _world(layer: Any, axes: Axes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return linear part and origin of a layer in the world, for Y and X."""
    linear = linear_part(layer.scale, layer.rotate, layer.shear)
    affine = np.asarray(layer.affine.affine_matrix, float)
    matrix = affine[:-1, :-1] @ linear
    origin = affine[:-1, :-1] @ np.asarray(layer.translate, float) + affine[:-1, -1]
    chosen = [axes.y, axes.x]
    return matrix[np.ix_(chosen, chosen)], origin[chosen]
