"""Upscaling of an array to a larger array with the same dtype and axes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from numpy.typing import NDArray

from napari_sr.config import load_settings
from napari_sr.conversion import Memory
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import StoredArray, WritableArray
from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.imaging.part import Part
from napari_sr.inference.output.paths import check_path
from napari_sr.inference.output.store_metadata import OmeZarr
from napari_sr.inference.suggest import job_for
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import Missing, NoiseSpec, Precision, Tiling
from napari_sr.zoo.model import Model

_Given = TypeVar("_Given", bound=WritableArray)


class Options(TypedDict, total=False):
    """The options of `upscale` on which the type of the result does not depend."""

    device: str | None
    precision: Precision | None
    tiling: Tiling
    memory: Memory | str | None
    self_ensemble: bool
    batch: int | Literal["auto"]
    intensity: IntensitySpec
    noise: NoiseSpec
    denoise: float
    blur: float
    missing: Missing
    target: float | str | None
    part: Part | None
    pixel_size: Mapping[str, float] | None
    unit: str | None
    ome_zarr: OmeZarr
    progress: Progress | None
    cancel: Cancel | None


@overload
def upscale(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    out: None = None,
    **options: Unpack[Options],
) -> NDArray[Any]: ...


@overload
def upscale(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    out: str | os.PathLike[str],
    **options: Unpack[Options],
) -> StoredArray: ...


@overload
def upscale(
    image: Any,
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    out: _Given,
    **options: Unpack[Options],
) -> _Given: ...


def upscale(
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
    part: Part | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    out: WritableArray | str | os.PathLike[str] | None = None,
    ome_zarr: OmeZarr = "0.5",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Any:
    """Upscale an image.

    Parameters
    ----------
    image : array-like
        The image: a numpy array; a dask or zarr array, which is read plane by plane; an xarray DataArray; the result of
        `read_image`; or whatever numpy converts to an array of integers, floats or bools. It is not changed.
    model : Model, str or Path
        A model, the name of one (see `list_models`), the path of a model file or checkpoint, or "auto" for the model
        that `suggest` names.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, in any order; a last C of size 3 or 4 is RGB(A), any other C
        counts as separate channels. By default those of the file, or the dimensions of the DataArray if they are t, c,
        z, y and x; or else (Y, X), (Z, Y, X), (C, Z, Y, X), (T, C, Z, Y, X), or RGB(A) where the last axis is 3 or 4.
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
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um. The network's
        result is resized to it, bicubic and antialiased, to the nearest whole number of pixels.
    part : Part, optional
        The part of the image to upscale; by default all. With exact tiling its pixels are those of the whole result.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter, such as ``{"Y": 0.1, "X": 0.1}``, for a target that is a pixel size and
        for a store.
    unit : str, optional
        Unit of `pixel_size`, such as "um".
    out : array, str or Path, optional
        Destination: an array of the result's shape and dtype (numpy, memory-mapped, zarr), or the path of a result that
        does not exist yet: an OME-Zarr store (such as "result.ome.zarr"), or a TIFF or PNG by its ending (such as
        "result.ome.tif"). By default an array in memory.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
    progress : callable, optional
        Called as ``progress(done, total)`` after every piece of work.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the work with `Cancelled`.

    Returns
    -------
    array
        The upscaled image, with the dtype and axes of `image`: a numpy array, the array given as `out`, or for a
        path a lazy array of the file or of the finest level of the store, as those of zarr: ``result[0]`` reads a part
        and ``result[:]`` all, as numpy arrays. It has no arithmetic of its own. `Job.run` gives the report of the run
        and its warnings as well.

    Raises
    ------
    InputError
        If image, axes or settings do not fit, `out` has an unknown ending, or the result does not fit into memory.
        Nothing is computed then.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> stack = np.random.default_rng(0).integers(0, 4096, (3, 16, 20), np.uint16)
    >>> sr.upscale(stack, "srcnn-x2", axes="ZYX", device="cpu").shape
    (3, 32, 40)
    """
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
    # Before the image is read for a suggestion.
    if isinstance(out, str | os.PathLike):
        out = check_path(out)
    job = job_for(model, settings, read, cancel=cancel)
    return job.run(read, part=part, out=out, ome_zarr=ome_zarr, progress=progress, cancel=cancel).data
