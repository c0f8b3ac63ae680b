"""A job: a model and settings, applied to an n-D image plane by plane."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from napari_sr.config import load_settings
from napari_sr.conversion import read_callable, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray
from napari_sr.imaging.files import stem_of
from napari_sr.imaging.part import Part
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.channels import check_channels
from napari_sr.inference.compute.conditions import check_conditions
from napari_sr.inference.compute.device import choose_device
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.compute.precision import number_format
from napari_sr.inference.facts.calibration import Calibration, calibrate
from napari_sr.inference.fingerprint import fingerprint_of_region, identity_of
from napari_sr.inference.output.destination import check_destination
from napari_sr.inference.output.image_file import new_image, open_image
from napari_sr.inference.output.paths import check_path, is_store_name
from napari_sr.inference.output.store_metadata import OmeZarr, StorePlace, read_version
from napari_sr.inference.region import Region, metadata_of, place_of, region_of
from napari_sr.inference.result import Result
from napari_sr.inference.run.run_region import run_region
from napari_sr.progress import Cancel, Progress, never
from napari_sr.settings import JobSettings
from napari_sr.torch_state import own_torch_state
from napari_sr.zoo.catalog import as_model
from napari_sr.zoo.model import Model


@dataclass(frozen=True, init=False)
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
    settings: JobSettings

    def __init__(self, model: Model | str | os.PathLike[str], settings: JobSettings | None = None) -> None:
        object.__setattr__(self, "model", as_model(model))
        object.__setattr__(self, "settings", load_settings() if settings is None else settings)
        if not isinstance(self.settings, JobSettings):
            raise InputError(f"The settings {shorten(settings)} are not job settings: give JobSettings(...).")
        choose_device(self.settings.device)
        check_channels(self.model.card)
        check_conditions(self.model.card, self.settings)

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
        device = choose_device(self.settings.device)
        return device, number_format(self.model, self.settings.precision, device, dtype)

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
        stop = read_callable(cancel, "cancel") or never
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
        ome_zarr: OmeZarr = "0.5",
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
        if isinstance(out, str | os.PathLike):
            out = check_path(out, overwrite=overwrite)
        image_file = out if isinstance(out, Path) and not is_store_name(out) else None
        version = read_version(ome_zarr, store=isinstance(out, Path) and image_file is None)
        target, place, identity = out, None, None
        with ExitStack() as files:
            if image_file is not None:
                dtype, metadata, stop = read.data.dtype, metadata_of(region, read.metadata), cancel or never
                pixels = new_image(image_file, region.result_axes, dtype, metadata, overwrite=overwrite, cancel=stop)
                target = files.enter_context(pixels)
            elif isinstance(out, Path):
                place = replace(place_of(region, stem_of(out), read.metadata), version=version)
                identity = identity_of(image)
            result = self.run_region(
                read.data,
                region,
                calibration=calibration,
                contrast_limits=contrast_limits,
                out=target,
                place=place,
                overwrite=overwrite,
                identity=identity,
                progress=progress,
                cancel=cancel,
            )
        return result if image_file is None else replace(result, data=open_image(image_file, region.result_axes))

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
        if network is not None and (network.model, network.settings) != (self.model, self.settings):
            raise ValueError("The network is that of another job.")
        # Before the image is read, which takes minutes if it is large.
        check_destination(out, region.result_axes, image.dtype, overwrite=overwrite, image=image)
        cancel = cancel or never
        if calibration is None:
            calibration = self.calibrate(image, region.axes, contrast_limits, cancel=cancel)
        return run_region(
            self.model,
            self.settings,
            image,
            region,
            calibration,
            self.where(image.dtype),
            out=out,
            place=place,
            overwrite=overwrite,
            identity=identity,
            network=network,
            progress=progress or (lambda done, total: None),
            cancel=cancel,
            completed=completed,
        )

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
            Text that changes with the pixels of the image, as for `run_region`; None for the default one.
        calibration : Calibration
            Facts of the whole image.
        **others : str
            Further facts on which it depends whether a store can be continued.

        Returns
        -------
        str
            64 hexadecimal digits; empty if the image has no identity.
        """
        return fingerprint_of_region(self.model, self.settings, image, region, identity, calibration, **others)
