"""A job: a model and settings, applied to an n-D image plane by plane."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_sr import __version__
from napari_sr.accelerators import release_memory
from napari_sr.config import load_settings
from napari_sr.conversion import read_callable, read_path, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import ImageInput, as_image
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray
from napari_sr.imaging.files import stem_of
from napari_sr.imaging.missing import FilledImage, MarkedResult
from napari_sr.imaging.part import Part
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.channels import check_channels
from napari_sr.inference.compute.conditions import check_conditions
from napari_sr.inference.compute.device import choose_device, choose_precision
from napari_sr.inference.compute.memory import budget
from napari_sr.inference.compute.network import JobNetwork, is_streamed
from napari_sr.inference.compute.precision import float16_psnr
from napari_sr.inference.facts.calibration import Calibration, calibrate, check_region, fill_limit
from napari_sr.inference.fingerprint import fingerprint, identity_of
from napari_sr.inference.output.destination import check_destination, destination
from napari_sr.inference.output.image_file import is_image_name, new_image, open_image
from napari_sr.inference.output.names import check_name
from napari_sr.inference.output.store_metadata import StorePlace, read_version
from napari_sr.inference.region import Region, metadata_of, place_of, region_of
from napari_sr.inference.report import Report
from napari_sr.inference.unfinished import unfinished
from napari_sr.inference.work import Work
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import JobSettings
from napari_sr.torch_state import own_torch_state
from napari_sr.zoo.catalog import as_model
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class Result:
    """The result of a job.

    Parameters
    ----------
    data : array
        The upscaled image: a numpy array, the array given as `out`, or a lazy view of the file or of the finest level
        of the store that was written.
    report : Report
        Facts of the run.
    levels : list of array, optional
        All levels of a store, the finest first; empty without a store.
    """

    data: Any
    report: Report
    levels: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """A model and settings: all that determines the pixels of a result, except the image.

    Parameters
    ----------
    model : Model, str or Path
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint.
    settings : JobSettings, optional
        Settings; by default those of the settings file.

    Raises
    ------
    InputError
        If the device is not on this machine, or the model has a number of channels other than 1 or 3.
    CheckpointError
        If the model cannot be loaded.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> job = sr.Job("srcnn-x2", sr.JobSettings(device="cpu"))
    >>> job.run(np.zeros((8, 10), np.uint8)).data.shape
    (16, 20)
    """

    model: Model
    settings: JobSettings = field(default_factory=load_settings)

    def __post_init__(self) -> None:
        """Load the model if a name or a path was given, and check model and settings."""
        object.__setattr__(self, "model", as_model(self.model))
        settings = self.settings
        if not isinstance(settings, JobSettings):
            raise InputError(f"The settings {shorten(settings)} are not job settings: give JobSettings(...).")
        device = choose_device(settings.device)
        choose_precision(settings.precision, device)
        budget(settings.memory, device)
        check_channels(self.model.card)
        check_conditions(self.model.card, settings)

    @own_torch_state()
    def where(self, dtype: npt.DTypeLike) -> tuple[torch.device, torch.dtype]:
        """Return the device and the number format of the computation for an image.

        Parameters
        ----------
        dtype : dtype
            Data type of the image.

        Returns
        -------
        device : torch.device
            The device.
        number_format : torch.dtype
            float32, bfloat16 or float16.

        Notes
        -----
        With precision "auto" an 8-bit image is computed in float16 on a GPU, if the error of the model in float16 is
        small. The error is on the card of the model, or else is measured once.
        """
        precision = self.settings.precision
        device, measured = choose_device(self.settings.device), self.model.card.precision
        unmeasured = precision == "auto" and device.type != "cpu" and np.dtype(dtype).itemsize == 1
        if unmeasured and "float16" not in measured:
            measured = {**measured, "float16": float16_psnr(self.model.network, self.model.card, device)}
        return device, choose_precision(precision, device, dtype, measured)

    def region(
        self,
        axes: Axes,
        part: Part | None = None,
        *,
        pixel_size: Mapping[str, float] | None = None,
        unit: str | None = None,
    ) -> Region:
        """Compute which pixels are read and which are computed, without reading the image.

        Parameters
        ----------
        axes : Axes
            Axes of the whole image.
        part : Part, optional
            The part of the image to upscale; by default all.
        pixel_size : mapping of str to float, optional
            Pixel size of the image by axis letter, for a target that is a pixel size.
        unit : str, optional
            Unit of `pixel_size`, such as "um".

        Returns
        -------
        Region
            The region, for `run_region`.

        Raises
        ------
        InputError
            If the part is outside the image, the target leaves no pixel, or it is a pixel size and that of the image
            is not given.
        """
        if not isinstance(part, Part | None):
            raise InputError(f"The part {shorten(part)} is not a part of an image: give Part(rows=..., columns=...).")
        target = None if self.settings.target is None else parse_target(self.settings.target)
        factors = None if target is None else target.factors(pixel_size, unit)
        return region_of(axes, self.model.scale, part, factors)

    @own_torch_state()
    def calibrate(
        self,
        image: Any,
        axes: str | Axes | None = None,
        contrast_limits: tuple[float, float] | None = None,
        *,
        cancel: Cancel | None = None,
    ) -> Calibration:
        """Measure the facts of a whole image, so that `run` does not repeat it for every part.

        Parameters
        ----------
        image : array-like
            The whole image, as for `run`. Its values are read for percentiles, for RGB other than uint8 and for the
            noise; with other intensities but a pair of values, block by block until two different ones are found.
        axes : str or Axes, optional
            Axes of the image, as for `run`.
        contrast_limits : (float, float), optional
            Contrast limits of the layer, for ``intensity="contrast"``.
        cancel : callable, optional
            Called before each plane is read; returning True ends the work with `Cancelled`.

        Returns
        -------
        Calibration
            Intensity maps, extremes and noise of the image.

        Raises
        ------
        InputError
            If the axes or the intensity do not fit the image.
        Cancelled
            If `cancel` returned True.
        """
        stop = read_callable(cancel, "cancel") or (lambda: False)
        read = as_image(image, axes)
        return calibrate(self.model.card, self.settings, read.data, read.axes, contrast_limits, cancel=stop)

    def run(
        self,
        image: Any,
        axes: str | Axes | None = None,
        *,
        part: Part | None = None,
        calibration: Calibration | None = None,
        contrast_limits: tuple[float, float] | None = None,
        pixel_size: Mapping[str, float] | None = None,
        unit: str | None = None,
        out: WritableArray | str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        ome_zarr: str = "0.5",
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Result:
        """Upscale an image, or a part of it.

        Parameters
        ----------
        image : array-like
            The image: a numpy array; a dask or zarr array, which is read plane by plane; an xarray DataArray; the
            result of `read_image`; or whatever numpy converts to an array of integers, floats or bools. It is not
            changed.
        axes : str or Axes, optional
            A letter of T, C, Z, Y, X for each dimension; a last C of size 3 or 4 is RGB(A). By default those of the
            image, or those that follow from its shape.
        part : Part, optional
            The part to upscale; by default all. With exact tiling the pixels are those of the whole result, to
            rounding: the part is read with a margin, and the intensity range is that of the whole image.
        calibration : Calibration, optional
            Facts of the whole image, from `calibrate`; by default they are measured.
        contrast_limits : (float, float), optional
            Contrast limits of the layer, for ``intensity="contrast"``.
        pixel_size : mapping of str to float, optional
            Pixel size of the image by axis letter, for a target that is a pixel size and for a store.
        unit : str, optional
            Unit of `pixel_size`, such as "um".
        out : array, str or Path, optional
            Destination: an array of the result's shape and dtype (numpy, memory-mapped, zarr), or the path of a result
            to write: an OME-Zarr store, a TIFF or a PNG by its ending. By default an array in memory.
        overwrite : bool, default False
            Whether an existing file or store is replaced.
        ome_zarr : {"0.5", "0.4"}, default "0.5"
            Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
        progress : callable, optional
            Called as ``progress(done, total)`` after every strip or tile.
        cancel : callable, optional
            Called before every layer of the network; returning True ends the job with `Cancelled`.

        Returns
        -------
        Result
            The upscaled image, with the dtype and axes of `image`, and the report.

        Raises
        ------
        InputError
            If axes, values or settings do not fit, `out` has another ending, or the result does not fit into memory.
            Nothing is computed then.
        Cancelled
            If `cancel` returned True.
        """
        progress, cancel = read_callable(progress, "progress"), read_callable(cancel, "cancel")
        read = as_image(image, axes, pixel_size, unit)
        region = self.region(read.axes, part, pixel_size=read.pixel_size, unit=read.unit)
        place = identity = None
        if isinstance(out, str | os.PathLike):
            out = read_path(out, "path of the result")
            check_name(out)
        version = read_version(ome_zarr, store=isinstance(out, Path) and not is_image_name(out))
        if isinstance(out, Path):
            if is_image_name(out):
                return self._run_to_image(read, region, out, calibration, contrast_limits, overwrite, progress, cancel)
            place = replace(place_of(region, stem_of(out), read.metadata), version=version)
            identity = identity_of(image)
        return self.run_region(
            read.data,
            region,
            calibration=calibration,
            contrast_limits=contrast_limits,
            out=out,
            place=place,
            overwrite=overwrite,
            identity=identity,
            progress=progress,
            cancel=cancel,
        )

    def _run_to_image(
        self,
        read: ImageInput,
        region: Region,
        out: Path,
        calibration: Calibration | None,
        contrast_limits: tuple[float, float] | None,
        overwrite: bool,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Result:
        """Upscale a region of an image into a TIFF or PNG."""
        axes, dtype, stop = region.result_axes, np.dtype(read.data.dtype), cancel or (lambda: False)
        metadata = metadata_of(region, read.metadata)
        with new_image(out, axes, dtype, metadata, overwrite=overwrite, cancel=stop) as pixels:
            result = self.run_region(
                read.data,
                region,
                calibration=calibration,
                contrast_limits=contrast_limits,
                out=pixels,
                progress=progress,
                cancel=cancel,
            )
        return replace(result, data=open_image(out, axes))

    @own_torch_state()
    def run_region(
        self,
        image: ImageArray,
        region: Region,
        *,
        calibration: Calibration | None = None,
        contrast_limits: tuple[float, float] | None = None,
        out: WritableArray | str | Path | None = None,
        place: StorePlace | None = None,
        overwrite: bool = False,
        identity: str | None = None,
        network: JobNetwork | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        completed: Callable[[Path], None] = lambda path: None,
    ) -> Result:
        """Upscale a region of an image.

        Parameters
        ----------
        image : array
            The whole image, a numpy, dask or zarr array; read plane by plane and never changed.
        region : Region
            The region, from `region`.
        calibration : Calibration, optional
            Facts of the whole image, from `calibrate`; by default they are measured.
        contrast_limits : (float, float), optional
            Contrast limits of the layer, for ``intensity="contrast"``.
        out : array, str or Path, optional
            Destination: an array of the result's shape and dtype (numpy, memory-mapped, zarr), or the path of an
            OME-Zarr store to write. By default an array in memory.
        place : StorePlace, optional
            Name, pixel size and position of the result in a store; by default pixels of size 1 without a unit.
        overwrite : bool, default False
            Whether an existing store is replaced.
        identity : str, optional
            Text that changes with the pixels of the image, by which a store of a killed process is continued. By
            default that of `napari_sr.inference.fingerprint.identity_of`; without one no store is continued.
        network : JobNetwork, optional
            The network of this job, `JobNetwork(job.model, job.settings)`, given to several calls: the first one builds
            it and copies it to the device. By default each call does.
        progress : callable, optional
            Called as ``progress(done, total)`` after every strip or tile.
        cancel : callable, optional
            Called before every layer of the network; returning True ends the job with `Cancelled`.
        completed : callable, optional
            Called with the temporary path of a complete store, before it is renamed.

        Returns
        -------
        Result
            The upscaled image, with the dtype and axes of `image`, and the report.

        Raises
        ------
        InputError
            If values or settings do not fit, or the result does not fit into memory. Nothing is computed then.
        ValueError
            If `network` is that of another job.
        Cancelled
            If `cancel` returned True.
        """
        cancel = cancel or (lambda: False)
        progress = progress or (lambda done, total: None)
        afterwards = ExitStack()
        if network is None:
            # Other programs, and the window, need the memory that torch keeps for later jobs.
            afterwards.callback(release_memory, self.where(image.dtype)[0])
        network = network or JobNetwork(self.model, self.settings)
        if (network.model, network.settings) != (self.model, self.settings):
            raise ValueError("The network is that of another job.")
        # Before the image is read, which takes minutes if it is large.
        check_destination(out, region.result_axes, image.dtype, overwrite=overwrite)
        if calibration is None:
            calibration = self.calibrate(image, region.axes, contrast_limits, cancel=cancel)
        # The interpolation of colors has a radius of two pixels, which may be more than that of the network.
        radius = max(2, self.model.receptive_radius)
        values = check_region(calibration, self.settings, image, region, radius, cancel=cancel)
        device, dtype = self.where(image.dtype)
        black = {channel: intensity.low for channel, intensity in calibration.maps.items()}
        filled = FilledImage(image, region.axes, black, fill_limit(self.settings)) if values.missing else None
        along = None
        if isinstance(out, str | Path):
            region = self._streamed(region)
            along = None if region.resized else region.along
        to_store = isinstance(out, str | Path)
        with (
            afterwards,
            network.for_one_run() as own,
            destination(
                out,
                region.result_axes,
                image.dtype,
                place,
                overwrite=overwrite,
                cancel=cancel,
                completed=completed,
                fingerprint=self.fingerprint(image, region, identity, calibration) if to_store else "",
                along=along,
            ) as target,
        ):
            reports = []
            rest = unfinished(region, target.array, self.model)
            for part in rest.parts:
                result: WritableArray = part.out
                if filled is not None:
                    result = MarkedResult(result, filled, region.axes, part.region.nearest)
                done = rest.progress(part, progress)
                work = Work(own, part.region, calibration, values, device, dtype, done, cancel)
                seconds = work.run(image if filled is None else filled, result)
                reports.append(work.report(seconds, prod(part.region.shape), image.dtype))
            report = rest.report(reports)
        return Result(target.array, report, target.levels)

    def _streamed(self, region: Region) -> Region:
        """Choose the axis along which a region is streamed into a store, for all parts that are left of it."""
        streamed = is_streamed(self.model, self.settings, region.axes)
        return replace(region, along=region.longer if streamed else region.axes.y)

    def fingerprint(
        self,
        image: ImageArray,
        region: Region,
        identity: str | None,
        calibration: Calibration,
        **others: str,
    ) -> str:
        """Return a hash of all that decides the pixels of a store.

        Parameters
        ----------
        image : array
            The whole image.
        region : Region
            The region that is upscaled.
        identity : str or None
            Text that changes with the pixels of the image; None for that of
            `napari_sr.inference.fingerprint.identity_of`.
        calibration : Calibration
            Facts of the whole image.
        **others : str
            Further facts on which it depends whether a store can be continued.

        Returns
        -------
        str
            64 hexadecimal digits; empty if the image has no identity.
        """
        identity = identity_of(image) if identity is None else identity
        if identity is None:
            return ""
        return fingerprint(
            self.model,
            self.settings,
            {
                "version": __version__,
                "image": identity,
                "axes": region.axes.letters,
                "ranges": region.ranges,
                "result": (region.rows.result_range, region.columns.result_range),
                "margin": region.margin,
                "along": region.along,
                "intensity": repr(sorted(calibration.maps.items(), key=repr)),
                **others,
            },
        )
