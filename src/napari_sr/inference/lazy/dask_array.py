"""Upscaling of a dask array to a dask array whose chunks are computed where they are needed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import numpy as np

from napari_sr.config import load_settings
from napari_sr.conversion import Memory, read_callable
from napari_sr.errors import InputError, outside_level
from napari_sr.imaging.as_image import ImageInput, as_image
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.inference.facts.calibration import Calibration, check_region
from napari_sr.inference.job import Job
from napari_sr.inference.lazy.chunks import ChunkGrid, HaloCost, Reach, default_chunks, reach_of
from napari_sr.inference.lazy.engine import ChunkUpscaler
from napari_sr.inference.region import Region
from napari_sr.inference.suggest import job_for
from napari_sr.progress import Cancel
from napari_sr.settings import Missing, NoiseSpec, Precision, Tiling
from napari_sr.zoo.model import Model

if TYPE_CHECKING:
    from dask.array import Array


def upscale_lazy(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
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
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    cancel: Cancel | None = None,
) -> Array:
    """Upscale an image to a dask array, each chunk of which is computed when it is needed.

    A chunk has the pixels of the result of `upscale`, to the rounding of float32: it is computed with a margin as wide
    as the receptive radius of the network. Small chunks are slow for this reason.

    Parameters
    ----------
    image : array-like
        The image: a dask array, whose chunks the result has; or, as for `upscale`, a numpy or zarr array, an xarray
        DataArray or the result of `read_image`, with chunks that are chosen.
    model : Model, str or Path
        A model, the name of one (see `list_models`), the path of a model file or checkpoint, or "auto" for the model
        that `suggest` names.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, in any order; a last C of size 3 or 4 is RGB(A), any other C
        counts as separate channels. By default as for `upscale`.
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check. By default that of the settings file, or else
        "auto", which takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16", "float16"}, optional
        Number format of the computation; float32 is exact, 16 bit is faster on graphics cards. By default that of the
        settings file, or else "auto": float32, but float16 on a GPU for 8-bit images where the model's card states
        that it is as good.
    tiling : {"exact", "none"}, default "exact"
        How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut. Here it is
        a chunk that is cut. "overlap" is refused, since its tiles depend on the whole plane, and so is "exact" for a
        network that cannot be streamed, other than the classical methods and sparse coding.
    memory : int or str, optional
        Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB. By default
        that of the settings file, or else "auto", which measures the free memory.
    self_ensemble : bool, default False
        Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.
    batch : int or "auto", default "auto"
        Number of planes of a stack that are computed together; auto, or 1 or more. They are planes of one chunk.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values. They are
        chosen once for the whole image. Values outside are not clipped, and the mapping is undone in the result.
    noise : "auto", 0 or (float, float), default "auto"
        Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in black and
        its gain. The two values are in values of the image: variance = deviation² + gain (value - black).
    denoise : float, default 1.0
        Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.
    blur : float, default 0.0
        Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none. A blur
        that is claimed and is not there spoils the result: leave it at 0 unless it is known.
    missing : {"refuse", "fill"}, default "refuse"
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result. Here
        "fill" is refused for images of floats, since the nearest pixel with a value may be in any chunk.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um. The network's
        result is resized to it, bicubic and antialiased, to the nearest whole number of pixels.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter, such as ``{"Y": 0.1, "X": 0.1}``, for a target that is a pixel size.
    unit : str, optional
        Unit of `pixel_size`, such as "um".
    cancel : callable, optional
        Called before each plane is read for the calibration; returning True ends the work with `Cancelled`.

    Returns
    -------
    dask.array.Array
        The upscaled image, with the dtype and axes of `image`. Its chunks are those of `image`, times the factor.

    Raises
    ------
    InputError
        If dask is not installed, or image, axes or settings do not fit. A pixel without a value that is found only
        when a chunk is computed raises it there.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.

    Warns
    -----
    dask.array.PerformanceWarning
        If more than 1.5 times the pixels of the image would pass through the network because the chunks are small; with
        the chunks that are advised. `napari_sr.inference.halo_cost` gives the cost as a number.

    Notes
    -----
    Black and white, and the noise for models that take it, are facts of the whole image. They are found once, in this
    call, and all chunks use them. For percentiles, which are the "auto" of all but uint8 and RGB, and for RGB other
    than uint8, every plane is read; those of floats need all values in memory. For other intensities but a pair of
    values, each channel is read until two different values are found. The noise is measured on some million pixels.
    Nothing is read in this call with a pair of values as `intensity`, and a `noise` that is given or a model that does
    not take it.

    One chunk is computed at a time in each process, by all its cores or on its device; the chunks of `image` are
    computed by dask, at the same time. Chunks can be sent to other processes: the weights are a node of the graph.

    Examples
    --------
    >>> import dask.array as da
    >>> import napari_sr as sr
    >>> plate = da.random.default_rng(0).integers(0, 4096, (96, 128), "uint16", chunks=(96, 64))
    >>> lazy = sr.upscale_lazy(plate, "srcnn-x2", device="cpu")
    >>> lazy.shape, lazy.chunks
    ((192, 256), ((192,), (128, 128)))
    >>> lazy[:10, 100:160].compute().shape
    (10, 60)
    """
    cancel = read_callable(cancel, "cancel")
    read = as_image(image, axes, pixel_size, unit)
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
    _import_dask()
    return lazy_result(job_for(model, settings, read, cancel=cancel), read, cancel=cancel)


def lazy_result(
    job: Job,
    read: ImageInput,
    contrast_limits: tuple[float, float] | None = None,
    *,
    calibration: Calibration | None = None,
    cancel: Cancel | None = None,
) -> Array:
    """Return the result of a job as a dask array.

    Parameters
    ----------
    job : Job
        The job.
    read : ImageInput
        The image.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for ``intensity="contrast"``.
    calibration : Calibration, optional
        Facts of the whole image; by default they are measured.
    cancel : callable, optional
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Raises
    ------
    InputError
        If dask is not installed, or image and settings do not fit.
    Cancelled
        If `cancel` returned True.
    """
    array = _import_dask()
    job = _lazy_job(job, read)
    reach = reach_of(job, read.axes)
    source, grid, region = _planned(job, read, reach)
    if (cost := grid.cost()).high:
        warnings.warn(cost.sentence(), array.PerformanceWarning, stacklevel=outside_level())
    if calibration is None:
        calibration = job.calibrate(source, read.axes, contrast_limits, cancel=cancel)
    if calibration.values:
        # All values are known: what a chunk would refuse is refused here.
        check_region(calibration, job.settings, source, region, reach.radius)
    return _array(job, calibration, source, grid)


def halo_cost(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    **settings: Any,
) -> HaloCost:
    """Compute what the margins of the chunks cost in `upscale_lazy`, without reading a pixel.

    Parameters
    ----------
    image : array-like
        The image, as for `upscale_lazy`.
    model : Model, str or Path
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, as for `upscale_lazy`.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter, for a target that is a pixel size.
    unit : str, optional
        Unit of `pixel_size`.
    **settings
        Settings of the job by name, with the values of `JobSettings`.

    Returns
    -------
    HaloCost
        The cost: ``factor`` is the number of pixels that pass through the network for each pixel of the image, and
        ``advised`` the rows and columns of chunks for a factor of about 1.5.

    Raises
    ------
    InputError
        If dask is not installed, or image, axes or settings do not fit.
    CheckpointError
        If the model cannot be loaded.
    """
    read = as_image(image, axes, pixel_size, unit)
    _import_dask()
    job = _lazy_job(Job(model, load_settings(**settings)), read)
    return _planned(job, read, reach_of(job, read.axes))[1].cost()


def _import_dask() -> Any:
    try:
        import dask.array
    except ImportError as error:
        raise InputError('dask is not installed, which lazy results need: pip install "napari-sr[lazy]".') from error
    return dask.array


def _lazy_job(job: Job, read: ImageInput) -> Job:
    """Return the job for the chunks of an image, in which integers, which are never missing, are not filled."""
    if job.settings.missing == "refuse":
        return job
    if np.dtype(read.data.dtype).kind == "f":
        raise InputError(
            "Missing pixels are filled from the nearest other ones, which may be in any chunk: fill them before, or "
            "use upscale, with out= and the path of a store for a large result."
        )
    return replace(job, settings=replace(job.settings, missing="refuse"))


def _planned(job: Job, read: ImageInput, reach: Reach) -> tuple[Array, ChunkGrid, Region]:
    """Return the image as a dask array, the chunks of the result, and the region of the whole image."""
    region = job.region(read.axes, pixel_size=read.pixel_size, unit=read.unit)
    source = _as_dask(read.data, read.axes, reach)
    return source, ChunkGrid(region, source.chunks, reach), region


def _as_dask(data: Any, axes: Axes, reach: Reach) -> Array:
    """Return an image as a dask array without empty chunks, with all colors of a pixel in one chunk."""
    array = _import_dask()
    if not isinstance(data, array.Array):
        # Without a name, dask would read all values for one.
        meta = np.empty((0,) * axes.ndim, data.dtype)
        source: Array = array.from_array(data, chunks=default_chunks(axes, reach), name=False, meta=meta)
        return source
    chunks = [tuple(length for length in lengths if length) for lengths in data.chunks]
    if axes.rgb:
        chunks[-1] = (axes.shape[-1],)
    rechunked: Array = data.rechunk(tuple(chunks))
    return rechunked


def _array(job: Job, calibration: Calibration, source: Array, grid: ChunkGrid) -> Array:
    """Return the graph of a result: one task for each chunk, and one node for what they have in common."""
    from dask.highlevelgraph import HighLevelGraph

    dtype = np.dtype(source.dtype)
    # Names are unique: dask takes arrays of one name for equal.
    name = f"upscale-{uuid4().hex}"
    common = f"upscaler-{name}"
    tasks: dict[Any, Any] = {common: ChunkUpscaler(job, calibration, dtype)}
    for position, chunk in grid:
        blocks = grid.blocks(chunk.read)
        keys = [(source.name, *place) for place, _ in blocks]
        # The method as a function of the upscaler, in whose place the graph has the key of its node.
        tasks[(name, *position)] = (ChunkUpscaler.compute, common, chunk, [origin for _, origin in blocks], keys)
    array = _import_dask()
    collections: list[Any] = [source]
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=collections)
    result: Array = array.Array(graph, name, grid.chunks, dtype, meta=np.empty((0,) * source.ndim, dtype))
    return result
