"""Measure time and memory of writing a lazy array as a tiled OME-TIFF with its coarser levels.

    python benchmarks/big_tiff.py [--side 48000] [--folder FOLDER]

A square uint16 image of the given side, whose values are computed where they are read, is written to a temporary file
in the folder, which needs room for five thirds of the image. Printed are the size of the file, the seconds, and the
largest resident memory of the process beyond that before the writing (Linux only). Some parts of the finest levels are
read again and compared.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.imaging.files import read_image, write_image
from napari_sr.imaging.pyramid import halved


class Computed:
    """An image whose values depend on row and column."""

    def __init__(self, side: int) -> None:
        self.shape, self.dtype, self.ndim = (side, side), np.dtype(np.uint16), 2

    def __getitem__(self, index: Any) -> np.ndarray:
        rows, columns = (np.arange(side, dtype=np.uint16)[part] for side, part in zip(self.shape, index, strict=True))
        return rows[:, None] * np.uint16(7) + columns * np.uint16(3)


def peak() -> float:
    """Return the largest resident memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=48000, help="side of the image in pixels")
    parser.add_argument("--folder", type=Path, default=None, help="where the temporary file is written")
    arguments = parser.parse_args()
    image = Computed(arguments.side)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "big.ome.tif"
        before, begun = peak(), time.perf_counter()
        write_image(path, image, "YX", {"Y": 0.1, "X": 0.1}, "um")
        seconds, memory = time.perf_counter() - begun, peak() - before
        read = read_image(path, lazy=True)
        levels = [read.data, *read.levels]
        for start in (0, arguments.side // 4 * 2, arguments.side - 200):
            part = image[start : start + 200, start : start + 200]
            assert np.array_equal(levels[0][start : start + 200, start : start + 200], part)
            half = slice(start // 2, start // 2 + 100)
            assert np.array_equal(levels[1][half, half], halved(part))
        size = path.stat().st_size / 2**30
        print(f"{arguments.side} x {arguments.side} uint16 with {len(levels)} levels, {size:.2f} GiB: ", end="")
        print(f"{seconds:.0f} s, {memory:.0f} MiB")


if __name__ == "__main__":
    main()
