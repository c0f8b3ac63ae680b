"""The line under the layer: sizes before and after a run, memory of the result, and time."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from napari_sr.imaging.napari_layer import check_layer, finest_level, layer_pixel_size
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.formatting import format_bytes, format_seconds
from napari_sr.inference.region import Region, region_of
from napari_sr.widgets.choices.layer_facts import format_pixel_size, format_size
from napari_sr.widgets.choices.part import LayerPart

_LAZY = "computed where you look"


def result_regions(parts: Sequence[LayerPart], scale: int, target: float | str | None) -> list[Region]:
    """Return the region that a run reads and makes for each part, without reading a pixel.

    Raises `InputError` if a layer is not an image, or the target is a pixel size and a layer has none, or the result
    would be empty.
    """
    regions = []
    for part in parts:
        check_layer(part.layer)
        factors = None
        if target is not None:
            factors = parse_target(target).factors(*layer_pixel_size(part.layer, part.axes))
        regions.append(region_of(part.axes, scale, part.part, factors))
    return regions


def format_summary(
    parts: Sequence[LayerPart],
    regions: Sequence[Region],
    seconds: float | None,
    device: str = "",
    *,
    lazy: bool = False,
) -> str:
    """Format the summary: "2048 × 2048 uint16, 0.1 µm → 8192 × 8192, 0.025 µm, 128 MiB, about 40 s".

    Parameters
    ----------
    parts : sequence of LayerPart
        The parts to upscale; at least one.
    regions : sequence of Region
        From `result_regions`, one for each part.
    seconds : float or None
        Time of all runs; None if it is not known.
    device : str, default ""
        Device on which the time was measured, such as "this CPU".
    lazy : bool, default False
        Whether pixels are computed where they are displayed, so that memory and time are not those of the whole.
    """
    part, region = parts[0], regions[0]
    taken = [stop - start for start, stop in region.ranges]
    before = ", ".join(
        filter(
            None,
            [
                f"{format_size(part.layer, taken)} {np.dtype(finest_level(part.layer).dtype)}",
                format_pixel_size(part.layer, part.axes),
            ],
        )
    )
    factors = (region.rows.factor, region.columns.factor)
    after = ", ".join(
        filter(None, [format_size(part.layer, region.shape), format_pixel_size(part.layer, part.axes, factors)])
    )
    memory = format_bytes(sum(result_bytes(*pair) for pair in zip(parts, regions, strict=True)))
    time = f", {format_seconds(seconds)}{f' on {device}' if device else ''}" if seconds is not None else ""
    # A line break is allowed between the facts, but not between a number and its unit.
    before, after, memory, time = (_without_breaks(text) for text in (before, after, memory, time))
    size, total = (_LAZY, _LAZY) if lazy else (f"{memory}{time}", f"{memory} in all{time}")
    if len(parts) == 1:
        return f"{before} → {after}, {size}"
    which = f"the first (“{part.layer.name}”)" if len({id(part.layer) for part in parts}) > 1 else "the first"
    return f"{len(parts)} runs, {which} {before} → {after}; {total}"


def result_bytes(part: LayerPart, region: Region) -> int:
    """Return the size of the result of a part, whose region is from `result_regions`, in bytes."""
    return int(prod(region.shape) * np.dtype(finest_level(part.layer).dtype).itemsize)


def _without_breaks(text: str) -> str:
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in text.split(", "))
