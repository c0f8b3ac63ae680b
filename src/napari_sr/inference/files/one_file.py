"""Upscaling of one image file to another. Large TIFFs and Zarr stores are written during the computation."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_sr.conversion import check_folder
from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.atomic import clear_abandoned, scratch_folder
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.files import ImageFile, stem_of, write_image
from napari_sr.imaging.files.names import folder_error, is_store
from napari_sr.imaging.files.series import partner_files
from napari_sr.inference.fingerprint import identity_of
from napari_sr.inference.job import Job
from napari_sr.inference.output.image_file import new_image
from napari_sr.inference.output.paths import check_name, is_store_name
from napari_sr.inference.output.store_metadata import OmeZarr
from napari_sr.inference.region import metadata_of, place_of
from napari_sr.inference.report import Report
from napari_sr.progress import Cancel, Progress


def check_output(source: Path, out: Path, overwrite: bool) -> None:
    """Check that the output can be written, before the computation, and delete what killed runs have left beside it.

    Raises
    ------
    InputError
        If the output is the input itself or another file of its image, a folder, or in a missing folder, or exists and
        may not be replaced; or if the input is a folder of images.
    """
    if source.is_dir() and not is_store(source):
        raise folder_error(source)
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out} is the input itself: give another name.")
    if out.exists() and any(out.samefile(source.parent / name) for name in partner_files(source)):
        raise InputError(f"{out} has a part of the image of {source}: give another name.")
    # A store that is replaced is deleted with all files in it.
    if out.resolve() in source.resolve().parents or (out.is_dir() and not is_store_name(out)):
        raise InputError(f"{out} is a folder: give the name of a file in it.")
    if out.exists() and is_store_name(out) and not is_store(out):
        raise InputError(f"{out} exists and is not a Zarr store: give another name.")
    if os.path.lexists(out) and not overwrite:
        raise InputError(f"{out} exists already: give another name, or --overwrite.")
    check_folder(out)
    clear_abandoned(out.parent)


def check_format(out: Path, image: ImageFile, axes: Axes) -> None:
    """Check that the format can store the result, by writing one pixel of each plane before the computation.

    Parameters
    ----------
    out : Path
        The output.
    image : ImageFile
        The input, whose dtype the result has.
    axes : Axes
        Axes of the input.

    Raises
    ------
    InputError
        If the ending is unknown, or the format cannot store such planes or values.
    """
    if is_store_name(out):
        return
    check_name(out)
    shape = tuple(1 if letter in "YX" else n for letter, n in zip(axes.letters, axes.shape, strict=True))
    with scratch_folder() as folder:
        write_image(folder / out.name, np.zeros(shape, image.data.dtype), axes.letters)


def upscale_to(
    out: Path,
    job: Job,
    image: ImageFile,
    axes: Axes,
    *,
    overwrite: bool,
    progress: Progress,
    cancel: Cancel,
    completed: Callable[[Path], None] = lambda path: None,
    ome_zarr: OmeZarr = "0.5",
) -> Report:
    """Upscale an image and write the result atomically, with its metadata.

    Parameters
    ----------
    out : Path
        The output.
    job : Job
        Model and settings.
    image : ImageFile
        The input.
    axes : Axes
        Axes of the input.
    overwrite : bool
        Whether an existing output is replaced, also one that is written by another program during the computation.
    progress : callable
        Called as ``progress(done, total)``.
    cancel : callable
        Returning True ends the work with `Cancelled`, until the output is renamed.
    completed : callable, optional
        Called with the temporary path of the complete output, before it is renamed. After an exception the output is
        unchanged.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.

    Raises
    ------
    InputError
        If the image cannot be used, or the output cannot be written, or exists and may not be replaced.
    Cancelled
        If `cancel` returned True; an existing output is unchanged then.
    """

    def complete(path: Path) -> None:
        if cancel():
            raise Cancelled(f"Upscaling to {out} was stopped.")
        completed(path)

    read = as_image(image, axes)
    region = job.region(read.axes, pixel_size=read.pixel_size, unit=read.unit)
    # Measured before anything is written, so that an image that is refused leaves no trace.
    calibration = job.calibrate(read.data, region.axes, cancel=cancel)
    if is_store_name(out):
        # Written strip by strip, because it may be larger than memory.
        result = job.run_region(
            read.data,
            region,
            calibration=calibration,
            out=out,
            place=replace(place_of(region, stem_of(out), read.metadata), version=ome_zarr),
            overwrite=overwrite,
            identity=identity_of(image),
            progress=progress,
            cancel=cancel,
            completed=complete,
        )
        return result.report
    metadata, dtype = metadata_of(region, read.metadata), read.data.dtype
    with new_image(
        out, region.result_axes, dtype, metadata, overwrite=overwrite, cancel=cancel, completed=complete
    ) as pixels:
        result = job.run_region(
            read.data, region, calibration=calibration, out=pixels, progress=progress, cancel=cancel
        )
    return result.report
