"""Streaming beside the whole image and beside customary tiles: error, time, memory, in one run on one machine.

    python benchmarks/inference.py --weights realesrgan-x4plus.fp16.pth [--parts error time memory srcnn gpu]

Customary tiles are those of Real-ESRGAN: 256 pixels, 10 of padding, NCHW, float32, one by one, no blending. Times are
medians of runs in turn, so that a change of the machine's speed meets all alike; their spread is the range. Memory is
that of a process of its own, beyond what it had before and beyond the result.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

import napari_sr as sr
from napari_sr.inference.memory import cut_plane
from napari_sr.inference.plane import PlaneRunner
from napari_sr.inference.streaming.plan import plan_stream
from napari_sr.inference.streaming.stream import stream
from napari_sr.networks import SRCNN

NHWC = torch.channels_last


def processor() -> str:
    """Name of the processor, cores and threads."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next(
            (x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), name
        )
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def ready(network: nn.Module, dtype: torch.dtype, nhwc: bool = True, device: str = "cpu") -> nn.Module:
    """A copy of a network in a precision and a layout."""
    made = copy.deepcopy(network).to(device, dtype).eval()
    return made.to(memory_format=NHWC) if nhwc else made


def customary(network: nn.Module, image: torch.Tensor, tile: int = 256, pad: int = 10) -> torch.Tensor:
    """Real-ESRGAN's tiles: cut with padding, crop, put side by side."""
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
    """The whole image by streaming."""
    height, width = image.shape[2:]
    plan = plan_stream(network)
    # The result is one array that the strips are written into, as in a job.
    out = torch.empty((1, network.out_channels, height * network.scale, width * network.scale))
    row = 0
    for part in stream(plan, lambda a, b: image[:, :, a:b], height, width, strip):
        out[:, :, row : row + part.shape[2]] = part
        row += part.shape[2]
    return out


def in_turn(cases: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each case, run in turn after one run to warm up."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(runs + 1):
        for name, case in cases.items():
            begun = time.perf_counter()
            case()
            if run:
                times[name].append(time.perf_counter() - begun)
    return times


def row(name: str, seconds: list[float], base: float | None) -> None:
    """Print one line of times, and the ratio to a base."""
    ratio = "" if base is None else f"   ratio {median(seconds) / base:.3f}"
    print(f"  {name:38s} {median(seconds):8.2f} s  ({min(seconds):.2f} to {max(seconds):.2f}){ratio}", flush=True)


def measure_error(weights: list[Path]) -> None:
    """Error of stream and whole image against float64, in parts of the result's range."""
    print("\nError against float64 (maximum, in parts of the range), sizes 61 x 47, strips 1 to 64")
    torch.manual_seed(0)
    for path in weights:
        scale = 3 if "srcnn" in path.name else None
        network = sr.load_model(str(path), scale=scale).network
        image = torch.rand(1, network.in_channels, 61, 47)
        truth = ready(network, torch.float64)(image.double())
        span = float(truth.max() - truth.min())
        plain = ready(network, torch.float32)
        x = image.contiguous(memory_format=NHWC)
        whole = float((plain(x).double() - truth).abs().max()) / span
        parts = [float((streamed(plain, x, s).double() - truth).abs().max()) / span for s in (1, 2, 7, 16, 64)]
        print(f"  {path.name:36s} whole {whole:.2e}  streamed {max(parts):.2e}", flush=True)


def measure_time(network: nn.Module, sizes: list[tuple[int, int]], runs: int, strip: int) -> None:
    """Stream, whole image and customary tiles in turn."""
    plain, tiles = ready(network, torch.float32), ready(network, torch.float32, nhwc=False)
    half = ready(network, torch.bfloat16)
    for height, width in sizes:
        image = torch.rand(1, 3, height, width)
        x = image.contiguous(memory_format=NHWC)
        y = x.to(torch.bfloat16)
        cases: dict[str, Callable[[], object]] = {
            "whole image, float32": lambda x=x: plain(x),
            f"streamed, float32, strips of {strip}": lambda x=x: streamed(plain, x, strip),
            "customary tiles, float32": lambda image=image: customary(tiles, image),
            "whole image, bfloat16": lambda y=y: half(y),
            f"streamed, bfloat16, strips of {strip}": lambda y=y: streamed(half, y, strip),
        }
        print(f"\nTime, {height} x {width}, {runs} runs in turn")
        times = in_turn(cases, runs)
        wholes = {"float32": median(times["whole image, float32"]), "bfloat16": median(times["whole image, bfloat16"])}
        for name, seconds in times.items():
            row(name, seconds, wholes["bfloat16" if "bfloat16" in name else "float32"])
        slow = median(times["customary tiles, float32"])
        for precision in ("float32", "bfloat16"):
            ratio = median(times[f"streamed, {precision}, strips of {strip}"]) / slow
            print(f"  streamed {precision} over customary tiles: {ratio:.3f}")


def memory_case(weights: str, height: int, width: int, budget: int) -> None:
    """In a process of its own: peak memory of a stream beyond what was there and beyond the result."""
    network = sr.load_model(weights).network
    runner = PlaneRunner(network, torch.device("cpu"), memory=budget)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.random((1, 3, height, width), dtype=np.float32))
    out = np.zeros((3, height * 4, width * 4), np.float32)
    out += 1  # the pages are there before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def sink(top: int, left: int, part: torch.Tensor) -> None:
        out[:, top : top + part.shape[2], left : left + part.shape[3]] = part[0].numpy()

    begun = time.perf_counter()
    runner.run(lambda t, b, le, r: image[:, :, t:b, le:r], 1, height, width, sink)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"bytes": after - before, "seconds": seconds, "cut": runner.used, "planned": runner.peak}))


def measure_memory(weights: Path, cases: list[tuple[int, int, int]]) -> None:
    """Peak memory for heights and widths, each in a process of its own."""
    print("\nPeak memory beyond image and result (float32)")
    for height, width, budget in cases:
        code = [sys.executable, __file__, "--weights", str(weights), "--case", str(height), str(width), str(budget)]
        found = json.loads(subprocess.run(code, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        print(
            f"  {height:5d} x {width:<5d} budget {budget / 2**30:.2f} GiB: {found['bytes'] / 2**30:.3f} GiB "
            f"(planned {found['planned'] / 2**30:.3f}), {found['cut']}, {found['seconds']:.0f} s",
            flush=True,
        )


def measure_width(network: nn.Module) -> None:
    """Cost of bands of columns as a function of the width, as planned."""
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


def measure_srcnn(runs: int) -> None:
    """A 2048 x 2048 uint16 plane through SRCNN x2, beside its bicubic and its convolutions at the machine's rate."""
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
    """Floating-point operations per second of 5 x 5 convolutions, 64 to 32 features, SRCNN's heaviest layer."""
    layer = nn.Conv2d(64, 32, 5, padding=2).to(memory_format=NHWC)
    x = torch.rand(1, 64, 256, 1024).contiguous(memory_format=NHWC)
    times = in_turn({"conv": lambda: layer(x)}, 7)["conv"]
    return 2 * 64 * 32 * 25 * 256 * 1024 / median(times)


def measure_gpu(network: nn.Module, runs: int) -> None:
    """TFLOP/s on a CUDA device beside the plain fp16 module and customary tiles; needs one."""
    if not torch.cuda.is_available():
        print("\nGPU: none on this machine")
        return
    flops = 2 * 17.93e6
    half = ready(network, torch.float16, device="cuda")
    tiles = ready(network, torch.float16, nhwc=False, device="cuda")
    print(f"\nGPU: {torch.cuda.get_device_name()}, float16")
    for side in (1024, 4096):
        runner = PlaneRunner(network, torch.device("cuda"), torch.float16)
        image = torch.rand(1, 3, side, side)
        there = image.to("cuda", torch.float16)

        def stream_it(runner: PlaneRunner = runner, image: torch.Tensor = image, side: int = side) -> None:
            runner.run(lambda t, b, le, r: image[:, :, t:b, le:r], 1, side, side, lambda t, le, p: None)

        def synchronised(case: Callable[[], object]) -> Callable[[], None]:
            def run() -> None:
                case()
                torch.cuda.synchronize()

            return run

        cases = {"streamed": stream_it, "customary tiles": synchronised(lambda x=there: customary(tiles, x))}
        if side <= 1024:
            cases["plain module"] = synchronised(lambda x=there: half(x.contiguous(memory_format=NHWC)))
        for name, seconds in in_turn(cases, runs).items():
            speed = flops * side**2 / median(seconds) / 1e12
            print(f"  {side} x {side} {name:18s} {median(seconds):7.3f} s {speed:6.0f} TFLOP/s")


@torch.inference_mode()
def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="an RRDBNet x4 of 23 blocks")
    parser.add_argument("--all-weights", type=Path, nargs="*", default=[], help="more files, for the errors")
    parser.add_argument("--parts", nargs="+", default=["error", "time", "memory", "width", "srcnn", "gpu"])
    parser.add_argument("--sizes", nargs="+", default=["256x512", "1024x512"], help="for the times")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--strip", type=int, default=64)
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
        sizes = [tuple(int(n) for n in size.split("x")) for size in arguments.sizes]
        measure_time(network, sizes, arguments.runs, arguments.strip)  # type: ignore[arg-type]
    if "memory" in arguments.parts:
        gib = 2**30
        measure_memory(arguments.weights, [(512, 64, gib), (2048, 64, gib), (8192, 64, gib), (1024, 2048, 3 * gib)])
    if "width" in arguments.parts:
        measure_width(network)
    if "srcnn" in arguments.parts:
        measure_srcnn(arguments.runs)
    if "gpu" in arguments.parts:
        measure_gpu(network, arguments.runs)


if __name__ == "__main__":
    main()
