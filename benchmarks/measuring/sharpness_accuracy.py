"""Tables of the measured widths of blur, and of images that are recognized as enlarged, compressed or filtered."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from measuring.scenes import Plane, Scene
from napari_sr.imaging.analysis.sharpness import measure_sharpness
from napari_sr.imaging.noise import measure_noise

#: Standard deviations of the blur in pixels after halving.
BLURS = (0.0, 0.4, 0.8, 1.2, 2.4)
#: Images of each kind; largest side of a part in pixels.
PER_KIND, LARGEST = 10, 512


def accuracy(by_kind: Mapping[str, Sequence[Scene]], seed: int) -> Iterator[str]:
    """Yield the lines of both tables."""
    rng = np.random.default_rng(seed)
    widths: dict[tuple[str, float], list[float]] = {}
    marks: dict[str, list[tuple[bool, bool, bool]]] = {}
    for kind, scenes in by_kind.items():
        for _ in range(PER_KIND):
            part = _part(scenes[rng.integers(len(scenes))].values, rng)
            for blur in BLURS:
                low = _halved(gaussian_filter(part, 2 * blur) if blur else part)
                for name, values in (("clean", low), ("noisy", _noisy(low, rng))):
                    found = measure_sharpness([_eight_bits(values)]).width
                    widths.setdefault((f"{kind}, {name}", blur), []).append(found)
            low = _halved(gaussian_filter(part, rng.uniform(0, 1.6)))
            image = _eight_bits(_noisy(low, rng) if rng.random() < 0.7 else low)
            for name, values in _processed(image, rng.uniform(2, 4)).items():
                marks.setdefault(name, []).append(_marks(values))
    yield "\nMeasured width: median (10 to 90 %), by the width that was applied, in pixels\n"
    yield "| | " + " | ".join(f"{blur:g}" for blur in BLURS) + " |"
    yield "|" + "---|" * (len(BLURS) + 1)
    for row in dict.fromkeys(name for name, _ in widths):
        cells = (np.quantile(widths[row, blur], (0.5, 0.1, 0.9)) for blur in BLURS)
        yield f"| {row} | " + " | ".join(f"{a:.2f} ({b:.2f} to {c:.2f})" for a, b, c in cells) + " |"
    yield "\nFraction of images that are called\n"
    yield "| | enlarged | JPEG | of correlated noise |"
    yield "|---|---|---|---|"
    for name, rows in marks.items():
        yield f"| {name} | " + " | ".join(f"{fraction:.2f}" for fraction in np.mean(rows, axis=0)) + " |"


def _processed(image: npt.NDArray[np.uint8], factor: float) -> dict[str, npt.NDArray[Any]]:
    small = image[:256, :256].astype(np.float64)
    return {
        "as taken": image,
        "enlarged 2 to 4 times, cubic": _eight_bits(zoom(small, factor, order=3, mode="mirror", grid_mode=True)),
        "enlarged 3 times, linear": _eight_bits(zoom(small, 3, order=1, grid_mode=True)),
        **{f"JPEG of quality {quality}": _jpeg(image, quality) for quality in (60, 80, 90, 95)},
        "filtered by a Gaussian of 0.7 pixels": _eight_bits(gaussian_filter(image.astype(np.float64), 0.7)),
    }


def _marks(values: npt.NDArray[Any]) -> tuple[bool, bool, bool]:
    noise = measure_noise([values], stack=False)
    sharpness = measure_sharpness([values], noise=noise)
    return sharpness.upsampled > 1, sharpness.jpeg, noise.correlation.verdict == "correlated"


def _part(image: Plane, rng: np.random.Generator) -> Plane:
    top, left = (rng.integers(max(1, side - LARGEST + 1)) for side in image.shape)
    return image[top : top + LARGEST, left : left + LARGEST]


def _eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _noisy(values: Plane, rng: np.random.Generator) -> Plane:
    gain, read = np.exp(rng.uniform(np.log((0.1, 0.2)), np.log((2, 3))))
    return np.asarray(values + np.sqrt(gain * np.maximum(values, 0) + read**2) * rng.standard_normal(values.shape))


def _halved(values: Plane) -> Plane:
    height, width = (side // 2 for side in values.shape)
    return np.asarray(values[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)))


def _jpeg(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
