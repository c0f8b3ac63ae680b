"""`napari-sr upscale` for one image, and its `--dry-run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_sr.cli.bar import Bar
from napari_sr.cli.signals import signals

if TYPE_CHECKING:
    from napari_sr.imaging.axes import Axes
    from napari_sr.imaging.files import ImageFile
    from napari_sr.inference import Job
    from napari_sr.inference.output.store_metadata import OmeZarr
    from napari_sr.settings import JobSettings
    from napari_sr.zoo import Model


def upscale_one(
    source: Path,
    out: Path,
    load: Callable[[], Model | str],
    settings: JobSettings,
    *,
    scale: int | None,
    axes: str | None,
    series: str | None,
    dry_run: bool,
    overwrite: bool,
    ome_zarr: OmeZarr,
    quiet: bool,
) -> None:
    """Upscale one image, and print the report.

    The arguments are those of the command; `load` returns the model, or "auto".

    Raises
    ------
    InputError
        If image, settings or output cannot be used.
    """
    from napari_sr.imaging.as_image import as_image
    from napari_sr.imaging.axes import parse_axes
    from napari_sr.imaging.files import read_image
    from napari_sr.inference.files.one_file import check_format, check_output, upscale_to
    from napari_sr.inference.output.paths import is_store_name
    from napari_sr.inference.output.store_metadata import read_version
    from napari_sr.inference.suggest import job_for

    version = read_version(ome_zarr, store=is_store_name(out))
    if not dry_run:
        check_output(source, out, overwrite)
    image = read_image(source, series=series, lazy=True)
    if image.other_series and not quiet:
        typer.echo(other_series_text(image), err=True)
    if axes:
        image = image.in_axes(axes)
    elif image.remark and not quiet:
        typer.echo(f"{image.path}: {image.remark}", err=True)
    parsed = parse_axes(image.axes, image.data.shape)
    check_format(out, image, parsed)
    job = job_for(load(), settings, as_image(image, parsed), scale=scale)
    if dry_run:
        typer.echo(estimate_text(job, image, parsed))
        return
    with Bar(quiet, "row") as bar, signals.deferred():
        report = upscale_to(
            out, job, image, parsed, overwrite=overwrite, progress=bar, cancel=signals.cancel, ome_zarr=version
        )
    if not quiet:
        typer.echo(f"{out}: {report.sentence()}")


def estimate_text(job: Job, image: ImageFile, axes: Axes) -> str:
    """Return the estimate of a job as text; the speed of this machine is measured if it is not known."""
    from napari_sr.inference import estimate_region, known_speed, measure_speed

    if known_speed(job, image.data.dtype, axes.rgb) is None:
        measure_speed(job, image.data.dtype, axes.rgb)
    region = job.region(axes, pixel_size=image.pixel_size, unit=image.unit)
    return estimate_region(job, region, image.data.dtype, pixel_size=image.pixel_size, unit=image.unit).sentence()


def other_series_text(image: ImageFile) -> str:
    """Return a sentence about the images of a file that are not upscaled.

    Returns
    -------
    str
        The sentence, with number, name and size of each image.
    """
    others = ", ".join(image.other_series)
    return f"{image.path}: series {image.series} is upscaled. Others, for --series: {others}."
