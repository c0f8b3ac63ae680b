"""Output of `napari-sr upscale`: an image file, or a Zarr store that is written during the computation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sr.cli.signals import signals
from napari_sr.errors import InputError
from napari_sr.imaging.atomic import clear_abandoned, scratch_folder
from napari_sr.progress import Progress

if TYPE_CHECKING:
    from napari_sr.imaging.axes import Axes
    from napari_sr.imaging.files import ImageFile
    from napari_sr.inference import Job, Report, Result

#: Files in the folder of a Zarr store of version 3 or 2.
_OF_STORES = ("zarr.json", ".zarray", ".zgroup")


def check_place(source: Path, out: Path, overwrite: bool) -> None:
    """Check that the output can be written, before the computation, and delete what killed runs have left beside it.

    Parameters
    ----------
    source : Path
        The input.
    out : Path
        The output.
    overwrite : bool
        Whether an existing output may be replaced.

    Raises
    ------
    InputError
        If the output is the input itself, a folder, or in a missing folder, or exists and may not be replaced; or if
        the input is a folder of images.
    """
    if source.is_dir() and not _has_store(source):
        from napari_sr.imaging.files.stores import folder_error

        raise folder_error(source)
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out} is the input itself: give another name.")
    # A store that is replaced is deleted with all files in it.
    if out.resolve() in source.resolve().parents or (out.is_dir() and not _is_store(out)):
        raise InputError(f"{out} is a folder: give the name of a file in it.")
    if out.exists() and _is_store(out) and not _has_store(out):
        raise InputError(f"{out} exists and is not a Zarr store: give another name.")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: give another name, or --overwrite.")
    if not out.parent.is_dir():
        raise InputError(f"There is no folder {out.parent} to write {out.name} in: create it first.")
    clear_abandoned(out.resolve().parent)


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
    import numpy as np

    from napari_sr.imaging.files import write_image

    if _is_store(out):
        return
    shape = tuple(1 if letter in "YX" else n for letter, n in zip(axes.letters, axes.shape, strict=True))
    with scratch_folder() as folder:
        write_image(folder / out.name, np.zeros(shape, image.data.dtype), axes.letters)


def estimate_text(job: Job, image: ImageFile, axes: Axes) -> str:
    """Return the estimate of a job as text; the speed of this machine is measured if it is not known.

    Parameters
    ----------
    job : Job
        Model and settings.
    image : ImageFile
        The input.
    axes : Axes
        Axes of the input.

    Returns
    -------
    str
        Size, memory and time.
    """
    from napari_sr.inference import estimate_region, known_speed, measure_speed

    if known_speed(job, image.data.dtype, axes.rgb) is None:
        measure_speed(job, image.data.dtype, axes.rgb)
    region = job.region(axes, pixel_size=image.pixel_size, unit=image.unit)
    return estimate_region(job, region, image.data.dtype, pixel_size=image.pixel_size, unit=image.unit).sentence()


def other_series_text(image: ImageFile) -> str:
    """Return a sentence about the images of a file that are not upscaled.

    Parameters
    ----------
    image : ImageFile
        The input.

    Returns
    -------
    str
        The sentence, with number, name and size of each image.
    """
    others = ", ".join(image.other_series)
    return f"{image.path}: series {image.series} is upscaled. Others, for --series: {others}."


def upscale_to(out: Path, job: Job, image: ImageFile, axes: Axes, progress: Progress) -> Report:
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
    progress : callable
        Called as ``progress(done, total)``.

    Returns
    -------
    Report
        The report of the job.
    """
    from napari_sr.imaging.files import write_image

    if _is_store(out):
        # Written strip by strip, because it may be larger than memory.
        return _run(job, image, axes, out.resolve(), progress).report
    region = job.region(axes, pixel_size=image.pixel_size, unit=image.unit)
    factors = dict(zip("YX", (region.rows.factor, region.columns.factor), strict=True))
    result = _run(job, image, axes, None, progress)
    signals.check()
    write_image(out, result.data, axes.letters, metadata=image.resampled(factors).of_axes(axes.letters))
    return result.report


def _is_store(out: Path) -> bool:
    return out.suffix.lower() == ".zarr"


def _has_store(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _OF_STORES)


def _run(job: Job, image: ImageFile, axes: Axes, out: Path | None, progress: Progress) -> Result:
    with signals.deferred():
        # check_place has checked that OUT may be replaced.
        return job.run(image, axes, out=out, overwrite=True, progress=progress, cancel=signals.cancel)
