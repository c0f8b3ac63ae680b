"""A napari layer in, a layer out: the job, and where its result lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.geometry import (
    CHANNEL_KEY,
    LayerData,
    check_layer,
    finest_level,
    layer_axes,
    layer_pixel_size,
    upscaled_layer,
)
from napari_sr.imaging.intensity import IntensityMap, IntensitySpec
from napari_sr.imaging.part import Part
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.job import Job, Result, as_model, given
from napari_sr.inference.memory import Memory
from napari_sr.inference.ome_zarr import ome_zarr, open_levels
from napari_sr.inference.script import as_script, as_settings
from napari_sr.inference.settings import Cancel, Progress, Tiling
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class LayerSource:
    """Where a layer came from.

    Parameters
    ----------
    name : str
        The layer's.
    path : str or None
        Of its file; None for a layer made in memory.
    channel : (int, int) or None
        Axis and number of the channel of the file that it shows, if it shows one.
    """

    name: str = ""
    path: str | None = None
    channel: tuple[int, int] | None = None


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
    part : Part or None
        What of the layer; None for all of it.
    maps : dict or None
        Intensity maps of the whole layer, where they are known already.
    pixel_size, unit : dict of str to float, and str or None
        Of the layer, by axis letter.
    source : LayerSource
        Where the layer came from.
    """

    image: ImageArray
    axes: Axes
    contrast_limits: tuple[float, float]
    kwargs: dict[str, Any]
    part: Part | None = None
    maps: Mapping[int | None, IntensityMap] | None = None
    pixel_size: dict[str, float] = field(default_factory=dict)
    unit: str | None = None
    source: LayerSource = field(default_factory=LayerSource)


def prepare_layer(
    job: Job,
    layer: Any,
    axes: str | None = None,
    part: Part | None = None,
    maps: Mapping[int | None, IntensityMap] | None = None,
) -> LayerInput:
    """Take from a layer all that a job needs; call it on the main thread.

    Parameters
    ----------
    job : Job
        The job that will run.
    layer : napari Image layer
        Read, never changed.
    axes : str, optional
        A letter for each dimension of the layer's data; left out, Y and X are the last two but for the colors.
    part : Part, optional
        What of the layer is upscaled: the result lies where that part lies. All when left out.
    maps : dict, optional
        From `layer_intensity` of the same layer and intensity, so that a preview does not choose them again.

    Raises
    ------
    InputError
        If the layer is no image, is empty, or axes or part do not fit; or the job's target is a pixel size and the
        layer has none.
    """
    check_layer(layer)
    image = finest_level(layer)
    parsed = layer_axes(layer, axes)
    pixel_size, unit = layer_pixel_size(layer, parsed)
    region = job.region(parsed, part, pixel_size=pixel_size, unit=unit)
    # Geometry needs only the shape of the result, and can so be read before the result is there.
    shape = np.broadcast_to(np.zeros((), image.dtype), region.shape)
    factors = (region.rows.factor, region.columns.factor)
    name = f"{layer.name} · {result_name(job)}"
    _, kwargs, _ = upscaled_layer(layer, shape, factors, name=name, axes=parsed, origin=region.origin)
    low, high = layer.contrast_limits
    return LayerInput(image, parsed, (float(low), float(high)), kwargs, part, maps, pixel_size, unit, _source(layer))


def _source(layer: Any) -> LayerSource:
    """Take down where a layer came from; the folder that a path is relative to may change."""
    path = getattr(getattr(layer, "source", None), "path", None)
    channel = dict(layer.metadata).get(CHANNEL_KEY)
    return LayerSource(
        str(layer.name),
        None if path is None else str(Path(path).absolute()),
        None if channel is None else (int(channel[0]), int(channel[1])),
    )


def layer_intensity(job: Job, prepared: LayerInput, *, cancel: Cancel | None = None) -> dict[int | None, IntensityMap]:
    """Choose the intensity maps of `prepare_layer`'s whole layer; may be called on any thread.

    Parameters
    ----------
    job, prepared
        As `run_layer` takes them.
    cancel : callable, optional
        As `Job.intensity_maps` takes it.

    Returns
    -------
    dict
        For `prepare_layer`, as long as the layer's values and the job's intensity stay the same.

    Raises
    ------
    InputError
        If the intensity does not fit the layer.
    """
    return job.intensity_maps(prepared.image, prepared.axes, prepared.contrast_limits, cancel=cancel)


def run_layer(
    job: Job,
    prepared: LayerInput,
    *,
    out: str | Path | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LayerData:
    """Do the work of `prepare_layer`'s layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The same job.
    prepared : LayerInput
        From `prepare_layer`.
    out : path, optional
        An OME-Zarr store that is not there yet, for a result that may be larger than memory. The layer's data are then
        its arrays on disk, the finest first where there are several.
    progress, cancel : callable, optional
        As `Job.run` takes them.

    Returns
    -------
    data, kwargs, "image"
        ``kwargs["metadata"]["napari_sr"]`` holds the report, the whole job ("job"), the layer it was done to
        ("source"), and a script that does it again ("script").

    Raises
    ------
    InputError, Cancelled
        As `Job.run` does.
    """

    def run(target: Path | None) -> Result:
        return job.run(
            prepared.image,
            prepared.axes,
            part=prepared.part,
            maps=prepared.maps,
            contrast_limits=prepared.contrast_limits,
            pixel_size=prepared.pixel_size,
            unit=prepared.unit,
            out=target,
            progress=progress,
            cancel=cancel,
        )

    if out is None:
        result = run(None)
        data: Any = result.data
    else:
        result, data = _into_store(job, prepared, Path(out), run, cancel or (lambda: False))
    facts = {**result.report.as_dict(), "job": as_settings(job), "source": asdict(prepared.source)}
    facts["script"] = as_script(job, prepared)
    metadata = {**prepared.kwargs["metadata"], "napari_sr": facts}
    kwargs = {**prepared.kwargs, "metadata": metadata, "multiscale": isinstance(data, list)}
    return data, kwargs, "image"


def _into_store(
    job: Job, prepared: LayerInput, path: Path, run: Callable[[Path], Result], cancel: Cancel
) -> tuple[Result, Any]:
    """Write the result to an OME-Zarr store, and give its arrays."""
    region = job.region(prepared.axes, prepared.part, pixel_size=prepared.pixel_size, unit=prepared.unit)
    kwargs = prepared.kwargs
    units = [str(unit) for unit in kwargs["units"]]
    described: dict[str, Any] = {key: kwargs[key] for key in ("name", "scale", "translate")}
    with ome_zarr(path, region.made, units=units, cancel=cancel, **described) as finest:
        result = run(finest)
    levels = open_levels(path)
    return result, levels if len(levels) > 1 else levels[0]


def upscale_layer(
    layer: Any,
    model: Model | str,
    *,
    axes: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    tiling: Tiling = "exact",
    memory: Memory | None = None,
    self_ensemble: bool = False,
    batch: int | Literal["auto"] = "auto",
    intensity: IntensitySpec = "auto",
    target: float | str | None = None,
    part: Part | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> LayerData:
    """Upscale a napari image layer, to lie exactly where it lies.

    Parameters
    ----------
    layer : napari Image layer
        Never changed; of a multiscale layer the finest level is taken.
    model, axes, device, precision, tiling, memory, self_ensemble, batch, intensity, target, part, progress, cancel
        As `upscale` takes them; ``intensity="contrast"`` uses the layer's contrast limits, and a target that is a pixel
        size the layer's scale and units.

    out
        As `run_layer` takes it.

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
        tiling=tiling,
        self_ensemble=self_ensemble,
        batch=batch,
        intensity=intensity,
        target=target,
        **given(device=device, precision=precision, memory=memory),
    )
    return run_layer(job, prepare_layer(job, layer, axes, part), out=out, progress=progress, cancel=cancel)


def result_name(job: Job) -> str:
    """Name what a job does, such as "ESRGAN x4 a=0.80"; with a target its size, as in "ESRGAN 0.05 µm"."""
    model = job.model
    size = f"x{model.scale}" if job.target is None else str(parse_target(job.target))
    images = " of images" if model.mixing == "images" else ""
    mixed = f" a={model.alpha:.2f}{images}" if model.card.endpoints else ""
    return f"{model.card.family.upper()} {size}{mixed}"
