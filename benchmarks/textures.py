"""Upscale textures that fill an image, which can be taken for noise that neighboring pixels share.

    python benchmarks/textures.py [--scale 2] [--sizes 128 256] [--periods 3 4 5 6 8]

Six textures are drawn with finer pixels, of which the truths are means: cells side by side, a foam, a labyrinth,
granules and fibers in black and white, and a grid of round spots as of atoms. Their periods are in pixels of the
low-resolution image. They are lit evenly or from the center, and made smaller under the conditions of `held_out.py`.
Printed is the gain of the model with the default settings over bicubic interpolation in decibels (mean, worst, and the
number of images above 0), of the same with `noise=0` where there is no noise, and the number of images in which noise
that neighboring pixels share was found.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from comparison.conditions import CONDITIONS, Case, degraded
from comparison.methods import upscaled
from comparison.scores import Gains, bicubic_score, score
from comparison.truths import Truth
from held_out import header
from scipy.spatial import KDTree

import napari_sr as sr
from napari_sr.imaging.noise import measure_noise
from napari_sr.inference.facts.channel_facts import is_correlated

Plane = npt.NDArray[np.float64]

#: Pixels along an axis that a pixel of a truth is the mean of.
FINER = 3
#: Gray levels of a texture, between which all of its values lie.
DARK, BRIGHT = 40.0, 190.0
SEED = 20261129


def edges(points: Plane, side: int, width: float) -> Plane:
    """Draw the edges between the areas that are nearest to each point."""
    distances, _ = KDTree(points).query(pixels(side), k=2)
    return (distances[:, 1] - distances[:, 0] < width).reshape(side, side).astype(np.float64)


def pixels(side: int) -> Plane:
    """Return the coordinates of all pixels, shape (pixels, 2)."""
    return np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2).astype(np.float64)


def uneven_grid(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Return the points of a square grid, each moved by about a quarter of the period."""
    places = np.arange(-period, side + 2 * period, period)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    return grid + rng.normal(0, period / 4, grid.shape)


def cells(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw walls of cells of similar size."""
    return edges(uneven_grid(side, period, rng), side, 0.3 * period)


def foam(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw walls of cells of any size."""
    number = int(1.3 * (side / period + 2) ** 2)
    return edges(rng.uniform(-period, side + period, (number, 2)), side, 0.3 * period)


def labyrinth(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw where noise of one period is positive."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    ring = np.exp(-(((frequency * period - 1) * 3) ** 2))
    return (np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * ring, (side, side)) > 0).astype(np.float64)


def granules(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw discs."""
    distances, _ = KDTree(uneven_grid(side, period, rng)).query(pixels(side))
    return (distances < period / 3).reshape(side, side).astype(np.float64)


def fibers(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw straight lines of any direction and different brightness."""
    drawn = np.zeros(side * side)
    coordinates = pixels(side)
    for _ in range(int(2 * side / period)):
        angle, start = rng.uniform(0, np.pi), rng.uniform(0, side, 2)
        distance = np.abs((coordinates - start) @ (np.cos(angle), -np.sin(angle)))
        drawn = np.maximum(drawn, rng.uniform(0.5, 1) * (distance < 0.2 * period))
    return drawn.reshape(side, side)


def spots(side: int, period: float, rng: np.random.Generator) -> Plane:
    """Draw spots on a regular grid, turned by any angle, with odd rows moved by half a period."""
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows, columns = (pixels(side) / period @ turn).T
    phase = np.sin(np.pi * rows) ** 2 + np.sin(np.pi * (columns + 0.5 * np.round(rows))) ** 2
    return np.exp(-4 * phase).reshape(side, side)


TEXTURES: dict[str, Callable[[int, float, np.random.Generator], Plane]] = {
    one.__name__: one for one in (cells, foam, labyrinth, granules, fibers, spots)
}


def truths(scale: int, sizes: list[int], periods: list[float]) -> Iterator[Truth]:
    """Yield every texture of every size and period, lit evenly and from the center."""
    for number, (size, period, (name, draw)) in enumerate(itertools.product(sizes, periods, TEXTURES.items())):
        side = size * FINER
        drawn = draw(side, period * scale * FINER, np.random.default_rng([SEED, number]))
        texture = drawn.reshape(size, FINER, size, FINER).mean((1, 3))
        place = np.mgrid[:size, :size] / size - 0.5
        for light, falloff in (("even", 0.0), ("uneven", 4.0)):
            lit = texture * np.exp(-falloff * np.square(place).sum(axis=0))
            yield Truth(f"{name}, {period:g}, {light}", DARK + (BRIGHT - DARK) * lit, np.dtype(np.uint8))


def takes_for_noise(case: Case) -> bool:
    """Return whether noise that neighboring pixels share is found in an image."""
    return is_correlated(measure_noise([case.low]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, default=2, help="factor")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], help="pixels of the truths along an axis")
    parser.add_argument("--periods", type=float, nargs="+", default=[3, 4, 5, 6, 8], help="in low-resolution pixels")
    parser.add_argument("--model", help="name or file; by default esrgan-microscopy of the factor")
    parser.add_argument("--conditions", nargs="+", choices=[c.name for c in CONDITIONS], help="by default all")
    parser.add_argument("--list", action="store_true", help="print the gain on each image, too")
    parser.add_argument("--threads", type=int, help="threads of torch")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    model = sr.load_model(arguments.model or f"esrgan-microscopy-x{arguments.scale}")
    images = list(truths(arguments.scale, arguments.sizes, arguments.periods))
    print(*header(["default settings", "noise said to be none", "taken for correlated noise"]), sep="\n")
    for condition in CONDITIONS:
        if arguments.conditions and condition.name not in arguments.conditions:
            continue
        cases = [degraded(truth, condition, arguments.scale, number) for number, truth in enumerate(images)]
        base = [bicubic_score(case) for case in cases]
        rows = [
            Gains(tuple(score(case, upscaled(case, model, given)) - low for case, low in zip(cases, base, strict=True)))
            for given in ({}, {"noise": 0})
            if not given or condition.clean
        ]
        taken = sum(takes_for_noise(case) for case in cases)
        second = str(rows[1]) if condition.clean else ""
        print(f"| {condition.name} | {rows[0]} | {second} | {taken} of {len(cases)} |", flush=True)
        if arguments.list:
            for case, gain in zip(cases, rows[0].values, strict=True):
                print(f"{case.truth.name}, {case.truth.values.shape[0]}: {gain:+.2f}")


if __name__ == "__main__":
    main()
