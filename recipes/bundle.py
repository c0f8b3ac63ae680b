"""Make the model file that travels with the package from a finished run of ``napari-sr train``.

    napari-sr train recipes/srcnn-x3.toml --data DATA
    python recipes/bundle.py recipes/srcnn-x3.toml --data DATA [--run runs/srcnn-x3]

The weights are stored in float16, and the card gets the figures that the file itself reaches on the benchmarks of DATA,
measured through the public calls.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import torch

import napari_sr as sr
from napari_sr.zoo.card import Figure
from napari_sr.zoo.modelfile import write_model

BUNDLED = Path(__file__).parents[1] / "src/napari_sr/zoo/bundled"


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
    parser.add_argument("--run", type=Path, help="folder of the run; by default runs/NAME")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where to write the model file")
    arguments = parser.parse_args()
    recipe = sr.Recipe.from_toml(arguments.recipe.read_text(), arguments.recipe.name)
    training = sr.Training(recipe, folder=arguments.run or Path("runs") / recipe.name, data=arguments.data)
    outcome = training.run()
    model, path = outcome.model, arguments.out / f"{recipe.name}.safetensors"
    arguments.out.mkdir(exist_ok=True)
    write_model(path, model.card, model.endpoints, dtype=torch.float16, overwrite=True)
    if model.card.domain == "natural":
        stored = sr.load_model(str(path))
        figures = tuple(figure for name in ("Set5", "Set14") for figure in measured(stored, arguments.data, name))
        card = model.card.model_copy(update={"figures": (*model.card.figures, *figures)})
        write_model(path, card, model.endpoints, dtype=torch.float16, overwrite=True)
    card = sr.load_model(str(path)).card
    print(
        path.name, f"{path.stat().st_size / 1e6:.2f} MB", *(f"{f.dataset} {f.metric} {f.value}" for f in card.figures)
    )


if __name__ == "__main__":
    main()
