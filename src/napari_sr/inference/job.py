"""The job: one call over a whole n-D image, plane by plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from numpy.typing import NDArray

from napari_sr.config import load_config
from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray, parse_axes
from napari_sr.imaging.intensity import IntensityMap, IntensitySpec, check_finite, intensity_maps
from napari_sr.imaging.part import Part, crop
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.channels import check_channels
from napari_sr.inference.device import choose_device, choose_precision
from napari_sr.inference.memory import Memory, budget
from napari_sr.inference.precision import cost_of_float16
from napari_sr.inference.region import Region, region_of
from napari_sr.inference.report import Report
from napari_sr.inference.settings import Cancel, Progress, Tiling, check_tiling
from napari_sr.inference.store import destination
from napari_sr.inference.work import Work
from napari_sr.zoo.catalog import load_model
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class Result:
    """What a job gives: the image, and the report of how it came about.

    `data` is a numpy array, or the array that was given to be written to.
    """

    data: Any
    report: Report


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that decides the pixels of a result, but for the image.

    Parameters
    ----------
    model : Model
        From `napari_sr.load_model`.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps". Device, precision and memory are those of the shared settings
        (`napari_sr.config`) when left out.
    precision : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float32, but float16 on a GPU for 8-bit images where the model's card says that it is as good.
    tiling : {"exact", "overlap", "none"} or Overlap
        "exact" gives what the whole plane in one piece would give, by streaming its rows in bounded memory; a network
        that cannot be streamed goes by overlap tiles, and the report says so. "overlap" is ``Overlap()``; "none" puts
        each plane through the network whole.
    memory : int or "auto"
        Bytes that the stream may take on the device, beyond image and result; "auto" measures what is free.
    self_ensemble : bool
        Average over the eight flips and turns of the image: eight times the work, for a little more fidelity.
    batch : int or "auto"
        Planes of a stack that go through together, after the first one.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (low, high)
        Which values of the layer stand for black and white (see `napari_sr.imaging.intensity.intensity_maps`).
    target : float or str, optional
        The size that is wished for in place of the network's own factor: a factor such as 2.5, or a pixel size with its
        unit such as "0.05 um". The network's result is then resized to it, bicubic and antialiased, up or down; the
        result has the nearest whole number of pixels.

    Raises
    ------
    InputError
        If a setting is unknown, or the device is not on this machine.
    """

    model: Model
    device: str = field(default_factory=lambda: load_config().device)
    precision: str = field(default_factory=lambda: load_config().precision)
    tiling: Tiling = "exact"
    memory: Memory = field(default_factory=lambda: load_config().memory)
    self_ensemble: bool = False
    batch: int | Literal["auto"] = "auto"
    intensity: IntensitySpec = "auto"
    target: float | str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done before any image is looked at."""
        check_tiling(self.tiling)
        device = choose_device(self.device)
        choose_precision(self.precision, device)
        budget(self.memory, device)
        if self.batch != "auto" and self.batch < 1:
            raise InputError(f'A batch of {self.batch} planes is none: give 1 or more, or "auto".')
        check_channels(self.model.card)
        if self.target is not None:
            parse_target(self.target)

    def where(self, dtype: npt.DTypeLike) -> tuple[torch.device, torch.dtype]:
        """Device and numbers in which an image of this dtype is computed.

        What half precision costs the model stands on its card; else it is measured, once, where it would be used.
        """
        device, measured = choose_device(self.device), self.model.card.precision
        asked = self.precision == "auto" and device.type != "cpu" and np.dtype(dtype).itemsize == 1
        if asked and "float16" not in measured:
            measured = {**measured, "float16": cost_of_float16(self.model.network, self.model.card, device)}
        return device, choose_precision(self.precision, device, dtype, measured)

    def region(
        self,
        axes: Axes,
        part: Part | None = None,
        *,
        pixel_size: Mapping[str, float] | None = None,
        unit: str | None = None,
    ) -> Region:
        """Work out what is made of an image, without looking at it.

        Parameters
        ----------
        axes : Axes
            The whole image's.
        part : Part, optional
            What of it; all when left out.
        pixel_size, unit : mapping of str to float, and str, optional
            The image's, by axis letter, for a target that is a pixel size.

        Raises
        ------
        InputError
            The part does not lie in the image, or the target cannot be reached.
        """
        target = None if self.target is None else parse_target(self.target)
        factors = None if target is None else target.factors(pixel_size, unit)
        return region_of(axes, self.model.scale, part, factors)

    def intensity_maps(
        self,
        image: ImageArray,
        axes: Axes,
        contrast_limits: tuple[float, float] | None = None,
        *,
        cancel: Cancel | None = None,
    ) -> dict[int | None, IntensityMap]:
        """Choose the intensity maps of a whole image, to be given to `run` for one part of it after another.

        Parameters
        ----------
        image : array
            The whole image; its values are read only for percentiles.
        axes : Axes
            Which axis is what.
        contrast_limits : (float, float), optional
            Of the layer, for ``intensity="contrast"``.
        cancel : callable, optional
            Asked before each plane that is read; True ends it with `Cancelled`.

        Returns
        -------
        dict
            The map of each separate channel by its number, or of all by None.

        Raises
        ------
        InputError
            If the intensity does not fit the image.
        """
        asked = cancel or (lambda: False)
        return intensity_maps(self.intensity, image, axes, contrast_limits=contrast_limits, cancel=asked)

    def run(
        self,
        image: ImageArray,
        axes: str | Axes | None = None,
        *,
        part: Part | None = None,
        maps: Mapping[int | None, IntensityMap] | None = None,
        contrast_limits: tuple[float, float] | None = None,
        pixel_size: Mapping[str, float] | None = None,
        unit: str | None = None,
        out: WritableArray | str | Path | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Result:
        """Upscale an image, or a part of it.

        Parameters
        ----------
        image : array
            numpy, dask or zarr; read plane by plane and never changed.
        axes : str or Axes, optional
            A letter of T, C, Z, Y, X for each dimension; a last C of 3 or 4 is RGB(A). Left out, it follows the shape.
        part : Part, optional
            What of it; all when left out. With exact tiling a part is what it is inside the whole result, to rounding:
            it is read with a margin, and the intensity is that of the whole image.
        maps : dict, optional
            From `intensity_maps`, so that they are not chosen again for every part.
        contrast_limits : (float, float), optional
            Of the layer, for ``intensity="contrast"``.
        pixel_size, unit : mapping of str to float, and str, optional
            The image's, by axis letter, for a target that is a pixel size.
        out : array or path, optional
            Where the result goes: an array of the result's shape and dtype (numpy, memory-mapped, zarr), or the path of
            a Zarr store that is not there yet. Left out, an array in memory.
        progress : callable, optional
            Called as ``progress(done, total)`` after every strip or tile.
        cancel : callable, optional
            Asked before every layer of the network; True ends the job with `Cancelled`.

        Returns
        -------
        Result
            The image with the same dtype, axes and order, larger in Y and X by the network's factor or to the target;
            and the report.

        Raises
        ------
        InputError
            If axes, values or settings do not fit, or the result does not fit into memory; nothing was computed then.
        Cancelled
            If `cancel` said yes.
        """
        given = axes if isinstance(axes, Axes) else parse_axes(axes, tuple(image.shape))
        region = self.region(given, part, pixel_size=pixel_size, unit=unit)
        self._check_values(image, region)
        if maps is None:
            maps = self.intensity_maps(image, given, contrast_limits, cancel=cancel)
        with destination(out, region.shape, image.dtype, (given.y, given.x)) as target:
            work = Work(
                self, region, maps, image.dtype, progress or (lambda done, total: None), cancel or (lambda: False)
            )
            seconds = work.run(image, target.array)
            report = work.report(seconds, prod(region.shape))
        return Result(target.array, report)

    def _check_values(self, image: ImageArray, region: Region) -> None:
        """Refuse NaN and infinities where the network would see them."""
        if np.dtype(image.dtype).kind != "f":
            return
        if region.whole:
            check_finite(image, region.axes)
            return
        # Two pixels are what the interpolation of colors sees around a network that sees less.
        ranges = region.read(max(2, self.model.receptive_radius), 1)
        shape = tuple(stop - start for start, stop in ranges)
        check_finite(crop(image, ranges), Axes(region.axes.letters, shape))


def upscale(
    image: ImageArray,
    model: Model | str,
    axes: str | None = None,
    *,
    device: str | None = None,
    precision: str | None = None,
    tiling: Tiling = "exact",
    memory: Memory | None = None,
    self_ensemble: bool = False,
    batch: int | Literal["auto"] = "auto",
    intensity: IntensitySpec = "auto",
    target: float | str | None = None,
    part: Part | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    out: WritableArray | str | Path | None = None,
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
    device, precision, tiling, memory, self_ensemble, batch, intensity, target
        As `Job` takes them.
    part, pixel_size, unit
        As `Job.run` takes them.
    out : array or path, optional
        Where the result goes, as `Job.run` takes it.
    progress : callable, optional
        Called as ``progress(done, total)`` after every piece.
    cancel : callable, optional
        Asked before every layer of the network; True ends the work with `Cancelled`.

    Returns
    -------
    ndarray
        Same dtype, axes and order; `model.scale` times longer in Y and X, or of the target's size.

    Raises
    ------
    InputError
        If image, axes or settings do not fit.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` said yes.
    """
    job = Job(
        model=as_model(model),
        tiling=tiling,
        self_ensemble=self_ensemble,
        batch=batch,
        intensity=intensity,
        target=target,
        **given(device=device, precision=precision, memory=memory),
    )
    result: NDArray[Any] = job.run(
        image, axes, part=part, pixel_size=pixel_size, unit=unit, out=out, progress=progress, cancel=cancel
    ).data
    return result


def given(**settings: Any) -> dict[str, Any]:
    """Leave out what is None, so that the defaults of `Job` hold."""
    return {name: value for name, value in settings.items() if value is not None}


def as_model(model: Model | str) -> Model:
    """Load a model when it is a name or a path."""
    return model if isinstance(model, Model) else load_model(model)
