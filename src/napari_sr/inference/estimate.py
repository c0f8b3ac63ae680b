"""What a job will give and cost, before anything runs and without looking at a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part
from napari_sr.imaging.pixel_size import unit_symbol
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region
from napari_sr.inference.settings import Overlap
from napari_sr.inference.speed import ENOUGH, keep_speed, known_speed
from napari_sr.inference.tiles import axis_tiles
from napari_sr.inference.words import bytes_words, seconds_words
from napari_sr.zoo.architectures import build_empty

_DEVICES = {"cpu": "this CPU", "cuda": "this GPU", "mps": "this GPU"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a job will give and cost.

    Parameters
    ----------
    source, result : Axes
        Of what goes in (the part, if one was named) and what comes out.
    dtype : dtype
        Of both.
    pixel_size, result_pixel_size : dict of str to float
        Before and after, by axis letter; empty where they are not known.
    unit : str or None
        Of both.
    bytes : int
        That the result takes.
    seconds : float or None
        That the work will take about; None where the speed was not measured yet.
    device : str
        Kind of device: "cpu", "cuda" or "mps".
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
        """Say it in one line: "512 x 512 uint16, 0.1 µm -> 2048 x 2048, 0.025 µm, 8 MiB, about 40 s on this GPU"."""
        before = [f"{_shape_words(self.source)} {self.dtype}", *_size_words(self.pixel_size, self.unit)]
        after = [_shape_words(self.result), *_size_words(self.result_pixel_size, self.unit), bytes_words(self.bytes)]
        if self.seconds is not None:
            after.append(f"{seconds_words(self.seconds)} on {_DEVICES.get(self.device, self.device)}")
        return f"{', '.join(before)} -> {', '.join(after)}"


def estimate_job(
    job: Job,
    axes: Axes,
    dtype: npt.DTypeLike,
    *,
    part: Part | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
) -> Estimate:
    """Estimate a job over an image; it takes no time, and may be called on the window's thread.

    Parameters
    ----------
    job : Job
        What will be done.
    axes : Axes
        The whole image's.
    dtype : dtype
        Of its values.
    part : Part, optional
        What of it.
    pixel_size, unit : mapping of str to float, and str, optional
        The image's; "pixel" is none.

    Returns
    -------
    Estimate
        `seconds` is there when the speed of this network on this device is known: see `speed.measure_speed`.

    Raises
    ------
    InputError
        As `Job.region`.
    """
    region = job.region(axes, part, pixel_size=pixel_size, unit=unit)
    known = dict(pixel_size or {}) if unit not in (None, "pixel") else {}
    factors = dict(zip("YX", (region.rows.factor, region.columns.factor), strict=True))
    speed = known_speed(job, dtype, axes.rgb)
    return Estimate(
        source=Axes(axes.letters, tuple(stop - start for start, stop in region.ranges)),
        result=region.made,
        dtype=np.dtype(dtype),
        pixel_size={letter: float(size) for letter, size in known.items()},
        result_pixel_size={letter: float(size) / factors.get(letter, 1.0) for letter, size in known.items()},
        unit=unit if known else None,
        bytes=prod(region.shape) * np.dtype(dtype).itemsize,
        seconds=None if speed is None else speed * _pixels(job, region),
        device=job.where(dtype)[0].type,
    )


def learn_speed(
    job: Job,
    axes: Axes,
    dtype: npt.DTypeLike,
    seconds: float,
    *,
    part: Part | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
) -> None:
    """Correct what is known of the speed by a run that has ended: the small run may have met a busy machine.

    Parameters
    ----------
    job, axes, dtype, part, pixel_size, unit
        As `estimate_job` takes them.
    seconds : float
        How long the run took; one that was too short says nothing.
    """
    if seconds >= ENOUGH:
        region = job.region(axes, part, pixel_size=pixel_size, unit=unit)
        keep_speed(job, dtype, axes.rgb, seconds / _pixels(job, region))


def _pixels(job: Job, region: Region) -> float:
    """Pixels that go through the network: margins, overlaps and turns included."""
    axes = region.axes
    # The network without weights, which was built when the model was loaded.
    network = build_empty(job.model.card.architecture)
    alignment = int(network.alignment)  # type: ignore[arg-type]
    ranges = region.read(int(network.receptive_radius), alignment)  # type: ignore[arg-type]
    height, width = (ranges[axis][1] - ranges[axis][0] for axis in (axes.y, axes.x))
    tiling = Overlap() if job.tiling == "overlap" else job.tiling
    if isinstance(tiling, Overlap):
        height, width = (
            sum(tile.stop - tile.start for tile in axis_tiles(n, tiling, alignment)) for n in (height, width)
        )
    planes = prod(ranges[axis][1] - ranges[axis][0] for axis in axes.plane_axes)
    return float(planes * height * width * (8 if job.self_ensemble else 1))


def _shape_words(axes: Axes) -> str:
    lengths = axes.shape[:-1] if axes.rgb else axes.shape
    colors = (" RGBA" if axes.rgba else " RGB") if axes.rgb else ""
    return " x ".join(str(length) for length in lengths) + colors


def _size_words(pixel_size: Mapping[str, float], unit: str | None) -> list[str]:
    sizes = list(dict.fromkeys(f"{pixel_size[letter]:.4g}" for letter in "YX" if letter in pixel_size))
    return [f"{' x '.join(sizes)} {unit_symbol(unit)}"] if sizes and unit is not None else []
