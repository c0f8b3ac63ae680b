"""`napari-sr upscale` for several images: a folder, a pattern, or a list of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_sr.cli.bar import Bar
from napari_sr.cli.signals import Ended, signals
from napari_sr.conversion import check_folder
from napari_sr.errors import InputError
from napari_sr.imaging.atomic import write_file
from napari_sr.text_table import as_columns

if TYPE_CHECKING:
    from napari_sr.inference import FileResult, FileResults
    from napari_sr.inference.files.run import FilesRun
    from napari_sr.inference.output.store_metadata import OmeZarr
    from napari_sr.settings import JobSettings
    from napari_sr.zoo import Model

#: Exit status if an image failed.
SOME_FAILED = 1

_BAR = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"


def is_several(sources: Sequence[str]) -> bool:
    """Whether the inputs of a command are several images.

    Returns
    -------
    bool
        False for one file, or one Zarr store.
    """
    from napari_sr.inference.files.inputs import has_many_images

    return len(sources) > 1 or any(map(has_many_images, sources))


def upscale_several(
    sources: Sequence[str],
    out: Path,
    load: Callable[[], Model | str],
    settings: JobSettings,
    *,
    scale: int | None,
    axes: str | None,
    series: str | None,
    result_format: str | None,
    devices: str | None,
    csv: Path | None,
    dry_run: bool,
    overwrite: bool,
    ome_zarr: OmeZarr,
    quiet: bool,
) -> None:
    """Upscale several images, and print their table.

    The arguments are those of the command; `load` returns the model, or "auto".

    Raises
    ------
    InputError
        If inputs, settings or output cannot be used.
    typer.Exit
        With status 1 if an image failed.
    """
    from napari_sr.inference.files.inputs import plan_files
    from napari_sr.inference.files.jobs import FileJobs
    from napari_sr.inference.files.many_files import read_devices
    from napari_sr.inference.files.run import FilesRun

    files = plan_files(sources, out, format=result_format)
    _check_csv(csv, overwrite)
    run = FilesRun(
        files,
        out,
        FileJobs(load(), settings, scale=scale),
        axes=axes,
        series=series,
        overwrite=overwrite,
        ome_zarr=ome_zarr,
        devices=read_devices(devices.split(",")) if devices else (),
    )
    if dry_run:
        planned = run.planned()
        typer.echo(_plan_text(planned))
        _end(planned, "would fail")
        return
    results = _run(run, out, len(files), quiet)
    if csv is not None:
        write_file(csv, results.as_csv())
    if not quiet:
        typer.echo(f"{results!r}\n{results.summary()}.")
    _end(results, "failed")


def _run(run: FilesRun, out: Path, count: int, quiet: bool) -> FileResults:
    finished = ended = 0
    with Bar(quiet, "image", _BAR) as bar:

        def changed(number: int, result: FileResult) -> None:
            nonlocal finished, ended
            finished += result.state in ("done", "skipped")
            ended += result.state != "running"
            bar.describe(f"{ended} of {count} images")

        try:
            with signals.deferred():
                return run.run(progress=bar, cancel=signals.cancel, changed=changed)
        except Ended as end:
            end.sentence = (
                f"Stopped: {finished} of {count} images are finished in {out}, and the same command continues with the "
                "others."
            )
            raise


def _plan_text(planned: FileResults) -> str:
    rows = [
        [str(one.input), str(one.output), "to upscale" if one.state == "waiting" else one.state, one.reason]
        for one in planned
    ]
    return as_columns([["INPUT", "OUTPUT", "STATE", "REASON"], *rows])


def _end(results: FileResults, failed: str) -> None:
    """End with status 1 and a sentence if an image failed."""
    if results.failed:
        first = results.failed[0]
        sentence = f"{len(results.failed)} of {len(results)} images {failed}, the first of them {first.input}"
        typer.echo(f"napari-sr: {sentence}: {first.reason}", err=True)
        raise typer.Exit(SOME_FAILED)


def _check_csv(csv: Path | None, overwrite: bool) -> None:
    """Check that the table can be written; an existing file is replaced if it is such a table."""
    if csv is None:
        return
    check_folder(csv)
    if csv.is_dir():
        raise InputError(f"{csv} is a folder: give the name of a file in it.")
    from napari_sr.inference import FileResults

    header = FileResults().as_csv().encode()
    if csv.exists() and not overwrite:
        with csv.open("rb") as file:
            if file.read(len(header)) != header:
                raise InputError(f"{csv} exists and is no table of results: give another name, or --overwrite.")
