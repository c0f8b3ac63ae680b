"""The facts of a napari layer that a job needs, read on the main thread so that no other thread touches the layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity import IntensityMap
from napari_sr.imaging.napari_layer import (
    CHANNEL_KEY,
    check_layer,
    finest_level,
    layer_axes,
    layer_pixel_size,
    upscaled_layer,
)
from napari_sr.imaging.part import Part
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region
from napari_sr.progress import Cancel


@dataclass(frozen=True)
class LayerSource:
    """The origin of a layer's data.

    Parameters
    ----------
    name : str
        Name of the layer.
    path : str or None
        Absolute path of its file; None for a layer made in memory.
    channel : (int, int) or None
        Axis and number of the channel of the file that it shows, if it shows one.
    """

    name: str = ""
    path: str | None = None
    channel: tuple[int, int] | None = None


@dataclass(frozen=True)
class LayerInput:
    """All that a job reads from a layer.

    Parameters
    ----------
    image : array
        The finest level of the layer's data.
    region : Region
        Which pixels are read and made.
    contrast_limits : (float, float)
        The layer's.
    kwargs : dict
        napari's arguments for the result's layer: its place and its look.
    part : Part or None
        The part of the layer that is upscaled; None for all of it.
    maps : dict or None
        Intensity maps of the whole layer, if they are known already.
    pixel_size : dict of str to float
        Of the layer, by axis letter.
    unit : str or None
        Of `pixel_size`.
    source : LayerSource
        The origin of the layer's data.
    """

    image: ImageArray
    region: Region
    contrast_limits: tuple[float, float]
    kwargs: dict[str, Any]
    part: Part | None = None
    maps: Mapping[int | None, IntensityMap] | None = None
    pixel_size: dict[str, float] = field(default_factory=dict)
    unit: str | None = None
    source: LayerSource = field(default_factory=LayerSource)

    @property
    def axes(self) -> Axes:
        """Axes of the whole layer."""
        return self.region.axes


def prepare_layer(
    job: Job,
    layer: Any,
    axes: str | None = None,
    part: Part | None = None,
    maps: Mapping[int | None, IntensityMap] | None = None,
) -> LayerInput:
    """Read from a layer all that a job needs; to be called on the main thread.

    Parameters
    ----------
    job : Job
        The job that will run.
    layer : napari.layers.Image
        Read, never changed.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the layer's data; by default Y and X are the last two, before
        the colors.
    part : Part, optional
        The part of the layer to upscale; the result lies on that part. By default all.
    maps : dict, optional
        From `layer_intensity` of the same layer and intensity, so that a preview does not choose them again.

    Returns
    -------
    LayerInput

    Raises
    ------
    InputError
        If the layer is not an image or is empty, axes or part do not fit, or the job's target is a pixel size and the
        layer has none.
    """
    check_layer(layer)
    image = finest_level(layer)
    parsed = layer_axes(layer, axes)
    pixel_size, unit = layer_pixel_size(layer, parsed)
    region = job.region(parsed, part, pixel_size=pixel_size, unit=unit)
    # Geometry needs only the shape of the result, and can be computed before the result is there.
    shape = np.broadcast_to(np.zeros((), image.dtype), region.shape)
    factors = (region.rows.factor, region.columns.factor)
    name = f"{layer.name} · {result_name(job)}"
    _, kwargs, _ = upscaled_layer(layer, shape, factors, name=name, axes=parsed, origin=region.origin)
    low, high = layer.contrast_limits
    limits = float(low), float(high)
    return LayerInput(image, region, limits, kwargs, part, maps, pixel_size, unit, _source(layer))


def layer_intensity(job: Job, prepared: LayerInput, *, cancel: Cancel | None = None) -> dict[int | None, IntensityMap]:
    """Choose the intensity maps of a whole layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The job that will run.
    prepared : LayerInput
        From `prepare_layer`.
    cancel : callable, optional
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    dict of (int or None) to IntensityMap
        For `prepare_layer`, as long as the layer's values and the job's intensity stay the same.

    Raises
    ------
    InputError
        If the intensity does not fit the layer.
    """
    return job.intensity_maps(prepared.image, prepared.axes, prepared.contrast_limits, cancel=cancel)


def result_name(job: Job) -> str:
    """Name a job, such as "ESRGAN x4 a=0.80"; with a target by its size, as in "ESRGAN 0.05 µm"."""
    model, target = job.model, job.settings.target
    size = f"x{model.scale}" if target is None else str(parse_target(target))
    images = " of images" if model.mixing == "images" else ""
    mixed = f" a={model.alpha:.2f}{images}" if model.card.endpoints else ""
    return f"{model.card.family.upper()} {size}{mixed}"


def _source(layer: Any) -> LayerSource:
    """Note the origin of a layer's data; the folder that a path is relative to may change."""
    path = getattr(getattr(layer, "source", None), "path", None)
    channel = dict(layer.metadata).get(CHANNEL_KEY)
    return LayerSource(
        str(layer.name),
        None if path is None else str(Path(path).absolute()),
        None if channel is None else (int(channel[0]), int(channel[1])),
    )
