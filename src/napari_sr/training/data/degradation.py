"""How a low-resolution image comes from a high-resolution one: blur, fewer pixels, noise.

Everything is in the image's own values (counts of a camera, say), before any intensity map. The optics and the pixels
come before the noise, as in a microscope.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.resize import resize, round_to
from napari_sr.training.data.noise import estimate_noise
from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur, Spread

Array = npt.NDArray[Any]


def within(spread: Spread, share: float) -> float:
    """The number at a share (0 to 1) of a range; a single number is itself."""
    if isinstance(spread, tuple):
        low, high = spread
        return low + (high - low) * share
    return spread


def optical_sigma(numerical_aperture: float, wavelength: float, pixel_size: float) -> float:
    """Standard deviation, in pixels, of the Gaussian nearest to a wide-field microscope's point spread function.

    Parameters
    ----------
    numerical_aperture : float
        Of the objective.
    wavelength, pixel_size : float
        Of the emitted light and of a pixel in the specimen, in one unit.

    References
    ----------
    B. Zhang, J. Zerubia, J.-C. Olivo-Marin, "Gaussian approximations of fluorescence microscope point-spread function
    models", Applied Optics 46(10), 2007: paraxial wide-field model, ``sqrt(2) / (k NA)`` with ``k = 2 pi / lambda``.
    """
    return sqrt(2) * wavelength / (2 * pi * numerical_aperture) / pixel_size


def blur_sigma(blur: GaussianBlur | OpticsBlur | None, share: float = 0.5, pixel_size: float | None = None) -> float:
    """Standard deviation of a recipe's blur in high-resolution pixels, at a share of its range; 0 without blur.

    Raises
    ------
    InputError
        If it follows from the optics, and neither recipe nor image knows the pixel size.
    """
    if blur is None:
        return 0.0
    if isinstance(blur, GaussianBlur):
        return within(blur.sigma, share)
    size = blur.pixel_size or pixel_size
    if size is None:
        raise InputError(
            "The blur follows from the optics, and the size of a pixel is not known: give pixel_size in the recipe."
        )
    return optical_sigma(blur.numerical_aperture, blur.wavelength, size)


def shrink(plane: Array, scale: int, how: str) -> Array:
    """Make a plane `scale` times smaller; rows and columns that are left over are cut off at the bottom and right.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        Integers are rounded as MATLAB rounds, floats are kept.
    scale : int
        Factor.
    how : {"bicubic", "binning"}
        MATLAB's antialiased bicubic, or the mean over blocks of pixels.
    """
    height, width = (n // scale for n in plane.shape[:2])
    whole = plane[: height * scale, : width * scale]
    if how == "bicubic":
        return resize(whole, (height, width), axes=(0, 1))
    blocks = whole.reshape(height, scale, width, scale, *plane.shape[2:])
    kind = plane.dtype if plane.dtype.kind == "f" else np.dtype(np.float64)
    return round_to(blocks.mean(axis=(1, 3), dtype=kind), plane.dtype)


def blurred_and_shrunk(
    plane: Array, scale: int, degradation: Degradation, *, share: float = 0.5, pixel_size: float | None = None
) -> Array:
    """Blur and shrink a plane, without noise.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        High resolution, in its own values.
    scale : int
        Factor.
    degradation : Degradation
        Its blur and its way of shrinking.
    share : float
        Where in the range of the blur, 0 to 1.
    pixel_size : float, optional
        Of a high-resolution pixel, for a blur that follows from the optics.

    Returns
    -------
    array, shape (Y // scale, X // scale) or with C
        Of the plane's dtype where no noise follows, which has to come before the rounding; else float32.
    """
    sigma = blur_sigma(degradation.blur, share, pixel_size)
    noisy = degradation.noise is not None
    if not sigma and not noisy:
        return shrink(plane, scale, degradation.shrink)
    work = plane.astype(np.float32)
    if sigma:
        work = gaussian_filter(work, (sigma, sigma) + (0,) * (plane.ndim - 2), mode="reflect", truncate=4.0)
    small = shrink(work, scale, degradation.shrink)
    return small if noisy else round_to(small, plane.dtype)


def add_noise(
    low: Array, degradation: Degradation, generator: np.random.Generator, dtype: npt.DTypeLike
) -> npt.NDArray[np.float32]:
    """Add a camera's noise: ``offset + gain Poisson((low - offset) / gain) + Normal(0, read)``, then whole numbers.

    Parameters
    ----------
    low : array, any shape
        What the camera would see without noise, in its own values.
    degradation : Degradation
        Its noise, already estimated where that was asked for, and its offset.
    generator : numpy Generator
        Draws where in their ranges gain, read noise and offset lie, then the noise.
    dtype : dtype
        Of the camera: integers are rounded and clipped at their ends.

    Returns
    -------
    array of float32, same shape
        The noisy values.
    """
    values = np.asarray(low, np.float32)
    noise = degradation.noise
    if noise is not None:
        if isinstance(noise.gain, str) or isinstance(noise.read, str):
            raise TypeError("Noise is estimated (with_noise) before it is added.")
        shares = generator.random(3)
        gain, read = within(noise.gain, shares[0]), within(noise.read, shares[1])
        offset = within(degradation.offset, shares[2])
        if gain > 0:
            photons = generator.poisson(np.maximum(values - offset, 0) / gain)
            # Below the dark level there is no light, only what the camera adds.
            values = np.minimum(values, offset) + (gain * photons).astype(np.float32)
        if read > 0:
            values = values + read * generator.standard_normal(values.shape, np.float32)
    if np.dtype(dtype).kind in "iu":
        ends = np.iinfo(np.dtype(dtype))
        values = np.clip(np.rint(values), ends.min, ends.max)
    return values.astype(np.float32, copy=False)


def with_noise(degradation: Degradation, planes: list[Array]) -> Degradation:
    """Put figures where the recipe says "estimate"; a recipe with figures comes back as it is.

    Parameters
    ----------
    degradation : Degradation
        The recipe's.
    planes : list of array, shape (Y, X) or (Y, X, C)
        Of the image whose camera it is.
    """
    noise = degradation.noise
    if noise is None or noise.gain != "estimate":
        return degradation
    gain, read = estimate_noise(planes, offset=within(degradation.offset, 0.5))
    return degradation.model_copy(update={"noise": Noise(gain=gain, read=read)})


def degrade(
    plane: Array,
    scale: int,
    degradation: Degradation,
    *,
    seed: int = 0,
    stream: int = 0,
    pixel_size: float | None = None,
) -> Array:
    """Make the low-resolution twin of a plane, as the training does; for a look at a degradation.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        High resolution, in its own values.
    scale : int
        Factor.
    degradation : Degradation
        From a recipe; noise to "estimate" is estimated on this plane.
    seed : int
        Decides the noise and where in the ranges it lies, and the blur; 0 takes the middle of the blur's range.
    stream : int
        Number of the plane in its image: the next one has other noise of the same kind.
    pixel_size : float, optional
        Of a high-resolution pixel.

    Returns
    -------
    array, shape (Y // scale, X // scale) or with C
        Of the plane's dtype.

    Raises
    ------
    InputError
        If the pixel size is needed and not known, or the noise cannot be estimated.
    """
    settled = with_noise(degradation, [plane])
    share = 0.5 if seed == 0 else float(np.random.default_rng(seed).random())
    # Not the stream that the blur was drawn from: seeds that end in 0 are the same as those without it.
    generator = np.random.default_rng([seed, stream + 1])
    low = blurred_and_shrunk(plane, scale, settled, share=share, pixel_size=pixel_size)
    if settled.noise is None:
        return low
    return add_noise(low, settled, generator, plane.dtype).astype(plane.dtype)


def degrade_image(
    data: ImageArray,
    axes: Axes,
    scale: int,
    degradation: Degradation,
    *,
    seed: int = 0,
    pixel_size: float | None = None,
) -> Array:
    """Make the low-resolution twin of an image of any axes, plane by plane.

    Parameters
    ----------
    data, axes
        The image, and what its dimensions are.
    scale, degradation, seed, pixel_size
        As `degrade` takes them; each plane has noise of its own, all have one blur.

    Returns
    -------
    array
        Of the same axes and dtype, Y and X divided by `scale`; what is left over is cut off.
    """
    shape = list(axes.shape)
    for axis in (axes.y, axes.x):
        shape[axis] //= scale
    if not all(shape):
        sizes = f"{axes.shape[axes.y]} x {axes.shape[axes.x]}"
        raise InputError(f"An image of {sizes} pixels cannot be made {scale} times smaller: take a larger one.")
    low = np.empty(shape, np.dtype(data.dtype))
    for number, index in enumerate(axes.plane_indices()):
        plane = axes.plane(data, index)
        axes.place(low, index, degrade(plane, scale, degradation, seed=seed, stream=number, pixel_size=pixel_size))
    return low


def with_noise_times(degradation: Degradation, factor: float) -> Degradation:
    """Multiply a degradation's noise and dark level, for images whose values reach higher than the recipe's.

    Raises
    ------
    InputError
        If the factor is not above 0.
    """
    if not factor > 0:
        raise InputError(f"Noise is multiplied by a number above 0, not by {factor:g}.")
    if factor == 1 or degradation.noise is None:
        return degradation
    noise = degradation.noise
    if not isinstance(noise.gain, str) and not isinstance(noise.read, str):
        noise = Noise(gain=_times(noise.gain, factor), read=_times(noise.read, factor))
    return degradation.model_copy(update={"noise": noise, "offset": _times(degradation.offset, factor)})


def _times(spread: Spread, factor: float) -> Spread:
    return (spread[0] * factor, spread[1] * factor) if isinstance(spread, tuple) else spread * factor


def describe_degradation(degradation: Degradation) -> str:
    """Say in words what a degradation does, for a card."""
    words = []
    blur, noise = degradation.blur, degradation.noise
    if isinstance(blur, GaussianBlur):
        words.append(f"Gaussian blur of {_told(blur.sigma)} high-resolution pixels")
    elif isinstance(blur, OpticsBlur):
        words.append(f"blur of NA {blur.numerical_aperture:g} at wavelength {blur.wavelength:g}")
    words.append("mean over pixels (binning)" if degradation.shrink == "binning" else "MATLAB bicubic, antialiased")
    if noise is not None:
        words.append(f"Poisson noise of gain {_told(noise.gain)}")
        words.append(f"Gaussian noise of {_told(noise.read)}")
        if degradation.offset:
            words.append(f"dark level {_told(degradation.offset)}")
    return ", ".join(words)


def _told(spread: Spread | str) -> str:
    if isinstance(spread, tuple):
        return f"{spread[0]:g} to {spread[1]:g}"
    return spread if isinstance(spread, str) else f"{spread:.4g}"
