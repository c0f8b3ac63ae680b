"""The probable kind of an image: fluorescence, electron microscopy, stained tissue, or a photograph.

A few features of the histogram and of small squares are compared with those of known images. The result suggests a
model to begin with, and may be "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.missing import missing_mask

Array = npt.NDArray[np.float64]

KINDS = ("fluorescence", "electron", "color", "photograph")
"""The kinds; "color" is microscopy of stained tissue in transmitted light."""

# Means and standard deviations of the features of each kind, from `benchmarks/noise.py DATA --parts kinds`.
_TYPICAL: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "fluorescence": ((0.07, 2.07, 0.58, -2.06), (0.09, 0.69, 0.29, 0.93)),
    "electron": ((0.57, -0.24, 0.71, -0.42), (0.03, 0.10, 0.07, 0.08)),
    "color": ((0.86, -1.24, 0.35, -1.74), (0.09, 0.53, 0.15, 0.29)),
    "photograph": ((0.42, 0.23, 0.36, -1.10), (0.17, 0.67, 0.18, 0.56)),
}
# Frequencies of the kinds among gray 8-bit images and among color images. Gray images of other data types are not
# photographs.
_GRAY = {"fluorescence": 0.45, "electron": 0.45, "photograph": 0.1}
_COLOR = {"color": 0.5, "photograph": 0.5}
# Smallest standard deviations, since there were few images of some kinds.
_LEAST_DEVIATIONS = (0.08, 0.4, 0.1, 0.3)
# Smallest probability of a kind that is named, and largest mean squared deviation of the image from images of the kind.
_PROBABLE, _NEAR = 0.8, 5.0
# Smallest mean difference of the colors, as a fraction of the range; other RGB images are gray.
_COLORFUL = 0.02
# In an image of one dye, the second brightest channel is below this fraction of the brightest.
_ONE_DYE = 0.3
# Longest side of an image that is not subsampled, and side of the squares, in pixels.
_MOST, _SQUARE = 1024, 8


@dataclass(frozen=True)
class Kind:
    """Probable kind of an image.

    Parameters
    ----------
    name : str
        One of `KINDS`, or "unknown".
    probabilities : mapping of str to float
        Probabilities of the kinds that are possible with its colors, on condition that it is one of them. They add up
        to 1.
    """

    name: str
    probabilities: Mapping[str, float]


def kind_of(plane: npt.NDArray[Any]) -> Kind:
    """Find the probable kind of the image that a plane belongs to.

    Parameters
    ----------
    plane : array of integer or float, shape (Y, X), (Y, X, 3) or (Y, X, 4)
        The plane in its own values, with colors last. Missing pixels (`napari_sr.imaging.missing`) are left out.

    Returns
    -------
    Kind
        The kind; "unknown" for an image with a single value, below 32 x 32 pixels, or unlike all known images.
    """
    step = max(1, -(-max(plane.shape[:2]) // _MOST))
    values = np.array(plane[::step, ::step], np.float64)
    # A pixel without one of its colors is missing.
    missing = np.asarray(missing_mask(np.atleast_3d(values)[..., :3]).any(axis=-1))
    if missing.all():
        return Kind("unknown", {})
    values[missing] = np.nan
    priors, gray = colors_of(values, plane.dtype)
    features = features_of(gray)
    if features is None:
        return Kind("unknown", {})
    return compare(features, priors, _TYPICAL)


def compare(
    features: Array, priors: Mapping[str, float], typical: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
) -> Kind:
    """Compare features with those of known images.

    Parameters
    ----------
    features : array, shape (4,)
        Features from `features_of`.
    priors : mapping of str to float
        Frequency of each kind.
    typical : mapping of str to (means, standard deviations)
        Means and standard deviations of the features of each kind.
    """
    scores, distances = {}, {}
    for name, prior in priors.items():
        means, deviations = (np.array(values) for values in typical[name])
        deviations = np.maximum(deviations, _LEAST_DEVIATIONS)
        squares = ((features - means) / deviations) ** 2
        distances[name] = float(squares.mean())
        scores[name] = float(np.log(prior) - 0.5 * squares.sum() - np.log(deviations).sum())
    most = max(scores.values())
    weights = {name: float(np.exp(score - most)) for name, score in scores.items()}
    total = sum(weights.values())
    probabilities = {name: weight / total for name, weight in weights.items()}
    best = max(probabilities, key=lambda name: probabilities[name])
    sure = probabilities[best] >= _PROBABLE and distances[best] <= _NEAR
    return Kind(best if sure else "unknown", probabilities)


def features_of(gray: Array) -> Array | None:
    """Compute four numbers that differ between kinds of images and do not depend on brightness and contrast.

    Parameters
    ----------
    gray : array of float64, shape (Y, X)
        The image.

    Returns
    -------
    array, shape (4,), or None
        Position of the median between the ends of the values; skewness (arsinh); evenness of the texture (lowest tenth
        over median of the standard deviations of the squares); its strength (logarithm of that median over the standard
        deviation of the image). None for images that are too small or have a single value.
    """
    finite = gray[np.isfinite(gray)]
    if finite.size < 1024 or min(gray.shape) < 4 * _SQUARE or not finite.min() < finite.max():
        return None
    gray = np.where(np.isfinite(gray), gray, np.median(finite))
    low, middle, high = np.quantile(finite, (0.002, 0.5, 0.998))
    deviation = float(gray.std())
    skewness = float(np.mean((gray - gray.mean()) ** 3)) / deviation**3
    # Noise of single pixels does not depend on the kind of image.
    coarse = _means(gray, 4) if min(gray.shape) > 256 else gray
    height, width = (size // _SQUARE for size in coarse.shape)
    squares = coarse[: height * _SQUARE, : width * _SQUARE].reshape(height, _SQUARE, width, _SQUARE)
    texture = squares.std(axis=(1, 3))
    median = float(np.median(texture))
    evenness = float(np.quantile(texture, 0.1)) / median if median > 0 else 0.0
    place = (middle - low) / (high - low) if high > low else 0.0
    return np.array([place, np.arcsinh(skewness), evenness, np.log(median / deviation + 0.02)])


def colors_of(values: Array, dtype: np.dtype[Any]) -> tuple[Mapping[str, float], Array]:
    """Return the frequencies of the kinds that are possible with the colors of an image, and its brightness.

    Parameters
    ----------
    values : array of float64, shape (Y, X), (Y, X, 3) or (Y, X, 4)
        The image.
    dtype : dtype
        Its data type before the conversion.

    Returns
    -------
    priors : mapping of str to float
        Frequency of each kind.
    gray : array of float64, shape (Y, X)
        Brightness; of an image of one dye, its brightest channel.
    """
    if values.ndim == 2:
        eight_bits = dtype.kind in "biu" and dtype.itemsize == 1
        return (_GRAY if eight_bits else {name: _GRAY[name] for name in ("fluorescence", "electron")}), values
    colors = values[..., :3]
    gray = colors.mean(axis=-1)
    low, high = np.nanquantile(colors, (0.005, 0.995))
    if not high > low or float(np.nanmean(np.ptp(colors, axis=-1))) < _COLORFUL * (high - low):
        return _GRAY, gray
    bright = np.sort(np.nanquantile(colors - np.nanmin(colors), 0.99, axis=(0, 1)))
    if bright[-2] < _ONE_DYE * bright[-1]:
        brightest = int(np.argmax(np.nanquantile(colors, 0.99, axis=(0, 1))))
        return {"fluorescence": 1.0}, colors[..., brightest]
    return _COLOR, gray


def _means(values: Array, side: int) -> Array:
    height, width = (size // side for size in values.shape)
    return np.asarray(values[: height * side, : width * side].reshape(height, side, width, side).mean(axis=(1, 3)))
