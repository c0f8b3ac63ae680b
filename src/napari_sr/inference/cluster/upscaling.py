"""Upscaling of one large image on a cluster of dask.distributed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_sr.config import load_settings
from napari_sr.conversion import Memory, quote, read_callable, read_flag, read_path, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.files import ImageFile, read_image
from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.inference.files.jobs import check_settings
from napari_sr.inference.files.one_file import check_output
from napari_sr.inference.output.paths import is_store_name
from napari_sr.inference.output.store_metadata import OmeZarr, read_version
from napari_sr.inference.report import Report
from napari_sr.inference.suggest import job_for
from napari_sr.progress import Cancel, Progress, never
from napari_sr.settings import JobSettings, Missing, NoiseSpec, Precision, Tiling
from napari_sr.zoo.model import Model

if TYPE_CHECKING:
    from distributed import Client


def upscale_on_cluster(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: Model | str | os.PathLike[str],
    client: Client,
    axes: str | None = None,
    *,
    series: int | str | None = None,
    overwrite: bool = False,
    ome_zarr: OmeZarr = "0.5",
    resources: Mapping[str, float] | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    tiling: Tiling = "exact",
    memory: Memory | str | None = None,
    self_ensemble: bool = False,
    batch: int | Literal["auto"] = "auto",
    intensity: IntensitySpec = "auto",
    noise: NoiseSpec = "auto",
    denoise: float = 1.0,
    blur: float = 0.0,
    missing: Missing = "refuse",
    target: float | str | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Report:
    """Upscale one image with the workers of a cluster, into an OME-Zarr store.

    Parameters
    ----------
    source : str or Path
        The image, under a path that all workers reach: a Zarr store, or a TIFF that is read where it is indexed.
    out : str or Path
        The store to write, under a path that all workers reach.
    model : Model, str or Path
        A model, the name of one, the path of a model file or checkpoint, or "auto" for the model that `suggest` names.
        It is loaded here, and its weights are sent to each worker once.
    client : distributed.Client
        Client of the cluster. Each worker computes one block at a time; give it one process for each device.
    axes : str, optional
        Axes of the image, as for `upscale`. By default those of the file.
    series : int or str, optional
        Image in a file with several, as for `read_image`. By default the largest.
    overwrite : bool, default False
        Whether an existing store is replaced.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
    resources : mapping of str to float, optional
        Resources of a worker that a block occupies, such as ``{"GPU": 1}``, so that only workers with them compute.
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check. By default that of the settings file of this
        machine, or else "auto", which takes a GPU on each worker that has one.
    precision : {"auto", "float32", "bfloat16", "float16"}, optional
        Number format of the computation; float32 is exact, 16 bit is faster on graphics cards. By default that of the
        settings file, or else "auto".
    tiling : {"exact", "none"}, default "exact"
        How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut. Here it
        cuts a block; overlapping tiles, which would differ from block to block, are refused.
    memory : int or str, optional
        Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB. By default
        that of the settings file, or else "auto", which measures the free memory of the worker.
    self_ensemble : bool, default False
        Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.
    batch : int or "auto", default "auto"
        Number of planes of a stack that are computed together; auto, or 1 or more. A block is of one plane, so it has
        no effect here.
    intensity : {"auto", "dtype", "percentile"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values. They are
        found here for the whole image, before the workers begin. "contrast" is that of a layer and is refused.
    noise : "auto", 0 or (float, float), default "auto"
        Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in black and
        its gain. It is measured here for the whole image, before the workers begin.
    denoise : float, default 1.0
        Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.
    blur : float, default 0.0
        Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none.
    missing : {"refuse", "fill"}, default "refuse"
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um. Refused here:
        resize the result later.
    progress : callable, optional
        Called as ``progress(done, total)`` after every block.
    cancel : callable, optional
        Called while blocks are computed; returning True ends the work with `Cancelled`.

    Returns
    -------
    Report
        The report of the whole run.

    Raises
    ------
    InputError
        If image or settings cannot be used, the scheduler is lost, or dask.distributed is not installed. Nothing
        remains on disk.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True; nothing remains on disk.

    Notes
    -----
    The image is divided into blocks whose results fill whole files of the store, and each is read with a margin of the
    network's receptive radius, so the result is that of `upscale`. If a worker is lost, its block is computed by
    another. The workers compute the coarser levels of the store at the end.

    A run that was killed is continued by the same call on the same machine: finished blocks, which are recorded beside
    the data, are not computed again. The same call means the same image, model and settings that change pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import zarr
    >>> from distributed import Client
    >>> import napari_sr as sr
    >>> array = zarr.create_array("large.zarr", shape=(64, 48), dtype="uint16", dimension_names="yx")
    >>> array[:] = np.random.default_rng(0).integers(0, 4096, (64, 48))
    >>> with Client(processes=False, n_workers=1, dashboard_address=None) as client:
    ...     report = sr.upscale_on_cluster("large.zarr", "large-x2.zarr", "srcnn-x2", client)
    >>> sr.read_image("large-x2.zarr").data.shape
    (128, 96)
    """
    settings = load_settings(
        device=device,
        precision=precision,
        tiling=tiling,
        memory=memory,
        self_ensemble=self_ensemble,
        batch=batch,
        intensity=intensity,
        noise=noise,
        denoise=denoise,
        blur=blur,
        missing=missing,
        target=target,
    )
    out, overwrite = read_path(out, "path of the store"), read_flag(overwrite, "overwrite")
    return run_file_on_cluster(
        open_for_cluster(read_path(source, "image file"), out, settings, series=series, overwrite=overwrite),
        out,
        model,
        settings,
        client,
        axes=axes,
        overwrite=overwrite,
        ome_zarr=ome_zarr,
        resources=resources,
        progress=read_callable(progress, "progress"),
        cancel=read_callable(cancel, "cancel"),
    )


def open_for_cluster(
    source: Path, out: Path, settings: JobSettings, *, series: int | str | None = None, overwrite: bool = False
) -> ImageFile:
    """Check all that can be checked without a cluster, and open the image.

    Returns
    -------
    ImageFile
        The image; no pixel is read.

    Raises
    ------
    InputError
        If the image cannot be read, the store cannot be written, or the settings are not those of a file.
    """
    if not is_store_name(out):
        raise InputError(f"A cluster writes Zarr stores: give a name that ends in .zarr in place of {out.name}.")
    check_settings(settings)
    check_output(source, out, overwrite)
    return read_image(source, series=series, lazy=True)


def run_file_on_cluster(
    file: ImageFile,
    out: Path,
    model: Model | str | os.PathLike[str],
    settings: JobSettings,
    client: Client,
    *,
    axes: str | None = None,
    scale: float | None = None,
    overwrite: bool = False,
    ome_zarr: OmeZarr = "0.5",
    resources: Mapping[str, float] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Report:
    """Upscale an image on a cluster with the settings of an object, as `upscale_on_cluster` does.

    Parameters
    ----------
    file : ImageFile
        The image, from `open_for_cluster`.
    settings : JobSettings
        Settings of the workers.
    scale : float, optional
        Factor for "auto".
    out, model, client, axes, overwrite, ome_zarr, resources, progress, cancel : object
        As for `upscale_on_cluster`.

    Raises
    ------
    InputError
        If image or settings cannot be used, the scheduler is lost, or dask.distributed is not installed.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.
    """
    if not isinstance(client, _distributed().Client) or client.asynchronous:
        raise InputError(f"The client {shorten(client)} is not one of dask.distributed: give Client(address).")
    from napari_sr.inference.cluster.run import run_on_cluster, scheduler_needed

    stop = cancel or never
    image = as_image(file, axes)
    # The device of the workers may not be on this machine, which measures the image and computes nothing.
    job = job_for(model, replace(settings, device="cpu"), image, scale=scale, cancel=stop)
    with scheduler_needed(client, out):
        return run_on_cluster(
            job,
            replace(job.settings, device=settings.device),
            image,
            file,
            out.parent.resolve() / out.name,
            client,
            overwrite=overwrite,
            ome_zarr=read_version(ome_zarr, store=True),
            resources=resources,
            progress=progress or (lambda done, total: None),
            cancel=stop,
        )


def connect(scheduler: str, timeout: float) -> Client:
    """Connect to a cluster.

    Parameters
    ----------
    scheduler : str
        Address of the scheduler, or the path of its file.
    timeout : float
        Seconds in which it must answer.

    Raises
    ------
    InputError
        If the scheduler does not answer, or dask.distributed is not installed.
    """
    client = _distributed().Client
    address = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        connected: Client = client(**address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The scheduler {quote(scheduler)} does not answer: give its address, such as tcp://node1:8786."
        ) from error
    return connected


def _distributed() -> Any:
    """Return the module dask.distributed, which is an extra."""
    try:
        return import_module("distributed")
    except ImportError as error:
        raise InputError(
            "A cluster needs dask.distributed, which is not installed: pip install 'napari-sr[cluster]'."
        ) from error
