"""Planes at both resolutions, and what one patch of them becomes before it meets the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.color import STUDIO_SWING, luma
from napari_sr.imaging.intensity import IntensityMap, check_finite, intensity_maps
from napari_sr.imaging.intensity_spec import IntensitySpec, Percentiles
from napari_sr.imaging.resize import resize
from napari_sr.training.data.degradation import add_noise, blurred_and_shrunk, with_noise
from napari_sr.training.data.denoising import without_noise
from napari_sr.training.data.images import TrainingImage
from napari_sr.training.recipe import Data, Degradation

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
PatchColor = Literal["gray", "luma", "rgb"]
#: Side of the tiles over which two images' brightness is compared, in low-resolution pixels.
_TILE = 8


@dataclass(frozen=True)
class PlanePair:
    """One plane at both resolutions, in the images' own values.

    Parameters
    ----------
    image : int
        Number of the image it belongs to.
    lows : tuple of array, shape (Y, X) or (Y, X, C)
        Low resolution, once for every point of a range of blurs.
    high : array
        High resolution, `scale` times as long in Y and X.
    low_map, high_map : IntensityMap
        From values to [0, 1].
    degradation : Degradation or None
        Whose noise is still to be added; None for none.
    dtype : dtype
        Of the camera that the noise is added for.
    size : float
        At which size the image is shown.
    source : array or None
        What `high` was before its noise was taken away, as the image has it; None stands for `high`.
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

    @property
    def gray(self) -> Array:
        """The first low-resolution plane without color, shape (Y, X)."""
        low = self.lows[0]
        return low.mean(axis=2) if low.ndim == 3 else low

    def low_part(
        self, rows: slice, columns: slice, color: PatchColor, generator: np.random.Generator, variant: int = 0
    ) -> Floats:
        """Cut a part of the low-resolution plane, with its noise, as (C, Y, X) in [0, 1] as the network sees it."""
        part = self.lows[variant][rows, columns]
        if self.degradation is not None:
            part = add_noise(part, self.degradation, generator, self.dtype)
        return channels_first(self.low_map.forward(part), color)

    def high_part(self, rows: slice, columns: slice, color: PatchColor) -> Floats:
        """Cut a part of the high-resolution plane as (C, Y, X) in [0, 1]."""
        return channels_first(self.high_map.forward(self.high[rows, columns]), color)


def channels_first(values: Floats, color: PatchColor) -> Floats:
    """Bring (Y, X) or (Y, X, 3) in [0, 1] to the channels of a patch, (1, Y, X) or (3, Y, X)."""
    if values.ndim == 2 and color == "luma":
        # A gray image among colored ones.
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
) -> tuple[list[PlanePair], Degradation]:
    """Prepare all planes.

    Parameters
    ----------
    images : sequence of TrainingImage
        At least one.
    scale : int
        Factor.
    data : Data
        Sizes, intensity, and how many planes of one image.
    degradation : Degradation
        For images without a partner.
    color : {"gray", "luma", "rgb"}
        "gray" takes the colors of an RGB image apart, each a plane of its own.

    Returns
    -------
    twins : list of Twin
    degradation : Degradation
        With figures where the recipe has "estimate" (those of the first image).

    Raises
    ------
    InputError
        If an image cannot be used; the sentence names it.
    """
    plane_pairs: list[PlanePair] = []
    settled = degradation
    for number, image in enumerate(images):
        try:
            found, own = _pairs_of_image(number, image, scale, data, degradation, color)
        except InputError as error:
            raise InputError(f"{image.name}: {error}") from error
        settled = own if number == 0 else settled
        plane_pairs += found
    return plane_pairs, settled


def _pairs_of_image(
    number: int, image: TrainingImage, scale: int, data: Data, degradation: Degradation, color: PatchColor
) -> tuple[list[PlanePair], Degradation]:
    check_finite(image.high, image.axes)
    if image.low is not None:
        return _paired(number, image, scale, data, color), degradation
    maps = intensity_maps(data.intensity, image.high, image.axes, contrast_limits=image.contrast_limits)
    planes = [(channel, plane) for channel, plane in _planes(image.high, image, data.planes)]
    settled = with_noise(degradation, [plane for _, plane in planes])
    variants = settled.variants if _ranges(settled) else 1
    plane_pairs = []
    for channel, plane in planes:
        truth = without_noise(plane, data.denoise) if data.denoise else plane
        for size in data.sizes:
            shown = _at_size(plane, size)
            wanted = shown if truth is plane else _at_size(truth, size)
            height, width = (n // scale * scale for n in shown.shape[:2])
            if min(height, width) < scale:
                raise InputError(f"It has {shown.shape[0]} x {shown.shape[1]} pixels, too few for a factor of {scale}.")
            shown, wanted = shown[:height, :width], wanted[:height, :width]
            shares = [(v + 0.5) / variants for v in range(variants)]
            lows = tuple(
                blurred_and_shrunk(wanted, scale, settled, share=share, pixel_size=image.pixel_size) for share in shares
            )
            noisy = settled if settled.noise is not None else None
            map_ = maps[channel]
            for low_parts, high, source in _colors(lows, wanted, shown, color):
                plane_pairs.append(
                    PlanePair(number, low_parts, high, map_, map_, noisy, np.dtype(plane.dtype), size, source)
                )
    return plane_pairs, settled


def _ranges(degradation: Degradation) -> bool:
    """Whether the blur is a range."""
    return degradation.blur is not None and isinstance(getattr(degradation.blur, "sigma", None), tuple)


def _paired(number: int, image: TrainingImage, scale: int, data: Data, color: PatchColor) -> list[PlanePair]:
    low_axes = type(image.axes)(image.axes.letters, _low_shape(image, scale))
    low = np.asarray(image.low)
    check_finite(low, low_axes)
    maps = intensity_maps(data.intensity, low, low_axes, contrast_limits=image.contrast_limits)
    lows = list(_planes(low, image, data.planes, low_axes))
    highs = list(_planes(image.high, image, data.planes))
    plane_pairs = []
    for channel, low_map in maps.items():
        chosen = [(a, b) for (c, a), (_, b) in zip(lows, highs, strict=True) if c == channel]
        if not chosen:
            continue
        gain, offset = brightness(chosen)
        high_map = IntensityMap(gain * low_map.low + offset, gain * low_map.high + offset)
        for small, large in chosen:
            wanted = without_noise(large, data.denoise) if data.denoise else large
            for low_parts, high, source in _colors((small,), wanted, large, color):
                dtype = np.dtype(small.dtype)
                plane_pairs.append(PlanePair(number, low_parts, high, low_map, high_map, None, dtype, source=source))
    return plane_pairs


def brightness(pairs: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
    """How the values of high-resolution planes follow from those of their partners: ``high = gain low + offset``.

    Parameters
    ----------
    pairs : sequence of (low, high)
        Planes of one field.

    Returns
    -------
    gain, offset : float
        A straight line through the means of tiles, which the noise of the low-resolution image does not flatten.

    Raises
    ------
    InputError
        If the two do not grow brighter together.
    """
    halves: tuple[list[Array], list[Array]] = ([], [])
    highs: list[Array] = []
    for low, high in pairs:
        small = resize(high.astype(np.float64), low.shape[:2], axes=(0, 1))
        black, white = _checkerboard(low.astype(np.float64))
        for plane, target in ((black, halves[0]), (white, halves[1]), (_tiles(small), highs)):
            target.append(plane)
    first, second, y = (np.concatenate(parts) for parts in (*halves, highs))
    x = (first + second) / 2
    if not np.ptp(x) > 0:
        raise InputError("The low-resolution image is constant: give images with something in them.")
    # The noise of the two halves is independent, so what they have in common is the image: noise flattens no slope.
    common = np.cov(first, second)[0, 1]
    gain = np.cov(x, y)[0, 1] / common if common > 0 else 0.0
    if not gain > 0:
        raise InputError("The two images do not grow brighter together: give two images of one field and channel.")
    offset = y.mean() - gain * x.mean()
    return float(gain), float(offset)


def _tiles(plane: npt.NDArray[np.float64], counted: npt.NDArray[np.float64] | None = None) -> Array:
    """Means over tiles, of the counted pixels alone where they are given."""
    values = plane.mean(axis=2) if plane.ndim == 3 else plane
    counts = np.ones_like(values) if counted is None else counted
    tile = min(_TILE, *values.shape)
    height, width = (n // tile * tile for n in values.shape)
    sums = [
        part[:height, :width].reshape(height // tile, tile, width // tile, tile).sum(axis=(1, 3))
        for part in (values * counts, counts)
    ]
    means: Array = (sums[0] / sums[1]).ravel()
    return means


def _checkerboard(plane: npt.NDArray[np.float64]) -> tuple[Array, Array]:
    """Means over tiles of every second pixel, and of the others."""
    rows, columns = np.indices(plane.shape[:2])
    white = np.asarray((rows + columns) % 2, np.float64)
    return _tiles(plane, 1 - white), _tiles(plane, white)


def _low_shape(image: TrainingImage, scale: int) -> tuple[int, ...]:
    lengths = list(image.axes.shape)
    for axis in (image.axes.y, image.axes.x):
        lengths[axis] //= scale
    return tuple(lengths)


def _planes(array: Any, image: TrainingImage, most: int, axes: Any = None) -> Iterator[tuple[int | None, Array]]:
    """Planes of an image with their channels, at most so many and evenly spread, alpha left out."""
    axes = axes or image.axes
    indices = list(axes.plane_indices())
    if len(indices) > most:
        indices = [indices[i] for i in np.linspace(0, len(indices) - 1, most).round().astype(int)]
    for index in indices:
        plane = np.ascontiguousarray(axes.plane(array, index))
        yield axes.channel_of(index), plane[..., :3] if axes.rgb else plane


def _at_size(plane: Array, size: float) -> Array:
    return plane if size == 1 else resize(plane, factor=size, axes=(0, 1))


def _colors(
    lows: tuple[Array, ...], high: Array, source: Array, color: PatchColor
) -> Iterator[tuple[tuple[Array, ...], Array, Array]]:
    """Low, high and source of one plane: once, or of each color."""
    *smalls, highs = (_parts(plane, color) for plane in (*lows, high))
    sources = highs if np.shares_memory(source, high) else _parts(source, color)
    for n, (large, seen) in enumerate(zip(highs, sources, strict=True)):
        yield tuple(small[n] for small in smalls), large, seen


def _parts(plane: Array, color: PatchColor) -> list[Array]:
    if color == "gray" and plane.ndim == 3:
        return [np.ascontiguousarray(plane[..., c]) for c in range(plane.shape[2])]
    return [plane]


def describe_intensity(spec: IntensitySpec) -> str:
    """Say in words which values stood for black and white, for a card."""
    if isinstance(spec, Percentiles):
        return f"percentiles {spec.low:g} and {spec.high:g}"
    return f"{spec[0]:g} to {spec[1]:g}" if isinstance(spec, tuple) else spec
