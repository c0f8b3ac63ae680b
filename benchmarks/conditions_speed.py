"""Compare the time of models with inputs for noise and blur with that of the models that they replace.

    python benchmarks/conditions_speed.py esrgan-microscopy-x2 OLD.safetensors [MODEL BASE ...] [--side 512] [--runs 5]

Models are names or files, in pairs of the same factor. The times are those of `napari_sr.upscale` on an image of 16
bits with noise, with everything that belongs to a job: percentiles, the measurement of the noise, and the network. All
cases run alternately in one process, so that a change of the machine's speed affects all of them. Printed are the
median and range in seconds for each megapixel of the input, and the median of the ratios of the runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from inference import in_turn, processor

import napari_sr as sr


def noisy_image(side: int) -> npt.NDArray[np.uint16]:
    """Return an image of 16 bits: smooth structures with the noise of a camera."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / 16
    signal = 100 + 900 * (1 + np.sin(rows) * np.cos(columns))
    return np.rint(rng.poisson(signal) + 5 * rng.standard_normal(signal.shape)).clip(0).astype(np.uint16)


def cases_of(model: sr.Model) -> dict[str, dict[str, Any]]:
    """Return the settings of the cases of a model by name."""
    if model.card.conditioning is None:
        return {model.name: {}}
    return {
        f"{model.name}, noise measured": {},
        f"{model.name}, noise given": {"noise": (5.0, 1.0)},
        f"{model.name}, noise measured, blur 1": {"blur": 1.0},
    }


def compare(first: str, second: str, side: int, runs: int) -> None:
    """Print the times of a model and of the one that it replaces."""
    model, base = sr.load_model(first), sr.load_model(second)
    image = noisy_image(side)
    settings = {name: (model, given) for name, given in cases_of(model).items()} | {base.name: (base, {})}
    times = in_turn(
        {
            name: lambda used=used, given=given: sr.upscale(image, used, "YX", **given)
            for name, (used, given) in settings.items()
        },
        runs,
    )
    megapixels = side**2 / 1e6
    print(f"\n{model.name} and {base.name}, x{model.scale}, {side} x {side} pixels, {runs} runs in turn")
    for name, seconds in times.items():
        ratio = median(a / b for a, b in zip(seconds, times[base.name], strict=True))
        low, middle, high = (value / megapixels for value in (min(seconds), median(seconds), max(seconds)))
        print(f"  {name:48s} {middle:8.2f} s per megapixel ({low:.2f} to {high:.2f})   ratio {ratio:.2f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the table of each pair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="a model and the one that it replaces, as often as wanted")
    parser.add_argument("--side", type=int, default=512, help="pixels of the image's sides")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads of torch")
    chosen = parser.parse_args(arguments)
    if len(chosen.models) % 2:
        parser.error("Give models in pairs: a model, and the one that it replaces.")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    print(processor())
    for first, second in zip(chosen.models[::2], chosen.models[1::2], strict=True):
        compare(first, second, chosen.side, chosen.runs)


if __name__ == "__main__":
    main()
