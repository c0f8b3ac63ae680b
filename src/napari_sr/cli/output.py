"""Where the result of `napari-sr upscale` goes: a file, or a Zarr store that is written while the work goes on."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from napari_sr.errors import InputError
from napari_sr.inference.settings import Progress

if TYPE_CHECKING:
    from napari_sr.imaging.axes import Axes
    from napari_sr.imaging.files import ImageFile, Metadata
    from napari_sr.inference import Job, Report, Result

#: What lies in the folder of a Zarr store, of version 3 or 2.
_OF_STORES = ("zarr.json", ".zarray", ".zgroup")


def check_place(source: Path, out: Path, overwrite: bool) -> None:
    """Refuse a place to write before any work is done.

    Raises
    ------
    InputError
        If it is the input's, a folder, taken, or in no folder.
    """
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out} is the input itself: give another name for the result.")
    # A store that is replaced is removed with all that lies in it.
    if out.resolve() in source.resolve().parents or (out.is_dir() and not _is_store(out)):
        raise InputError(f"{out} is a folder: give the name of a file in it.")
    if out.exists() and _is_store(out) and not any((out / name).is_file() for name in _OF_STORES):
        raise InputError(f"{out} is there and is no Zarr store: give another name.")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: give another name, or --overwrite.")
    if not out.parent.is_dir():
        raise InputError(f"There is no folder {out.parent} to write {out.name} in: make it first.")


def check_format(out: Path, image: ImageFile, axes: Axes) -> None:
    """Refuse a format that cannot hold the result: one pixel of each plane is written to see, before the work.

    Raises
    ------
    InputError
        If the ending is unknown, or the format has no room for such planes or values.
    """
    import numpy as np

    from napari_sr.imaging.files import write_image

    if _is_store(out):
        return
    shape = tuple(1 if letter in "YX" else n for letter, n in zip(axes.letters, axes.shape, strict=True))
    with TemporaryDirectory() as folder:
        write_image(Path(folder) / out.name, np.zeros(shape, image.data.dtype), axes.letters)


def estimated(job: Job, image: ImageFile, axes: Axes) -> str:
    """Say what a job would give and cost, measuring the speed of this machine first where it is not known."""
    from napari_sr.inference import estimate_job, known_speed, measure_speed

    if known_speed(job, image.data.dtype, axes.rgb) is None:
        measure_speed(job, image.data.dtype, axes.rgb)
    found = estimate_job(job, axes, image.data.dtype, pixel_size=image.pixel_size, unit=image.unit)
    return found.sentence()


def left_sentence(image: ImageFile) -> str:
    """Sentence on the images of a file that are not upscaled.

    Parameters
    ----------
    image : ImageFile
        The one that is, with the others in `left_series`.

    Returns
    -------
    str
        For standard error.
    """
    left = ", ".join(image.left_series)
    return f"{image.path}: series {image.series} is taken and {left} left out (--series takes another)."


def upscale_to(out: Path, job: Job, image: ImageFile, axes: Axes, progress: Progress) -> Report:
    """Upscale an image and write the result, whole or not at all, with its metadata."""
    from napari_sr.imaging.files import write_image

    region = job.region(axes, pixel_size=image.pixel_size, unit=image.unit)
    factors = dict(zip("YX", (region.rows.factor, region.columns.factor), strict=True))
    metadata = image.resampled(factors).of_axes(axes.letters)
    if _is_store(out):
        return _upscale_into_store(out, job, image, axes, metadata, progress).report
    result = _run(job, image, axes, None, progress)
    write_image(out, result.data, axes.letters, metadata=metadata)
    return result.report


def _is_store(out: Path) -> bool:
    return out.suffix.lower() == ".zarr"


def _upscale_into_store(
    out: Path, job: Job, image: ImageFile, axes: Axes, metadata: Metadata, progress: Progress
) -> Result:
    """Write strip by strip under another name, which becomes its own when all is there."""
    from napari_sr.imaging.files.stores import array_attributes

    place = out.resolve()
    fresh = place.with_name(f".{place.name}.{uuid4().hex}.part")
    try:
        if out.name.lower().endswith(".ome.zarr"):
            result = _upscale_into_ome_zarr(fresh, out.name, job, image, axes, metadata, progress)
        else:
            result = _run(job, image, axes, fresh, progress)
            result.data.attrs.update(array_attributes(metadata, axes.letters))
        if place.exists():
            rmtree(place)
        fresh.rename(place)
    finally:
        if fresh.exists():
            rmtree(fresh)
    return result


def _run(job: Job, image: ImageFile, axes: Axes, out: Path | None, progress: Progress) -> Result:
    return job.run(image.data, axes, pixel_size=image.pixel_size, unit=image.unit, out=out, progress=progress)


def _upscale_into_ome_zarr(
    path: Path, name: str, job: Job, image: ImageFile, axes: Axes, metadata: Metadata, progress: Progress
) -> Result:
    from napari_sr.imaging.files.stores import add_channels
    from napari_sr.inference.ome_zarr import ome_zarr

    made = job.region(axes, pixel_size=image.pixel_size, unit=image.unit).made
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    scale = [metadata.pixel_size.get(letter, 1.0) for letter in letters]
    shift = [metadata.origin.get(letter, 0.0) for letter in letters]
    units = [metadata.unit if letter in metadata.pixel_size else None for letter in letters]
    if metadata.time_interval is not None:
        scale[letters.index("T")], units[letters.index("T")] = metadata.time_interval, "second"
    with ome_zarr(path, made, name=name, scale=scale, translate=shift, units=units) as finest:
        result = _run(job, image, axes, finest, progress)
    add_channels(path, metadata, axes)
    return result
