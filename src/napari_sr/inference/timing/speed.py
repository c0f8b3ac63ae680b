"""The speed of networks on this machine, measured once in a short calibration run and stored in a cache."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from napari_sr.inference.channels import separate_colors
from napari_sr.inference.compute.cache import read_cache, write_cache
from napari_sr.inference.compute.device import describe_device
from napari_sr.inference.compute.network import network_of
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.inference.job import Job
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.progress import Cancel, never
from napari_sr.setting_values import TilingName

#: Least duration of a run, in seconds, from which a speed is computed.
LEAST_SECONDS = 0.25
#: Sides of the square planes of the calibration run, in pixels, in the order in which they are used.
SIDES = (32, 64, 128, 256, 512, 1024)

_FILE = "speeds.json"


def known_speed(job: Job, dtype: npt.DTypeLike, rgb: bool = False) -> float | None:
    """Return the speed of a job, if it has been measured.

    Parameters
    ----------
    job : Job
        The job; the speed depends on its network, device, precision and tiling.
    dtype : dtype
        Data type of the image, on which the precision may depend.
    rgb : bool, default False
        Whether the planes have three colors.

    Returns
    -------
    float or None
        Seconds for each pixel of a plane; None if it has not been measured, or with another version of torch.
    """
    return read_cache(_FILE, _converted).get(_key(job, dtype, rgb))


def measure_speed(job: Job, dtype: npt.DTypeLike, rgb: bool = False, *, cancel: Cancel = never) -> float:
    """Measure the speed of a job in a short calibration run, and store it. Not for the main thread of a window.

    Parameters
    ----------
    job : Job
        The job; the speed depends on its network, device, precision and tiling.
    dtype : dtype
        Data type of the image, on which the precision may depend.
    rgb : bool, default False
        Whether the planes have three colors.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the run with `Cancelled`.

    Returns
    -------
    float
        Seconds for each pixel of a plane.

    Raises
    ------
    Cancelled
        If `cancel` returned True; nothing is stored then.

    Notes
    -----
    Planes of noise are computed, each with twice the side of the one before, until one takes `LEAST_SECONDS`. A slow
    network is so measured on a small plane, and a GPU on a large one. The first plane, which includes the
    initialization of the device, is not counted.
    """
    device, number_format = job.where(dtype)
    # The level of the noise does not change the time.
    network = network_of(job.model, job.settings, rgb, NoiseLevels())
    prepared = PreparedNetwork(network, device)
    runner = PlaneRunner(prepared, number_format, _tiling(job), memory=job.settings.memory, cancel=cancel)
    seconds, side = 0.0, SIDES[0]
    compute_noise(runner, prepared.in_channels, SIDES[0])
    for side in SIDES:
        started = time.perf_counter()
        compute_noise(runner, prepared.in_channels, side)
        seconds = time.perf_counter() - started
        if seconds >= LEAST_SECONDS:
            break
    speed = seconds / side**2 * (3 if rgb and separate_colors(job.model.card) else 1)
    store_speed(job, dtype, rgb, speed)
    return speed


def compute_noise(runner: PlaneRunner, channels: int, side: int) -> None:
    """Compute a square plane of noise."""
    image = torch.rand(1, channels, side, side, generator=torch.Generator())

    def source(top: int, bottom: int, left: int, right: int) -> Tensor:
        return image[:, :, top:bottom, left:right]

    # The blocks are copied to the CPU, so the device has finished when `run` returns.
    runner.run(source, 1, side, side, lambda top, left, part: None)


def _key(job: Job, dtype: npt.DTypeLike, rgb: bool) -> str:
    device, number_format = job.where(dtype)
    model = job.model
    both = model.mixing == "images" and model.alpha not in (0, 1)
    facts = {
        "device": _machine(device),
        "precision": str(number_format).removeprefix("torch."),
        "network": model.card.architecture.model_dump(mode="json"),
        "networks": 2 if both else 1,
        "colors": (3 if rgb else 1, model.card.color),
        "tiling": _tiling(job),
    }
    return json.dumps(facts, sort_keys=True)


def _tiling(job: Job) -> TilingName:
    """Tiling that is measured: tiles take the time of exact tiling for each of their pixels."""
    return "none" if job.settings.tiling == "none" else "exact"


def _machine(device: torch.device) -> str:
    if device.type == "cpu":
        return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return describe_device(device)


def _converted(content: Any) -> dict[str, float]:
    """Convert the content of the file; empty if the speeds were measured with another version of torch."""
    if content["torch"] != torch.__version__:
        return {}
    return {str(key): float(value) for key, value in content["speeds"].items()}


def store_speed(job: Job, dtype: npt.DTypeLike, rgb: bool, speed: float) -> None:
    """Store a speed in the cache, in place of an earlier one; ignored if the cache cannot be written.

    Parameters
    ----------
    job : Job
        The job; the speed depends on its network, device, precision and tiling.
    dtype : dtype
        Data type of the image, on which the precision may depend.
    rgb : bool
        Whether the planes have three colors.
    speed : float
        Seconds for each pixel of a plane.
    """
    speeds = {**read_cache(_FILE, _converted), _key(job, dtype, rgb): speed}
    write_cache(_FILE, {"torch": torch.__version__, "speeds": speeds})
