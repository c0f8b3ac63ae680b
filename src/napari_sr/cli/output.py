"""Where the result of `napari-sr upscale` goes: a file, or a Zarr store that is written while the work goes on."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from napari_sr.errors import InputError
from napari_sr.progress import Progress

if TYPE_CHECKING:
    from napari_sr.imaging.axes import Axes
    from napari_sr.imaging.files import ImageFile
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


def upscale_to(out: Path, job: Job, image: ImageFile, axes: Axes, progress: Progress) -> Report:
    """Upscale an image and write the result, whole or not at all, with its pixel sizes."""
    from napari_sr.imaging.files import write_image
    from napari_sr.inference.region import place_of

    if _is_store(out):
        # It is written strip by strip, and may be larger than memory.
        return _run(job, image, axes, out.resolve(), progress).report
    region = job.region(axes, pixel_size=image.pixel_size, unit=image.unit)
    place = place_of(region, out.stem, image.pixel_size, image.unit)
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    sizes = {a: size for a, size in zip(letters, place.scale, strict=True) if a in image.pixel_size}
    result = _run(job, image, axes, None, progress)
    write_image(out, result.data, axes.letters, sizes, image.unit if sizes else None)
    return result.report


def _is_store(out: Path) -> bool:
    return out.suffix.lower() == ".zarr"


def _run(job: Job, image: ImageFile, axes: Axes, out: Path | None, progress: Progress) -> Result:
    return job.run(
        image.data,
        axes,
        pixel_size=image.pixel_size,
        unit=image.unit,
        out=out,
        # Whether OUT may be replaced was checked before any work.
        overwrite=True,
        progress=progress,
    )
