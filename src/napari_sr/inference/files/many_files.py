"""Upscaling of many image files: of a folder, of a pattern, or of a list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from napari_sr.config import load_settings
from napari_sr.conversion import Memory, read_callable, read_flag, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.axes import read_letters
from napari_sr.imaging.intensity.spec import IntensitySpec
from napari_sr.inference.compute.device import choose_device
from napari_sr.inference.files.inputs import plan_files
from napari_sr.inference.files.jobs import FileJobs
from napari_sr.inference.files.results import FileResult, FileResults
from napari_sr.inference.files.run import FilesRun
from napari_sr.inference.output.store_metadata import OmeZarr
from napari_sr.progress import Cancel, Progress, never
from napari_sr.settings import Missing, NoiseSpec, Precision, Tiling
from napari_sr.zoo.model import Model


def upscale_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out_folder: str | os.PathLike[str],
    model: Model | str | os.PathLike[str],
    axes: str | None = None,
    *,
    format: str | None = None,
    series: int | str | None = None,
    overwrite: bool = False,
    ome_zarr: OmeZarr = "0.5",
    devices: Sequence[str] | None = None,
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
    on_result: Callable[[FileResult], None] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> FileResults:
    """Upscale many image files into a folder. What is finished is not computed again.

    Parameters
    ----------
    inputs : str, Path, or iterable of them
        Files, folders and patterns such as ``"plate/**/*.tif"``. Of a folder, all images in it and in its folders are
        taken, by their endings, but not hidden ones, and not those in linked folders and in folders of results of an
        earlier call. A Zarr store is one image; of a plate of OME-Zarr, or a row or well of one, all fields are taken.
    out_folder : str or Path
        Folder of the results, which is made if it does not exist. A folder of images is mirrored in it, and so are the
        folders of a pattern from its first wildcard on, and the rows and wells of a plate. Results have the names of
        their images. It may be inside a folder of images, and is left out there.
    model : Model, str or Path
        A model, the name of one (see `list_models`), the path of a model file or checkpoint, or "auto" for the model
        that `suggest` names for each image. Each model is loaded once.
    axes : str, optional
        Axes of all images, as for `upscale`. By default those of each file.
    format : str, optional
        Format of the results: .ome.tif, .tif, .png, .ome.zarr or .zarr. By default that of the image for TIFF, PNG and
        Zarr, OME-TIFF for other microscopy formats, and PNG for other pictures.
    series : int or str, optional
        Image in files with several, as for `read_image`. By default the largest.
    overwrite : bool, default False
        Whether files in `out_folder` are replaced that are not results of an earlier call. Results of an earlier call
        are replaced in any case if image, model or settings have changed, and finished ones never.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.
    devices : sequence of str, optional
        Devices that compute at the same time, each an image of its own, such as ``["xpu:0", "xpu:1"]``. By default
        the one that is named by `device`.
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check. By default that of the settings file, or else
        "auto", which takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16", "float16"}, optional
        Number format of the computation; float32 is exact, 16 bit is faster on graphics cards. By default that of the
        settings file, or else "auto": float32, but float16 on a GPU for 8-bit images where the model's card states
        that it is as good.
    tiling : {"exact", "overlap", "none"} or Overlap, default "exact"
        How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut.
    memory : int or str, optional
        Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB. By default
        that of the settings file, or else "auto", which measures the free memory.
    self_ensemble : bool, default False
        Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.
    batch : int or "auto", default "auto"
        Number of planes of a stack that are computed together; auto, or 1 or more.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values. They are
        chosen for each image; give two values to compare intensities between images.
    noise : "auto", 0 or (float, float), default "auto"
        Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in black and
        its gain. It is measured in each image.
    denoise : float, default 1.0
        Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.
    blur : float, default 0.0
        Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none.
    missing : {"refuse", "fill"}, default "refuse"
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um.
    on_result : callable, optional
        Called with the `FileResult` of each image that is done, skipped or failed.
    progress : callable, optional
        Called as ``progress(done, total)`` after every piece of work; `total` is 100 for each image.
    cancel : callable, optional
        Called before every layer of the network; returning True ends the work with `Cancelled`. What is finished
        remains, and the same call continues with the rest.

    Returns
    -------
    FileResults
        One `FileResult` for each image, in order: "done", "skipped" if it was finished, or "failed" with the reason. An
        image that cannot be used does not end the call.

    Raises
    ------
    InputError
        If an input does not exist, or the settings or the folder of the results cannot be used.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.

    Notes
    -----
    The next image is read while one is computed. The finished results are listed in the file
    ``napari-sr-journal.jsonl`` in `out_folder`, with size and time of image and result and a hash of model and
    settings. Device, memory and batch are not part of it, because the result does not depend on them but for rounding.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> for name in ("a.tif", "b.tif"):
    ...     sr.write_image(name, np.random.default_rng(0).integers(0, 4096, (16, 20), np.uint16))
    >>> results = sr.upscale_files("*.tif", "large", "srcnn-x2", device="cpu")
    >>> results.summary(), sr.read_image("large/a.tif").data.shape
    ('2 done', (32, 40))

    A second call computes nothing:

    >>> sr.upscale_files("*.tif", "large", "srcnn-x2", device="cpu").summary()
    '2 skipped'
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
    reported, stopped = read_callable(progress, "progress"), read_callable(cancel, "cancel")
    listener = read_callable(on_result, "on_result")
    files = plan_files(inputs, out_folder, format=format)
    run = FilesRun(
        files,
        Path(out_folder),
        FileJobs(model, settings),
        axes=read_letters(axes),
        series=series,
        overwrite=read_flag(overwrite, "overwrite"),
        devices=read_devices(devices),
        ome_zarr=ome_zarr,
    )

    def changed(number: int, result: FileResult) -> None:
        if listener is not None and result.state != "running":
            listener(result)

    return run.run(progress=reported or (lambda done, total: None), cancel=stopped or never, changed=changed)


def read_devices(devices: Any) -> tuple[str, ...]:
    """Read the devices that compute at the same time.

    Parameters
    ----------
    devices : sequence of str or None
        Names of devices; None or empty for none.

    Raises
    ------
    InputError
        If they are no names, or a device is not on this machine.
    """
    if devices is None:
        return ()
    if isinstance(devices, str) or not isinstance(devices, Sequence) or not all(isinstance(d, str) for d in devices):
        raise InputError(f'The devices {shorten(devices)} are no list of names: give such as ["cpu", "vulkan"].')
    for name in devices:
        choose_device(name)
    return tuple(devices)
