"""Make the model file that travels with the package from a finished run of ``napari-sr train``.

    napari-sr train recipes/srcnn-x3.toml --data DATA
    python recipes/bundle.py recipes/srcnn-x3.toml --data DATA [--run runs/srcnn-x3]

The weights are stored in float16, and the card gets the figures that the file itself reaches on the benchmarks of DATA,
measured through the public calls, and how far half precision is from float32 on the package's samples. Of a pair, each
endpoint is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

import napari_sr as sr
from napari_sr.evaluation import bicubic, psnr
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.files import read_image
from napari_sr.inference.precision import measure_precision
from napari_sr.training import Degradation, degrade
from napari_sr.zoo.card import Card, Figure
from napari_sr.zoo.modelfile import write_model

BUNDLED = Path(__file__).parents[1] / "src/napari_sr/zoo/bundled"
#: Images that nothing is learned from, by the domain of the card.
CHECKS = {"fluorescence": "micro/BBBC007", "electron": "micro/em_8nm_check.tif"}
LEAST_DRAWS = 8


def natural(model: sr.Model, data: Path) -> Iterator[Figure]:
    """PSNR and SSIM on the benchmarks of photographs, as `napari_sr.evaluate` gives them."""
    scale = model.scale
    for benchmark in ("Set5", "Set14"):
        folder, figures = data / "natural" / benchmark, []
        for path in sorted((folder / "HR").glob("*.png")):
            low = iio.imread(folder / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png")
            figures.append(sr.evaluate(sr.upscale(low, model, tiling="none"), iio.imread(path), scale=scale))
        protocol = f"luminance, border {scale} cropped, low-resolution images by MATLAB bicubic, mean of {len(figures)}"
        for metric, values in (("PSNR", [f.psnr for f in figures]), ("SSIM", [f.ssim for f in figures])):
            yield Figure(dataset=benchmark, metric=metric, value=round(float(np.mean(values)), 4), protocol=protocol)


def microscopy(model: sr.Model, data: Path, degradation: Degradation) -> Iterator[Figure]:
    """PSNR of the model and of bicubic interpolation on 8-bit images of other experiments, degraded as in training."""
    scale, place = model.scale, CHECKS[model.card.domain or ""]
    ours: list[float] = []
    plain: list[float] = []
    paths = image_files(data / place)
    # A single image is degraded in several ways, or one draw would decide.
    for number, path in enumerate(paths * -(-LEAST_DRAWS // len(paths)), start=1):
        truth = read_image(path).data
        truth = truth[: truth.shape[0] // scale * scale, : truth.shape[1] // scale * scale]
        low = degrade(truth, scale, degradation, seed=number)
        for found, result in ((ours, sr.upscale(low, model)), (plain, bicubic(low, scale))):
            found.append(psnr(result, truth, data_range=255, border=scale))
    protocol = f"degraded as in training, seeds from 1, peak 255, border {scale} cropped, mean of {len(ours)}"
    for metric, values in (("PSNR", ours), ("PSNR of bicubic", plain)):
        yield Figure(dataset=place, metric=metric, value=round(float(np.mean(values)), 4), protocol=protocol)


def bundle(model: sr.Model, path: Path, data: Path) -> Card:
    """Write a model in float16 with the figures that the file itself reaches; each endpoint has its own."""
    write_model(path, model.card, model.endpoints, dtype=torch.float16, overwrite=True)
    stored = sr.load_model(str(path))
    recipe = sr.Recipe.from_toml(model.card.recipe or "", "the recipe on the card")
    ends = [(stored, "")]
    if stored.card.endpoints:
        _, second = stored.card.endpoints
        ends = [(stored.with_alpha(0.0), ""), (stored.with_alpha(1.0), f", alpha 1 ({second})")]
    figures = [*model.card.figures]
    losses: dict[str, list[float]] = {}
    for end, words in ends:
        if end.card.domain == "natural":
            found = natural(end, data)
        else:
            found = microscopy(end, data, recipe.degradation)
        figures += [figure.model_copy(update={"dataset": figure.dataset + words}) for figure in found]
        for name, value in measure_precision(end.network, end.card).items():
            losses.setdefault(name, []).append(value)
    # Half precision is allowed by the endpoint that bears it worse.
    update = {"figures": tuple(figures), "precision": {name: min(values) for name, values in losses.items()}}
    card = model.card.model_copy(update=update)
    write_model(path, card, model.endpoints, dtype=torch.float16, overwrite=True)
    return sr.load_model(str(path)).card


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/ and natural/")
    parser.add_argument("--run", type=Path, help="folder of the run; by default runs/NAME")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where to write the model file")
    arguments = parser.parse_args()
    recipe = sr.Recipe.from_toml(arguments.recipe.read_text(), arguments.recipe.name)
    training = sr.Training(recipe, folder=arguments.run or Path("runs") / recipe.name, data=arguments.data)
    arguments.out.mkdir(exist_ok=True)
    path = arguments.out / f"{recipe.name}.safetensors"
    card = bundle(training.run().model, path, arguments.data)
    reached = (f"{figure.dataset} {figure.metric} {figure.value}" for figure in card.figures)
    print(f"{path.name}, {path.stat().st_size / 1e6:.2f} MB", *reached, sep="\n  ")


if __name__ == "__main__":
    main()
