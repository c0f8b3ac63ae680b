"""Pairs of planes at low and high resolution, and the preparation of their patches for the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.color import STUDIO_SWING, luma
from napari_sr.imaging.intensity import IntensityMap, check_finite, intensity_maps
from napari_sr.imaging.resize import resize
from napari_sr.training.data.blur import blur_sigma, check_wavelength
from napari_sr.training.data.brightness import fit_brightness
from napari_sr.training.data.degradation import add_known_noise, blurred_and_shrunk, with_noise
from napari_sr.training.data.denoising import without_noise
from napari_sr.training.data.fields import planes_of
from napari_sr.training.data.images import TrainingImage
from napari_sr.training.data.noise_levels import NoiseLevel, measured_noise, noise_plane, passed_on
from napari_sr.training.recipe import Data, Degradation, GaussianBlur

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
PatchColor = Literal["gray", "luma", "rgb"]


@dataclass(frozen=True)
class PlanePair:
    """A plane at low and high resolution, in the values of the images.

    Parameters
    ----------
    image : int
        Number of the image that contains the plane, from 0.
    lows : tuple of array, shape (Y, X) or (Y, X, C)
        The low-resolution plane, once for each blur of a range.
    high : array, shape (scale Y, scale X) or (scale Y, scale X, C)
        The high-resolution plane.
    low_map : IntensityMap
        Map from the values of the low-resolution plane to the network's range.
    high_map : IntensityMap
        Map from the values of the high-resolution plane to the network's range.
    degradation : Degradation or None
        Degradation of which the noise is added to each patch; None for no noise.
    dtype : dtype
        Data type of the camera that has the noise.
    size : float, default 1.0
        Size at which the image is used, as a fraction of its own.
    source : array, optional
        The high-resolution plane of the image before denoising; by default it is `high`.
    noises : tuple of NoiseLevel, default ()
        Noise that is in each of `lows` already, in their values; () if it was not measured.
    blurs : tuple of float, default ()
        Blur of each of `lows`, as a standard deviation in low-resolution pixels; () as for `noises`.
    channel : int, optional
        Channel of the image; None for an image without a channel axis.
    field : int, default 0
        Number of the field of the image (`TrainingImage.fields`).
    """

    image: int
    lows: tuple[Array, ...]
    high: Array
    low_map: IntensityMap
    high_map: IntensityMap
    degradation: Degradation | None
    dtype: np.dtype[Any]
    size: float = 1.0
    source: Array | None = None
    noises: tuple[NoiseLevel, ...] = ()
    blurs: tuple[float, ...] = ()
    channel: int | None = None
    field: int = 0

    @property
    def unfiltered(self) -> Array:
        """The high-resolution plane before denoising."""
        return self.high if self.source is None else self.source

    @property
    def gray(self) -> Array:
        """The first low-resolution plane without colors, shape (Y, X)."""
        low = self.lows[0]
        return low.mean(axis=2) if low.ndim == 3 else low

    def low_part(
        self, rows: slice, columns: slice, color: PatchColor, generator: np.random.Generator, variant: int = 0
    ) -> tuple[Floats, Floats | None, float | None]:
        """Cut a part out of the low-resolution plane and add the noise of the degradation to it.

        Parameters
        ----------
        rows, columns : slice
            Rows and columns in low-resolution pixels.
        color : {"gray", "luma", "rgb"}
            Meaning of the channels of the result.
        generator : numpy.random.Generator
            Generator of the noise.
        variant : int, default 0
            Number of the blur.

        Returns
        -------
        low : array of float32, shape (C, Y, X)
            The part, black at 0 and white at 1.
        noise : array of float32, shape (1, Y, X), or None
            Standard deviation of all of its noise in the same range; None if the noise of the plane was not measured.
        blur : float or None
            Its blur in low-resolution pixels; None as for `noise`.
        """
        values, level = self.lows[variant][rows, columns], NoiseLevel()
        if self.degradation is not None:
            values, level = add_known_noise(values, self.degradation, generator, self.dtype)
        low = channels_first(self.low_map.forward(values), color)
        if not self.noises:
            return low, None, None
        plane = noise_plane(values, level + self.noises[variant])
        deviation = np.float32(1 / (self.low_map.high - self.low_map.low)) * plane
        return low, deviation[None], self.blurs[variant]

    def high_part(self, rows: slice, columns: slice, color: PatchColor) -> Floats:
        """Cut a part out of the high-resolution plane, of shape (C, Y, X), black at 0 and white at 1."""
        return channels_first(self.high_map.forward(self.high[rows, columns]), color)


def channels_first(values: Floats, color: PatchColor) -> Floats:
    """Convert a plane (Y, X) or (Y, X, 3) to the channels of a patch: three for "rgb", and one otherwise."""
    if values.ndim == 2 and color == "luma":
        # A gray image among RGB images has the range of luminance.
        black, white = STUDIO_SWING
        return (values[None] * (white - black) + black).astype(np.float32)
    if values.ndim == 2:
        return np.repeat(values[None], 3, axis=0) if color == "rgb" else values[None]
    if color == "luma":
        return luma(values).astype(np.float32)[None]
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def make_plane_pairs(
    images: Sequence[TrainingImage],
    scale: int,
    data: Data,
    degradation: Degradation,
    color: PatchColor,
    *,
    conditioned: bool = False,
) -> tuple[list[PlanePair], Degradation]:
    """Prepare the planes of all images.

    Parameters
    ----------
    images : sequence of TrainingImage
        The images, at least one.
    scale : int
        Factor of the model.
    data : Data
        Settings of the recipe for sizes, intensity, denoising and number of planes.
    degradation : Degradation
        Degradation of images without a partner.
    color : {"gray", "luma", "rgb"}
        Meaning of the channels of a patch. "gray" makes a plane of each color of an RGB image.
    conditioned : bool, default False
        Whether the network takes noise and blur as inputs, so that noise that is in the images is measured.

    Returns
    -------
    plane_pairs : list of PlanePair
        The planes in the order of the images.
    degradation : Degradation
        The degradation of the first image, with numbers in place of "estimate".

    Raises
    ------
    InputError
        If an image cannot be used; the message names it.
    """
    plane_pairs: list[PlanePair] = []
    first = degradation
    for number, image in enumerate(images):
        try:
            planes, numeric = _pairs_of_image(number, image, scale, data, degradation, color)
        except InputError as error:
            raise InputError(f"{image.name}: {error}") from error
        first = numeric if number == 0 else first
        plane_pairs += _with_conditions(planes, image, scale, data, numeric, color) if conditioned else planes
    return plane_pairs, first


def _pairs_of_image(
    number: int, image: TrainingImage, scale: int, data: Data, degradation: Degradation, color: PatchColor
) -> tuple[list[PlanePair], Degradation]:
    """Return the planes of an image, and its degradation with numbers in place of "estimate"."""
    check_finite(image.high, image.axes)
    if image.low is not None:
        return _paired(number, image, scale, data, color), degradation
    check_wavelength(degradation.blur, image.unit)
    maps = intensity_maps(data.intensity, image.high, image.axes, contrast_limits=image.contrast_limits)
    planes = list(planes_of(image.high, image.axes, data.planes))
    numeric = with_noise(degradation, [plane for _, plane in planes])
    fractions = _fractions(numeric)
    noisy = numeric if numeric.noise is not None else None
    plane_pairs = []
    for index, (channel, plane) in enumerate(planes):
        clean = without_noise(plane, data.denoise) if data.denoise else plane
        for size in data.sizes:
            high = _at_size(clean, size)
            height, width = (n // scale * scale for n in high.shape[:2])
            if min(height, width) < scale:
                raise InputError(
                    f"The plane has {high.shape[0]} x {high.shape[1]} pixels, too few for a factor of {scale}: "
                    "give a larger image."
                )
            high = high[:height, :width]
            lows = tuple(
                blurred_and_shrunk(high, scale, numeric, fraction=fraction, pixel_size=image.pixel_size)
                for fraction in fractions
            )
            pair = PlanePair(
                image=number,
                lows=lows,
                high=high,
                low_map=maps[channel],
                high_map=maps[channel],
                degradation=noisy,
                dtype=np.dtype(plane.dtype),
                size=size,
                source=None if clean is plane else _at_size(plane, size)[:height, :width],
                channel=channel,
                field=image.field_of(index),
            )
            plane_pairs += _colors(pair, color)
    return plane_pairs, numeric


def _with_conditions(
    planes: Sequence[PlanePair],
    image: TrainingImage,
    scale: int,
    data: Data,
    degradation: Degradation,
    color: PatchColor,
) -> list[PlanePair]:
    """Add noise and blurs to the planes of an image, with the noise measured once for each channel, color and size."""
    blurs, left = [data.blur], [1.0]
    if image.low is None:
        sigmas = [blur_sigma(degradation.blur, fraction, image.pixel_size) for fraction in _fractions(degradation)]
        blurs, left = [sigma / scale for sigma in sigmas], [passed_on(sigma, scale) for sigma in sigmas]
    colors = 3 if image.axes.rgb and color == "gray" else 1
    groups: dict[tuple[int | None, int, float], list[Array]] = {}
    keys = [(pair.channel, number % colors, pair.size) for number, pair in enumerate(planes)]
    for key, pair in zip(keys, planes, strict=True):
        groups.setdefault(key, []).append(pair.high if image.low is None else pair.lows[0])
    levels = {key: measured_noise(members) for key, members in groups.items()}
    return [
        replace(pair, noises=tuple(levels[key].times(fraction) for fraction in left), blurs=tuple(blurs))
        for key, pair in zip(keys, planes, strict=True)
    ]


def _fractions(degradation: Degradation) -> list[float]:
    """Return the positions in the range of the blur at which blurs are computed."""
    blur = degradation.blur
    variants = degradation.variants if isinstance(blur, GaussianBlur) and isinstance(blur.sigma, tuple) else 1
    return [(v + 0.5) / variants for v in range(variants)]


def _paired(number: int, image: TrainingImage, scale: int, data: Data, color: PatchColor) -> list[PlanePair]:
    """Return the planes of a pair."""
    assert image.low is not None
    low = image.low[(slice(None),) * image.axes.ndim]
    low_axes = Axes(image.axes.letters, low.shape)
    check_finite(low, low_axes)
    maps = intensity_maps(data.intensity, low, low_axes, contrast_limits=image.contrast_limits)
    lows = list(planes_of(low, low_axes, data.planes))
    highs = list(planes_of(image.high, image.axes, data.planes))
    plane_pairs = []
    for channel, low_map in maps.items():
        numbers = [index for index, (c, _) in enumerate(lows) if c == channel]
        chosen = [(lows[index][1], highs[index][1]) for index in numbers]
        if not chosen:
            continue
        gain, offset = fit_brightness(chosen)
        high_map = IntensityMap(gain * low_map.low + offset, gain * low_map.high + offset)
        for index, (small, large) in zip(numbers, chosen, strict=True):
            clean = without_noise(large, data.denoise) if data.denoise else large
            pair = PlanePair(
                image=number,
                lows=(small,),
                high=clean,
                low_map=low_map,
                high_map=high_map,
                degradation=None,
                dtype=np.dtype(small.dtype),
                source=None if clean is large else large,
                channel=channel,
                field=image.field_of(index),
            )
            plane_pairs += _colors(pair, color)
    return plane_pairs


def _at_size(plane: Array, size: float) -> Array:
    return plane if size == 1 else resize(plane, factor=size, axes=(0, 1))


def _colors(pair: PlanePair, color: PatchColor) -> list[PlanePair]:
    """Return the planes of each color of a pair, or the pair itself."""
    if color != "gray" or pair.high.ndim == 2:
        return [pair]
    return [
        replace(
            pair,
            lows=tuple(np.ascontiguousarray(low[..., c]) for low in pair.lows),
            high=np.ascontiguousarray(pair.high[..., c]),
            source=None if pair.source is None else np.ascontiguousarray(pair.source[..., c]),
        )
        for c in range(pair.high.shape[2])
    ]
