"""How fast this machine is with a network: measured once in a small run, and kept."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from uuid import uuid4

import numpy.typing as npt
import torch
from platformdirs import user_cache_dir
from torch import Tensor

from napari_sr.inference.channels import network_for, separate_colors
from napari_sr.inference.device import describe_device
from napari_sr.inference.job import Job
from napari_sr.inference.plane import PlaneRunner
from napari_sr.progress import Cancel
from napari_sr.settings import Overlap

FOLDER_VARIABLE = "NAPARI_SR_CACHE"

#: Seconds that a run must take to be believed, and the sides of the planes that are tried one after the other.
ENOUGH = 0.25
SIDES = (32, 64, 128, 256, 512, 1024)


def speed_file() -> Path:
    """File in which the speeds are kept; the variable NAPARI_SR_CACHE moves its folder. It need not exist."""
    moved = os.environ.get(FOLDER_VARIABLE)
    folder = Path(moved).expanduser() if moved else Path(user_cache_dir("napari-sr", appauthor=False))
    return folder / "speeds.json"


def known_speed(job: Job, dtype: npt.DTypeLike, rgb: bool = False) -> float | None:
    """Seconds for each pixel of a plane that goes through the network, as it was measured before.

    Parameters
    ----------
    job : Job
        Its model, device and precision count; its image does not.
    dtype : dtype
        Of the image, on which the precision may depend.
    rgb : bool
        Whether the planes have three colors.

    Returns
    -------
    float or None
        None where nothing was measured with this network, device, precision and torch.
    """
    speeds = _read()
    return speeds.get(_key(job, dtype, rgb))


def measure_speed(job: Job, dtype: npt.DTypeLike, rgb: bool = False, *, cancel: Cancel = lambda: False) -> float:
    """Measure the speed in a small run, and keep it; for any thread but the window's own.

    Parameters
    ----------
    job, dtype, rgb
        As `known_speed` takes them.
    cancel : callable
        Asked before every layer of the network.

    Returns
    -------
    float
        Seconds for each pixel.

    Raises
    ------
    Cancelled
        If `cancel` said yes; nothing is kept then.

    Notes
    -----
    Planes of noise, each twice as long as the last, until one takes a quarter of a second: so a slow network is tried
    on a small plane, and a graphics card has enough to do. What a device does the first time is not counted.
    """
    device, number = job.where(dtype)
    separate = rgb and separate_colors(job.model.card)
    network = network_for(job.model.network, job.model.card, 3 if rgb and not separate else 1)
    tiling = (
        "exact" if isinstance(job.settings.tiling, Overlap) or job.settings.tiling == "overlap" else job.settings.tiling
    )
    runner = PlaneRunner(network, device, number, tiling, memory=job.settings.memory, cancel=cancel)
    channels = int(network.in_channels)  # type: ignore[arg-type]
    seconds, side = 0.0, SIDES[0]
    _through(runner, channels, SIDES[0])
    for side in SIDES:
        started = time.perf_counter()
        _through(runner, channels, side)
        seconds = time.perf_counter() - started
        if seconds >= ENOUGH:
            break
    speed = seconds / side**2 * (3 if separate else 1)
    keep_speed(job, dtype, rgb, speed)
    return speed


def _through(runner: PlaneRunner, channels: int, side: int) -> None:
    image = torch.rand(1, channels, side, side)

    def source(top: int, bottom: int, left: int, right: int) -> Tensor:
        return image[:, :, top:bottom, left:right]

    # The parts arrive on the CPU, so the device has done its work by then.
    runner.run(source, 1, side, side, lambda top, left, part: None)


def _key(job: Job, dtype: npt.DTypeLike, rgb: bool) -> str:
    device, number = job.where(dtype)
    model = job.model
    both = model.mixing == "images" and model.alpha not in (0, 1)
    tiling = "none" if job.settings.tiling == "none" else "exact"
    facts = {
        "device": _machine(device),
        "precision": str(number).removeprefix("torch."),
        "network": model.card.architecture.model_dump(mode="json"),
        "networks": 2 if both else 1,
        "colors": (3 if rgb else 1, model.card.color),
        "tiling": tiling,
    }
    return json.dumps(facts, sort_keys=True)


def _machine(device: torch.device) -> str:
    if device.type == "cpu":
        return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return describe_device(device)


def _read() -> dict[str, float]:
    """Speeds by key; none if another torch measured them, or there is no file that can be read."""
    try:
        kept = json.loads(speed_file().read_text(encoding="utf-8"))
        if kept["torch"] != torch.__version__:
            return {}
        return {str(key): float(value) for key, value in kept["speeds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A cache that is not there or is damaged is measured anew.
        return {}


def keep_speed(job: Job, dtype: npt.DTypeLike, rgb: bool, speed: float) -> None:
    """Keep a speed, seconds for each pixel, in place of what was known; where it cannot be written it is not kept."""
    key, path = _key(job, dtype, rgb), speed_file()
    content = json.dumps({"torch": torch.__version__, "speeds": {**_read(), key: speed}}, indent=1)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        # A home that cannot be written to costs a measurement each time, no more.
        temporary.unlink(missing_ok=True)
