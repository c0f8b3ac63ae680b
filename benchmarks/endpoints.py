"""Measure the results of a pair for several alphas: PSNR, fine detail, brightness, spectrum and deep features.

    python benchmarks/endpoints.py MODEL --low natural/Set5/LR_bicubic/X4 --high natural/Set5/HR \
        [--features-from weights/squeezenet1_1_caffe_bgr.pth] [--picture alpha.png]

- Fine detail: power of luminance above half the Nyquist frequency, as a fraction of the truth's. 1 is as sharp as the
  truth; a network trained for PSNR is far below.
- Spectrum error: mean over rings of frequency, from a quarter of Nyquist up, of |log10(power / power of the truth)|.
- Features: mean absolute difference from the truth in deep layers of SqueezeNet (fire8 and fire9), which are not among
  those of the bundled recipes' losses.
- Brightness: mean of the result less that of the truth, in gray levels of 255.

An electron micrograph contains noise, which no network can predict and which would dominate all figures. With
--denoise, results are compared with the denoised truth (`napari_sr.training.data.denoising`). The low-resolution images
are still computed from the truth as it is.

The picture shows a part of each of the first three images: bicubic interpolation, five alphas, and the truth as it is.

The last lines state for how many images the second endpoint is nearer to the truth than the first, by spectrum and by
features.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import uniform_filter

import napari_sr as sr
from napari_sr.evaluation import Panel, bicubic, evaluate, side_by_side
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.color import gray, luma
from napari_sr.imaging.files import read_image, write_image
from napari_sr.training import recipe
from napari_sr.training.data.degradation import degrade
from napari_sr.training.data.denoising import without_noise
from napari_sr.training.losses.perceptual import FeatureDistance

Image = npt.NDArray[np.generic]
#: Layers of SqueezeNet whose features are compared, with their weights.
FEATURE_LAYERS = {"fire8": 1.0, "fire9": 1.0}
#: Side of the part that the picture shows, in pixels.
_SHOWN = 192
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def spectrum(image: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the power of luminance, with a window against the border, and the frequencies in cycles per pixel."""
    y = luma(image / 255.0) if image.ndim == 3 else image / 255.0
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    power = np.abs(np.fft.fft2((y - y.mean()) * window)) ** 2
    return power, np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None, :])


def fine_power(image: Image) -> float:
    """Return the power above half the Nyquist frequency."""
    power, radius = spectrum(image)
    return float(power[(radius > 0.25) & (radius <= 0.5)].sum())


def spectrum_error(image: Image, truth: Image) -> float:
    """Return the mean distance of the radial power spectra in decades, from a quarter of Nyquist up."""
    (power, radius), (expected, _) = spectrum(image), spectrum(truth)
    rings = np.linspace(0.125, 0.5, 25)
    inside = [(radius > low) & (radius <= high) for low, high in pairwise(rings)]
    return float(np.mean([abs(np.log10(power[ring].mean() / expected[ring].mean())) for ring in inside]))


def feature_distance(weights: Path) -> Callable[[Image, Image], float]:
    """Return a function for the distance of two images in layers of SqueezeNet that are not in the recipes' losses."""
    settings = recipe.PerceptualLoss(
        kind="perceptual", network="squeezenet", layers=FEATURE_LAYERS, weights=str(weights), distance="l1"
    )
    network = FeatureDistance(settings)

    def distance(image: Image, truth: Image) -> float:
        batches = [
            torch.from_numpy(np.atleast_3d(i / np.float32(255)).transpose(2, 0, 1)[None].copy()) for i in (image, truth)
        ]
        with torch.inference_mode():
            return float(network(*batches))

    return distance


def pairs_of(arguments: argparse.Namespace, model: sr.Model) -> list[tuple[Image, Image]]:
    """Read low- and high-resolution images; without a folder of the former, compute them by the model's degradation."""
    paths = image_files(arguments.high)
    if arguments.low is not None:
        files = list(arguments.low.glob("*"))
        lows = [next(file for file in files if file.stem.startswith(path.stem)) for path in paths]
        return [(read_image(low).data, read_image(high).data) for low, high in zip(lows, paths, strict=True)]
    degradation = recipe.Recipe.from_toml(model.card.recipe or "").degradation
    highs = [read_image(path).data for path in paths]
    return [(degrade(high, model.scale, degradation, seed=number), high) for number, high in enumerate(highs, start=1)]


def busiest(image: Image, side: int) -> tuple[int, int, int]:
    """Return top, left and side of the square with the largest variance."""
    values = image.astype(float)
    spread = uniform_filter(values**2, side) - uniform_filter(values, side) ** 2
    half = side // 2
    inner = spread[half : spread.shape[0] - half + 1, half : spread.shape[1] - half + 1]
    top, left = np.unravel_index(np.argmax(inner), inner.shape)
    return int(min(top, image.shape[0] - side)), int(min(left, image.shape[1] - side)), side


def drawn(columns: dict[str, list[Image]]) -> Image:
    """Draw a row for each image: a part from its middle by every method, in one gray scale."""
    rows = []
    for number in range(min(3, len(columns["truth"]))):
        images = {}
        for label, results in columns.items():
            result = results[number]
            image = result if result.ndim == 2 else gray(result / 255.0) * 255
            top, left = (max(0, (n - _SHOWN) // 2) for n in image.shape)
            images[label] = image[top : top + _SHOWN, left : left + _SHOWN]
        contrast = tuple(np.quantile(images["truth"], (0.01, 0.998)))
        side = min(64, *images["truth"].shape)
        panels = [Panel(label, image) for label, image in images.items()]
        rows.append(side_by_side(panels, contrast=contrast, inset=busiest(images["truth"], side), zoom=_SHOWN // side))
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, 8), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--low", type=Path, help="by default computed by the degradation on the model's card")
    parser.add_argument("--high", type=Path, required=True)
    parser.add_argument("--features-from", type=Path, help="file of the weights of SqueezeNet 1.1")
    parser.add_argument("--denoise", type=float, help="strength, as data.denoise of a recipe")
    parser.add_argument("--picture", type=Path, help="a PNG of the first three images")
    arguments = parser.parse_args()
    model = sr.load_model(arguments.model)
    pairs = pairs_of(arguments, model)
    distances: dict[str, Callable[[Image, Image], float]] = {"spectrum error": spectrum_error}
    if arguments.features_from is not None:
        distances["features"] = feature_distance(arguments.features_from)
    print(f"{model.name}: means of {len(pairs)} images")
    print("| alpha | PSNR | fine detail, of the truth's | brightness | " + " | ".join(distances) + " |")
    print("|---" * (4 + len(distances)) + "|")
    by_alpha: dict[float, dict[str, list[float]]] = {}
    columns: dict[str, list[Image]] = {}
    truths = [high if arguments.denoise is None else without_noise(high, arguments.denoise) for _, high in pairs]
    for alpha in (None, *ALPHAS):
        mixed = None if alpha is None else model.with_alpha(alpha)
        rows: dict[str, list[float]] = {name: [] for name in ("psnr", "fine", "shift", *distances)}
        label = "bicubic" if alpha is None else f"alpha {alpha:g}"
        for (low, _), high in zip(pairs, truths, strict=True):
            result = bicubic(low, model.scale) if mixed is None else sr.upscale(low, mixed)
            truth = high[: result.shape[0], : result.shape[1]]
            columns.setdefault(label, []).append(result)
            rows["psnr"].append(evaluate(result, truth, scale=model.scale).psnr)
            rows["fine"].append(fine_power(result) / fine_power(truth))
            rows["shift"].append(float(result.mean() - truth.mean()))
            for name, distance in distances.items():
                rows[name].append(distance(result, truth))
        means = {name: np.mean(values) for name, values in rows.items()}
        line = f"| {'bicubic' if alpha is None else alpha} | {means['psnr']:.2f} | {means['fine']:.2f} "
        print(
            line + f"| {means['shift']:+.2f} | " + " | ".join(f"{means[j]:.3f}" for j in distances) + " |", flush=True
        )
        if alpha is not None:
            by_alpha[alpha] = rows
    columns["truth"] = [high for _, high in pairs]
    if arguments.picture is not None:
        write_image(arguments.picture, drawn(columns), "YXC")
    for name in distances:
        nearer = sum(b < a for a, b in zip(by_alpha[0.0][name], by_alpha[1.0][name], strict=True))
        print(f"{name}: alpha 1 is nearer to the truth than alpha 0 on {nearer} of {len(pairs)}")


if __name__ == "__main__":
    main()
