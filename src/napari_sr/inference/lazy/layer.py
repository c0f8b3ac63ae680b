"""Upscaling of a napari layer to a multiscale layer whose finest level is computed where it is displayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_sr.errors import InputError
from napari_sr.imaging.as_image import ImageInput
from napari_sr.imaging.axes import ImageArray
from napari_sr.imaging.files import Metadata
from napari_sr.imaging.napari_layer import LayerData
from napari_sr.inference.job import Job
from napari_sr.inference.layer_input import LayerInput, calibrate_layer
from napari_sr.inference.lazy.dask_array import lazy_result
from napari_sr.inference.lazy.displayed import DisplayedResult
from napari_sr.inference.script import layer_data
from napari_sr.progress import Cancel


def lazy_layer(
    job: Job, prepared: LayerInput, levels: Sequence[ImageArray], *, cancel: Cancel | None = None
) -> LayerData:
    """Return the layer of a lazy result; may be called on any thread.

    Parameters
    ----------
    job : Job
        The job for which the layer was prepared.
    prepared : LayerInput
        The whole layer, from `prepare_layer`.
    levels : sequence of array
        The levels of the source, the finest first. They are the coarser levels of the result, so that napari computes
        no pixel of a view in which the source has pixels enough.
    cancel : callable, optional
        Called before each plane is read for the calibration; returning True ends the work with `Cancelled`.

    Returns
    -------
    (list of array, dict, str)
        Data, keyword arguments and "image", for ``Layer.create``. ``kwargs["metadata"]["napari_sr"]`` has the model and
        settings ("job"), the origin of the layer ("source"), and a script that repeats the job ("script").

    Raises
    ------
    InputError
        If dask is not installed, the layer was prepared for a part, or image and settings do not fit.
    Cancelled
        If `cancel` returned True.
    """
    if not prepared.region.whole:
        raise InputError("A lazy result is computed where it is displayed: leave out the part.")
    image = ImageInput(prepared.image, prepared.axes, Metadata(pixel_size=prepared.pixel_size, unit=prepared.unit))
    finest = lazy_result(job, image, prepared.contrast_limits, calibration=prepared.calibration, cancel=cancel)
    plane = [finest.shape[axis] for axis in (prepared.axes.y, prepared.axes.x)]
    # The first levels of a result that is smaller than its source would not be coarser.
    coarser = [
        level
        for level in levels
        if all(level.shape[axis] < n for axis, n in zip((prepared.axes.y, prepared.axes.x), plane, strict=True))
    ]
    return layer_data(job, prepared, [finest, *coarser] if coarser else finest, {}, lazy=True)


def displayed_layer(
    job: Job, prepared: LayerInput, levels: Sequence[ImageArray], *, cancel: Cancel | None = None
) -> LayerData:
    """Return the layer of a lazy result whose finest level is displayed before it is computed.

    Parameters
    ----------
    job, prepared, levels, cancel
        As for `lazy_layer`.

    Returns
    -------
    (list of array or array, dict, str)
        As from `lazy_layer`. The finest level is a `DisplayedArray`.

    Raises
    ------
    InputError, Cancelled
        As `lazy_layer`.
    """
    if prepared.calibration is None:
        prepared = replace(prepared, calibration=calibrate_layer(job, prepared, cancel=cancel))
    assert prepared.calibration is not None
    data, kwargs, kind = lazy_layer(job, prepared, levels, cancel=cancel)
    # Only here, because dask is an extra.
    from napari_sr.inference.lazy.displayed_array import DisplayedArray

    displayed = DisplayedResult(job, prepared.calibration, prepared.image, prepared.region)
    if isinstance(data, list):
        return [DisplayedArray.of(data[0], displayed), *data[1:]], kwargs, kind
    return DisplayedArray.of(data, displayed), kwargs, kind
