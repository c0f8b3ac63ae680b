"""A run of one image on a cluster: workers compute its blocks, and then the coarser levels, into one store."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from math import ceil, prod
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

from distributed import Client, Future, wait

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.as_image import ImageInput
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.files import ImageFile, stem_of
from napari_sr.inference.cluster.blocks import block_shape, blocks_of
from napari_sr.inference.cluster.worker import ClusterJob, JobOnWorker, upscale_block
from napari_sr.inference.compute.network import not_exact_because
from napari_sr.inference.fingerprint import identity_of
from napari_sr.inference.job import Job
from napari_sr.inference.output.levels import Piece, halve_piece
from napari_sr.inference.output.ome_zarr import unfilled_store
from napari_sr.inference.output.record import FinishedBlocks
from napari_sr.inference.output.store_metadata import OmeZarr
from napari_sr.inference.region import place_of
from napari_sr.inference.report import Report, joined
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import JobSettings

#: A function and its arguments.
Task = tuple[Any, ...]
# Tasks that the scheduler holds at a time, for each thread of the workers: enough for none to wait, and few for a
# scheduler that may have a million to do.
_AHEAD = 3
_POLL_S = 0.5


def run_on_cluster(
    job: Job,
    settings: JobSettings,
    image: ImageInput,
    file: ImageFile,
    out: Path,
    client: Client,
    *,
    overwrite: bool = False,
    ome_zarr: OmeZarr = "0.5",
    resources: Mapping[str, float] | None = None,
    progress: Progress,
    cancel: Cancel,
) -> Report:
    """Upscale an image on a cluster into an OME-Zarr store.

    Parameters
    ----------
    job : Job
        The model, and settings of the computations on this machine.
    settings : JobSettings
        Settings of the workers.
    image : ImageInput
        The image, opened on this machine.
    file : ImageFile
        The file or store of the image, under a path that all workers reach.
    out : Path
        The store, under a path that all workers reach.
    client, overwrite, ome_zarr, resources, progress, cancel : object
        As for `upscale_on_cluster`.

    Returns
    -------
    Report
        The report of the run, without the blocks that an interrupted one had finished.

    Raises
    ------
    InputError
        If the result in blocks would not be that of the whole image, or a worker cannot compute its block.
    Cancelled
        If `cancel` returned True.
    """
    axes, scale = image.axes, job.model.scale
    check_exact(job, settings, axes)
    region = job.region(axes)
    calibration = job.calibrate(image.data, axes, cancel=cancel)
    place = replace(place_of(region, stem_of(out), image.metadata), version=ome_zarr)
    threads = max(1, sum(client.nthreads().values()))
    begun = perf_counter()
    ahead = _AHEAD * threads

    def halve(finer: Any, coarser: Any, pieces: Iterator[Piece]) -> None:
        tasks = ((halve_piece, finer, coarser, piece) for piece in pieces)
        with closing(_tasks_done(client, enumerate(tasks), ahead, resources, cancel)) as done:
            for _ in done:
                pass

    fingerprint = job.fingerprint(image.data, region, identity_of(file), calibration, by="blocks")
    with unfilled_store(
        out,
        region.result_axes,
        image.data.dtype,
        place,
        overwrite=overwrite,
        fingerprint=fingerprint,
        along=axes.y,
        halve=halve,
    ) as store:
        assert store.record is not None
        finished = FinishedBlocks(store.record)
        files = store.array.files
        shape = finished.shape or block_shape(axes, scale, (files[axes.y], files[axes.x]), threads)
        total = axes.plane_count * prod(
            ceil(axes.shape[axis] / side) for axis, side in zip((axes.y, axes.x), shape, strict=True)
        )
        # If no block is left, the last one is computed again, so that there is a report.
        before = finished.numbers - ({total - 1} if len(finished.numbers) == total else set())
        sent = ClusterJob(job.model, settings, calibration, file.path.resolve(), file.series, axes, store.array)
        whole: Report | None = None
        with _kept_by_workers(client, sent) as name:
            blocks = enumerate(blocks_of(axes, shape))
            tasks = ((number, (upscale_block, name, part)) for number, part in blocks if number not in before)
            with closing(_tasks_done(client, tasks, ahead, resources, cancel)) as done:
                for count, (number, report) in enumerate(done, len(before) + 1):
                    finished.add(shape, number)
                    whole = report if whole is None else joined(whole, report)
                    progress(count, total)
    assert whole is not None
    seconds = perf_counter() - begun
    computed = total - len(before)
    # Blocks are of about one size.
    speed = prod(region.shape) * computed / total / max(seconds, 1e-9)
    return replace(
        whole,
        part=None,
        planes=axes.plane_count,
        seconds=seconds,
        pixels_per_second=speed,
        blocks=computed,
        continued_blocks=len(before),
    )


def check_exact(job: Job, settings: JobSettings, axes: Axes) -> None:
    """Check that the results of blocks are those of the whole image.

    Raises
    ------
    InputError
        If tiles overlap, the network cannot be streamed, or the result is resized to a target.
    """
    if settings.target is not None:
        raise InputError(
            "A cluster computes results of the model's own factor: leave out the target, and resize the result later."
        )
    reason = not_exact_because(job.model, settings, axes.rgb)
    if reason is not None:
        raise InputError(
            f"{job.model.name} cannot be computed in blocks, because {reason}: "
            "choose the tiling exact, or another model."
        )


@contextmanager
def scheduler_needed(client: Client, out: Path) -> Iterator[None]:
    """Turn the errors that follow from the loss of the scheduler into a sentence.

    Raises
    ------
    InputError
        If the connection to the scheduler was lost.
    """
    try:
        yield
    except (CancelledError, OSError) as error:
        if client.status == "running":
            raise
        raise InputError(
            f"The scheduler of the cluster was lost: start it and its workers, and then upscale to {out} again."
        ) from error


@contextmanager
def _kept_by_workers(client: Client, job: ClusterJob) -> Iterator[str]:
    """Send the job to each worker once, those that join later included, and remove it at the end."""
    name = f"napari-sr-{uuid4().hex}"
    client.register_plugin(JobOnWorker(job, name))
    try:
        yield name
    finally:
        # Without a scheduler the attempt would take long, and its error would hide the one before.
        if client.status == "running":
            client.unregister_worker_plugin(name)


def _tasks_done(
    client: Client,
    tasks: Iterator[tuple[int, Task]],
    ahead: int,
    resources: Mapping[str, float] | None,
    cancel: Cancel,
) -> Generator[tuple[int, Any]]:
    """Compute numbered tasks, some ahead, and yield numbers and results; closing it cancels the tasks that are left.

    A task of a worker that is lost is computed by another.
    """
    waiting: dict[Future[Any], int] = {}

    def submit(count: int) -> None:
        for number, (function, *arguments) in islice(tasks, count):
            future = client.submit(function, *arguments, pure=False, resources=dict(resources or {}))
            waiting[future] = number

    try:
        submit(ahead)
        while waiting:
            if cancel():
                raise Cancelled
            try:
                done = wait(list(waiting), timeout=_POLL_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in done:
                number = waiting.pop(future)
                result = future.result()
                submit(1)
                yield number, result
    finally:
        if client.status == "running":
            client.cancel(list(waiting), force=True)
