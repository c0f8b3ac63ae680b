"""The properties of a napari layer that a job needs, read on the main thread so that no other thread uses the layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.files import read_image
from napari_sr.imaging.files.names import ENDINGS
from napari_sr.imaging.napari_layer import (
    CHANNEL_KEY,
    PATH_KEY,
    check_layer,
    finest_level,
    layer_axes,
    layer_pixel_size,
    upscaled_kwargs,
)
from napari_sr.imaging.part import Part
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.facts.calibration import Calibration
from napari_sr.inference.job import Job
from napari_sr.inference.region import Region
from napari_sr.progress import Cancel


@dataclass(frozen=True)
class LayerSource:
    """The origin of a layer's data.

    Parameters
    ----------
    name : str, default ""
        Name of the layer.
    path : str, optional
        Absolute path of the file; None for a layer without a file.
    channel : (int, int), optional
        Axis of the channels and number of the channel, if the layer is one channel of the file.
    """

    name: str = ""
    path: str | None = None
    channel: tuple[int, int] | None = None

    @cached_property
    def is_readable(self) -> bool:
        """Whether there is a file that `read_image` reads: it has no reader for some that napari or a plugin opens."""
        if self.path is None:
            return False
        if self.path.lower().endswith(ENDINGS):
            return True
        try:
            read_image(self.path, lazy=True)
        except InputError:
            return False
        return True


@dataclass(frozen=True)
class LayerInput:
    """The properties of a layer that a job needs.

    Parameters
    ----------
    image : array
        The finest level of the layer's data.
    region : Region
        The pixels that are read and computed.
    contrast_limits : (float, float)
        Contrast limits of the layer.
    kwargs : dict
        Keyword arguments of ``napari.layers.Image`` for the result: position and appearance.
    part : Part, optional
        The part of the layer that is upscaled; by default all.
    calibration : Calibration, optional
        Facts of the whole layer, if they have been measured.
    pixel_size : dict of str to float, optional
        Pixel size of the layer by axis letter.
    unit : str, optional
        Unit of `pixel_size`.
    source : LayerSource, optional
        The origin of the layer's data.
    """

    image: ImageArray
    region: Region
    contrast_limits: tuple[float, float]
    kwargs: dict[str, Any]
    part: Part | None = None
    calibration: Calibration | None = None
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
    calibration: Calibration | None = None,
) -> LayerInput:
    """Read the properties of a layer that a job needs; to be called on the main thread.

    Parameters
    ----------
    job : Job
        The job that is applied to the layer later.
    layer : napari.layers.Image
        The layer, which is not changed.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the layer's data; by default the last two are Y and X, or the
        two before the colors of RGB(A).
    part : Part, optional
        The part of the layer to upscale; by default all.
    calibration : Calibration, optional
        Facts of the layer, from `calibrate_layer` with the same model, intensity and noise settings; by default they
        are measured when the job runs.

    Returns
    -------
    LayerInput
        The layer, for `run_layer`.

    Raises
    ------
    InputError
        If the layer is not an image layer or is empty, axes or part do not fit, or the target of the job is a pixel
        size and the layer has none.
    """
    check_layer(layer)
    image = finest_level(layer)
    parsed = layer_axes(layer, axes)
    pixel_size, unit = layer_pixel_size(layer, parsed)
    region = job.region(parsed, part, pixel_size=pixel_size, unit=unit)
    kwargs = {
        "name": f"{layer.name} ({result_name(job)})",
        **upscaled_kwargs(layer, region.factors, region.origin),
    }
    low, high = layer.contrast_limits
    limits = float(low), float(high)
    return LayerInput(image, region, limits, kwargs, part, calibration, pixel_size, unit, _source(layer))


def calibrate_layer(job: Job, prepared: LayerInput, *, cancel: Cancel | None = None) -> Calibration:
    """Measure the facts of a whole layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The job.
    prepared : LayerInput
        The layer, from `prepare_layer`.
    cancel : callable, optional
        Called before each plane is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    Calibration
        For `prepare_layer`; it stays the same while the values of the layer and the model, intensity and noise settings
        do.

    Raises
    ------
    InputError
        If the intensity does not fit the layer.
    Cancelled
        If `cancel` returned True.
    """
    return job.calibrate(prepared.image, prepared.axes, prepared.contrast_limits, cancel=cancel)


def result_name(job: Job) -> str:
    """Return the name of the results of a job.

    Returns
    -------
    str
        Family of the model, and factor or target, such as "ESRGAN x4" or "ESRGAN 0.05 µm". Model and settings are in
        the metadata of the result.
    """
    model, target = job.model, job.settings.target
    size = f"x{model.scale}" if target is None else str(parse_target(target))
    family = model.card.family.upper()
    if model.card.family == "classic":
        family = model.name.removesuffix(f"-x{model.scale}")
    return f"{family} {size}"


def _source(layer: Any) -> LayerSource:
    """Return the origin of a layer's data, with an absolute path: the current folder may change later."""
    metadata = dict(layer.metadata)
    path = getattr(getattr(layer, "source", None), "path", None) or metadata.get(PATH_KEY)
    channel = metadata.get(CHANNEL_KEY)
    return LayerSource(
        str(layer.name),
        None if path is None else str(Path(path).absolute()),
        None if channel is None else (int(channel[0]), int(channel[1])),
    )
