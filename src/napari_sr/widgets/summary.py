"""The line under the layer: what goes in, what will come out, how much room it takes and how long."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from napari_sr.imaging.geometry import check_layer, finest_level, layer_pixel_size
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.formatting import format_bytes, format_seconds
from napari_sr.inference.region import Region, region_of
from napari_sr.widgets.layer_facts import format_dtype, format_pixel_size, format_size
from napari_sr.widgets.place_choice import Place


def regions(places: Sequence[Place], scale: int, target: float | str | None) -> list[Region]:
    """Work out what is made of each place, without looking at a pixel.

    Raises
    ------
    InputError
        If a layer is no image, or a target is a pixel size and a layer has none, or leaves nothing of it.
    """
    found = []
    for place in places:
        check_layer(place.layer)
        factors = None
        if target is not None:
            factors = parse_target(target).factors(*layer_pixel_size(place.layer, place.axes))
        found.append(region_of(place.axes, scale, place.part, factors))
    return found


def summary_text(places: Sequence[Place], made: Sequence[Region], seconds: float | None, device: str = "") -> str:
    """Say it: "2048 × 2048 uint16, 0.1 µm → 8192 × 8192, 0.025 µm, 128 MiB, about 40 s".

    Parameters
    ----------
    places : sequence of Place
        What a run would upscale.
    made : sequence of Region
        From `regions`, one for each.
    seconds : float or None
        How long it takes; None where nobody knows yet.
    device : str
        Where, in words.
    """
    place, region = places[0], made[0]
    taken = [stop - start for start, stop in region.ranges]
    before = ", ".join(
        filter(
            None,
            [
                f"{format_size(place.layer, taken)} {format_dtype(place.layer)}",
                format_pixel_size(place.layer, place.axes),
            ],
        )
    )
    factors = (region.rows.factor, region.columns.factor)
    after = ", ".join(
        filter(None, [format_size(place.layer, region.shape), format_pixel_size(place.layer, place.axes, factors)])
    )
    room = format_bytes(sum(needed(one, other) for one, other in zip(places, made, strict=True)))
    time = f", {format_seconds(seconds)}{f' on {device}' if device else ''}" if seconds is not None else ""
    # A line may break between the facts, not between a number and its unit.
    before, after, room, time = (_kept_together(text) for text in (before, after, room, time))
    if len(places) == 1:
        return f"{before} → {after}, {room}{time}"
    return f"{len(places)} times, the first {before} → {after}; {room} in all{time}"


def needed(place: Place, region: Region) -> int:
    """Bytes of a result."""
    return int(prod(region.shape) * np.dtype(finest_level(place.layer).dtype).itemsize)


def _kept_together(text: str) -> str:
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in text.split(", "))
