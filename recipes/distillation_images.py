"""Make the low-resolution images that the teacher of `esrgan-compact-x4` enlarges.

    python recipes/distillation_images.py --data DATA
    napari-sr upscale DATA/distillation/low DATA/distillation/high --precision bfloat16 \\
        --model DATA/weights/krasserm_srresnet_x4.pth

A network that is trained on the results of a larger one (distillation) needs no high-resolution images, so that the
photographs are used at half of their size too, not only at a quarter. Images of overlapping shapes are added, with
edges of all directions and contrasts. `recipes/free_photographs.py` makes the folder train/photos_debian, and
`recipes/srresnet_krasserm.py` the larger network.

References
----------
G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531, 2015. Images of
overlapping shapes ("dead leaves"): M. Baradad et al., "Learning to see by looking at noise", NeurIPS 2021.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from skimage import draw

from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.resize import resize

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
#: Folders of photographs, and the sizes at which each image is used, as fractions of its own.
PHOTOGRAPHS = {"train/photos_debian": (0.125, 0.25, 0.5), "train/photos_cc0": (0.25, 0.5)}
#: Folder whose colors and textures the shapes have, and the sizes at which the images of shapes are used.
COLORS, SHAPE_SIZES = "train/photos_cc0", (0.25, 0.5)
#: Number of images of shapes, their side in pixels, and the side at which they are drawn.
COUNT, SIDE, DRAWN = 48, 512, 1024
#: Shortest side of an image that is used, in pixels.
SHORTEST = 65


def main() -> None:
    """Read the command line and write the images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data of the recipes")
    data = parser.parse_args().data
    folder = data / "distillation/low"
    folder.mkdir(parents=True, exist_ok=True)
    for source, sizes in PHOTOGRAPHS.items():
        for path in image_files(data / source):
            write_sizes(folder, path.stem, iio.imread(path)[..., :3], sizes)
    photographs = [iio.imread(path)[..., :3] for path in image_files(data / COLORS)]
    for number, image in enumerate(images_of_shapes(photographs)):
        write_sizes(folder, f"shapes_{number:02d}", image, SHAPE_SIZES)
    print(f"{folder} was written.")


def write_sizes(folder: Path, name: str, image: Image, sizes: Sequence[float]) -> None:
    """Write an image at several sizes, as fractions of its own."""
    for size in sizes:
        shape = (round(image.shape[0] * size), round(image.shape[1] * size))
        if min(shape) >= SHORTEST:
            iio.imwrite(folder / f"{name}_{size:g}.png", smaller(image, shape))


def smaller(image: Image | Floats, shape: tuple[int, int]) -> Image:
    """Return an RGB image, shape (Y, X, 3), made smaller by MATLAB's bicubic interpolation, in 8 bit."""
    reduced = resize(image.astype(np.float32), shape, axes=(0, 1))
    rounded: Image = np.clip(np.rint(reduced), 0, 255).astype(np.uint8)
    return rounded


def images_of_shapes(photographs: Sequence[Image]) -> Iterator[Image]:
    """Yield images of overlapping shapes in the colors of photographs, by turns of few large and of many small ones."""
    random = np.random.default_rng(1)
    for number in range(COUNT):
        canvas = np.zeros((DRAWN, DRAWN, 3)) + drawn_color(random, photographs)
        (shortest, longest), count = ((4, 400), 1200) if number % 2 else ((3, 150), 2500)
        # The density of radii falls with their square, as in views of a world of things of one size.
        inverse = 1 / longest + (1 / shortest - 1 / longest) * random.random(count)
        radii = 2 / inverse
        # In every third image small shapes lie on large ones; in the others they lie in any order.
        for radius in np.sort(radii)[::-1] if number % 3 == 0 else radii:
            draw_shape(canvas, float(radius), random, photographs)
        yield smaller(canvas, (SIDE, SIDE))


def draw_shape(canvas: Floats, radius: float, random: np.random.Generator, photographs: Sequence[Image]) -> None:
    """Draw a shape at a random place: in one color or shaded, striped, or with the texture of a photograph."""
    y, x = random.random(2) * DRAWN
    rows, columns = drawn_pixels(y, x, radius, random)
    if not len(rows):
        return
    values = drawn_color(random, photographs)[None] * np.ones((len(rows), 1))
    if random.random() < 0.35:
        across = random.normal(size=2)
        across /= np.hypot(*across)
        slope = random.uniform(0, 60)
        values = values + (((rows - y) * across[0] + (columns - x) * across[1]) / radius * slope)[:, None]
    if random.random() < 0.25:
        across = random.normal(size=2)
        across /= np.hypot(*across)
        period = random.uniform(6, 40)
        wave = np.sin(2 * np.pi * (rows * across[0] + columns * across[1]) / period)
        wave = np.sign(wave) if random.random() < 0.5 else wave
        contrast = drawn_color(random, photographs) - drawn_color(random, photographs)
        values = values + 0.4 * wave[:, None] * contrast[None]
    if random.random() < 0.3:
        photograph = photographs[int(random.integers(len(photographs)))]
        height, width = photograph.shape[:2]
        top, left = random.integers(0, height), random.integers(0, width)
        values = photograph[(rows + top) % height, (columns + left) % width].astype(float)
    canvas[rows, columns] = np.clip(values, 0, 255)


def drawn_pixels(
    y: float, x: float, radius: float, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pixels of a disk, an ellipse, a polygon or a bar."""
    shape = (DRAWN, DRAWN)
    kind = random.integers(4)
    if kind == 0:
        rows, columns = draw.disk((y, x), radius, shape=shape)
    elif kind == 1:
        ratio, rotation = random.uniform(0.15, 1), random.uniform(-np.pi, np.pi)
        rows, columns = draw.ellipse(y, x, radius, radius * ratio, shape=shape, rotation=rotation)
    elif kind == 2:
        angles = np.sort(random.random(random.integers(3, 8))) * 2 * np.pi
        lengths = radius * random.uniform(0.5, 1.3, len(angles))
        rows, columns = draw.polygon(y + lengths * np.sin(angles), x + lengths * np.cos(angles), shape)
    else:
        angle = random.random() * np.pi
        half_width = max(2, radius * random.uniform(0.03, 0.15))
        along = 2 * radius * np.array([np.sin(angle), np.cos(angle)])
        aside = half_width * np.array([np.cos(angle), -np.sin(angle)])
        corners = np.array([-along - aside, -along + aside, along + aside, along - aside])
        rows, columns = draw.polygon(y + corners[:, 0], x + corners[:, 1], shape)
    return rows, columns


def drawn_color(random: np.random.Generator, photographs: Sequence[Image]) -> Floats:
    """Return the color of a random pixel of the photographs, or in three of ten cases any color."""
    photograph = photographs[int(random.integers(len(photographs)))]
    row, column = random.integers(photograph.shape[0]), random.integers(photograph.shape[1])
    color = photograph[row, column].astype(float)
    return random.integers(0, 256, 3).astype(float) if random.random() < 0.3 else color


if __name__ == "__main__":
    main()
