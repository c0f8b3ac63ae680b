"""Make training images of a free license from packages of Debian.

    python recipes/free_photographs.py --data DATA

writes DATA/train/photos_debian: 44 photographs of desktop backgrounds and of a puzzle game, made smaller to half of
their width and at most 960 pixels, and 90 images of 512 pixels' side in which cut-out photographs of a painting program
(animals, plants, tools, vehicles) lie on parts of the former. The licenses are CC0, CC-BY, CC-BY-SA and GPL, as the
packages state them. 330 MB are downloaded, and their complete hashes are checked.
"""

from __future__ import annotations

import argparse
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import imageio.v3 as iio
import numpy as np
from downloads import download
from numpy.typing import NDArray

from napari_sr.imaging.resize import resize

Floats = NDArray[np.float32]
POOL = "http://deb.debian.org/debian/pool/main/"
#: Address in the pool, SHA-256, and the photographs of each package, as a regular expression of their paths.
PHOTOGRAPHS = (
    (
        "l/lomiri-wallpapers/lomiri-wallpapers-16.04_20.04.0-2_all.deb",
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
        r"/backgrounds/.*_by_.*\.jpg",
    ),
    (
        "l/lomiri-wallpapers/lomiri-wallpapers-20.04_20.04.0-2_all.deb",
        "d44e89b8473aafe64a5b678f014862dc31335aaaf18665c544d985d854f1a709",
        r"/backgrounds/Kleiber_.*\.jpg",
    ),
    (
        "m/mate-backgrounds/mate-backgrounds_1.26.0-1_all.deb",
        "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
        r"/mate/nature/.*\.jpg",
    ),
    (
        "p/palapeli/palapeli-data_22.12.3-1_all.deb",
        "69a15dce2ac25ed8708ac518cd0cee5f4eb0c70ed15da2fdb8899a19ac0ee058",
        r"/palapeli/collection/.*\.jpg",
    ),
    (
        "p/plasma-workspace-wallpapers/plasma-workspace-wallpapers_5.27.5-2_all.deb",
        "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
        r"/(Autumn|BytheWater|ColdRipple|ColorfulCups|EveningGlow|FallenLeaf|Kite|OneStandsOut|Path|summer_1am"
        r"|Grey)"  # codespell:ignore
        r"/contents/images/2560x1600\..*",
    ),
)
CUT_OUT = (
    "t/tuxpaint-stamps/tuxpaint-stamps-default_2022.06.04-1_all.deb",
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    r"(?!.*(cartoon|symbols|chick-hatched)).*/stamps/.*\.png",
)
#: Width of the photographs, and of those on which cut-out photographs are laid, in pixels.
WIDTH, GROUND_WIDTH = 960, 1280
#: Smallest file, in bytes, and shortest side, in pixels, of a cut-out photograph that is used.
SMALLEST_FILE, SHORTEST = 15_000, 60
#: Number of images with cut-out photographs, how many each has, and the sides at which it is made and written.
COUNT, EACH, MADE, SIDE = 90, 7, 768, 512


def main() -> None:
    """Read the command line and write the images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data of the recipes")
    folder = parser.parse_args().data / "train/photos_debian"
    folder.mkdir(parents=True, exist_ok=True)
    grounds = []
    for address, sha256, pattern in PHOTOGRAPHS:
        for path, content in members(download(POOL + address, sha256), pattern):
            photograph = iio.imread(content, mode="RGB").astype(np.float32)
            name = path.parents[2].name if path.stem == "2560x1600" else path.stem
            iio.imwrite(folder / f"{name}.png", rounded(of_width(photograph, WIDTH)))
            grounds.append(rounded(of_width(photograph, GROUND_WIDTH)).astype(np.float32))
    cut_out = []
    for _, content in members(download(POOL + CUT_OUT[0], CUT_OUT[1]), CUT_OUT[2]):
        image = iio.imread(content, mode="RGBA").astype(np.float32)
        if len(content) >= SMALLEST_FILE and min(image.shape[:2]) >= SHORTEST:
            cut_out.append(image)
    random = np.random.default_rng(3)
    order = iter(np.resize(random.permutation(len(cut_out)), COUNT * EACH))
    for number in range(COUNT):
        canvas = drawn_ground(grounds, random)
        for _ in range(EACH):
            lay(cut_out[next(order)], canvas, random)
        image = resize(rounded(canvas).astype(np.float32), (SIDE, SIDE), axes=(0, 1))
        iio.imwrite(folder / f"stamps_{number:02d}.png", rounded(image))
    print(f"{folder} was written.")


def members(package: bytes, pattern: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield path and content of the files of a Debian package whose paths match, in the order of their paths."""
    # A package is an ar archive: a line, then members with headers of 60 bytes, each at an even position.
    position = len("!<arch>\n")
    while not package[position:].startswith(b"data.tar"):
        size = int(package[position + 48 : position + 58])
        position += 60 + size + size % 2
    start, size = position + 60, int(package[position + 48 : position + 58])
    with tarfile.open(fileobj=io.BytesIO(package[start : start + size])) as archive:
        found = {m.name: m for m in archive.getmembers() if m.isfile() and re.fullmatch(f".*{pattern}", m.name)}
        for name in sorted(found):
            opened = archive.extractfile(found[name])
            assert opened is not None
            yield PurePosixPath(name), opened.read()


def rounded(image: Floats) -> NDArray[np.uint8]:
    """Return an image with values of 8 bit."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def of_width(image: Floats, width: int) -> Floats:
    """Return an image made smaller to a width, or to half of its own if that is less: photographs are soft."""
    height, own = image.shape[:2]
    width = min(width, own // 2)
    return resize(image, (round(height * width / own), width), axes=(0, 1))


def drawn_ground(photographs: list[Floats], random: np.random.Generator) -> Floats:
    """Return a random square part of a photograph, of half to the whole of its shorter side."""
    photograph = photographs[random.integers(len(photographs))]
    height, width = photograph.shape[:2]
    part = random.uniform(0.5, 1)
    side = int(min(height, width) * part)
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    enlarged = resize(photograph[top : top + side, left : left + side], (MADE, MADE), axes=(0, 1))
    ground: Floats = np.clip(enlarged, 0, 255)
    return ground


def lay(image: Floats, canvas: Floats, random: np.random.Generator) -> None:
    """Lay an RGBA image on a canvas at a random place, mirrored in half of the cases, made smaller if it is large."""
    size = min(1.0, random.uniform(200, 480) / max(image.shape[:2]))
    height, width = (max(8, round(length * size)) for length in image.shape[:2])
    opacity = image[..., 3:] / 255
    weighted = np.concatenate([image[..., :3] * opacity, image[..., 3:]], axis=2)
    weighted = np.clip(resize(weighted, (height, width), axes=(0, 1)), 0, 255)
    if random.random() < 0.5:
        weighted = weighted[:, ::-1]
    top = random.integers(-height // 3, MADE - height * 2 // 3)
    left = random.integers(-width // 3, MADE - width * 2 // 3)
    rows = slice(max(0, top), min(MADE, top + height))
    columns = slice(max(0, left), min(MADE, left + width))
    seen = weighted[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    canvas[rows, columns] = canvas[rows, columns] * (1 - seen[..., 3:] / 255) + seen[..., :3]


if __name__ == "__main__":
    main()
