"""Measure the gain of a fine-tuning on images that are not used for training, with a confidence interval.

    python benchmarks/finetuning.py --model srcnn-x3 --train em_8nm.tif --check em_8nm_check.tif [--clean]

A model is fine-tuned on one image with a fixed degradation. Both models are then measured on another image with the
same degradation: PSNR of each block, the mean gain, and its 95 % interval by a bootstrap over the blocks. The blocks
are the same for both models.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import napari_sr as sr
from napari_sr.imaging.files import read_image
from napari_sr.imaging.resize import resize
from napari_sr.training import Degradation, degrade, load_recipe
from napari_sr.training.data.degradation import describe_degradation
from napari_sr.training.events import Validated
from napari_sr.training.recipe import GaussianBlur, Noise

MICROSCOPE = Degradation(blur=GaussianBlur(sigma=1.0), shrink="binning", noise=Noise(gain=0.5, read=2.0))
#: Side of a block in high-resolution pixels.
BLOCK = 192


def psnr_of_blocks(result: np.ndarray, truth: np.ndarray, border: int) -> np.ndarray:
    """Return the PSNR of each block of an 8-bit image, without the border of the image."""
    error = (result.astype(float) - truth.astype(float))[border:-border, border:-border] ** 2
    rows, columns = (n // BLOCK for n in error.shape)
    blocks = error[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    return (10 * np.log10(255**2 / blocks)).ravel()


def interval(gains: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of the means of blocks that are drawn with replacement."""
    generator = np.random.default_rng(0)
    means = gains[generator.integers(len(gains), size=(10_000, len(gains)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--check", type=Path, required=True)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--clean", action="store_true", help="bicubic only, instead of blur, binning and noise")
    parser.add_argument("--run", type=Path, help="folder of the run; a run that is in it continues")
    parser.add_argument("--length", type=float, default=1.0)
    arguments = parser.parse_args()
    degradation = Degradation() if arguments.clean else MICROSCOPE
    recipe = load_recipe(arguments.recipe).at_length(arguments.length).model_copy(update={"degradation": degradation})
    base = sr.load_model(arguments.model)
    truth = read_image(arguments.check).data
    height, width = (n // base.scale * base.scale for n in truth.shape)
    truth = truth[:height, :width]
    low = degrade(truth, base.scale, degradation)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tuned = sr.finetune(
            base,
            [arguments.train],
            recipe,
            folder=arguments.run or Path(folder) / "run",
            save=False,
            on_event=lambda event: (
                isinstance(event, Validated) and print(f"  step {event.step}: {event.sentence()}", flush=True)
            ),
        )
    seconds = time.perf_counter() - start
    blocks = {
        "bicubic": psnr_of_blocks(resize(low, factor=base.scale), truth, base.scale),
        "before": psnr_of_blocks(sr.upscale(low, base), truth, base.scale),
        "after": psnr_of_blocks(sr.upscale(low, tuned), truth, base.scale),
    }
    gains = blocks["after"] - blocks["before"]
    lowest, highest = interval(gains)
    print(f"{base.name}, {recipe.name} ({recipe.steps} steps, {seconds:.0f} s): {describe_degradation(degradation)}")
    print("  " + ", ".join(f"{name} {values.mean():.2f} dB" for name, values in blocks.items()))
    print(
        f"  gain {gains.mean():+.3f} dB, 95 % interval {lowest:+.3f} to {highest:+.3f} over {len(gains)} blocks of "
        f"{BLOCK} x {BLOCK}; better on {(gains > 0).sum()}"
    )


if __name__ == "__main__":
    main()
