"""A job: a model and settings, run over a whole n-D image plane by plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_sr.config import load_settings
from napari_sr.imaging.axes import Axes, ImageArray, WritableArray, parse_axes
from napari_sr.imaging.intensity import IntensityMap, check_finite, intensity_maps
from napari_sr.imaging.part import Part, crop
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.channels import check_channels
from napari_sr.inference.compute.device import choose_device, choose_precision
from napari_sr.inference.compute.memory import budget
from napari_sr.inference.compute.precision import float16_psnr
from napari_sr.inference.output.destination import destination
from napari_sr.inference.output.ome_zarr import StorePlace
from napari_sr.inference.region import Region, place_of, region_of
from napari_sr.inference.report import Report
from napari_sr.inference.work import Work
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import JobSettings
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class Result:
    """The result of a job.

    Parameters
    ----------
    data : array
        The image: a numpy array, the array that was given to be written to, or a lazy view of a store's finest level.
    report : Report
        How it was made.
    levels : list of array
        All levels of a store, the finest first; else empty.
    """

    data: Any
    report: Report
    levels: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """A model and settings: everything that decides the pixels of a result, beside the image.

    Parameters
    ----------
    model : Model
        From `napari_sr.load_model`.
    settings : JobSettings, optional
        By default those of the settings file.

    Raises
    ------
    InputError
        If the device is not on this machine, or the settings do not fit the device or the model.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> job = sr.Job(sr.load_model("srcnn-x2"), sr.JobSettings(device="cpu"))
    >>> job.run(np.zeros((8, 10), np.uint8)).data.shape
    (16, 20)
    """

    model: Model
    settings: JobSettings = field(default_factory=load_settings)

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, before any image is read."""
        settings = self.settings
        device = choose_device(settings.device)
        choose_precision(settings.precision, device)
        budget(settings.memory, device)
        check_channels(self.model.card)

    def where(self, dtype: npt.DTypeLike) -> tuple[torch.device, torch.dtype]:
        """Return the device and the number format in which an image is computed.

        Parameters
        ----------
        dtype : dtype
            Of the image. With precision "auto" an 8-bit image is computed in float16 on a GPU, if the model loses
            little by it: the loss stands on its card, or is measured once on that GPU.

        Returns
        -------
        torch.device, torch.dtype
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
        """Work out which pixels are read and made, without reading the image.

        Parameters
        ----------
        axes : Axes
            The whole image's.
        part : Part, optional
            The part of the image to upscale; by default all.
        pixel_size : mapping of str to float, optional
            The image's pixel size by axis letter, for a target that is a pixel size.
        unit : str, optional
            Unit of `pixel_size`.

        Returns
        -------
        Region

        Raises
        ------
        InputError
            The part does not lie in the image, or the target cannot be reached.
        """
        target = None if self.settings.target is None else parse_target(self.settings.target)
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
            The image's.
        contrast_limits : (float, float), optional
            Of the layer, for ``intensity="contrast"``.
        cancel : callable, optional
            Called before each plane is read; returning True ends the work with `Cancelled`.

        Returns
        -------
        dict of (int or None) to IntensityMap
            The map of each separate channel by its number, or of all by None.

        Raises
        ------
        InputError
            If the intensity does not fit the image.
        """
        return intensity_maps(
            self.settings.intensity,
            image,
            axes,
            contrast_limits=contrast_limits,
            cancel=cancel or (lambda: False),
        )

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
        overwrite: bool = False,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Result:
        """Upscale an image, or a part of it.

        Parameters
        ----------
        image : array
            numpy, dask or zarr; read plane by plane and never changed.
        axes : str or Axes, optional
            A letter of T, C, Z, Y, X for each dimension; a last C of size 3 or 4 is RGB(A). By default by the shape.
        part : Part, optional
            The part to upscale; by default all. With exact tiling a part has the pixels that it has inside the whole
            result, to rounding: it is read with a margin, and the intensity is that of the whole image.
        maps : dict, optional
            From `intensity_maps`, so that they are not chosen again for every part.
        contrast_limits : (float, float), optional
            Of the layer, for ``intensity="contrast"``.
        pixel_size : mapping of str to float, optional
            The image's pixel size by axis letter, for a target that is a pixel size.
        unit : str, optional
            Unit of `pixel_size`.
        out : array or path, optional
            Destination: an array of the result's shape and dtype (numpy, memory-mapped, zarr), or the path of an
            OME-Zarr store to write. By default an array in memory.
        overwrite : bool, default False
            Whether a store that exists is replaced.
        progress : callable, optional
            Called as ``progress(done, total)`` after every strip or tile.
        cancel : callable, optional
            Called before every layer of the network; returning True ends the job with `Cancelled`.

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
            If `cancel` returned True.
        """
        meaning = axes if isinstance(axes, Axes) else parse_axes(axes, tuple(image.shape))
        region = self.region(meaning, part, pixel_size=pixel_size, unit=unit)
        place = None
        if isinstance(out, str | Path):
            place = place_of(region, Path(out).name.split(".")[0], pixel_size, unit)
        return self.run_region(
            image,
            region,
            maps=maps,
            contrast_limits=contrast_limits,
            out=out,
            place=place,
            overwrite=overwrite,
            progress=progress,
            cancel=cancel,
        )

    def run_region(
        self,
        image: ImageArray,
        region: Region,
        *,
        maps: Mapping[int | None, IntensityMap] | None = None,
        contrast_limits: tuple[float, float] | None = None,
        out: WritableArray | str | Path | None = None,
        place: StorePlace | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Result:
        """Upscale a region of an image, as `run` does.

        Parameters
        ----------
        image : array
            The whole image.
        region : Region
            From `region`.
        place : StorePlace, optional
            Of the result, for a store.
        maps, contrast_limits, out, overwrite, progress, cancel
            As for `run`.

        Returns
        -------
        Result

        Raises
        ------
        InputError, Cancelled
            As `run` does.
        """
        self._check_values(image, region)
        if maps is None:
            maps = self.intensity_maps(image, region.axes, contrast_limits, cancel=cancel)
        device, number = self.where(image.dtype)
        stop = cancel or (lambda: False)
        with destination(out, region.result_axes, image.dtype, place, overwrite=overwrite, cancel=stop) as target:
            work = Work(
                self.model,
                self.settings,
                region,
                maps,
                device,
                number,
                progress or (lambda done, total: None),
                stop,
            )
            seconds = work.run(image, target.array)
            report = work.report(seconds, prod(region.shape))
        return Result(target.array, report, target.levels)

    def _check_values(self, image: ImageArray, region: Region) -> None:
        """Refuse NaN and infinities where the network would see them."""
        if np.dtype(image.dtype).kind != "f":
            return
        if region.whole:
            check_finite(image, region.axes)
            return
        # The interpolation of colors sees two pixels, around a network that may see less.
        ranges = region.read(max(2, self.model.receptive_radius), 1)
        shape = tuple(stop - start for start, stop in ranges)
        check_finite(crop(image, ranges), Axes(region.axes.letters, shape))
