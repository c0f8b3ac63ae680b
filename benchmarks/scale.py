"""Measure images that are larger than memory, and clusters.

    python benchmarks/scale.py [--parts store view workers training] [--side 20000] [--height ROWS] [--folder FOLDER]

A sample is tiled to a square uint16 image of the given side, with photon noise and without empty chunks, and written
to a Zarr store. With --height it has fewer rows: memory and time of a row do not depend on it.

store
    The command line upscales the array into an OME-Zarr store. Printed are the seconds, the largest resident memory of
    the command and all its child processes together, and the size of the result on disk.
view
    The store is opened in a napari window, and a panel upscales it with the output "Only what is displayed". Printed
    are the seconds from a click on Run to the picture zoomed out; from a zoom to one pixel of the result for each pixel
    of the screen to the picture with the pixels of the source, and to the one whose pixels are all computed; and the
    same after a move by 200 pixels. The pictures are written to --pictures. Needs a display.
workers
    An array of --blocks x --blocks blocks is upscaled on a cluster of one and of two worker processes with one thread
    each, in turn, --runs times. Printed are the medians and their ratio. The time of the workers' start is not part of
    it. Then plain processes, one and two, upscale as many blocks: the ratio of the processor itself. Then one worker
    upscales blocks of 32 x 32 pixels, with almost nothing to compute. Printed is the time of one:
    about what a block costs beside its computation.
training
    A few steps of fine-tuning on the array by the command line. Printed are the seconds and the largest resident memory
    of the process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import psutil

import napari_sr as sr
from napari_sr.imaging.axes import parse_axes
from napari_sr.inference.output.ome_zarr import new_store
from napari_sr.inference.output.reading import open_store
from napari_sr.inference.output.store_metadata import StorePlace
from napari_sr.samples import load_sample

_CHUNK = 1024
_POLL = 0.2
_PARTS = ["store", "view", "workers", "training"]
#: Side of the image of one block with --parts workers, whose result of x2 is one chunk.
_BLOCK = 512
#: Side of the blocks with almost nothing to compute, and their number along each axis.
_SMALL, _MANY = 32, 8


def write_source(path: Path, side: int, count: int | None = None) -> None:
    """Write the image in bands: the sample in rows and columns, each with its own brightness, and photon noise."""
    total = side if count is None else count
    rng = np.random.default_rng(0)
    low = load_sample("fluorescence").low.astype(np.float32)
    height, width = low.shape
    row = np.tile(low, (1, -(-side // width)))[:, :side]
    place = StorePlace("large", (0.1, 0.1), (0.0, 0.0), ("micrometer", "micrometer"))
    with new_store(path, parse_axes("YX", (total, side)), np.uint16, place) as array:
        for top in range(0, total, _CHUNK):
            rows = np.arange(top, min(top + _CHUNK, total))
            gains = 0.5 + ((rows // height)[:, None] + np.arange(side)[None, :] // width) % 11 / 10
            # Photon noise keeps the compression from finding the repetition.
            noisy = np.minimum(rng.poisson(row[rows % height] * gains), 65535)
            array[slice(top, top + len(rows)), slice(0, side)] = noisy.astype(np.uint16)


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


def store(source: Path, out: Path, model: str, memory: str) -> None:
    """Measure the command line from Zarr to Zarr."""
    options = ["--model", model, "--device", "cpu", "--memory", memory, "-q"]
    seconds, peak = measure([sys.executable, "-m", "napari_sr", "upscale", str(source), str(out), *options])
    files = [path for path in out.rglob("*") if path.is_file()]
    height, width = sr.read_image(source).data.shape
    print(f"{height} x {width} uint16, {model}, memory {memory}:")
    print(f"  {seconds:.0f} s, {height * width / seconds / 1e6:.2f} million pixels of the input a second")
    print(f"  process tree: {peak / 2**30:.2f} GiB resident at most")
    print(f"  result: {sum(f.stat().st_size for f in files) / 2**30:.2f} GiB in {len(files)} files", flush=True)


def view(source: Path, model: str, pictures: Path) -> None:
    """Measure the first views of a lazy result in a window."""
    import napari
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_sr.widgets.upscale.families import SRCNNPanel

    viewer = napari.Viewer(title="napari-sr")
    viewer.window.resize(1400, 900)
    store = open_store(source)
    assert store is not None
    layer = viewer.add_image(store.levels, multiscale=True, name="large", scale=store.place.scale, units=("um", "um"))
    white = float(np.percentile(store.levels[0][:_CHUNK, :_CHUNK], 99.9))
    layer.contrast_limits = 0, white
    panel = SRCNNPanel(viewer)
    viewer.window.add_dock_widget(panel, name="SRCNN")
    pictures.mkdir(parents=True, exist_ok=True)

    def save(name: str) -> float:
        viewer.screenshot(str(pictures / f"{name}.png"), canvas_only=False, flash=False)
        return time.perf_counter() - begun

    def wait(condition: Callable[[], bool]) -> None:
        while condition():
            QTest.qWait(5)

    wait(lambda: not panel.settings.device.known or panel.suggestion.computation.busy)
    panel.models.select(model)
    # Black and white are given: otherwise the whole image is read for them once.
    panel.settings.show(replace(panel.settings.settings(), intensity=(0, white)))
    panel.output.kind.value = "lazy"
    QTest.qWait(2000)
    begun = time.perf_counter()
    QTest.mouseClick(panel.controls.run_button.native, Qt.MouseButton.LeftButton)
    wait(lambda: len(viewer.layers) == 1)
    result = viewer.layers[1]
    layer.visible = False
    print(f"{result.level_shapes[0]} from {model}, zoomed out: {save('lazy-whole'):.1f} s", flush=True)
    lazy = result.data[0].displayed.on_read.__self__
    center = np.multiply(result.level_shapes[0], result.scale) / 2
    for name, shift in (("one-to-one", 0), ("moved", 200)):
        begun = time.perf_counter()
        viewer.scene.camera.center = (center[0], center[1] + shift * result.scale[-1])
        viewer.scene.camera.zoom = 1 / result.scale[-1]
        first = save(f"lazy-{name}-begun")
        wait(lambda: not lazy.complete)
        print(f"  {name}: {first:.1f} s with the source, {save(f'lazy-{name}'):.1f} s computed", flush=True)
        wait(lambda: lazy.busy)
    viewer.close()


def workers(folder: Path, blocks: int, model: str, runs: int) -> None:
    """Measure one worker and two."""
    from distributed import Client, LocalCluster

    from napari_sr.inference.cluster import blocks as sizes

    # The same blocks for one worker and for two.
    sizes.SIDE = _BLOCK
    source, first = folder / "blocks.zarr", folder / "first.zarr"
    write_source(source, blocks * _BLOCK)
    write_source(first, 2 * _BLOCK)
    seconds: dict[int, list[float]] = {1: [], 2: []}

    def upscale(path: Path, client: Client) -> None:
        # Intensities are given, so that all work but the coarser levels is that of the workers.
        sr.upscale_on_cluster(
            path, folder / "out.zarr", model, client, intensity=(0, 65535), device="cpu", overwrite=True
        )

    for _ in range(runs):
        for count in seconds:
            # One cluster at a time: idle workers and a second scheduler would use a part of the processors.
            with (
                LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
                Client(cluster) as client,
            ):
                # The workers import torch and prepare the model.
                upscale(first, client)
                begun = time.perf_counter()
                upscale(source, client)
                seconds[count].append(time.perf_counter() - begun)
    print(f"{blocks} x {blocks} blocks of {_BLOCK} x {_BLOCK} pixels, {model}, medians of {runs} (range):")
    for count, taken in seconds.items():
        print(f"  {count} worker{'s' * (count > 1)}: {median(taken):.1f} s ({min(taken):.1f} to {max(taken):.1f})")
    print(f"  ratio: {median(seconds[2]) / median(seconds[1]):.2f}", flush=True)


def small_blocks(folder: Path, model: str, runs: int) -> None:
    """Measure blocks with almost nothing to compute."""
    from distributed import Client, LocalCluster

    from napari_sr.inference.cluster import blocks as sizes
    from napari_sr.inference.output import ome_zarr

    source = folder / "small.zarr"
    write_source(source, _MANY * _SMALL)
    sizes.SIDE, ome_zarr.CHUNK = _SMALL, 2 * _SMALL
    taken = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for run in range(runs + 1):
            times: list[float] = []
            sr.upscale_on_cluster(
                source,
                folder / "small-out.zarr",
                model,
                client,
                intensity=(0, 65535),
                device="cpu",
                overwrite=True,
                progress=lambda done, total, times=times: times.append(time.perf_counter()),  # type: ignore[misc]
            )
            if run:
                taken.append((times[-1] - times[0]) / (len(times) - 1))
    blocks = f"{_MANY} x {_MANY} blocks of {_SMALL} x {_SMALL} pixels"
    print(f"{blocks}, {model}, one worker, medians of {runs} (range):")
    print(f"  a block: {median(taken):.3f} s ({min(taken):.3f} to {max(taken):.3f})", flush=True)


def training(source: Path, folder: Path, model: str) -> None:
    """Measure the preparation of a training, with a few steps of it."""
    options = ["--model", model, "--length", "0.01", "--out", str(folder / "run"), "--models", str(folder / "models")]
    command = [sys.executable, "-m", "napari_sr", "train", "quick", str(source), *options, "--device", "cpu"]
    seconds, peak = measure(command)
    height, width = sr.read_image(source).data.shape
    print(f"training on {height} x {width} uint16, {model}:")
    print(f"  {seconds:.0f} s for 4 steps, {peak / 2**30:.2f} GiB resident at most", flush=True)


def plain(blocks: int, model: str, runs: int) -> None:
    """Measure one process and two without a cluster, which upscale the same number of blocks together."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(runs):
        for count in (1, 2):
            command = [sys.executable, __file__, "--model", model, "--upscale"]
            processes = [
                subprocess.Popen([*command, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                for share in shares(blocks * blocks, count)
            ]
            for process in processes:
                assert process.stdout is not None
                process.stdout.readline()
            begun = time.perf_counter()
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
            for process in processes:
                process.wait()
            seconds[count].append(time.perf_counter() - begun)
    ratio = median(seconds[2]) / median(seconds[1])
    print(f"  the same in plain processes: {median(seconds[1]):.1f} s, {median(seconds[2]):.1f} s, ratio {ratio:.2f}")


def shares(blocks: int, count: int) -> list[int]:
    """Divide blocks among processes: the number of each."""
    return [blocks // count + (number < blocks % count) for number in range(count)]


def upscale_blocks(count: int, model: str) -> None:
    """Upscale blocks on one thread, after a line on standard input."""
    import torch

    torch.set_num_threads(1)
    image = np.random.default_rng(0).poisson(200, (_BLOCK + 12, _BLOCK + 12)).astype(np.uint16)
    job = sr.Job(model, sr.JobSettings(device="cpu", intensity=(0, 65535)))
    job.run(image[:64, :64], "YX")
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        job.run(image, "YX")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS)
    parser.add_argument(
        "--side", type=int, default=20000, help="side of the image for all parts but workers, in pixels"
    )
    parser.add_argument("--height", type=int, help="rows of that image; by default --side")
    parser.add_argument("--pictures", type=Path, default=Path("scale-pictures"), help="folder of the pictures of view")
    parser.add_argument("--blocks", type=int, default=6, help="blocks along each axis for workers")
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind for workers")
    parser.add_argument("--model", default="srcnn-x2")
    parser.add_argument("--memory", default="512MiB", help="working memory of the command for store")
    parser.add_argument("--folder", type=Path, help="folder for the stores; by default a temporary one")
    parser.add_argument("--upscale", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.upscale is not None:
        upscale_blocks(arguments.upscale, arguments.model)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        source = Path(folder) / "source.zarr"
        if {"store", "view", "training"} & set(arguments.parts):
            write_source(source, arguments.side, arguments.height)
        if "store" in arguments.parts:
            store(source, Path(folder) / "result.zarr", arguments.model, arguments.memory)
        if "view" in arguments.parts:
            view(source, arguments.model, arguments.pictures)
        if "workers" in arguments.parts:
            workers(Path(folder), arguments.blocks, arguments.model, arguments.runs)
            plain(arguments.blocks, arguments.model, arguments.runs)
            small_blocks(Path(folder), arguments.model, arguments.runs)
        if "training" in arguments.parts:
            training(source, Path(folder), arguments.model)


if __name__ == "__main__":
    main()
