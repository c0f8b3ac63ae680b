"""The job: one call over a whole n-D image, plane by plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray, parse_axes
from napari_sr.imaging.intensity import IntensitySpec, check_finite, intensity_maps
from napari_sr.inference.channels import check_channels
from napari_sr.inference.device import choose_device, choose_precision
from napari_sr.inference.memory import Memory, budget
from napari_sr.inference.report import Report
from napari_sr.inference.settings import Cancel, Progress, Tiling, check_tiling
from napari_sr.inference.store import destination
from napari_sr.inference.work import Work
from napari_sr.zoo.catalogue import load_model
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
        "auto", "cpu", "cuda", "cuda:N" or "mps".
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
    tiling: Tiling = "exact"
    memory: Memory = "auto"
    self_ensemble: bool = False
    batch: int | Literal["auto"] = "auto"
    intensity: IntensitySpec = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be done before any image is looked at."""
        check_tiling(self.tiling)
        device = choose_device(self.device)
        choose_precision(self.precision, device)
        budget(self.memory, device)
        if self.batch != "auto" and self.batch < 1:
            raise InputError(f'A batch of {self.batch} planes is none: give 1 or more, or "auto".')
        check_channels(self.model.card)

    def run(
        self,
        image: ImageArray,
        axes: str | Axes | None = None,
        *,
        contrast_limits: tuple[float, float] | None = None,
        out: WritableArray | str | Path | None = None,
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
            The image with the same dtype, axes and order, `scale` times longer in Y and X; and the report.

        Raises
        ------
        InputError
            If axes, values or settings do not fit, or the result does not fit into memory; nothing was computed then.
        Cancelled
            If `cancel` said yes.
        """
        given = axes if isinstance(axes, Axes) else parse_axes(axes, tuple(image.shape))
        check_finite(image, given)
        maps = intensity_maps(self.intensity, image, given, contrast_limits=contrast_limits)
        shape = given.upscaled_shape(self.model.scale)
        with destination(out, shape, image.dtype, (given.y, given.x)) as target:
            work = Work(
                self, given, maps, image.dtype, progress or (lambda done, total: None), cancel or (lambda: False)
            )
            seconds = work.run(image, target.array)
            report = work.report(seconds, prod(shape))
        return Result(target.array, report)


def upscale(
    image: ImageArray,
    model: Model | str,
    axes: str | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    tiling: Tiling = "exact",
    memory: Memory = "auto",
    self_ensemble: bool = False,
    batch: int | Literal["auto"] = "auto",
    intensity: IntensitySpec = "auto",
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
    device, precision, tiling, memory, self_ensemble, batch, intensity
        As `Job` takes them.
    out : array or path, optional
        Where the result goes, as `Job.run` takes it.
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
    job = Job(
        model=as_model(model),
        device=device,
        precision=precision,
        tiling=tiling,
        memory=memory,
        self_ensemble=self_ensemble,
        batch=batch,
        intensity=intensity,
    )
    result: NDArray[Any] = job.run(image, axes, out=out, progress=progress, cancel=cancel).data
    return result


def as_model(model: Model | str) -> Model:
    """Load a model when it is a name or a path."""
    return model if isinstance(model, Model) else load_model(model)
