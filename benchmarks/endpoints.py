"""What alpha does between the two endpoints of a pair: PSNR, fine detail, brightness, and judges outside the loss.

    python benchmarks/endpoints.py MODEL --low natural/Set5/LR_bicubic/X4 --high natural/Set5/HR \
        [--judge weights/squeezenet1_1_caffe_bgr.pth] [--picture alpha.png]

- Fine detail: power of luminance above half the Nyquist frequency, as a share of the truth's: 1 is as sharp as the
  truth, a PSNR-trained network lies far below.
- Spectrum error: mean over rings of frequency, from a quarter of Nyquist up, of |log10(power / power of the truth)|.
- Features: mean absolute difference from the truth in deep layers of SqueezeNet (fire8 and fire9), which are none of
  those that the bundled recipes' losses look at.
- Brightness: mean of the result less the truth's, in gray levels of 255.

An electron micrograph has grain of its own, which no network can know and which would be most of every figure here:
with --denoise all of them compare with the truth without it (`training.denoising`); the low-resolution twins are made
from the truth as it is.

The picture shows a part of each of the first three images: bicubic interpolation, five alphas, the truth as it is.

Last comes on how many images the second endpoint is nearer to the truth than the first, by each judge.
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
from napari_sr.training.degradation import degrade
from napari_sr.training.denoising import without_noise
from napari_sr.training.perceptual import PerceptualLoss

Image = npt.NDArray[np.generic]
JUDGE_LAYERS = {"fire8": 1.0, "fire9": 1.0}
#: Side of the part that the picture shows.
_SHOWN = 192
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def spectrum(image: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Power of luminance, the border windowed away, and the frequency of each entry in cycles a pixel."""
    y = luma(image / 255.0) if image.ndim == 3 else image / 255.0
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    power = np.abs(np.fft.fft2((y - y.mean()) * window)) ** 2
    return power, np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None, :])


def fine_power(image: Image) -> float:
    """Power above half the Nyquist frequency."""
    power, radius = spectrum(image)
    return float(power[(radius > 0.25) & (radius <= 0.5)].sum())


def spectrum_error(image: Image, truth: Image) -> float:
    """How far the radial power spectra are apart, in decades, from a quarter of Nyquist up."""
    (power, radius), (wanted, _) = spectrum(image), spectrum(truth)
    rings = np.linspace(0.125, 0.5, 25)
    inside = [(radius > low) & (radius <= high) for low, high in pairwise(rings)]
    return float(np.mean([abs(np.log10(power[ring].mean() / wanted[ring].mean())) for ring in inside]))


def feature_judge(weights: Path) -> Callable[[Image, Image], float]:
    """The distance of two images in layers of SqueezeNet that the recipes' losses do not look at."""
    settings = recipe.PerceptualLoss(
        kind="perceptual", network="squeezenet", layers=JUDGE_LAYERS, weights=str(weights), distance="l1"
    )
    judge = PerceptualLoss(settings)

    def distance(image: Image, truth: Image) -> float:
        batches = [
            torch.from_numpy(np.atleast_3d(i / np.float32(255)).transpose(2, 0, 1)[None].copy()) for i in (image, truth)
        ]
        with torch.inference_mode():
            return float(judge(*batches))

    return distance


def pairs_of(arguments: argparse.Namespace, model: sr.Model) -> list[tuple[Image, Image]]:
    """Low and high resolution; without a folder of the first, twins are made as the model's training made them."""
    paths = image_files(arguments.high)
    if arguments.low is not None:
        lows = list(arguments.low.glob("*"))
        found = [next(low for low in lows if low.stem.startswith(path.stem)) for path in paths]
        return [(read_image(low).data, read_image(high).data) for low, high in zip(found, paths, strict=True)]
    how = recipe.Recipe.from_toml(model.card.recipe or "").degradation
    highs = [read_image(path).data for path in paths]
    return [(degrade(high, model.scale, how, seed=number), high) for number, high in enumerate(highs, start=1)]


def busiest(image: Image, side: int) -> tuple[int, int, int]:
    """Top, left and side of the square with most in it."""
    values = image.astype(float)
    spread = uniform_filter(values**2, side) - uniform_filter(values, side) ** 2
    half = side // 2
    inner = spread[half : spread.shape[0] - half + 1, half : spread.shape[1] - half + 1]
    top, left = np.unravel_index(np.argmax(inner), inner.shape)
    return int(min(top, image.shape[0] - side)), int(min(left, image.shape[1] - side)), side


def drawn(columns: dict[str, list[Image]]) -> Image:
    """A row for each image: a part from its middle by every method, in one gray scale."""
    rows = []
    for number in range(min(3, len(columns["truth"]))):
        images = {}
        for label, made in columns.items():
            image = made[number] if made[number].ndim == 2 else gray(made[number] / 255.0) * 255
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
    parser.add_argument("--low", type=Path, help="by default made by the degradation on the model's card")
    parser.add_argument("--high", type=Path, required=True)
    parser.add_argument("--judge", type=Path, help="SqueezeNet 1.1's weights")
    parser.add_argument("--denoise", type=float, help="strength, as data.denoise of a recipe")
    parser.add_argument("--picture", type=Path, help="a PNG of the first three images")
    arguments = parser.parse_args()
    model = sr.load_model(arguments.model)
    pairs = pairs_of(arguments, model)
    judges: dict[str, Callable[[Image, Image], float]] = {"spectrum error": spectrum_error}
    if arguments.judge is not None:
        judges["features"] = feature_judge(arguments.judge)
    print(f"{model.name}: means of {len(pairs)} images")
    print("| alpha | PSNR | fine detail, of the truth's | brightness | " + " | ".join(judges) + " |")
    print("|---" * (4 + len(judges)) + "|")
    found: dict[float, dict[str, list[float]]] = {}
    columns: dict[str, list[Image]] = {}
    truths = [high if arguments.denoise is None else without_noise(high, arguments.denoise) for _, high in pairs]
    for alpha in (None, *ALPHAS):
        mixed = None if alpha is None else model.with_alpha(alpha)
        rows: dict[str, list[float]] = {name: [] for name in ("psnr", "fine", "shift", *judges)}
        label = "bicubic" if alpha is None else f"alpha {alpha:g}"
        for (low, _), wanted in zip(pairs, truths, strict=True):
            result = bicubic(low, model.scale) if mixed is None else sr.upscale(low, mixed)
            truth = wanted[: result.shape[0], : result.shape[1]]
            columns.setdefault(label, []).append(result)
            rows["psnr"].append(evaluate(result, truth, scale=model.scale).psnr)
            rows["fine"].append(fine_power(result) / fine_power(truth))
            rows["shift"].append(float(result.mean() - truth.mean()))
            for name, judge in judges.items():
                rows[name].append(judge(result, truth))
        means = {name: np.mean(values) for name, values in rows.items()}
        line = f"| {'bicubic' if alpha is None else alpha} | {means['psnr']:.2f} | {means['fine']:.2f} "
        print(line + f"| {means['shift']:+.2f} | " + " | ".join(f"{means[j]:.3f}" for j in judges) + " |", flush=True)
        if alpha is not None:
            found[alpha] = rows
    columns["truth"] = [high for _, high in pairs]
    if arguments.picture is not None:
        write_image(arguments.picture, drawn(columns), "YXC")
    for name in judges:
        nearer = sum(b < a for a, b in zip(found[0.0][name], found[1.0][name], strict=True))
        print(f"{name}: alpha 1 is nearer to the truth than alpha 0 on {nearer} of {len(pairs)}")


if __name__ == "__main__":
    main()
