"""Make the sample images that travel with the package, by src/napari_sr/samples/sources.toml.

python recipes/make_samples.py --data DATA
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import tifffile

from napari_sr.imaging.files import write_image
from napari_sr.imaging.resize import resize
from napari_sr.samples import sources

SAMPLES = Path(__file__).parents[1] / "src" / "napari_sr" / "samples"


def main() -> None:
    """Read the command line and write all samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds micro/")
    data = parser.parse_args().data
    for name, about in sources().items():
        make(name, about, data)


def make(name: str, about: dict[str, Any], data: Path) -> None:
    """Cut the high-resolution image out of its source, downsample it, and write both."""
    path = data / about["file"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"]:
        sys.exit(f"{path} is not the file that sources.toml names: its SHA-256 differs.")
    image = tifffile.imread(path)
    if "channel" in about:
        image = image[about["channel"]]
    high = image[slice(*about["rows"]), slice(*about["columns"])]
    low = resize(high, factor=1 / about["factor"])
    for kind, pixels, larger in (("high", high, 1), ("low", low, about["factor"])):
        size = dict.fromkeys("YX", about["pixel_size"] * larger) if "pixel_size" in about else None
        write_image(SAMPLES / f"{name}-{kind}.tif", pixels, "YX", size, about.get("unit"))
        print(f"{name}-{kind}.tif: {pixels.shape[0]} x {pixels.shape[1]}, {pixels.dtype}")


if __name__ == "__main__":
    main()
