"""The job: one call over a whole n-D image, plane by plane."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex, parse_axes
from napari_sr.imaging.intensity import IntensityMap, IntensitySpec, check_finite, intensity_maps
from napari_sr.inference.channels import check_channels, passes, upscale_colours, upscale_opacity
from napari_sr.inference.device import choose_device, choose_precision, describe_device
from napari_sr.inference.plane import PlaneRunner
from napari_sr.inference.report import Report
from napari_sr.inference.settings import Overlap, Tiling, check_tiling
from napari_sr.zoo.catalogue import load_model
from napari_sr.zoo.model import Model

Progress = Callable[[int, int], None]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class Result:
    """What a job gives: the image, and the report of how it came about."""

    data: NDArray[Any]
    report: Report


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that decides the pixels of a result, but for the image.

    Parameters
    ----------
    model : Model
        From `napari_sr.load_model`.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    precision : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float32.
    tiling : {"overlap", "none"} or Overlap
        "overlap" is ``Overlap()``; "none" puts each plane through the network whole.
    intensity : {"auto", "dtype", "percentile", "contrast"} or (low, high)
        Which values of the layer stand for black and white (see `napari_sr.imaging.intensity.intensity_maps`).

    Raises
    ------
    InputError
        If a setting is unknown, or the device is not on this machine.
    """

    model: Model
    device: str = "auto"
    precision: str = "auto"
    tiling: Tiling = "overlap"
    intensity: IntensitySpec = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be done before any image is looked at."""
        check_tiling(self.tiling)
        choose_precision(self.precision, choose_device(self.device))
        check_channels(self.model.card)

    def run(
        self,
        image: ImageArray,
        axes: str | Axes | None = None,
        *,
        contrast_limits: tuple[float, float] | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Result:
        """Upscale a whole image.

        Parameters
        ----------
        image : array
            numpy, dask or zarr; read plane by plane and never changed.
        axes : str or Axes, optional
            A letter of T, C, Z, Y, X for each dimension; a last C of 3 or 4 is RGB(A). Left out, it follows the shape.
        contrast_limits : (float, float), optional
            Of the layer, for ``intensity="contrast"``.
        progress : callable, optional
            Called as ``progress(done, total)`` after every piece.
        cancel : callable, optional
            Asked before every layer of the network; True ends the job with `Cancelled`.

        Returns
        -------
        Result
            The image with the same dtype, axes and order, `scale` times longer in Y and X; and the report.

        Raises
        ------
        InputError
            If axes, values or settings do not fit; nothing was computed then.
        Cancelled
            If `cancel` said yes.
        """
        given = axes if isinstance(axes, Axes) else parse_axes(axes, tuple(image.shape))
        check_finite(image, given)
        maps = intensity_maps(self.intensity, image, given, contrast_limits=contrast_limits)
        work = _Work(self, given, maps, progress or (lambda done, total: None), cancel or (lambda: False))
        return work.run(image)

    def overlap(self) -> Overlap | None:
        """Give the overlap tiles that the job's tiling stands for, None for whole planes."""
        if isinstance(self.tiling, Overlap):
            return self.tiling
        return Overlap() if self.tiling == "overlap" else None


def upscale(
    image: ImageArray,
    model: Model | str,
    axes: str | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    tiling: Tiling = "overlap",
    intensity: IntensitySpec = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> NDArray[Any]:
    """Upscale an image.

    Parameters
    ----------
    image : array
        numpy, dask or zarr.
    model : Model or str
        A model, or the name or path that `load_model` takes.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, in any order; a last C of 3 or 4 is RGB(A), any other C counts as
        separate channels. Left out: (Y, X), (Z, Y, X), (C, Z, Y, X), (T, C, Z, Y, X), or RGB(A) where the last axis
        is 3 or 4.
    device, precision, tiling, intensity
        As `Job` takes them.
    progress : callable, optional
        Called as ``progress(done, total)`` after every piece.
    cancel : callable, optional
        Asked before every layer of the network; True ends the work with `Cancelled`.

    Returns
    -------
    ndarray
        Same dtype, axes and order; `model.scale` times longer in Y and X.

    Raises
    ------
    InputError
        If image, axes or settings do not fit.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` said yes.
    """
    job = make_job(model, device, precision, tiling, intensity)
    return job.run(image, axes, progress=progress, cancel=cancel).data


def make_job(model: Model | str, device: str, precision: str, tiling: Tiling, intensity: IntensitySpec) -> Job:
    """Make the job of the public calls, loading the model when it is a name or a path."""
    loaded = model if isinstance(model, Model) else load_model(model)
    return Job(model=loaded, device=device, precision=precision, tiling=tiling, intensity=intensity)


class _Work:
    """One run of a job: what is counted while the planes go through."""

    def __init__(
        self, job: Job, axes: Axes, maps: dict[int | None, IntensityMap], progress: Progress, cancel: Cancel
    ) -> None:
        self.job, self.axes, self.maps, self.progress = job, axes, maps, progress
        self.card = job.model.card
        self.device = choose_device(job.device)
        self.dtype = choose_precision(job.precision, self.device)
        self.runner = PlaneRunner(job.model.network, self.device, self.dtype, job.overlap(), cancel)
        colours = 3 if axes.rgb else 1
        per_plane = self.runner.pieces(axes.shape[axes.y], axes.shape[axes.x]) * passes(self.card, colours)
        self.total = per_plane * axes.plane_count
        self.done = 0
        self.clipped = 0

    def run(self, image: ImageArray) -> Result:
        started = time.perf_counter()
        out = np.empty(self.axes.upscaled_shape(self.job.model.scale), image.dtype)
        self.progress(0, self.total)
        for index in self.axes.plane_indices():
            self.axes.place(out, index, self._plane(self.axes.plane(image, index), index))
        return Result(out, self._report(out, time.perf_counter() - started))

    def _plane(self, plane: NDArray[Any], index: PlaneIndex) -> NDArray[Any]:
        """Upscale one (Y, X) or (Y, X, C) plane in the layer's own dtype and values."""
        intensity = self.maps[self.axes.channel_of(index)]
        colours = plane[..., :3] if self.axes.rgb else plane
        result = upscale_colours(intensity.forward(colours), self.card, self._network)
        restored, clipped = intensity.inverse(result, plane.dtype)
        self.clipped += clipped
        if not self.axes.rgba:
            return restored
        opacity = upscale_opacity(plane[..., 3], self.job.model.scale)
        return np.concatenate([restored, opacity[..., None]], axis=-1)

    def _network(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put (C, Y, X) with black 0 and white 1 through the network, whose own black and white are on the card."""
        ranges = self.card.intensity_range, self.card.output_range
        inward, outward = (None if r == (0.0, 1.0) else IntensityMap(0.0, 1.0, r) for r in ranges)
        result = self.runner.run(inward.forward(values) if inward else values, self._step)
        return outward.inverse(result, np.float32)[0] if outward else result

    def _step(self) -> None:
        self.done += 1
        self.progress(self.done, self.total)

    def _report(self, out: NDArray[Any], seconds: float) -> Report:
        tiling = self.job.overlap()
        whole = (
            "each plane whole" if tiling is None else f"tiles of {tiling.tile} pixels with {tiling.overlap} of overlap"
        )
        return Report(
            model=self.job.model.name,
            alpha=self.job.model.alpha if self.card.endpoints else None,
            scale=self.job.model.scale,
            device=describe_device(self.device),
            precision=str(self.dtype).removeprefix("torch."),
            tiling=whole,
            intensity={"" if c is None else str(c): (m.low, m.high) for c, m in self.maps.items()},
            planes=self.axes.plane_count,
            pieces=self.total,
            clipped=self.clipped,
            recomputed=self.runner.recomputed,
            seconds=seconds,
            pixels_per_second=out.size / max(seconds, 1e-9),
        )
