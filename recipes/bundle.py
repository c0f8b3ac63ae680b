"""Make the model file that travels with the package from a finished run of ``recipes/train.py``.

    python recipes/bundle.py recipes/srcnn-x3.toml --data DATA [--out runs]

The card gets the figures that the file itself reaches on the benchmarks of DATA, measured through the public calls.
"""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import torch

import napari_sr as sr
from napari_sr.zoo.card import Architecture, Card, Figure, TrainingData
from napari_sr.zoo.modelfile import write_model

BUNDLED = Path(__file__).parents[1] / "src/napari_sr/zoo/bundled"

#: What the folders of DATA hold, and under which terms.
SETS = {
    "train/T91": ("T91", "research only", "J. Yang et al., IEEE TIP 19(11), 2010"),
    "train/BSDS200": ("BSDS200 (training part of BSDS300)", "research only", "D. Martin et al., ICCV 2001"),
}


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's images, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".png", ".jpg", ".tif"}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def card_of(recipe: dict[str, Any], text: str, data: Path) -> Card:
    """Write all that is known before the figures are measured."""
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe["network"]["settings"].items()}
    colour = recipe["data"]["colour"]
    training = []
    for folder in recipe["data"]["folders"]:
        name, licence, source = SETS[folder]
        training.append(TrainingData(name=name, licence=licence, sha256=folder_hash(data / folder), source=source))
    return Card(
        name=recipe["name"],
        family=recipe["family"],
        architecture=Architecture(network=recipe["network"]["name"], settings=settings),
        scale=settings["scale"],
        channels=3 if colour == "rgb" else 1,
        colour=colour,
        domain="natural",
        degradation="MATLAB bicubic, antialiased",
        training_data=tuple(training),
        recipe=text,
        licence="BSD-3-Clause; trained on images that are for research only",
        notes="Trained on photographs. For microscopy it is a sharper interpolation, not a measurement.",
    )


def measured(model: Any, data: Path, benchmark: str) -> tuple[Figure, Figure]:
    """PSNR and SSIM on one benchmark, as `napari_sr.evaluate` gives them."""
    figures = []
    folder, scale = data / "natural" / benchmark, model.scale
    for path in sorted((folder / "HR").glob("*.png")):
        low = iio.imread(folder / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png")
        figures.append(sr.evaluate(sr.upscale(low, model, tiling="none"), iio.imread(path), scale=scale))
    means = {"PSNR": np.mean([f.psnr for f in figures]), "SSIM": np.mean([f.ssim for f in figures])}
    protocol = f"luminance, border {scale} cropped, low-resolution images by MATLAB bicubic, mean of {len(figures)}"
    psnr, ssim = (
        Figure(dataset=benchmark, metric=m, value=round(float(v), 4), protocol=protocol) for m, v in means.items()
    )
    return psnr, ssim


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/ and natural/")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    text = arguments.recipe.read_text()
    recipe = tomllib.loads(text)
    state = torch.load(arguments.out / recipe["name"] / "last.pt", weights_only=True)["ema"]
    card = card_of(recipe, text, arguments.data)
    BUNDLED.mkdir(exist_ok=True)
    path = BUNDLED / f"{card.name}.safetensors"
    write_model(path, card, {"weights": state}, dtype=torch.float16, overwrite=True)
    model = sr.load_model(str(path))
    figures = tuple(figure for name in ("Set5", "Set14") for figure in measured(model, arguments.data, name))
    card = card.model_copy(update={"figures": figures})
    write_model(path, card, {"weights": state}, dtype=torch.float16, overwrite=True)
    print(path.name, f"{path.stat().st_size / 1e6:.2f} MB", *(f"{f.dataset} {f.metric} {f.value}" for f in figures))


if __name__ == "__main__":
    main()
