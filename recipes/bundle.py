"""Make a model file that travels with the package, from a finished run of ``napari-sr train``.

    napari-sr train recipes/srcnn-x3.toml --data DATA
    python recipes/bundle.py recipes/srcnn-x3.toml --data DATA [--run runs/srcnn-x3]

The weights are stored in float16. The file itself is then measured through the public calls on the benchmarks in DATA,
and the figures are added to the card, with the deviation of half precision from float32 on the package's samples. Of a
pair, both endpoints are measured. Models that take noise and blur as inputs keep the figures of their training's
validation; benchmarks/held_out.py measures them on other images. A recipe ``NAME-sharp`` gives the pair ``NAME``, which
takes the place of the file with its first endpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from torch import nn

import napari_sr as sr
from napari_sr.evaluation import bicubic, psnr
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.files import read_image
from napari_sr.inference.compute.precision import measure_precision
from napari_sr.networks.conditioning import NoiseLevels, WithNoise, folded
from napari_sr.training import Degradation, degrade
from napari_sr.zoo.card import Card, Figure
from napari_sr.zoo.modelfile import write_model

BUNDLED = Path(__file__).parents[1] / "src/napari_sr/zoo/bundled"
#: Images that are not used for training, by the domain of the card.
CHECKS = {"fluorescence": "micro/BBBC007", "electron": "micro/em_8nm_check.tif"}
#: Smallest number of degraded images that are measured.
LEAST_IMAGES = 8
#: Fraction of correlated noise that a model is given, where it removes more structure than noise with all of it: all of
#: it costs up to 0.41 dB on electron micrographs, and this fraction costs 0.3 dB on stained tissue (held_out.py, x4).
#: With the RRDB network at x2 all of it costs up to 0.21 dB.
CORRELATED = {"srcnn-microscopy-x4": 0.75, "esrgan-microscopy-x2": 0.97}
#: Variance of the noise with which half precision is measured: 1 % of the range from black to white, squared.
NOISE = 1e-4


def natural(model: sr.Model, data: Path) -> Iterator[Figure]:
    """Yield PSNR and SSIM on the benchmarks of photographs, from `napari_sr.evaluate`."""
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
    """Yield PSNR of the model and of bicubic interpolation on other 8-bit images, degraded as in training."""
    scale, dataset = model.scale, CHECKS[model.card.domain or ""]
    ours: list[float] = []
    interpolated: list[float] = []
    paths = image_files(data / dataset)
    # Few images are degraded several times, so that the figure does not depend on one random draw.
    for number, path in enumerate(paths * -(-LEAST_IMAGES // len(paths)), start=1):
        truth = read_image(path).data
        truth = truth[: truth.shape[0] // scale * scale, : truth.shape[1] // scale * scale]
        low = degrade(truth, scale, degradation, seed=number)
        for values, result in ((ours, sr.upscale(low, model)), (interpolated, bicubic(low, scale))):
            values.append(psnr(result, truth, data_range=255, border=scale))
    protocol = f"degraded as in training, seeds from 1, peak 255, border {scale} cropped, mean of {len(ours)}"
    for metric, values in (("PSNR", ours), ("PSNR of bicubic", interpolated)):
        yield Figure(dataset=dataset, metric=metric, value=round(float(np.mean(values)), 4), protocol=protocol)


def applied(model: sr.Model) -> nn.Module:
    """Return the network of a model as it is applied to images: of its inputs, only the image is left."""
    if model.card.conditioning is None:
        return model.network
    network = folded(model.network, 0.0)
    return network if model.card.conditioning.noise is None else WithNoise(network, NoiseLevels((NOISE,)))


def bundle(model: sr.Model, path: Path, data: Path) -> Card:
    """Write a model in float16, with the figures of the file itself for each endpoint."""
    write_model(path, model.card, model.endpoints, dtype=torch.float16, overwrite=True)
    stored = sr.load_model(str(path))
    ends = [(stored, "")]
    if stored.card.endpoints:
        _, second = stored.card.endpoints
        ends = [(stored.with_alpha(0.0), ""), (stored.with_alpha(1.0), f", alpha 1 ({second})")]
    figures = [*model.card.figures]
    losses: dict[str, list[float]] = {}
    for end, suffix in ends:
        measured: Iterator[Figure]
        if end.card.conditioning is not None:
            measured = iter(())
        elif end.card.domain == "natural":
            measured = natural(end, data)
        else:
            recipe = sr.Recipe.from_toml(model.card.recipe or "", "the recipe on the card")
            measured = microscopy(end, data, recipe.degradation)
        figures += [figure.model_copy(update={"dataset": figure.dataset + suffix}) for figure in measured]
        for name, value in measure_precision(applied(end), end.card).items():
            losses.setdefault(name, []).append(value)
    # The card has the larger deviation of the two endpoints.
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
    run = arguments.run or Path("runs") / recipe.name
    # Otherwise the training itself would begin here, or go on.
    if not (run / "model.txt").exists():
        parser.error(f"{run} holds no finished training: run napari-sr train {arguments.recipe} --data DATA first")
    training = sr.Training(recipe, folder=run, data=arguments.data)
    arguments.out.mkdir(exist_ok=True)
    # The recipe of a second endpoint starts with the weights of the first, and its model is the pair of both.
    name = recipe.name.removesuffix("-sharp")
    path = arguments.out / f"{name}.safetensors"
    model = training.run().model
    card = model.card.model_copy(update={"name": name})
    if card.conditioning is not None and name in CORRELATED:
        conditioning = card.conditioning.model_copy(update={"correlated": CORRELATED[name]})
        card = card.model_copy(update={"conditioning": conditioning})
    model = sr.Model(card, model.endpoints)
    card = bundle(model, path, arguments.data)
    reached = (f"{figure.dataset} {figure.metric} {figure.value}" for figure in card.figures)
    print(f"{path.name}, {path.stat().st_size / 1e6:.2f} MB", *reached, sep="\n  ")


if __name__ == "__main__":
    main()
