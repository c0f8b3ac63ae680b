"""Upscaling of a napari image layer to a layer at the same position."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from napari_sr.config import load_settings
from napari_sr.conversion import Memory, read_flag, read_path
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import ImageInput
from napari_sr.imaging.files import Metadata
from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.imaging.napari_layer import LayerData, check_layer, finest_level, layer_axes, layer_pixel_size, levels_of
from napari_sr.imaging.part import Part
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.job import Job
from napari_sr.inference.layer_input import LayerInput, prepare_layer
from napari_sr.inference.lazy.layer import lazy_layer
from napari_sr.inference.output.destination import check_store_path
from napari_sr.inference.output.store_metadata import OmeZarr, StorePlace, read_version
from napari_sr.inference.report import Report
from napari_sr.inference.script import layer_data
from napari_sr.inference.suggest import job_for
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import Missing, NoiseSpec, Precision, Tiling
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class LayerResult:
    """The result of a job over a layer.

    Parameters
    ----------
    layer_data : (array, dict, str)
        Data, keyword arguments and "image", for ``Layer.create``.
    report : Report
        Facts of the run.
    """

    layer_data: LayerData
    report: Report


def run_layer(
    job: Job,
    prepared: LayerInput,
    *,
    out: str | os.PathLike[str] | None = None,
    ome_zarr: OmeZarr = "0.5",
    network: JobNetwork | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LayerResult:
    """Apply a job to a layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The job for which the layer was prepared.
    prepared : LayerInput
        The layer, from `prepare_layer`.
    out : str or Path, optional
        An OME-Zarr store that does not exist yet, for a result that may be larger than memory. The data of the result
        are then arrays on disk: one, or a list of all levels with the finest first.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
    network : JobNetwork, optional
        The network of the job, given to several calls: the first one builds it and copies it to the device. By default
        each call does.
    progress : callable, optional
        Called as ``progress(done, total)`` after every strip or tile.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the work with `Cancelled`.

    Returns
    -------
    LayerResult
        Result and report. ``kwargs["metadata"]["napari_sr"]`` of the layer data has the facts of the report, the model
        and settings ("job"), the origin of the layer ("source"), and a script that repeats the job ("script").

    Raises
    ------
    InputError
        If values or settings do not fit, or the result does not fit into memory.
    Cancelled
        If `cancel` returned True.
    """
    version = read_version(ome_zarr, store=out is not None)
    kwargs = prepared.kwargs
    units = [str(unit) for unit in kwargs["units"]]
    result = job.run_region(
        prepared.image,
        prepared.region,
        calibration=prepared.calibration,
        contrast_limits=prepared.contrast_limits,
        out=None if out is None else read_path(out, "path of the store"),
        place=StorePlace(kwargs["name"], list(kwargs["scale"]), list(kwargs["translate"]), units, version=version),
        network=network,
        progress=progress,
        cancel=cancel,
    )
    data: Any = result.levels if len(result.levels) > 1 else result.data
    return LayerResult(layer_data(job, prepared, data, result.report.as_dict()), result.report)


def upscale_layer(
    layer: Any,
    model: Model | str | os.PathLike[str],
    *,
    axes: str | None = None,
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
    part: Part | None = None,
    out: str | os.PathLike[str] | None = None,
    ome_zarr: OmeZarr = "0.5",
    lazy: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LayerData:
    """Upscale a napari image layer; the result covers the same region of the world.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer, which is not changed; of a multiscale layer the finest level is used.
    model : Model, str or Path
        A model, the name of one (see `list_models`), the path of a model file or checkpoint, or "auto" for the model
        that `suggest` names.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the layer's data; by default the last two are Y and X, or the
        two before the colors of RGB(A).
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check. By default that of the settings file, or else
        "auto", which takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16", "float16"}, optional
        Number format of the computation; float32 is exact, 16 bit is faster on graphics cards. By default that of the
        settings file, or else "auto": float32, but float16 on a GPU for 8-bit images where the model's card states
        that it is as good.
    tiling : {"exact", "overlap", "none"} or Overlap, default "exact"
        How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut. "exact"
        gives the pixels of the whole plane in one piece; "overlap" is ``Overlap()``. A network that cannot be streamed
        uses overlapping tiles instead of "exact".
    memory : int or str, optional
        Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB. By default
        that of the settings file, or else "auto", which measures the free memory.
    self_ensemble : bool, default False
        Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.
    batch : int or "auto", default "auto"
        Number of planes of a stack that are computed together; auto, or 1 or more.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values. They are
        chosen once for the whole layer. Values outside are not clipped, and the mapping is undone in the result.
    noise : "auto", 0 or (float, float), default "auto"
        Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in black and
        its gain. The two values are in values of the image: variance = deviation² + gain (value - black).
    denoise : float, default 1.0
        Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.
    blur : float, default 0.0
        Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none. A blur
        that is claimed and is not there spoils the result: leave it at 0 unless it is known.
    missing : {"refuse", "fill"}, default "refuse"
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um. The network's
        result is resized to it, bicubic and antialiased, to the nearest whole number of pixels.
    part : Part, optional
        The part of the layer to upscale; by default all. The result covers that part.
    out : str or Path, optional
        An OME-Zarr store that does not exist yet, for a result that may be larger than memory. The data are then arrays
        on disk: one, or a list of all levels with the finest first.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
    lazy : bool, default False
        Whether pixels are computed where they are displayed, as by `upscale_lazy`. The data are then a list of a dask
        array and the levels of the layer, which napari displays where they have pixels enough. `part` and `out` are
        refused, and `progress` is not called.
    progress : callable, optional
        Called as ``progress(done, total)`` after every piece of work.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the work with `Cancelled`.

    Returns
    -------
    data : array
        The upscaled image, with the dtype and axes of the layer's data.
    kwargs : dict
        Keyword arguments of ``napari.layers.Image``, with the position, units and appearance of the layer.
    kind : str
        "image". ``viewer.add_layer(napari.layers.Layer.create(*result))`` shows the result.

    Raises
    ------
    InputError
        If the layer is not an image layer, or axes or settings do not fit it.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> from napari.layers import Image
    >>> cells = Image(np.zeros((16, 20), np.uint8), scale=(0.2, 0.2))
    >>> sr.upscale_layer(cells, "srcnn-x2", device="cpu")[1]["scale"]
    array([0.1, 0.1])
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
    check_layer(layer)
    parsed = layer_axes(layer, axes)
    pixel_size, unit = layer_pixel_size(layer, parsed)
    lazy, finest = read_flag(lazy, "lazy"), finest_level(layer)
    if lazy and out is not None:
        raise InputError("A lazy result is computed where it is displayed: leave out the path of the store.")
    if out is not None:
        # Before the layer is read for a suggestion.
        check_store_path(read_path(out, "path of the store"), finest.dtype)
    job = job_for(
        model, settings, ImageInput(finest, parsed, Metadata(pixel_size=pixel_size, unit=unit)), cancel=cancel
    )
    prepared = prepare_layer(job, layer, axes, part)
    if lazy:
        read_version(ome_zarr, store=False)
        return lazy_layer(job, prepared, levels_of(layer), cancel=cancel)
    return run_layer(job, prepared, out=out, ome_zarr=ome_zarr, progress=progress, cancel=cancel).layer_data
