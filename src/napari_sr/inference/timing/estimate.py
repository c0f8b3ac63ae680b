"""Size, memory and time of a job, estimated before it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.config import load_settings
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part
from napari_sr.imaging.pixel_size import unit_symbol
from napari_sr.inference.compute.tiles import axis_tiles
from napari_sr.inference.formatting import format_bytes, format_seconds
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region
from napari_sr.inference.timing.speed import LEAST_SECONDS, known_speed, measure_speed, store_speed
from napari_sr.settings import Overlap
from napari_sr.zoo.architectures import build_empty
from napari_sr.zoo.catalog import as_model
from napari_sr.zoo.model import Model


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Size, memory and time of a job.

    Parameters
    ----------
    source : Axes
        Axes and shape of the part that is upscaled, or of the image.
    result : Axes
        Axes and shape of the result.
    dtype : dtype
        Data type of both.
    pixel_size, result_pixel_size : dict of str to float
        Pixel size of source and result by axis letter; empty if it is not known.
    unit : str or None
        Unit of both.
    bytes : int
        Memory of the result, in bytes.
    seconds : float or None
        Duration of the computation, in seconds; None if the speed has not been measured yet.
    device : str
        Type of the device, such as "cpu".
    """

    source: Axes
    result: Axes
    dtype: np.dtype[np.generic]
    pixel_size: dict[str, float]
    result_pixel_size: dict[str, float]
    unit: str | None
    bytes: int
    seconds: float | None
    device: str

    def sentence(self) -> str:
        """Return the estimate as one line of text.

        Returns
        -------
        str
            Such as "512 x 512 uint16, 0.1 µm -> 2048 x 2048, 0.025 µm, 8 MiB, about 40 s on this GPU".
        """
        before = [f"{_format_shape(self.source)} {self.dtype}", *_format_size(self.pixel_size, self.unit)]
        after = [_format_shape(self.result), *_format_size(self.result_pixel_size, self.unit), format_bytes(self.bytes)]
        if self.seconds is not None:
            computer = "CPU" if self.device == "cpu" else "GPU"
            after.append(f"{format_seconds(self.seconds)} on this {computer}")
        return f"{', '.join(before)} -> {', '.join(after)}"


def estimate(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    part: Part | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    **settings: Any,
) -> Estimate:
    """Estimate size, memory and time of upscaling an image, without reading its pixels.

    Parameters
    ----------
    image : array-like
        The image, as for `upscale`; only its axes, dtype and pixel size are used.
    model : Model, str or Path
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, in any order; a last C of size 3 or 4 is RGB(A). By default those
        of the image, or those that follow from its shape.
    part : Part, optional
        The part of the image to upscale; by default all.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter, such as ``{"Y": 0.1, "X": 0.1}``.
    unit : str, optional
        Unit of `pixel_size`, such as "um".
    **settings
        Settings of the job by name, with the values of `JobSettings`.

    Returns
    -------
    Estimate
        The estimate. If the speed of this network on this device is not known, it is measured in a short calibration
        run.

    Raises
    ------
    InputError
        If image, axes or settings do not fit.
    CheckpointError
        If the model cannot be loaded.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> expected = sr.estimate(np.zeros((32, 32), np.uint8), "srcnn-x2", device="cpu")
    >>> expected.result.shape, expected.bytes
    ((64, 64), 4096)
    """
    read = as_image(image, axes, pixel_size, unit)
    dtype, rgb = read.data.dtype, read.axes.rgb
    job = Job(as_model(model), load_settings(**settings))
    if known_speed(job, dtype, rgb) is None:
        measure_speed(job, dtype, rgb)
    region = job.region(read.axes, part, pixel_size=read.pixel_size, unit=read.unit)
    return estimate_region(job, region, dtype, pixel_size=read.pixel_size, unit=read.unit)


def estimate_region(
    job: Job,
    region: Region,
    dtype: npt.DTypeLike,
    *,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
) -> Estimate:
    """Estimate size, memory and time of a job, without a calibration run. May be called on the main thread of a window.

    Parameters
    ----------
    job : Job
        The job.
    region : Region
        The region of the image, from `Job.region`.
    dtype : dtype
        Data type of the image.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter.
    unit : str, optional
        Unit of `pixel_size`; "pixel" counts as unknown.

    Returns
    -------
    Estimate
        The estimate. `seconds` is None unless the speed of this network on this device is known (`measure_speed`).
    """
    axes = region.axes
    known = dict(pixel_size or {}) if unit not in (None, "pixel") else {}
    factors = dict(zip("YX", (region.rows.factor, region.columns.factor), strict=True))
    speed = known_speed(job, dtype, axes.rgb)
    return Estimate(
        source=Axes(axes.letters, tuple(stop - start for start, stop in region.ranges)),
        result=region.result_axes,
        dtype=np.dtype(dtype),
        pixel_size={letter: float(size) for letter, size in known.items()},
        result_pixel_size={letter: float(size) / factors.get(letter, 1.0) for letter, size in known.items()},
        unit=unit if known else None,
        bytes=prod(region.shape) * np.dtype(dtype).itemsize,
        seconds=None if speed is None else speed * _pixels(job, region),
        device=job.where(dtype)[0].type,
    )


def learn_speed(job: Job, region: Region, dtype: npt.DTypeLike, seconds: float) -> None:
    """Update the known speed after a run, since the calibration run may have been slowed by other load.

    Parameters
    ----------
    job : Job
        The job.
    region : Region
        The region that was upscaled.
    dtype : dtype
        Data type of the image.
    seconds : float
        Duration of the run, in seconds; one below `napari_sr.inference.timing.speed.LEAST_SECONDS` is ignored.
    """
    if seconds >= LEAST_SECONDS:
        store_speed(job, dtype, region.axes.rgb, seconds / _pixels(job, region))


def _pixels(job: Job, region: Region) -> float:
    """Count the pixels that the network is applied to, margins, overlaps and self-ensemble included."""
    axes = region.axes
    # Without weights: the network has been built when the model was loaded, so this takes no time.
    network = build_empty(job.model.card.architecture)
    alignment = int(network.alignment)  # type: ignore[arg-type]
    ranges = region.read(int(network.receptive_radius), alignment)  # type: ignore[arg-type]
    height, width = (ranges[axis][1] - ranges[axis][0] for axis in (axes.y, axes.x))
    tiling = Overlap() if job.settings.tiling == "overlap" else job.settings.tiling
    if isinstance(tiling, Overlap):
        height, width = (
            sum(tile.stop - tile.start for tile in axis_tiles(n, tiling, alignment)) for n in (height, width)
        )
    planes = prod(ranges[axis][1] - ranges[axis][0] for axis in axes.plane_axes)
    return float(planes * height * width * (8 if job.settings.self_ensemble else 1))


def _format_shape(axes: Axes) -> str:
    lengths = axes.shape[:-1] if axes.rgb else axes.shape
    colors = (" RGBA" if axes.rgba else " RGB") if axes.rgb else ""
    return " x ".join(str(length) for length in lengths) + colors


def _format_size(pixel_size: Mapping[str, float], unit: str | None) -> list[str]:
    sizes = list(dict.fromkeys(f"{pixel_size[letter]:.4g}" for letter in "YX" if letter in pixel_size))
    return [f"{' x '.join(sizes)} {unit_symbol(unit)}"] if sizes and unit is not None else []
