"""A check of this computer: versions, folders, files, and a self-test on each device.

Users run it as ``napari-sr check`` or in the window when something is wrong, and paste its text into a report.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from napari_sr.accelerators import EXPERIMENTAL_KINDS, is_software, unavailable
from napari_sr.config import config_path, load_config
from napari_sr.device_names import KINDS
from napari_sr.errors import Cancelled, one_line
from napari_sr.imaging.files import read_image, write_image
from napari_sr.imaging.noise import measure_noise
from napari_sr.inference.compute.cache import cache_folder
from napari_sr.inference.compute.conditions import conditioned
from napari_sr.inference.compute.device import available_devices, describe_device
from napari_sr.inference.compute.tunings import store_tuning
from napari_sr.inference.compute.verdicts import LARGEST_DIFFERENCE, Verdict, store_verdict
from napari_sr.inference.formatting import format_speed
from napari_sr.inference.job import Job
from napari_sr.inference.timing.tuning import measure_tuning
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.progress import Cancel
from napari_sr.samples import load_sample, sample_crop
from napari_sr.setting_values import Precision, TilingName
from napari_sr.settings import JobSettings
from napari_sr.zoo.catalog import load_model
from napari_sr.zoo.folders import bundled_folder, model_folder

#: Packages whose versions are listed, where they are installed.
_PACKAGES = ("torch", "numpy", "zarr", "tifffile", "napari", "PyQt6", "PySide6", "imagecodecs")
#: The model of the self-test.
_MODEL = "esrgan-microscopy-x2"
#: Side of the image of the self-test, and of that of the speed, in pixels.
_SIDE, _SPEED_SIDE = 32, 80
#: Largest difference of streamed and whole results, as a fraction of the range, and least agreement of the number
#: formats with float32 in decibels. Rounding of correct devices is far within both.
_DIFFERENCE = 1e-4
_AGREEMENT: dict[Precision, float] = {"bfloat16": 30.0, "float16": 45.0}
#: Memory in bytes that is needed at least.
_LEAST_MEMORY, _LEAST_DISK = 2**30, 2**30


@dataclass(frozen=True)
class Check:
    """One line of the check.

    Parameters
    ----------
    name : str
        Name of what was checked.
    text : str
        What was found, or what to do.
    ok : bool, default True
        Whether it is as it should be.
    """

    name: str
    text: str
    ok: bool = True

    def line(self) -> str:
        """Return the line.

        Returns
        -------
        str
            The state, the name and the text.
        """
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.text}"


class _Failed(Exception):
    """A check has failed; the message says what to do."""


def check_computer(cancel: Cancel | None = None) -> Iterator[Check]:
    """Check this computer.

    Parameters
    ----------
    cancel : callable, optional
        Called before each check; returning True ends the work with `Cancelled`.

    Yields
    ------
    Check
        The lines, in order. A failed check does not end the others.

    Raises
    ------
    Cancelled
        If `cancel` returned True.
    """
    for name, check in _checks():
        if cancel is not None and cancel():
            raise Cancelled("The check was stopped.")
        try:
            yield Check(name, check())
        except Cancelled:
            raise
        except _Failed as failure:
            yield Check(name, str(failure), ok=False)
        except Exception as error:
            # Whatever is wrong with this computer is what the check is for.
            sentence = one_line(error) or "no message"
            yield Check(name, f"{type(error).__name__}: {sentence}", ok=False)


def _checks() -> Iterator[tuple[str, Callable[[], str]]]:
    yield "versions", _versions
    yield "system", lambda: f"{platform.platform()}, Python {platform.python_version()}, {platform.machine()}"
    yield "memory", _memory
    yield "settings file", _settings_file
    yield "model folder", lambda: _writable(model_folder())
    yield "cache folder", lambda: _writable(cache_folder())
    yield "temporary folder", lambda: _writable(Path(tempfile.gettempdir()), _LEAST_DISK)
    yield "bundled model", _bundled_model
    yield "image file", _image_file
    yield "noise measurement", _noise
    for device in available_devices():
        if device == "auto":
            continue
        yield device, partial(_device, device)
        if is_software(torch.device(device)):
            # Slower than the CPU itself, and of use to programmers only.
            continue
        yield f"{device}, streamed against whole", partial(_streamed, device)
        for precision in _AGREEMENT:
            yield f"{device}, {precision} against float32", partial(_agreement, device, precision)
        if device != "cpu":
            yield f"{device}, fastest way", partial(_tuning, device)
        yield f"{device}, speed", partial(_speed, device)
        if torch.device(device).type in EXPERIMENTAL_KINDS:
            yield f"{device}, against the CPU", partial(_against_cpu, device)
    for kind in KINDS:
        reason = unavailable(kind)
        if reason is not None:
            yield kind, partial(_absent, reason)


def _device(device: str) -> str:
    described = describe_device(torch.device(device))
    if is_software(torch.device(device)):
        return f"{described}, which the CPU computes; auto never uses it"
    return described


def _absent(reason: str) -> str:
    return f"not used, since {reason}"


def _against_cpu(device: str) -> str:
    """Compare an experimental device with the CPU, and store the result for the device "auto"."""
    difference = float(np.abs(_result(device) - _result("cpu")).max())
    speed = _seconds("cpu") / _seconds(device)
    verdict = Verdict(difference, speed)
    store_verdict(torch.device(torch.device(device).type, torch.device(device).index or 0), verdict)
    if not difference <= LARGEST_DIFFERENCE:
        raise _Failed(f"the results differ by {difference:.2g} of the range; auto does not use this device")
    consequence = "auto uses it" if verdict.good else "auto uses the CPU"
    return f"the results differ by at most {difference:.1g} of the range, {speed:.2g} times as fast; {consequence}"


def _tuning(device: str) -> str:
    """Measure how a device computes fastest, and store it for the jobs that follow."""
    model = load_model(_MODEL)
    where = torch.device(torch.device(device).type, torch.device(device).index or 0)
    tuning = measure_tuning(conditioned(model, JobSettings(), NoiseLevels()), where)
    store_tuning(where, tuning)
    layouts = [f"{layout} memory for {name}" for name, layout in sorted(tuning.layouts.items())]
    return ", ".join([*layouts, "planes in one piece" if tuning.whole_planes else "planes in strips"])


def _versions() -> str:
    versions = []
    for package in ("napari-sr", *_PACKAGES):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(versions)


def _memory() -> str:
    memory = psutil.virtual_memory()
    text = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f} GiB"
    if memory.available < _LEAST_MEMORY:
        raise _Failed(f"{text}; close other programs")
    return text


def _settings_file() -> str:
    path = config_path()
    load_config()
    state = "" if path.is_file() else " (there is none yet)"
    return f"{path}{state}, {_writable(path.parent)}"


def _writable(folder: Path, least: int = 0) -> str:
    """Write and delete a file in a folder, or in the nearest folder above it that exists."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"napari-sr")
    except OSError as error:
        raise _Failed(f"{folder} cannot be written ({error.strerror}); check its permissions and space") from error
    free = shutil.disk_usage(existing).free
    text = f"{folder} can be written, {free / 2**30:.0f} GiB free"
    if free < least:
        raise _Failed(f"{text}; make room")
    return text


def _bundled_model() -> str:
    """Read the model of the self-test and compare its file with the hash in the installed package, if it has one."""
    path = bundled_folder() / f"{_MODEL}.safetensors"
    load_model(_MODEL)
    digest = hashlib.sha256(path.read_bytes())
    recorded = _recorded_hash(path)
    if recorded is not None and recorded != digest.digest():
        raise _Failed(f"{path} has changed since it was installed; install napari-sr again")
    return f"{_MODEL}, SHA-256 {digest.hexdigest()[:12]}{'' if recorded is None else ', as installed'}"


def _recorded_hash(path: Path) -> bytes | None:
    import base64

    try:
        files = metadata.files("napari-sr") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == path.name and file.hash is not None and file.hash.mode == "sha256":
            return base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4))
    return None


def _image_file() -> str:
    """Write an image and read it back."""
    image = load_sample("fluorescence").low
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.ome.tif"
        write_image(path, image, "YX", {"Y": 0.1, "X": 0.1}, "um")
        read = read_image(path)
    if not np.array_equal(read.data, image) or read.pixel_size != {"Y": 0.1, "X": 0.1} or read.unit != "micrometer":
        raise _Failed("an OME-TIFF is read with other pixels than were written; install tifffile again")
    return "an OME-TIFF was written and read with the same pixels and pixel size"


def _noise() -> str:
    """Measure noise that was added to a flat image."""
    deviation = 5.0
    flat = np.random.default_rng(0).normal(100.0, deviation, (256, 256)).astype(np.float32)
    measured = float(measure_noise([flat]).sigma(100.0))
    if abs(measured - deviation) > 0.1 * deviation:
        raise _Failed(f"a deviation of {deviation:g} is measured as {measured:.2f}; report this")
    return f"a deviation of {deviation:g} is measured as {measured:.2f}"


def _result(device: str, precision: Precision = "float32", tiling: TilingName = "exact") -> NDArray[np.float32]:
    settings = JobSettings(device=device, precision=precision, tiling=tiling, intensity=(0.0, 1.0))
    result: NDArray[np.float32] = Job(load_model(_MODEL), settings).run(sample_crop("fluorescence", _SIDE), "YX").data
    return result


def _streamed(device: str) -> str:
    difference = float(np.abs(_result(device) - _result(device, tiling="none")).max())
    if not difference <= _DIFFERENCE:
        raise _Failed(f"the results differ by {difference:.2g} of the range; update torch and the driver")
    return f"the results differ by at most {difference:.1g} of the range"


def _agreement(device: str, precision: Precision) -> str:
    exact = _result(device)
    error = float(np.mean((_result(device, precision) - exact).astype(np.float64) ** 2))
    psnr = float("inf") if error == 0 else -10 * np.log10(error)
    least = _AGREEMENT[precision]
    if not psnr >= least:
        raise _Failed(f"{psnr:.0f} dB, less than {least:.0f} dB; use --precision float32 on this device")
    return f"{psnr:.0f} dB"


def _speed(device: str) -> str:
    pixels = (load_model(_MODEL).scale * _SPEED_SIDE) ** 2
    speed = format_speed(pixels / _seconds(device))
    return f"{speed} megapixels of the result per second ({_MODEL}, float32)"


def _seconds(device: str) -> float:
    """Time the network on an image, after a first run that is not counted."""
    job = Job(load_model(_MODEL), JobSettings(device=device, precision="float32", intensity=(0.0, 1.0)))
    image = sample_crop("fluorescence", _SPEED_SIDE)
    job.run(image[:32, :32], "YX")
    started = time.perf_counter()
    job.run(image, "YX")
    return time.perf_counter() - started
