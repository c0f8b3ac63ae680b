"""How often `napari_sr.suggest` calls images outside the range of a model, under conditions inside and outside of it.

    python benchmarks/suggestions.py DATA [--set held-out|train] [--count 20] [--scale 2]

Images of the data sets of held_out.py, or of the training folders, are made smaller under each condition. The matched
condition and those with heavier or no noise lie in the range of the microscopy models' training; three times the blur
at x2, correlated noise, saturation, JPEG compression and an earlier enlargement do not. (At x4 three times the blur is
0.6 to 1.2 pixels of the small image, within the range of up to 1.6.) The share of images that are called
outside is printed, and the kinds and models that are suggested for the files themselves.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from comparison.conditions import correlated
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

import napari_sr as sr
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.files import read_image

Plane = npt.NDArray[Any]
SIDE, LEAST = 512, 128
FOLDERS = {
    "held-out": ("micro/BBBC007", "micro/BBBC022_IXMtest_A02_s9.tif", "micro/em_8nm_check.tif", "micro/em_pair"),
    "train": ("train/nuclei", "train/cellprofiler", "train/em_sections", "train/stained_tissue"),
}
INSIDE = ("matched", "heavy noise", "no noise")
OUTSIDE = ("3 times the blur", "correlated noise", "saturated", "JPEG", "enlarged 3 times")


def planes(paths: list[Path]) -> list[Plane]:
    """Return the gray planes of files, in values of 8 bits."""
    found = []
    for path in paths:
        image = read_image(path)
        data = np.asarray(image.data, np.float64)
        data = data[..., :3].mean(-1) if image.axes is not None and image.axes.endswith("YXC") else data
        for plane in data.reshape(-1, *data.shape[-2:])[:4]:
            low, high = np.quantile(plane, (0.0005, 0.9995))
            if min(plane.shape) >= LEAST and high > low:
                found.append((plane - low) / (high - low) * 235 + 10)
    return found


def conditions(truth: Plane, scale: int, rng: np.random.Generator) -> dict[str, Plane]:
    """Return the small images of a truth, 8 bits, by condition."""
    gain, read, blur = (float(rng.uniform(*ends)) for ends in ((0.1, 2), (0.2, 3), (0.8, 1.6)))

    def small(values: Plane, sigma: float, gain: float, read: float, correlation: float = 0.0) -> Plane:
        values = gaussian_filter(values, sigma) if sigma else values
        height, width = (side // scale for side in values.shape)
        low = values[: height * scale, : width * scale].reshape(height, scale, width, scale).mean((1, 3))
        noise = read * rng.standard_normal(low.shape)
        if gain:
            noise += gain * rng.poisson(np.maximum(low, 0) / gain) - np.maximum(low, 0)
        noise = correlated(noise, correlation) if correlation else noise
        return np.clip(np.rint(low + noise), 0, 255).astype(np.uint8)

    matched = small(truth, blur, gain, read)
    file = io.BytesIO()
    Image.fromarray(matched).save(file, "JPEG", quality=int(rng.integers(40, 91)))
    enlarged = zoom(matched.astype(np.float64), 3, order=int(rng.choice([1, 3])), grid_mode=True, mode="nearest")
    return {
        "matched": matched,
        "heavy noise": small(truth, 1.4, 6, 8),
        "no noise": small(truth, 0, 0, 0),
        "3 times the blur": small(truth, 3 * blur, gain, read),
        "correlated noise": small(truth, blur, gain, read, 0.7),
        "saturated": small(truth * rng.uniform(1.6, 2.5), blur, gain, read),
        "JPEG": np.asarray(Image.open(file)),
        "enlarged 3 times": np.clip(np.rint(enlarged), 0, 255).astype(np.uint8),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=tuple(FOLDERS), default="held-out")
    parser.add_argument("--count", type=int, default=20, help="images of each folder")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 4))
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    counts: dict[str, list[bool]] = {}
    models: Counter[str] = Counter()
    print("| folder | " + " | ".join((*INSIDE, *OUTSIDE)) + " | suggested |")
    print("|" + "---|" * (len(INSIDE) + len(OUTSIDE) + 2))
    for folder in FOLDERS[arguments.set]:
        found = planes(image_files(arguments.data / folder))
        here: dict[str, list[bool]] = {}
        for number in range(arguments.count):
            truth = found[number % len(found)]
            y, x = (int(rng.integers(0, max(0, side - SIDE) + 1)) for side in truth.shape)
            for name, low in conditions(truth[y : y + SIDE, x : x + SIDE], arguments.scale, rng).items():
                suggestion = sr.suggest(low, scale=arguments.scale)
                here.setdefault(name, []).append(suggestion.outside)
                models[f"{suggestion.kind}: {suggestion.model}"] += name == "matched"
        for name, values in here.items():
            counts.setdefault(name, []).extend(values)
        print(f"| {folder} | " + " | ".join(f"{np.mean(here[name]):.0%}" for name in (*INSIDE, *OUTSIDE)) + " | |")
    shares = " | ".join(f"{np.mean(counts[name]):.0%}" for name in (*INSIDE, *OUTSIDE))
    print(f"| all | {shares} | {', '.join(f'{name} ({count})' for name, count in models.items())} |")
    listed = [name for name in OUTSIDE if arguments.scale == 2 or name != "3 times the blur"]
    print(f"\nOutside of {', '.join(listed)}: {np.mean([value for name in listed for value in counts[name]]):.0%}")


if __name__ == "__main__":
    main()
