"""Computation of a preview, off the main thread: a small part of a layer, first quickly and then exactly.

The exact result of a part needs a margin of the network's receptive radius around it, which is several times the work
of a small part. Most of the effect is in the nearest few pixels. The first image therefore has a small margin. The
second one, which is made if nothing changes meanwhile, is exactly the part of the result of the whole layer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_sr.progress import Cancel
from napari_sr.widgets.choices.settings.measured_noise import format_measured_noise
from napari_sr.widgets.preview.comparison import Against, Array, counterpart

if TYPE_CHECKING:
    from napari_sr.inference import Calibration, Job, LayerInput
    from napari_sr.inference.compute.network import JobNetwork
    from napari_sr.inference.region import Region

QUICK_MARGIN = 8
"""Margin of the quick image, in pixels of the source."""


@dataclass
class PreviewImage:
    """An image that a preview shows.

    Parameters
    ----------
    data : array
        The result of the part.
    kwargs : dict
        Arguments of ``napari.layers.Image``: position and look.
    prepared : LayerInput
        The source.
    region : Region
        The same part for a network of factor 1, for the comparison.
    calibration : Calibration
        Facts of the whole layer.
    exact : bool
        Whether the border of the image is exact.
    seconds : float
        Time of the computation.
    noise : str
        Sentence about the measured noise; empty if none was measured.
    warnings : tuple of str
        Warnings about settings and values; those that do not depend on the settings are with the suggestion.
    counterparts : dict of {"source", "bicubic"} to array
        Images to compare with, as far as they have been made.
    """

    data: Array
    kwargs: dict[str, Any]
    prepared: LayerInput
    region: Region
    calibration: Calibration
    exact: bool
    seconds: float
    noise: str = ""
    warnings: tuple[str, ...] = ()
    counterparts: dict[Against, Array] = field(default_factory=dict)

    def against(self, kind: Against) -> Array:
        """Return an image to compare with, of the shape of `data`, and cache it; may be called on any thread."""
        if kind not in self.counterparts:
            self.counterparts[kind] = counterpart(self.prepared.image, self.region, kind)
        return self.counterparts[kind]


def needs_margin(job: Job, prepared: LayerInput) -> bool:
    """Return whether the exact margin of a part is larger than the quick one, so that an exact image is worth making.

    It is not where the layer ends within the quick margin.
    """
    radius, alignment = job.model.receptive_radius, int(job.model.network.alignment)  # type: ignore[arg-type]
    near, far = (one.region.read(radius, alignment) for one in (_with_margin(prepared), prepared))
    return near != far


def make_preview_image(
    job: Job, network: JobNetwork, prepared: LayerInput, quick: bool, against: Against | None, cancel: Cancel
) -> PreviewImage:
    """Upscale a part of a layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        The job.
    network : JobNetwork
        Its network, which is built and copied to the device on first use.
    prepared : LayerInput
        From `prepare_layer`, with a part.
    quick : bool
        Whether to use the small margin. Only for parts for which `needs_margin` is True.
    against : {"source", "bicubic"} or None
        An image to compare with, which is made as well.
    cancel : callable
        Called before every layer of the network; returning True ends the work.

    Raises
    ------
    InputError, Cancelled
        As `Job.run`.
    """
    from napari_sr.inference import calibrate_layer, run_layer
    from napari_sr.inference.region import region_of

    started = time.perf_counter()
    calibration = prepared.calibration or calibrate_layer(job, prepared, cancel=cancel)
    prepared = replace(prepared, calibration=calibration)
    result = run_layer(job, _with_margin(prepared) if quick else prepared, network=network, cancel=cancel)
    data, kwargs, _ = result.layer_data
    factors = (prepared.region.rows.factor, prepared.region.columns.factor)
    source = region_of(prepared.axes, 1, prepared.part, factors)
    seconds = time.perf_counter() - started
    noise = format_measured_noise(calibration, job.settings, prepared.image.dtype)
    unlike = tuple(sentence for sentences in calibration.unlike.values() for sentence in sentences)
    warnings = tuple(sentence for sentence in result.report.warnings if not sentence.endswith(unlike))
    image = PreviewImage(data, kwargs, prepared, source, calibration, not quick, seconds, noise, warnings)
    if against is not None:
        image.against(against)
    return image


def _with_margin(prepared: LayerInput) -> LayerInput:
    return replace(prepared, region=replace(prepared.region, margin=QUICK_MARGIN))
