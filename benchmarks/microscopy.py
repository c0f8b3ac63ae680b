"""Measure a model on microscopy images that are not used for training, with bicubic and classical restoration.

    python benchmarks/microscopy.py esrgan-fluorescence-x2 --high micro/BBBC007 [--recipe recipes/NAME.toml] [--alpha 1]

Each image of the folder is degraded as in the model's training, with a blur and noise of its own that are drawn from
the recipe's ranges by its position in the list, and restored
- by bicubic interpolation,
- by the best of a Gaussian filter, a Wiener filter and Richardson-Lucy, each followed by bicubic interpolation. The
  strength of the filter is chosen by the truth: once for all images, as a user adjusts a filter, and once for each
  image, which is not possible without the truth and favors the filters,
- by the model.
The peak of PSNR is the span from the truth's darkest to its brightest 0.1 %, so that dim and 16-bit images can be
compared. Objects are regions of the smoothed truth above Otsu's threshold. Their integrated intensity is the sum above
the median of the background and, in the last line, also the plain sum, since no background is dark in electron
microscopy. The slope is that of the result over the truth by least squares, over all pixels and over the integrated
intensities of the objects.

If noise hides a part of the truth, no estimate has a slope of 1 over the truth: that with the least squared error
leaves this part out, and its slope is 1 - (squared error) / (variance of the truth), here "of the best estimate". But
the slope of the truth over an estimate can be 1: where the estimate is 100, the mean of the truth is 100. This slope is
the calibration.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.restoration import richardson_lucy, wiener

import napari_sr as sr
from napari_sr.evaluation import bicubic, psnr
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import read_image
from napari_sr.training import Degradation, Recipe, degrade, load_recipe
from napari_sr.training.data.degradation import with_noise_times

Plane = npt.NDArray[np.float64]
SIGMAS = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7)
"""Widths of the Gaussian filter and of the other filters' point spread function, in low-resolution pixels."""
BALANCES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Regularization of the Wiener filter."""
ITERATIONS = (1, 2, 4, 8, 16)
"""Iterations of Richardson-Lucy."""


def planes(folder: Path, channel: int | None) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    """Yield the gray planes of the images of a folder, with their names."""
    for path in image_files(folder):
        image = read_image(path)
        axes = parse_axes(image.axes, image.data.shape)
        for number, index in enumerate(axes.plane_indices()):
            if channel is None or number == channel:
                yield f"{path.stem}{f' {number}' if axes.plane_count > 1 else ''}", axes.plane(image.data, index)


def point_spread(sigma: float) -> Plane:
    """Return a Gaussian point spread function with the sum 1."""
    radius = max(1, int(np.ceil(3 * sigma)))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(line, line)
    return np.asarray(kernel / kernel.sum(), np.float64)


def restored(low: Plane) -> Iterator[tuple[str, Plane]]:
    """Yield the results of all classical restorations of a low-resolution image, with their settings."""
    span = float(low.max() - low.min()) or 1.0
    unit = (low - low.min()) / span
    for sigma in SIGMAS:
        yield f"Gaussian {sigma}", ndimage.gaussian_filter(low, sigma)
        psf = point_spread(sigma)
        # Mirrored borders, since the filters assume periodic images or zeros outside.
        wide = np.pad(unit, len(psf), mode="reflect")
        inner = (slice(len(psf), -len(psf)),) * 2
        for balance in BALANCES:
            yield f"Wiener {sigma} {balance}", wiener(wide, psf, balance, clip=False)[inner] * span + low.min()
        for count in ITERATIONS:
            sharp = richardson_lucy(wide, psf, num_iter=count, clip=False)[inner]
            yield f"Richardson-Lucy {sigma} {count}", sharp * span + low.min()


def restorations(low: Plane, scale: int, truth: Plane, peak: float) -> dict[str, float]:
    """Return the PSNR of each classical restoration, followed by bicubic interpolation, by its settings."""
    return {
        name: psnr(bicubic(result, scale)[border(scale)], truth[border(scale)], data_range=peak)
        for name, result in restored(low)
    }


def border(scale: int) -> tuple[slice, slice]:
    """Return the index of an image without a border as wide as the factor."""
    return (slice(scale, -scale),) * 2


def objects(truth: Plane) -> tuple[npt.NDArray[np.int32], int, float]:
    """Label the objects of an image; return the labels, their number and the median of the background."""
    smooth = ndimage.gaussian_filter(truth, 2)
    bright = smooth > threshold_otsu(smooth)
    labels, count = ndimage.label(ndimage.binary_dilation(bright, iterations=3))
    sizes = ndimage.sum_labels(np.ones_like(truth), labels, range(1, count + 1))
    labels[np.isin(labels, 1 + np.flatnonzero(sizes < 200))] = 0
    large = np.unique(labels[labels > 0])
    background = float(np.median(truth[labels == 0]))
    return np.searchsorted(large, labels) * (labels > 0) + (labels > 0), len(large), background


def slope(result: Plane, truth: Plane) -> float:
    """Return the slope of the result over the truth, by least squares."""
    return float(np.cov(truth.ravel(), result.ravel())[0, 1] / np.var(truth, ddof=1))


def best_slope(result: Plane, truth: Plane) -> float:
    """Return the slope over the truth of the estimate with the least squared error, if this is its error."""
    return 1 - float(np.mean((result - truth) ** 2) / np.var(truth))


def compare(ours: list[float], classical: list[dict[str, float]]) -> None:
    """Compare the classical restorations with the model: with one setting for all images, and with one for each."""
    once = max(classical[0], key=lambda name: np.mean([values[name] for values in classical]))
    for settings, theirs in (
        (f"{once}, one setting for all images", [values[once] for values in classical]),
        ("with one setting for each image", [max(values.values()) for values in classical]),
    ):
        print(
            f"the best classical restoration, {settings}: {np.mean(theirs):.2f} dB in the mean, the model "
            f"{np.mean(ours):.2f}, better on {sum(a > b for a, b in zip(ours, theirs, strict=True))}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--high", type=Path, required=True, help="the truth: a file or a folder")
    parser.add_argument("--recipe", help="recipe of the degradation; by default that on the model's card")
    parser.add_argument("--channel", type=int, help="only this plane of each file, from 0")
    parser.add_argument("--alpha", type=float)
    parser.add_argument("--draws", type=int, default=1, help="number of random degradations of each image")
    parser.add_argument("--plain", action="store_true", help="leave the classical restorations out")
    arguments = parser.parse_args()
    model = sr.load_model(arguments.model)
    if arguments.alpha is not None:
        model = model.with_alpha(arguments.alpha)
    recipe = load_recipe(arguments.recipe) if arguments.recipe else Recipe.from_toml(model.card.recipe or "")
    images = list(planes(arguments.high, arguments.channel))
    report(model, recipe.degradation, images * arguments.draws, arguments.plain)


def report(
    model: sr.Model, degradation: Degradation, images: list[tuple[str, npt.NDArray[np.generic]]], plain: bool
) -> None:
    """Print a line for each image, and the integrated intensities of the objects."""
    scale = model.scale
    print(
        "| image | bicubic | best classical | model | gain over bicubic | slope (pixels) | of the best estimate "
        "| calibration | objects | integrated |"
    )
    print("|" + 10 * "---|")
    figures: list[float] = []
    gains, sums = [], []
    classical: list[dict[str, float]] = []
    for number, (name, whole) in enumerate(images):
        truth = whole[: whole.shape[0] // scale * scale, : whole.shape[1] // scale * scale]
        low_end, high_end = np.quantile(truth, (0.001, 0.999))
        peak = float(high_end - low_end)
        # The recipe's noise is that of 8-bit values; for 16 bits it is scaled to the span of the image.
        noise = with_noise_times(degradation, peak / 255 if truth.dtype.itemsize > 1 else 1.0)
        low = degrade(truth, scale, noise, seed=number + 1)
        exact, inner = truth.astype(float), border(scale)
        result = sr.upscale(low, model).astype(float)
        interpolated = psnr(bicubic(low.astype(float), scale)[inner], exact[inner], data_range=peak)
        classical.append({"": np.nan} if plain else restorations(low.astype(float), scale, exact, peak))
        best = max(classical[-1], key=classical[-1].__getitem__)
        ours = psnr(result[inner], exact[inner], data_range=peak)
        labels, count, dark = objects(exact)
        above = (result - dark, exact - dark, result, exact)
        pairs = np.array([ndimage.sum_labels(image, labels, range(1, count + 1)) for image in above])
        sums.append(pairs)
        gains.append(ours - interpolated)
        figures.append(ours)
        ratio = pairs[0].sum() / pairs[1].sum() if count else np.nan
        line = f"| {name} | {interpolated:.2f} | {classical[-1][best]:.2f} {best.partition(' ')[0]} | {ours:.2f} "
        slopes = f"{slope(result, exact):.3f} | {best_slope(result, exact):.3f} | {slope(exact, result):.3f}"
        print(line + f"| {gains[-1]:+.2f} | {slopes} | {count} | {100 * (ratio - 1):+.2f} % |", flush=True)
    every = np.concatenate(sums, axis=1)
    print(
        f"{model.name}: gain over bicubic {np.mean(gains):+.2f} dB in the mean, {min(gains):+.2f} at least, better on "
        f"{sum(g > 0 for g in gains)} of {len(gains)}"
    )
    if not plain:
        compare(figures, classical)
    if every.shape[1] > 1:
        ratios = every[0] / every[1]
        print(
            f"{len(ratios)} objects: integrated intensity {100 * (every[0].sum() / every[1].sum() - 1):+.2f} % in all, "
            f"median of the deviations {100 * np.median(np.abs(ratios - 1)):.2f} %, "
            f"slope over objects {slope(every[0], every[1]):.3f}; "
            f"plain sums {100 * (every[2].sum() / every[3].sum() - 1):+.2f} %"
        )


if __name__ == "__main__":
    main()
