"""Make the low-resolution images that the teacher of `esrgan-compact-x4` enlarges.

    python recipes/distillation_images.py --data DATA
    napari-sr upscale DATA/distillation/low DATA/distillation/high --precision bfloat16 \\
        --model DATA/weights/krasserm_srresnet_x4.pth

A network that is trained on the results of a larger one (distillation) needs no high-resolution images, so that the
photographs are used at half of their size too, not only at a quarter. `recipes/srresnet_krasserm.py` makes the teacher.

References
----------
G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531, 2015.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.resize import resize

FOLDERS = ("train/T91", "train/BSDS200")
#: Sizes at which each image is used, as fractions of its own.
SIZES = (0.25, 0.5)
#: Shortest side of an image that is used, in pixels.
SHORTEST = 24


def main() -> None:
    """Read the command line and write the images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data of the recipes")
    data = parser.parse_args().data
    folder = data / "distillation/low"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (path for source in FOLDERS for path in image_files(data / source)):
        image = iio.imread(path)[..., :3]
        for size in SIZES:
            shape = tuple(round(length * size) for length in image.shape[:2])
            if min(shape) >= SHORTEST:
                reduced = resize(image.astype(np.float32), shape, axes=(0, 1))
                low = np.clip(np.rint(reduced), 0, 255).astype(np.uint8)
                iio.imwrite(folder / f"{path.stem}_{size:g}.png", low)
    print(f"{folder} was written.")


if __name__ == "__main__":
    main()
