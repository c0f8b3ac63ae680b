"""What a worker does for a preview: a small part of a layer, first quickly, then with its border right as well.

A network sees further than its receptive radius suggests it needs to: a margin of a few pixels is all but right, and
the whole radius costs several times the work of a small view. So the first picture has the small margin, and the
second, which comes when nobody moves anything, is exactly what the whole layer's result shows there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_sr.imaging.intensity import IntensityMap
from napari_sr.progress import Cancel
from napari_sr.widgets.comparison import Against, Array, counterpart

if TYPE_CHECKING:
    from napari_sr.inference import Job, LayerInput
    from napari_sr.inference.region import Region

Maps = Mapping[int | None, IntensityMap]
QUICK_MARGIN = 8
"""Pixels around the view that the quick picture sees."""


@dataclass
class PreviewImage:
    """What a preview shows.

    Parameters
    ----------
    data : array
        The part's result.
    kwargs : dict
        Where it lies and how it looks: napari's arguments for an image layer.
    prepared : LayerInput
        What it was made of.
    region : Region
        The same part for a network of factor 1, for what it is compared with.
    maps : dict
        Intensity maps of the whole layer.
    exact : bool
        Whether its border is right to the last pixel.
    seconds : float
        How long it took to make.
    counterparts : dict
        What it is compared with, as far as that was asked for.
    """

    data: Array
    kwargs: dict[str, Any]
    prepared: LayerInput
    region: Region
    maps: Maps
    exact: bool
    seconds: float
    counterparts: dict[Against, Array] = field(default_factory=dict)

    def against(self, kind: Against) -> Array:
        """Make what it is compared with, once; may be called on any thread."""
        if kind not in self.counterparts:
            self.counterparts[kind] = counterpart(self.prepared.image, self.region, kind)
        return self.counterparts[kind]


def needs_margin(job: Job, prepared: LayerInput) -> bool:
    """Whether there is more around the part than the quick picture sees, so that a second one is worth making."""
    radius, alignment = job.model.receptive_radius, int(job.model.network.alignment)  # type: ignore[arg-type]
    near, far = (one.region.read(radius, alignment) for one in (_with_margin(prepared), prepared))
    return near != far


def make_preview_image(
    job: Job, prepared: LayerInput, quick: bool, against: Against | None, cancel: Cancel
) -> PreviewImage:
    """Upscale the part of a layer; may be called on any thread.

    Parameters
    ----------
    job : Job
        What is done.
    prepared : LayerInput
        From `prepare_layer`, with a part.
    quick : bool
        With a small margin; only where `needs_margin` says that it makes a difference.
    against : {"source", "bicubic"} or None
        What it will be compared with.
    cancel : callable
        Asked before every layer of the network.

    Raises
    ------
    InputError, Cancelled
        As `Job.run` does.
    """
    from napari_sr.inference import layer_intensity, run_layer
    from napari_sr.inference.region import region_of

    started = time.perf_counter()
    maps = prepared.maps if prepared.maps is not None else layer_intensity(job, prepared, cancel=cancel)
    prepared = replace(prepared, maps=maps)
    data, kwargs, _ = run_layer(job, _with_margin(prepared) if quick else prepared, cancel=cancel).layer_data
    factors = (prepared.region.rows.factor, prepared.region.columns.factor)
    source = region_of(prepared.axes, 1, prepared.part, factors)
    picture = PreviewImage(data, kwargs, prepared, source, maps, not quick, time.perf_counter() - started)
    if against is not None:
        picture.against(against)
    return picture


def _with_margin(prepared: LayerInput) -> LayerInput:
    return replace(prepared, region=replace(prepared.region, margin=QUICK_MARGIN))
