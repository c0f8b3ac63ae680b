"""Compare streaming with the whole image and with common tiles: error, time and memory, in one run on one machine.

    python benchmarks/inference.py --weights realesrgan-x4plus.fp16.pth [--parts error time memory ...]

Common tiles are those of Real-ESRGAN: 256 pixels, 10 of padding, NCHW, float32, one by one, no blending. Times are
medians, with their range; the cases alternate, so that a change of the machine's speed affects all of them. Memory is
the largest resident size of a separate process, less its size before and that of the result. It is measured with the
default C library, which keeps freed pieces for later, and with glibc set to return them.

The part launches counts the operations of a job on an accelerator, and the times that the CPU waits for it:

    python benchmarks/inference.py --weights srcnn-x2 --parts launches --device vulkan --sides 64
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from measuring.launches import Launches
from torch import nn
from torch.profiler import ProfilerActivity, profile

import napari_sr as sr
from napari_sr.accelerators import is_out_of_memory
from napari_sr.inference.compute.device import choose_device, describe_device
from napari_sr.inference.compute.memory import cut_plane
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.compute.streaming.narrow import NarrowConvolution
from napari_sr.inference.compute.streaming.plan import plan_stream
from napari_sr.inference.compute.streaming.rows import Rows, gather
from napari_sr.inference.compute.streaming.stream import stream
from napari_sr.networks import SRCNN

NHWC = torch.channels_last
#: Limits by the memory bandwidth of an H100, in TFLOP/s: of a dense block with separate kernels for torch.cat,
#: activation and sum, and of one in which they are fused with the convolutions.
GPU_BOUNDS = (300, 840)
PARTS = ("error", "time", "memory", "tensors", "width", "strips", "srcnn", "narrow", "dense", "gpu", "launches")
#: Makes glibc allocate and return each piece above 256 KiB separately.
RETURN_MEMORY = "glibc.malloc.mmap_threshold=262144:glibc.malloc.trim_threshold=262144"


def processor() -> str:
    """Return the name of the processor and the number of threads."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next(
            (x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), name
        )
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def size_of(text: str) -> tuple[int, int]:
    """Return height and width of a text such as "512x128"."""
    height, width = (int(n) for n in text.split("x"))
    return height, width


def ready(network: nn.Module, dtype: torch.dtype, nhwc: bool = True, device: str = "cpu") -> nn.Module:
    """Return a copy of a network in a number format and memory layout."""
    made = copy.deepcopy(network).to(device, dtype).eval()
    return made.to(memory_format=NHWC) if nhwc else made


def common_tiles(network: nn.Module, image: torch.Tensor, tile: int = 256, pad: int = 10) -> torch.Tensor:
    """Upscale by Real-ESRGAN's tiles, which are cut with padding, cropped and placed side by side."""
    scale = network.scale
    height, width = image.shape[2:]
    out = image.new_empty((1, network.out_channels, height * scale, width * scale))
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            y, x = max(top - pad, 0), max(left - pad, 0)
            part = network(image[:, :, y : min(bottom + pad, height), x : min(right + pad, width)])
            inner = part[:, :, (top - y) * scale : (bottom - y) * scale, (left - x) * scale : (right - x) * scale]
            out[:, :, top * scale : bottom * scale, left * scale : right * scale] = inner
    return out


def streamed(network: nn.Module, image: torch.Tensor, strip: int) -> torch.Tensor:
    """Upscale the whole image by streaming."""
    height, width = image.shape[2:]
    plan = plan_stream(network)
    # The strips are written into one array, as in a job.
    out = torch.empty((1, network.out_channels, height * network.scale, width * network.scale))
    row = 0
    for part in stream(plan, lambda a, b: image[:, :, a:b], height, width, strip):
        out[:, :, row : row + part.shape[2]] = part
        row += part.shape[2]
    return out


def in_turn(cases: dict[str, Callable[[], object]], runs: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Run the cases alternately and return the seconds of each run, without those of the warm-up."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(warm_up + runs):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            if run >= warm_up:
                times[name].append(time.perf_counter() - start)
    return times


def row(name: str, seconds: list[float], base: float | None) -> None:
    """Print a line of times, with the ratio to a base."""
    ratio = "" if base is None else f"   ratio {median(seconds) / base:.3f}"
    print(f"  {name:38s} {median(seconds):8.2f} s  ({min(seconds):.2f} to {max(seconds):.2f}){ratio}", flush=True)


def measure_error(weights: list[Path]) -> None:
    """Print the errors of streamed and whole image as fractions of the range."""
    print("\nLargest error as a fraction of the range, 61 x 47 pixels, strips of 1, 2, 7, 16 and 64;")
    print("float32 against float64, half precision against float32 of the whole image")
    for path in weights:
        torch.manual_seed(0)
        # A checkpoint of SRCNN does not contain its factor, and a card does.
        scale = 3 if "srcnn" in path.name and path.suffix not in ("", ".safetensors") else None
        network = sr.load_model(str(path), scale=scale).network
        image = torch.rand(1, network.in_channels, 61, 47)
        exact = ready(network, torch.float64)(image.double())
        span = float(exact.max() - exact.min())
        line = f"  {path.name:36s}"
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            module = ready(network, dtype)
            x = image.to(dtype).contiguous(memory_format=NHWC)
            result = module(x)
            parts = [streamed(module, x, strip) for strip in (1, 2, 7, 16, 64)]
            whole, stream_error = (
                max(float((part.double() - exact).abs().max()) / span for part in group) for group in ([result], parts)
            )
            name = str(dtype).removeprefix("torch.")
            line += f"  {name}: whole {whole:.2e} streamed {stream_error:.2e}"
            if dtype == torch.float32:
                exact = result.double()
        print(line, flush=True)


def measure_time(
    network: nn.Module,
    sizes: list[tuple[int, int]],
    runs: int,
    strip: int,
    precisions: list[str],
    warm_up: int,
    with_tiles: bool = True,
) -> None:
    """Print times of stream, whole image and common tiles."""
    plain, tiles = ready(network, torch.float32), ready(network, torch.float32, nhwc=False)
    half = ready(network, torch.bfloat16)
    for height, width in sizes:
        image = torch.rand(1, 3, height, width)
        x = image.contiguous(memory_format=NHWC)
        y = x.to(torch.bfloat16)
        cases: dict[str, Callable[[], object]] = {}
        if "float32" in precisions:
            cases["whole image, float32"] = lambda x=x: plain(x)
            cases["streamed, float32"] = lambda x=x: streamed(plain, x, strip)
        if with_tiles:
            cases["common tiles, float32"] = lambda image=image: common_tiles(tiles, image)
        if "bfloat16" in precisions:
            cases["whole image, bfloat16"] = lambda y=y: half(y)
            cases["streamed, bfloat16"] = lambda y=y: streamed(half, y, strip)
        print(f"\nTime, {height} x {width}, strips of {strip}, {runs} runs in turn")
        times = in_turn(cases, runs, warm_up)
        for name, seconds in times.items():
            precision = name.rpartition(" ")[2]
            whole = times.get(f"whole image, {precision}")
            row(name, seconds, None if whole is None else median(whole))
        for precision in precisions if with_tiles else ():
            slow = median(times["common tiles, float32"])
            print(f"  streamed {precision} over common tiles: {median(times[f'streamed, {precision}']) / slow:.3f}")


def resident(largest: bool = False) -> int:
    """Return the bytes of this process in memory, now or at most since `reset_largest`; on Linux only."""
    key = "VmHWM:" if largest else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


def reset_largest() -> None:
    """Reset the largest size of this process."""
    Path("/proc/self/clear_refs").write_text("5")


def memory_case(weights: str, height: int, width: int, budget: int) -> None:
    """Print the peak memory of a stream in this process, less the memory before and that of the result."""
    network = sr.load_model(weights).network
    runner = PlaneRunner(PreparedNetwork(network, torch.device("cpu")), memory=budget)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, 3, height, width), dtype=np.float32))
    out = np.zeros((3, height * 4, width * 4), np.float32)
    out += 1  # allocates the pages

    def sink(top: int, left: int, part: torch.Tensor) -> None:
        out[:, top : top + part.shape[2], left : left + part.shape[3]] = part[0].numpy()

    gc.collect()
    reset_largest()
    before = resident()
    start = time.perf_counter()
    runner.run(lambda t, b, le, r: image[:, :, t:b, le:r], 1, height, width, sink)
    seconds = time.perf_counter() - start
    used = resident(largest=True) - before
    print(json.dumps({"bytes": used, "seconds": seconds, "cut": runner.tiling, "planned": runner.peak}))


def measure_memory(weights: Path, cases: list[tuple[int, int, int]]) -> None:
    """Print the peak memory for sizes of images, each in separate processes."""
    print("\nPeak memory besides image and result (float32); and with freed memory returned to the system")
    for height, width, budget in cases:
        code = [sys.executable, __file__, "--weights", str(weights), "--case", str(height), str(width), str(budget)]
        default, returned = (
            json.loads(
                subprocess.run(
                    code, check=True, capture_output=True, text=True, env={**os.environ, "GLIBC_TUNABLES": tunables}
                ).stdout.splitlines()[-1]
            )
            for tunables in ("", RETURN_MEMORY)
        )
        print(
            f"  {height:5d} x {width:<5d} budget {budget / 2**30:.2f} GiB: {default['bytes'] / 2**30:.3f} GiB "
            f"(planned {default['planned'] / 2**30:.3f}) in {default['seconds']:.0f} s; returned: "
            f"{returned['bytes'] / 2**30:.3f} GiB in {returned['seconds']:.0f} s; {default['cut']}",
            flush=True,
        )


def measure_tensors(network: nn.Module, sizes: list[tuple[int, int]], budget: int) -> None:
    """Print the peak of the bytes of tensors during a job's stream, from torch's memory profiler."""
    print("\nTensors at most, float32")
    for height, width in sizes:
        runner = PlaneRunner(PreparedNetwork(network, torch.device("cpu")), memory=budget)
        image = torch.rand(1, 3, height, width)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            runner.run(lambda t, b, le, r, image=image: image[:, :, t:b, le:r], 1, height, width, lambda t, le, p: None)
        assert record.profiler is not None and record.profiler.kineto_results is not None
        changes = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
        held = np.cumsum([e.nbytes() for e in sorted(changes, key=lambda e: e.start_ns())])
        print(f"  {height:5d} x {width:<5d} {held.max() / 2**20:.2f} MiB, {runner.tiling}", flush=True)


def measure_width(network: nn.Module) -> None:
    """Print the planned work and memory of bands of columns as a function of the width."""
    print("\nWork and memory by width, 23 blocks, float32, planned for 3 GiB")
    plan = plan_stream(ready(network, torch.float32))
    for width in (512, 1024, 2048, 4096, 8192, 16384, 65536):
        cut = cut_plane(
            plan, 3, max(width, 2048), width, radius=network.receptive_radius, alignment=1, item=4,
            budget=3 * 2**30, device=torch.device("cpu"),
        )  # fmt: skip
        bands = -(-width // cut.band)
        work = 1 if not cut.margin else (width + 2 * cut.margin * (bands - 1)) / width
        print(
            f"  width {width:6d}: strips of {cut.strip}, {bands} bands of {cut.band}, work x {work:.2f}, "
            f"{cut.peak / 2**30:.2f} GiB"
        )


def measure_strips(runs: int) -> None:
    """Print times of low strips by the width of the image, for two of the bundled models."""
    for model, pixels in (("srcnn-x2", 200_000), ("esrgan-compact-x4", 20_000)):
        network = ready(sr.load_model(model).network, torch.float32)
        print(f"\nStrips of {model} by width, about {pixels} pixels, float32")
        for width in (250, 1000, 2000, 4000, 20000):
            image = torch.rand(1, network.in_channels, max(24, pixels // width), width)
            x = image.contiguous(memory_format=NHWC)
            times = in_turn({str(n): lambda n=n, x=x, net=network: streamed(net, x, n) for n in (32, 8, 4, 2)}, runs)
            of_8 = median(times["8"])
            ratios = ", ".join(f"{name}: {median(seconds) / of_8:.2f}" for name, seconds in times.items())
            print(f"  width {width:6d}: 8 rows {of_8:.2f} s; over that, by rows: {ratios}", flush=True)


def measure_srcnn(runs: int) -> None:
    """Print the time of SRCNN x2, and those of its bicubic and of its convolutions at the machine's rate."""
    network = SRCNN(scale=2).eval()
    rate = convolution_rate()
    plane = np.random.default_rng(0).integers(0, 4000, (2048, 2048), np.uint16)
    model = sr.load_model("srcnn-x2")
    weights = sum(p.numel() for p in network.parameters() if p.ndim == 4)
    convolutions = 2 * weights * (4096**2) / rate
    upsample = network.upsample
    x = torch.from_numpy(plane.astype(np.float32))[None, None]
    times = in_turn(
        {"bicubic": lambda: upsample(x), "job": lambda: sr.upscale(plane, model, "YX", intensity=(0, 4000))}, runs
    )
    print(f"\nSRCNN 9-5-5 x2 of 2048 x 2048 uint16; convolutions here: {rate / 1e9:.0f} GFLOP/s in float32")
    bound = median(times["bicubic"]) + convolutions
    print(
        f"  bicubic {median(times['bicubic']):.2f} s + convolutions at that rate {convolutions:.2f} s = {bound:.2f} s"
    )
    row("the whole job, uint16 in, uint16 out", times["job"], bound)


def convolution_rate() -> float:
    """Return the floating-point operations per second of SRCNN's largest layer: 5 x 5, 64 to 32 features."""
    layer = nn.Conv2d(64, 32, 5, padding=2).to(memory_format=NHWC)
    x = torch.rand(1, 64, 256, 1024).contiguous(memory_format=NHWC)
    times = in_turn({"conv": lambda: layer(x)}, 7)["conv"]
    return 2 * 64 * 32 * 25 * 256 * 1024 / median(times)


def measure_narrow(runs: int) -> None:
    """Print times of convolutions to few features, by several columns at once and by torch."""
    print("\nConvolutions to few features, 16 rows of 4096 columns, float32")
    for channels, features, size in ((32, 1, 5), (32, 3, 5), (64, 3, 3), (64, 3, 9)):
        module = nn.Conv2d(channels, features, size).to(memory_format=NHWC)
        narrow = NarrowConvolution(module)
        x = torch.rand(1, channels, 16 + size - 1, 4096 + size - 1).contiguous(memory_format=NHWC)
        times = in_turn({"plain": lambda m=module, x=x: m(x), "narrow": lambda n=narrow, x=x: n(x, 0)}, 3 * runs)
        plain, several = median(times["plain"]), median(times["narrow"])
        name = f"{channels} -> {features}, {size} x {size}"
        print(f"  {name:20s} {1e3 * plain:6.1f} ms, {1e3 * several:6.1f} ms, ratio {several / plain:.2f}")


def measure_dense(runs: int) -> None:
    """Print times of a dense block with features that are concatenated, gathered from rows, or added part by part."""
    print("\nDense block (64 features, growth 32), 34 rows of 512 columns, float32")
    sizes = [64, 32, 32, 32, 32]
    outputs = [32, 32, 32, 32, 64]
    parts = [torch.rand(1, n, 34, 512).contiguous(memory_format=NHWC) for n in sizes]
    convolutions = [
        nn.Conv2d(sum(sizes[: n + 1]), out, 3, padding=(0, 1)).to(memory_format=NHWC) for n, out in enumerate(outputs)
    ]
    begins = np.cumsum([0, *sizes])
    split = [
        [c.weight[:, begins[k] : begins[k + 1]].contiguous(memory_format=NHWC) for k in range(n + 1)]
        for n, c in enumerate(convolutions)
    ]
    rows = [Rows() for _ in parts]
    for store, part in zip(rows, parts, strict=True):
        # As in a stream: rows of the strip before, and those of this strip.
        store.append(part[:, :, :2])
        store.append(part[:, :, 2:])

    def by_cat() -> None:
        for n, convolution in enumerate(convolutions):
            convolution(torch.cat(parts[: n + 1], 1))

    def by_gathering() -> None:
        for n, convolution in enumerate(convolutions):
            convolution(gather(rows[: n + 1], 0, 34))

    def by_adding() -> None:
        for kernels in split:
            total = nn.functional.conv2d(parts[0], kernels[0], None, 1, (0, 1))
            for part, kernel in zip(parts[1:], kernels[1:], strict=False):
                total += nn.functional.conv2d(part, kernel, None, 1, (0, 1))

    def convolutions_alone() -> None:
        for window, convolution in zip(windows, convolutions, strict=True):
            convolution(window)

    windows = [torch.cat(parts[: n + 1], 1).contiguous(memory_format=NHWC) for n in range(5)]
    cases = {
        "torch.cat": by_cat,
        "gathered": by_gathering,
        "added up": by_adding,
        "convolutions alone": convolutions_alone,
    }
    times = in_turn(cases, 3 * runs)
    base = median(times["torch.cat"])
    for name, seconds in times.items():
        print(f"  {name:20s} {1e3 * median(seconds):6.1f} ms, ratio {median(seconds) / base:.2f}")


def measure_rate(network: nn.Module, device: torch.device, sides: list[int], runs: int) -> None:
    """Print TFLOP/s of a job's stream in float16, of the plain module in both layouts, and of common tiles."""
    where = processor() if device.type == "cpu" else describe_device(device)
    print(f"\n{where}, float16; host to host for the stream, device to device for the others")
    flops = 2 * multiplications_per_pixel(network)
    dtype = torch.float16
    planar, nhwc = (ready(network, dtype, nhwc=nhwc, device=str(device)) for nhwc in (False, True))
    runner = PlaneRunner(PreparedNetwork(network, device), dtype)
    for side in sides:
        image = torch.rand(1, 3, side, side)
        there = image.to(device, dtype)

        def streams(image: torch.Tensor = image, side: int = side) -> None:
            runner.run(lambda t, b, le, r: image[:, :, t:b, le:r], 1, side, side, lambda t, le, p: None)

        cases: dict[str, Callable[[], object]] = {
            "streamed": streams,
            "plain module, NHWC": lambda x=there: nhwc(x.contiguous(memory_format=NHWC)),
            "plain module, NCHW": lambda x=there: planar(x),
            "common tiles, NCHW": lambda x=there: common_tiles(planar, x),
        }
        for name, case in cases.items():
            try:
                seconds = median(in_turn({name: synchronized(case, device)}, runs)[name])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                print(f"  {side} x {side} {name:22s} does not fit the device's memory", flush=True)
                continue
            rate = flops * side**2 / seconds / 1e12
            fractions = ", ".join(f"{rate / bound:.0%} of {bound}" for bound in GPU_BOUNDS)
            print(f"  {side} x {side} {name:22s} {seconds:8.3f} s {rate:8.3f} TFLOP/s ({fractions})", flush=True)


def count_launches(network: nn.Module, device: torch.device, sides: list[int]) -> None:
    """Print launches, waits and uploads of a job's stream, for each strip and each megapixel of the image."""
    print(f"\n{describe_device(device)}, launches of a job's stream")
    channels = network.in_channels
    for dtype in (torch.float32, torch.float16):
        runner = PlaneRunner(PreparedNetwork(network, device), dtype)
        for side in sides:
            image = torch.rand(1, channels, side, side)
            strips = 0

            def source(top: int, bottom: int, left: int, right: int, image: torch.Tensor = image) -> torch.Tensor:
                nonlocal strips
                strips += 1
                return image[:, :, top:bottom, left:right]

            runner.run(source, 1, side, side, lambda t, le, p: None)
            strips = 0
            with Launches(device) as found:
                runner.run(source, 1, side, side, lambda t, le, p: None)
            kernels, waits = found.kernels.total(), found.waits.total()
            name = str(dtype).removeprefix("torch.")
            print(
                f"  {side} x {side} {name:8s} {strips} strips: for each {kernels / strips:.0f} launches, "
                f"{waits / strips:.2g} waits, {found.uploads / strips:.2g} uploads; "
                f"{kernels / side**2 * 1e6:.0f} launches and {waits / side**2 * 1e6:.0f} waits a megapixel",
                flush=True,
            )


def synchronized(case: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """Return a case that waits until the device has completed it."""

    def run() -> None:
        case()
        if device.type != "cpu":
            torch.get_device_module(device.type).synchronize()

    return run


def multiplications_per_pixel(network: nn.Module) -> float:
    """Count the multiplications of a network's convolutions for each pixel of its input."""
    side, total = 16, 0
    made = copy.deepcopy(network).float().eval()

    def count(module: nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * out.shape[2] * out.shape[3]

    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    made(torch.zeros(1, network.in_channels, side, side))
    return total / side**2


@torch.inference_mode()
def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="an RRDBNet x4 of 23 blocks")
    parser.add_argument("--all-weights", type=Path, nargs="*", default=[], help="more files, for the errors")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--sizes", nargs="+", default=["256x512", "1024x512"], help="for the times")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, help="for the times; 0 if a run takes minutes")
    parser.add_argument("--strip", type=int, default=64)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], help="for the times")
    parser.add_argument("--without-tiles", action="store_true", help="for the times: stream and whole image only")
    parser.add_argument("--memory", nargs="+", default=["512x128", "2048x128", "8192x128", "2048x2048"])
    parser.add_argument(
        "--tensors", nargs="+", default=["512x16", "2048x16", "8192x16"], help="for the part tensors; narrow ones"
    )
    parser.add_argument("--budget", type=float, default=3.0, help="GiB, for the part memory")
    parser.add_argument("--device", default="auto", help="for the parts gpu and launches")
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 4096], help="for the parts gpu and launches")
    parser.add_argument("--case", type=int, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        memory_case(str(arguments.weights), *arguments.case)
        return
    print(processor())
    network = sr.load_model(str(arguments.weights)).network
    if "error" in arguments.parts:
        measure_error([arguments.weights, *arguments.all_weights])
    if "time" in arguments.parts:
        sizes = [size_of(size) for size in arguments.sizes]
        measure_time(
            network,
            sizes,
            arguments.runs,
            arguments.strip,
            arguments.precisions,
            arguments.warm_up,
            not arguments.without_tiles,
        )
    if "memory" in arguments.parts:
        budget = round(arguments.budget * 2**30)
        measure_memory(arguments.weights, [(*size_of(case), budget) for case in arguments.memory])
    if "tensors" in arguments.parts:
        measure_tensors(network, [size_of(case) for case in arguments.tensors], round(arguments.budget * 2**30))
    if "width" in arguments.parts:
        measure_width(network)
    if "strips" in arguments.parts:
        measure_strips(arguments.runs)
    if "srcnn" in arguments.parts:
        measure_srcnn(arguments.runs)
    if "narrow" in arguments.parts:
        measure_narrow(arguments.runs)
    if "dense" in arguments.parts:
        measure_dense(arguments.runs)
    device = choose_device(arguments.device)
    if device.type == "cpu":
        if {"gpu", "launches"} & set(arguments.parts):
            print("\nGPU: none that is chosen by itself on this machine; name one with --device")
        return
    if "gpu" in arguments.parts:
        measure_rate(network, device, arguments.sides, arguments.runs)
    if "launches" in arguments.parts:
        count_launches(network, device, arguments.sides)


if __name__ == "__main__":
    main()
