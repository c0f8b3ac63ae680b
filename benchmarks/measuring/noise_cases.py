"""Images with known noise, and the errors of the measured noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import norm  # noqa: TID251 (no part of the package)

from measuring.scenes import LARGER, Plane, Scene
from napari_sr.imaging.resize import resize

#: Data types and scales of the images, with their frequencies.
FORMS = {"uint8": 0.4, "whole floats": 0.15, "floats": 0.2, "uint16": 0.15, "floats to 1": 0.1}
LEAST_SIDE = 48
#: Variance of the rounding to whole numbers.
ROUNDING = 1 / 12


@dataclass(frozen=True)
class Case:
    """An image, and for each of its pixels the standard deviation of the noise, the local contrast of the image without
    noise, and whether the measured noise is compared with the true one."""

    kind: str
    image: npt.NDArray[Any]
    deviation: Plane
    contrast: Plane
    compared: npt.NDArray[np.bool_]
    span: float


@dataclass(frozen=True)
class Errors:
    """Errors in one image; None where there is nothing to compare.

    `error` is the mean ratio of measured and true standard deviation, less 1; `excess` is the median of the measured
    one over the larger of the true one and a tenth of the contrast, where there is contrast.
    """

    error: float | None
    excess: float | None


def cases(by_kind: Mapping[str, Sequence[Scene]], count: int, *, noisy: bool, seed: int) -> list[Case]:
    """Return images of all kinds in turn."""
    # Larger scenes are clean only in comparison with noise that is added.
    kinds = [kind for kind in by_kind if noisy or not kind.endswith(LARGER)]
    rng = np.random.default_rng([seed, noisy])
    found: list[Case] = []
    while len(found) < count:
        kind = kinds[len(found) % len(kinds)]
        case = _case(by_kind[kind][rng.integers(len(by_kind[kind]))], rng, noisy)
        if min(case.image.shape) >= LEAST_SIDE and case.span > 0:
            found.append(case)
    return found


def errors(case: Case, measured: Plane) -> Errors:
    """Compare the measured standard deviation of each pixel with the true one."""
    error = excess = None
    if case.compared.mean() > 0.1:
        ratio = np.maximum(measured[case.compared], 1e-9 * case.span) / case.deviation[case.compared]
        error = float(np.exp(np.mean(np.log(ratio)))) - 1
    structured = case.contrast > 0.02 * case.span
    if structured.sum() > 50:
        bound = np.maximum(case.deviation[structured], 0.1 * case.contrast[structured])
        excess = float(np.median(measured[structured] / bound))
    return Errors(error, excess)


def local_mean(image: npt.NDArray[Any]) -> Plane:
    """Return the mean of 5 x 5 pixels, at which networks take the noise."""
    return np.asarray(uniform_filter(image.astype(np.float64), 5, mode="nearest"))


def _case(scene: Scene, rng: np.random.Generator, noisy: bool) -> Case:
    low, factor = _low_resolution(scene.values, rng)
    own = scene.own**2 * factor
    if rng.random() < 0.12:
        low = low.max() - low
    gain, read = _camera(scene, rng) if noisy else (0.0, 0.0)
    if gain and rng.random() < 0.5:
        image = gain * rng.poisson(low / gain) + read * rng.standard_normal(low.shape)
    else:
        image = low + np.sqrt(gain * low + read**2) * rng.standard_normal(low.shape)
    deviation = np.sqrt(gain * low + read**2 + own)
    form = str(rng.choice(list(FORMS), p=list(FORMS.values())))
    compared = np.ones(low.shape, bool)
    scale, pedestal = 1.0, 0.0
    if form == "uint8":
        compared = (low > 2 * deviation) & (low < 255 - 2 * deviation)
        deviation = np.hypot(_clipped_deviation(low, deviation, 0, 255), np.sqrt(ROUNDING))
        stored: npt.NDArray[Any] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    elif form == "whole floats":
        stored, deviation = np.rint(image).astype(np.float32), np.hypot(deviation, np.sqrt(ROUNDING))
    elif form == "uint16":
        scale, pedestal = float(np.exp(rng.uniform(0, np.log(100)))), float(rng.choice([100, 500, 2000, 32768]))
        stored = np.clip(np.rint(image * scale + pedestal), 0, 65535).astype(np.uint16)
        deviation = np.hypot(scale * deviation, np.sqrt(ROUNDING))
    else:
        scale = 1 / 255 if form == "floats to 1" else 1.0
        stored, deviation = (image * scale).astype(np.float32), deviation * scale
    clean = low * scale + pedestal
    contrast = np.sqrt(np.maximum(gaussian_filter(clean**2, 4) - gaussian_filter(clean, 4) ** 2, 0))
    span = float(np.subtract(*np.quantile(clean, (0.999, 0.001))))
    compared &= (deviation > 0.1 * contrast) & (deviation > 3 * scale * np.sqrt(own))
    return Case(scene.kind, stored, deviation, contrast, compared, span)


def _camera(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """Draw gain and read noise."""
    gain = 0.0 if rng.random() < 0.25 else float(np.exp(rng.uniform(np.log(0.02), np.log(8))))
    read = 0.0 if rng.random() < 0.2 else float(np.exp(rng.uniform(np.log(0.1), np.log(12))))
    if scene.kind.endswith(LARGER) and gain * 100 + read**2 < 9:
        read += 3
    return gain, read


def _low_resolution(image: Plane, rng: np.random.Generator) -> tuple[Plane, float]:
    """Cut a part, blur it and perhaps halve it; return the factor on the variance of the scene's own noise, too."""
    side = int(np.exp(rng.uniform(np.log(112), np.log(520))))
    halved = rng.random() < 0.5 and min(image.shape) >= 224
    blur = rng.uniform(0.3, 1.6) if rng.random() < 0.63 else 0.0
    size = 2 * side if halved else side
    top, left = (rng.integers(max(1, length - size + 1)) for length in image.shape)
    part = image[top : top + size, left : left + size]
    part = gaussian_filter(part, blur, mode="reflect") if blur else part
    if halved:
        height, width = (length // 2 for length in part.shape)
        part = part[: 2 * height, : 2 * width]
        binned = part.reshape(height, 2, width, 2).mean(axis=(1, 3))
        part = binned if rng.random() < 0.6 else resize(part.astype(np.float32), (height, width))
    own = (0.25 if halved else 1.0) / (1 + 4 * np.pi * blur**2)
    return np.maximum(np.asarray(part, np.float64), 0), own


def _clipped_deviation(mean: Plane, deviation: Plane, low: float, high: float) -> Plane:
    """Standard deviation of normally distributed values after clipping."""
    deviation = np.maximum(deviation, 1e-9)
    a, b = (low - mean) / deviation, (high - mean) / deviation
    below, above = norm.cdf(a), norm.sf(b)
    inside, at_a, at_b = 1 - below - above, norm.pdf(a), norm.pdf(b)
    first = low * below + high * above + mean * inside + deviation * (at_a - at_b)
    second = low**2 * below + high**2 * above + (mean**2 + deviation**2) * inside
    second += 2 * mean * deviation * (at_a - at_b) + deviation**2 * (np.nan_to_num(a * at_a) - np.nan_to_num(b * at_b))
    return np.asarray(np.sqrt(np.maximum(second - first**2, 0)))
