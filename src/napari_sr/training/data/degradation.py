"""The degradation: computes a low-resolution image from a high-resolution one by blur, fewer pixels and noise.

All values are those of the image, such as a camera's counts, before any intensity map. Blur and reduction of the pixels
come before the noise, as in a microscope.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from napari_sr.conversion import read_number, read_scale, read_whole, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import as_array
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.noise import estimate_noise
from napari_sr.imaging.resize import resize
from napari_sr.imaging.rounding import round_to
from napari_sr.training.data.blur import blur_sigma
from napari_sr.training.data.noise_levels import ROUNDING, NoiseLevel
from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur, Spread
from napari_sr.training.recipe.table import value_at

Array = npt.NDArray[Any]
#: Number of photons above which Poisson noise is not drawn.
_MOST_PHOTONS = 1e15
#: Largest factor on the noise, beyond that from values in 0 to 1 to 16 bits.
_LARGEST_FACTOR = 1e6


def shrink(plane: Array, scale: int, method: str) -> Array:
    """Reduce the number of pixels of a plane.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        High-resolution plane. Rows and columns beyond a multiple of `scale` are cut off at the bottom and right.
    scale : int
        Factor in Y and X, 1 or more.
    method : {"bicubic", "binning"}
        MATLAB's antialiased bicubic interpolation, or the mean over blocks of pixels.

    Returns
    -------
    array, shape (Y // scale, X // scale) or (Y // scale, X // scale, C)
        Low-resolution plane of the same dtype; integers are rounded as in MATLAB.
    """
    height, width = (n // scale for n in plane.shape[:2])
    whole = plane[: height * scale, : width * scale]
    if method == "bicubic":
        return resize(whole, (height, width), axes=(0, 1))
    blocks = whole.reshape(height, scale, width, scale, *plane.shape[2:])
    # In float16 the sums would overflow.
    dtype = np.float32 if plane.dtype == np.float32 else np.float64
    return round_to(blocks.mean(axis=(1, 3), dtype=dtype), plane.dtype)


def blurred_and_shrunk(
    plane: Array, scale: int, degradation: Degradation, *, fraction: float = 0.5, pixel_size: float | None = None
) -> Array:
    """Blur a plane and reduce its pixels, without noise.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        High-resolution plane, in its own values.
    scale : int
        Factor in Y and X, 1 or more.
    degradation : Degradation
        The degradation, of which the noise is not added.
    fraction : float, default 0.5
        Position in the range of the blur, from 0 to 1.
    pixel_size : float, optional
        Size of a high-resolution pixel, for a blur by the optics.

    Returns
    -------
    array, shape (Y // scale, X // scale) or (Y // scale, X // scale, C)
        Low-resolution plane: float32 if the degradation has noise, which is added before rounding, and of the plane's
        dtype otherwise.

    Raises
    ------
    InputError
        If the pixel size is needed and not known.
    """
    sigma = blur_sigma(degradation.blur, fraction, pixel_size)
    noisy = degradation.noise is not None
    if not sigma and not noisy:
        return shrink(plane, scale, degradation.shrink)
    work = plane.astype(np.float32)
    if sigma:
        work = gaussian_filter(work, (sigma, sigma) + (0,) * (plane.ndim - 2), mode="reflect", truncate=4.0)
    small = shrink(work, scale, degradation.shrink)
    return small if noisy else round_to(small, plane.dtype)


def add_known_noise(
    low: Array, degradation: Degradation, generator: np.random.Generator, dtype: npt.DTypeLike
) -> tuple[npt.NDArray[np.float32], NoiseLevel]:
    """Add the noise of a camera: ``offset + gain Poisson((low - offset) / gain) + Normal(0, read)``.

    Parameters
    ----------
    low : array, any shape
        Values without noise.
    degradation : Degradation
        The degradation, with numbers for gain and read noise (`with_noise`).
    generator : numpy.random.Generator
        Draws the positions in the ranges of gain, read noise and offset, then the noise.
    dtype : dtype
        Data type of the camera: values of an integer type are rounded and clipped to its range, and bools to 0 and 1.

    Returns
    -------
    values : array of float32, same shape
        Values with noise.
    level : NoiseLevel
        The level of the noise, with that of rounding.
    """
    values = np.asarray(low, np.float32)
    rounding = 0.0
    gain = read = offset = 0.0
    noise = degradation.noise
    if noise is not None:
        if isinstance(noise.gain, str) or isinstance(noise.read, str):
            raise TypeError("Noise is estimated (with_noise) before it is added.")
        fractions = generator.random(3)
        gain, read = value_at(noise.gain, fractions[0]), value_at(noise.read, fractions[1])
        offset = value_at(degradation.offset, fractions[2])
        if gain > 0:
            with np.errstate(over="ignore"):
                mean = np.maximum(values - offset, 0) / gain
            # Larger numbers of photons are beyond numpy's generator, and their noise is below float32's rounding.
            countable = mean < _MOST_PHOTONS
            photons = generator.poisson(np.where(countable, mean, 0))
            # Values below the dark level are no light, so they have no Poisson noise.
            noisy = np.minimum(values, offset) + (gain * photons).astype(np.float32)
            values = np.where(countable, noisy, values)
        if read > 0:
            values = values + read * generator.standard_normal(values.shape, np.float32)
    if np.dtype(dtype).kind in "biu":
        ends = (0, 1) if np.dtype(dtype).kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        values = np.clip(np.rint(values), *ends)
        rounding = ROUNDING
    level = NoiseLevel(read**2 - gain * offset + rounding, gain, read**2 + rounding)
    return values.astype(np.float32, copy=False), level


def with_noise(degradation: Degradation, planes: list[Array]) -> Degradation:
    """Replace noise that is to be estimated by numbers.

    Parameters
    ----------
    degradation : Degradation
        The degradation of a recipe; one without "estimate" is returned as it is.
    planes : list of array, shape (Y, X) or (Y, X, C)
        Planes of an image from the camera.

    Raises
    ------
    InputError
        If the noise cannot be estimated.
    """
    noise = degradation.noise
    if noise is None or noise.gain != "estimate":
        return degradation
    gain, read = estimate_noise(planes, offset=value_at(degradation.offset, 0.5))
    return degradation.model_copy(update={"noise": Noise(gain=gain, read=read)})


def degrade(
    plane: npt.ArrayLike,
    scale: int,
    degradation: Degradation,
    *,
    seed: int = 0,
    stream: int = 0,
    pixel_size: float | None = None,
) -> Array:
    """Compute the low-resolution version of a plane, as a training does.

    Parameters
    ----------
    plane : array-like, shape (Y, X), (Y, X, 3) or (Y, X, 4)
        High-resolution plane, in its own values. Rows and columns beyond a multiple of `scale` are cut off. Alpha gets
        no noise.
    scale : int
        Factor in Y and X, 1 or more.
    degradation : Degradation
        The degradation of a recipe. Noise with the value "estimate" is estimated on this plane.
    seed : int, default 0
        Seed of the noise and of the positions in ranges, 0 or more; 0 takes the middle of the range of the blur.
    stream : int, default 0
        Number of the plane in its image, 0 or more: planes have the same blur, and noise of their own.
    pixel_size : float, optional
        Size of a high-resolution pixel, for a blur by the optics.

    Returns
    -------
    array, shape (Y // scale, X // scale) or (Y // scale, X // scale, C)
        Low-resolution plane of the same dtype.

    Raises
    ------
    InputError
        If the plane is not an image of one plane, the pixel size is needed and not known, or the noise cannot be
        estimated.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> from napari_sr.training import Degradation, Noise
    >>> plane = np.full((60, 80), 200, np.uint16)
    >>> low = sr.degrade(plane, 2, Degradation(shrink="binning", noise=Noise(gain=0.5, read=2.0)))
    >>> low.shape, low.dtype
    ((30, 40), dtype('uint16'))
    """
    values, scale = np.asarray(as_array(plane)), read_scale(scale)
    if not isinstance(degradation, Degradation):
        raise InputError(f"{shorten(degradation)} is not a degradation: give that of a recipe, or Degradation(...).")
    if values.ndim != 2 and not (values.ndim == 3 and values.shape[2] in (3, 4)):
        raise InputError(
            f"An array of the shape {values.shape} is not a plane: give planes (Y, X), or (Y, X, 3) and (Y, X, 4) for "
            "colors, one by one."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError("The image has NaN or infinite values: replace them before it is degraded.")
    if min(values.shape[:2]) < scale:
        sizes = f"{values.shape[0]} x {values.shape[1]}"
        raise InputError(f"An image of {sizes} pixels cannot be made {scale} times smaller: give a larger one.")
    seed, stream = read_whole(seed, "seed", 0), read_whole(stream, "number of the plane", 0)
    # Alpha is no light of a camera: it is made smaller, and has no noise.
    opaque = slice(3) if values.ndim == 3 else slice(None)
    numeric = with_noise(degradation, [values[..., opaque]])
    fraction = 0.5 if seed == 0 else float(np.random.default_rng(seed).random())
    # default_rng([seed, 0]) would be default_rng(seed), from which the blur was drawn; hence + 1.
    generator = np.random.default_rng([seed, stream + 1])
    low = blurred_and_shrunk(values, scale, numeric, fraction=fraction, pixel_size=pixel_size)
    if numeric.noise is None:
        return low
    with np.errstate(over="ignore", invalid="ignore"):
        noisy, _ = add_known_noise(low[..., opaque], numeric, generator, values.dtype)
        # The largest integers are no float32, so that a cast of the next larger one would wrap around.
        noisy = noisy.astype(values.dtype) if values.dtype.kind == "f" else round_to(noisy, values.dtype)
    if noisy.dtype.kind == "f" and not np.isfinite(noisy).all():
        raise InputError(f"The noise is too large for values of {noisy.dtype}: give less noise.")
    return noisy if noisy.shape == low.shape else np.concatenate([noisy, low[..., 3:]], axis=-1)


def degrade_image(
    data: ImageArray,
    axes: Axes,
    scale: int,
    degradation: Degradation,
    *,
    seed: int = 0,
    pixel_size: float | None = None,
) -> Array:
    """Compute the low-resolution version of an image of any axes, plane by plane.

    Parameters
    ----------
    data : array
        High-resolution image: numpy, dask or zarr array.
    axes : Axes
        Axes of the image.
    scale : int
        Factor in Y and X, 1 or more.
    degradation : Degradation
        The degradation of a recipe. Noise with the value "estimate" is estimated on each plane.
    seed : int, default 0
        Seed of the noise and of the positions in ranges, 0 or more. All planes have the same blur, and noise of their
        own.
    pixel_size : float, optional
        Size of a high-resolution pixel, for a blur by the optics.

    Returns
    -------
    array
        Low-resolution image of the same axes and dtype. Rows and columns beyond a multiple of `scale` are cut off.

    Raises
    ------
    InputError
        If the image is smaller than `scale`, the pixel size is needed and not known, or the noise cannot be estimated.
    """
    scale = read_scale(scale)
    shape = list(axes.shape)
    for axis in (axes.y, axes.x):
        shape[axis] //= scale
    if not all(shape):
        sizes = f"{axes.shape[axes.y]} x {axes.shape[axes.x]}"
        raise InputError(f"An image of {sizes} pixels cannot be made {scale} times smaller: give a larger one.")
    low = np.empty(shape, np.dtype(data.dtype))
    for number, index in enumerate(axes.plane_indices()):
        plane = axes.plane(data, index)
        axes.place(low, index, degrade(plane, scale, degradation, seed=seed, stream=number, pixel_size=pixel_size))
    return low


def with_noise_times(degradation: Degradation, factor: float) -> Degradation:
    """Multiply the noise and the dark level of a degradation, for images with larger values than those of the recipe.

    Parameters
    ----------
    degradation : Degradation
        The degradation; noise with the value "estimate" stays so.
    factor : float
        The factor, above 0 and at most 1,000,000.

    Raises
    ------
    InputError
        If the factor is not above 0 and at most 1,000,000.
    """
    factor = read_number(factor, "factor on the noise")
    if not 0 < factor <= _LARGEST_FACTOR:
        raise InputError(
            f"Noise cannot be multiplied by {factor:g}: give a factor above 0 and at most {_LARGEST_FACTOR:g}."
        )
    if factor == 1 or degradation.noise is None:
        return degradation
    noise = degradation.noise
    if not isinstance(noise.gain, str) and not isinstance(noise.read, str):
        noise = Noise(gain=_times(noise.gain, factor), read=_times(noise.read, factor))
    return degradation.model_copy(update={"noise": noise, "offset": _times(degradation.offset, factor)})


def _times(spread: Spread, factor: float) -> Spread:
    return (spread[0] * factor, spread[1] * factor) if isinstance(spread, tuple) else spread * factor


def describe_degradation(degradation: Degradation) -> str:
    """Describe a degradation in words, for a model's card."""
    parts = []
    blur, noise = degradation.blur, degradation.noise
    if isinstance(blur, GaussianBlur):
        parts.append(f"Gaussian blur of {_formatted(blur.sigma)} high-resolution pixels")
    elif isinstance(blur, OpticsBlur):
        parts.append(f"blur of NA {blur.numerical_aperture:g} at wavelength {blur.wavelength:g}")
    binning = degradation.shrink == "binning"
    parts.append("mean over pixels (binning)" if binning else "MATLAB bicubic, antialiased")
    if noise is not None:
        parts.append(f"Poisson noise of gain {_formatted(noise.gain)}")
        parts.append(f"Gaussian noise of {_formatted(noise.read)}")
        if degradation.offset:
            parts.append(f"dark level {_formatted(degradation.offset)}")
    return ", ".join(parts)


def _formatted(spread: Spread | str) -> str:
    if isinstance(spread, tuple):
        return f"{spread[0]:g} to {spread[1]:g}"
    return spread if isinstance(spread, str) else f"{spread:.4g}"
