"""Measure upscaling of an image that is larger than the memory allowed: from Zarr to Zarr.

    python benchmarks/scale.py [--side 20000] [--model srcnn-x2] [--memory 512MiB] [--folder FOLDER]

A sample is tiled to a square uint16 image of the given side, with photon noise and without empty chunks, and written
as a Zarr array. The command line upscales it into an OME-Zarr store. Printed are the seconds, the largest resident
memory of the command and all its child processes together, and the size of the result on disk.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

from napari_sr.samples import load_sample

_CHUNK = 1024
_POLL = 0.2


def write_source(path: Path, side: int) -> None:
    """Write the image in bands: the sample in rows and columns, each with its own brightness, and photon noise."""
    rng = np.random.default_rng(0)
    low = load_sample("fluorescence").low.astype(np.float32)
    height, width = low.shape
    array = zarr.create_array(path, shape=(side, side), chunks=(_CHUNK, _CHUNK), dtype="uint16", dimension_names="yx")
    tiles = -(-side // width)
    row = np.tile(low, (1, tiles + 1))
    for top in range(0, side, _CHUNK):
        rows = np.arange(top, min(top + _CHUNK, side))
        band = row[rows % height, :side]
        gains = 0.5 + ((rows // height)[:, None] + np.arange(side)[None, :] // width) % 11 / 10
        # Photon noise keeps the compression from finding the repetition.
        array[top : top + len(rows)] = np.minimum(rng.poisson(band * gains), 65535).astype(np.uint16)


def resident(process: psutil.Process) -> int:
    """Return the resident memory of a process and its children, in bytes."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(command: list[str]) -> tuple[float, int]:
    """Run a command, and return its seconds and the peak of the resident memory of its process tree in bytes."""
    begun, peak = time.perf_counter(), 0
    process = subprocess.Popen(command)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, resident(watched))
        except psutil.NoSuchProcess:
            break
        time.sleep(_POLL)
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}.")
    return time.perf_counter() - begun, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20000, help="side of the image in pixels")
    parser.add_argument("--model", default="srcnn-x2")
    parser.add_argument("--memory", default="512MiB", help="working memory of the command")
    parser.add_argument("--folder", type=Path, help="folder for the stores; by default a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        source, out = Path(folder) / "source.zarr", Path(folder) / "result.zarr"
        write_source(source, arguments.side)
        options = ["--model", arguments.model, "--device", "cpu", "--memory", arguments.memory, "-q"]
        seconds, peak = measure([sys.executable, "-m", "napari_sr", "upscale", str(source), str(out), *options])
        files = [path for path in out.rglob("*") if path.is_file()]
        pixels = arguments.side**2
        print(f"{arguments.side} x {arguments.side} uint16, {arguments.model}, memory {arguments.memory}:")
        print(f"  {seconds:.0f} s, {pixels / seconds / 1e6:.2f} million pixels of the input a second")
        print(f"  process tree: {peak / 2**30:.2f} GiB resident at most")
        print(f"  result: {sum(f.stat().st_size for f in files) / 2**30:.2f} GiB in {len(files)} files")


if __name__ == "__main__":
    main()
