"""`napari-sr upscale --scheduler`: one image on a cluster of dask.distributed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sr.cli.bar import Bar
from napari_sr.cli.signals import signals
from napari_sr.errors import InputError
from napari_sr.imaging.pixel_size import positive

if TYPE_CHECKING:
    from napari_sr.inference.output.store_metadata import OmeZarr
    from napari_sr.settings import JobSettings
    from napari_sr.zoo import Model

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of one image: compute on the cluster of this dask scheduler, such as tcp://node1:8786, or its file.",
    ),
]
ResourcesOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=AMOUNT", help="With --scheduler: resources that a block occupies on a worker, such as GPU=1."
    ),
]
# Seconds in which a scheduler must answer.
_TIMEOUT_S = 30


def upscale_at_scheduler(
    source: Path,
    out: Path,
    load: Callable[[], Model | str],
    settings: JobSettings,
    *,
    scheduler: str,
    resources: str | None,
    scale: int | None,
    axes: str | None,
    series: str | None,
    dry_run: bool,
    overwrite: bool,
    ome_zarr: OmeZarr,
    quiet: bool,
) -> None:
    """Upscale one image on a cluster, and print the report.

    The arguments are those of the command; `load` returns the model, or "auto".

    Raises
    ------
    InputError
        If image, settings or output cannot be used, or the scheduler does not answer.
    """
    if dry_run:
        raise InputError("The time on a cluster is not estimated: leave out --dry-run or --scheduler.")
    needed = read_resources(resources)
    from napari_sr.inference.cluster.upscaling import connect, open_for_cluster, run_file_on_cluster

    # Before the connection, which may take long.
    image = open_for_cluster(source, out, settings, series=series, overwrite=overwrite)

    with connect(scheduler, _TIMEOUT_S) as client, Bar(quiet, "block") as bar, signals.deferred():
        report = run_file_on_cluster(
            image,
            out,
            load(),
            settings,
            client,
            axes=axes,
            scale=scale,
            overwrite=overwrite,
            ome_zarr=ome_zarr,
            resources=needed,
            progress=bar,
            cancel=signals.cancel,
        )
    if not quiet:
        typer.echo(f"{out}: {report.sentence()}")


def read_resources(text: str | None) -> dict[str, float]:
    """Read resources of workers.

    Parameters
    ----------
    text : str or None
        Such as ``"GPU=1"`` or ``"GPU=1,memory=8e9"``.

    Returns
    -------
    dict of str to float
        Amounts by name, more than 0; empty for None.

    Raises
    ------
    InputError
        If it is no such text.
    """
    resources: dict[str, float] = {}
    for entry in [] if text is None else text.split(","):
        name, _, text_of_amount = entry.partition("=")
        amount = positive(text_of_amount)
        if amount is None or not name.strip():
            raise InputError(f"The resources {text!r} are no names with amounts: give such as --resources GPU=1.")
        resources[name.strip()] = amount
    return resources
