"""A napari layer in, a layer out: the job, and where its result lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.geometry import LayerData, check_layer, finest_level, layer_axes, upscaled_layer
from napari_sr.imaging.intensity import IntensitySpec
from napari_sr.inference.job import Job, as_model
from napari_sr.inference.memory import Memory
from napari_sr.inference.settings import Cancel, Progress, Tiling
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class LayerInput:
    """What a worker needs of a layer, taken on the main thread so that no thread touches the layer later.

    Parameters
    ----------
    image : array
        The finest level of the layer's data.
    axes : Axes
        Which axis is what.
    contrast_limits : (float, float)
        The layer's.
    kwargs : dict
        How the result will be shown and where it will lie: napari's arguments for an image layer.
    """

    image: ImageArray
    axes: Axes
    contrast_limits: tuple[float, float]
    kwargs: dict[str, Any]


def prepare_layer(job: Job, layer: Any, axes: str | None = None) -> LayerInput:
    """Take from a layer all that a job needs; call it on the main thread.

    Parameters
    ----------
    job : Job
        The job that will run.
    layer : napari Image layer
        Read, never changed.
    axes : str, optional
        A letter for each dimension of the layer's data; left out, Y and X are the last two but for the colours.

    Raises
    ------
    InputError
        If the layer is no image, is empty, or the axes do not fit.
    """
    check_layer(layer)
    image = finest_level(layer)
    parsed = layer_axes(layer, axes)
    # Geometry needs only the shape of the result, and can so be read before the result is there.
    shape = np.broadcast_to(np.zeros((), image.dtype), parsed.upscaled_shape(job.model.scale))
    name = f"{layer.name} · {result_name(job)}"
    _, kwargs, _ = upscaled_layer(layer, shape, job.model.scale, name=name, axes=parsed)
    low, high = layer.contrast_limits
    return LayerInput(image, parsed, (float(low), float(high)), kwargs)


def run_layer(
    job: Job, prepared: LayerInput, *, progress: Progress | None = None, cancel: Cancel | None = None
) -> LayerData:
    """Do the work of `prepare_layer`'s layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The same job.
    prepared : LayerInput
        From `prepare_layer`.
    progress, cancel : callable, optional
        As `Job.run` takes them.

    Returns
    -------
    data, kwargs, "image"
        The report stands in ``kwargs["metadata"]["napari_sr"]``.

    Raises
    ------
    InputError, Cancelled
        As `Job.run` does.
    """
    result = job.run(
        prepared.image, prepared.axes, contrast_limits=prepared.contrast_limits, progress=progress, cancel=cancel
    )
    metadata = {**prepared.kwargs["metadata"], "napari_sr": result.report.as_dict()}
    return result.data, {**prepared.kwargs, "metadata": metadata}, "image"


def upscale_layer(
    layer: Any,
    model: Model | str,
    *,
    axes: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    tiling: Tiling = "exact",
    memory: Memory = "auto",
    self_ensemble: bool = False,
    batch: int | Literal["auto"] = "auto",
    intensity: IntensitySpec = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LayerData:
    """Upscale a napari image layer, to lie exactly where it lies.

    Parameters
    ----------
    layer : napari Image layer
        Never changed; of a multiscale layer the finest level is taken.
    model, axes, device, precision, tiling, memory, self_ensemble, batch, intensity, progress, cancel
        As `upscale` takes them; ``intensity="contrast"`` uses the layer's contrast limits.

    Returns
    -------
    data, kwargs, "image"
        For ``viewer.add_layer(Layer.create(*result))``.

    Raises
    ------
    InputError, CheckpointError, Cancelled
        As `upscale` does; a layer of labels, points or shapes is refused.
    """
    job = Job(
        model=as_model(model),
        device=device,
        precision=precision,
        tiling=tiling,
        memory=memory,
        self_ensemble=self_ensemble,
        batch=batch,
        intensity=intensity,
    )
    return run_layer(job, prepare_layer(job, layer, axes), progress=progress, cancel=cancel)


def result_name(job: Job) -> str:
    """Name what a job does, such as "ESRGAN x4 a=0.80"."""
    model = job.model
    mixed = f" a={model.alpha:.2f}" if model.card.endpoints else ""
    return f"{model.card.family.upper()} x{model.scale}{mixed}"
