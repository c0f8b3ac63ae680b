"""The table of the SRCNN paper: PSNR and time of SRCNN, sparse coding and bicubic interpolation on photographs.

    python benchmarks/first_table.py DATA [--scales 2 3 4] [--threads 1]

DATA holds natural/Set5 and natural/Set14 (high-resolution images, and low-resolution ones by MATLAB's bicubic). PSNR is
of the luminance, without a border of the factor, as a mean over the images. The time is that of `napari_sr.upscale` for
one image of Set5: the shortest of three runs in turn for each image, and the mean over the images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from numpy.typing import NDArray

import napari_sr as sr

#: Models of each factor, behind bicubic interpolation.
MODELS = {
    2: ("sparse-coding-x2", "srcnn-x2"),
    3: ("sparse-coding-x3", "srcnn-x3-915", "srcnn-x3"),
    4: ("sparse-coding-x4", "srcnn-x4"),
}
RUNS = 3


def pairs(folder: Path, scale: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Low- and high-resolution images of a benchmark."""
    paths = sorted((folder / "HR").glob("*.png"))
    if not paths:
        raise SystemExit(f"There are no images in {folder / 'HR'}: give the folder that holds natural/Set5 and Set14.")
    return [(iio.imread(folder / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png"), iio.imread(path)) for path in paths]


def quality(model: sr.Model, images: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> float:
    """Mean PSNR, in decibels."""
    scale = model.scale
    found = [sr.evaluate(sr.upscale(low, model, tiling="none"), high, scale=scale).psnr for low, high in images]
    return float(np.mean(found))


def seconds(models: list[sr.Model], images: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> list[float]:
    """Mean time of an image for each model, all models in turn."""
    times = np.full((RUNS, len(models), len(images)), np.inf)
    for run in range(RUNS):
        for n, model in enumerate(models):
            for m, (low, _) in enumerate(images):
                started = time.perf_counter()
                sr.upscale(low, model, tiling="none")
                times[run, n, m] = time.perf_counter() - started
    return [float(value) for value in times.min(0).mean(1)]


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds natural/Set5 and natural/Set14")
    parser.add_argument("--scales", type=int, nargs="+", choices=MODELS, default=[2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| factor | method | Set5 | Set14 | seconds for an image of Set5 | times bicubic |")
    print("|---|---|---|---|---|---|")
    for scale in arguments.scales:
        models = [sr.load_model("bicubic", scale=scale), *map(sr.load_model, MODELS[scale])]
        set5, set14 = (pairs(arguments.data / "natural" / name, scale) for name in ("Set5", "Set14"))
        times = seconds(models, set5)
        for model, needed in zip(models, times, strict=True):
            figures = " | ".join(f"{quality(model, images):.2f}" for images in (set5, set14))
            print(f"| {scale} | {model.name} | {figures} | {needed:.3f} | {needed / times[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
