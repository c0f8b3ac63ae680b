"""Measure time and memory of upscaling a TIFF into a Zarr store or an OME-TIFF, read at once and read lazily.

    python benchmarks/lazy_tiff.py [--side 8000] [--model bicubic] [--memory 64MiB] [--rows 500] [--out .zarr]

A sample is tiled to a square uint16 image of the given side, without empty areas, and written as TIFF in several
layouts. Of each, some rows of the middle are upscaled to disk, in a process of its own, read at once and lazily.
Printed are the seconds and the largest resident memory of the process, less that of a process that upscales a small
image. With --rows 0 the whole image is upscaled.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from napari_sr.samples import load_sample

LAYOUTS = {
    "one strip": {"photometric": "minisblack"},
    "tiles of 256": {"photometric": "minisblack", "tile": (256, 256)},
    "tiles of 256, deflate": {"photometric": "minisblack", "tile": (256, 256), "compression": "zlib"},
    "strips of 16 rows, deflate": {"photometric": "minisblack", "rowsperstrip": 16, "compression": "zlib"},
    "one strip, deflate": {"photometric": "minisblack", "rowsperstrip": 1 << 20, "compression": "zlib"},
}
#: Upscales rows of a file in a process of its own, and prints seconds and the peak of its resident memory in MiB.
PROGRAM = """
import resource, sys, time
from pathlib import Path
import napari_sr as sr
path, out, model, memory, rows, lazy = sys.argv[1:]
loaded, rows = sr.load_model(model, scale=2), int(rows)
begun = time.perf_counter()
image = sr.read_image(path, lazy=lazy == "lazy")
middle = max(0, (image.data.shape[0] - rows) // 2)
part = sr.Part(rows=(middle, middle + rows)) if 0 < rows < image.data.shape[0] else None
sr.upscale(image, loaded, device="cpu", memory=memory, intensity=(0, 65535), part=part, out=out)
status = Path("/proc/self/status")
if status.exists():
    # The peak of getrusage is at least that of the process that has started this one.
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 2**10
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(time.perf_counter() - begun, peak)
"""


def tiled(side: int) -> np.ndarray:
    """Return the image: the sample in rows and columns, each with its own brightness."""
    low = load_sample("fluorescence").low
    counts = [-(-side // length) for length in low.shape]
    gains = np.linspace(0.5, 1.5, counts[0] * counts[1]).reshape(counts)
    whole = np.kron(gains.astype(np.float32), np.ones(low.shape, np.float32))[:side, :side]
    whole *= np.tile(low, counts)[:side, :side]
    return np.clip(whole, 0, 65535).astype(np.uint16)


def measured(path: Path, arguments: argparse.Namespace, how: str) -> tuple[float, float]:
    """Return seconds and peak memory in MiB of a process."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = f"{folder}/out{arguments.out}"
        options = [str(path), out, arguments.model, arguments.memory, str(arguments.rows), how]
        run = subprocess.run([sys.executable, "-c", PROGRAM, *options], stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = map(float, run.stdout.split())
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=8000, help="side of the image in pixels")
    parser.add_argument("--rows", type=int, default=500, help="rows that are upscaled; 0 for all")
    parser.add_argument("--model", default="bicubic", help="a model of factor 2, or an interpolation")
    parser.add_argument("--out", choices=[".zarr", ".ome.tif"], default=".zarr", help="format of the result")
    parser.add_argument("--memory", default="64MiB", help="memory of exact tiling")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.tif"
        tifffile.imwrite(path, tiled(64), photometric="minisblack")
        base = measured(path, arguments, "eager")[1]
        size = 2 * arguments.side**2 / 2**20
        print(f"{arguments.side} x {arguments.side} uint16, {size:.0f} MiB, to {arguments.out}")
        print(f"{arguments.model}, {arguments.memory}")
        print("| layout | at once, s | MiB | lazily, s | MiB |\n|---|---|---|---|---|")
        for layout, options in LAYOUTS.items():
            tifffile.imwrite(path, tiled(arguments.side), **options)
            cells = [layout]
            for how in ("eager", "lazy"):
                seconds, peak = measured(path, arguments, how)
                cells += [f"{seconds:.1f}", f"{peak - base:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
