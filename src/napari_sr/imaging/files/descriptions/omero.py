"""Attribute "omero" of OME-Zarr: names, colors and contrast limits of the channels.

References
----------
Next-generation file formats (NGFF) 0.5, https://ngff.openmicroscopy.org/0.5/, section "omero".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_sr.imaging.files.image_file import Color, Limits, Metadata

_WHITE = "FFFFFF"


def channel_attributes(metadata: Metadata) -> list[dict[str, Any]]:
    """Return names, colors and contrast limits of the channels with the keys of the attribute "omero" of OME-Zarr.

    Returns
    -------
    list of dict
        Label, color and window of each channel, as far as they are known; empty if none is.
    """
    count = max(len(metadata.channels), len(metadata.colors), len(metadata.limits))
    channels: list[dict[str, Any]] = [{} for _ in range(count)]
    for number, name in enumerate(metadata.channels):
        channels[number]["label"] = name
    for number, color in enumerate(metadata.colors):
        if color is not None:
            channels[number]["color"] = bytes(color).hex().upper()
    for number, limits in enumerate(metadata.limits):
        if limits is not None:
            low, high = limits
            channels[number]["window"] = {"start": low, "end": high, "min": low, "max": high}
    return channels if any(channels) else []


def window_of(dtype: np.dtype[Any]) -> dict[str, float]:
    """Return the range of a data type as the "window" of a channel.

    Returns
    -------
    dict of str to float
        From 0 to the largest integer, or to 1 for other data types.
    """
    top = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    return {"min": 0.0, "max": top, "start": 0.0, "end": top}


def with_defaults(channels: Sequence[Mapping[str, Any]], dtype: np.dtype[Any]) -> list[dict[str, Any]]:
    """Return channels with the color and window that the format requires of each.

    Parameters
    ----------
    channels : sequence of mapping
        The channels, from `channel_attributes`.
    dtype : dtype
        Data type of the image.

    Returns
    -------
    list of dict
        White and the range of the data type in place of what is missing.
    """
    return [{"color": _WHITE, "window": window_of(dtype), **channel} for channel in channels]


def without_defaults(
    channels: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], dtype: np.dtype[Any]
) -> list[dict[str, Any]]:
    """Return channels without the color and window that `with_defaults` has added.

    Parameters
    ----------
    channels : sequence of mapping
        The channels of a store.
    known : sequence of mapping
        The channels from which `with_defaults` made them. Of another number, for example because another program has
        removed some, they are not used.
    dtype : dtype
        Data type of the image.

    Returns
    -------
    list of dict
        Without the defaults that are not in `known`. Other values, as a user has corrected them, are kept.
    """
    given = known if len(known) == len(channels) else [{}] * len(channels)
    defaults = {"color": _WHITE, "window": window_of(dtype)}
    return [
        {key: value for key, value in channel.items() if key in own or value != defaults.get(key)}
        for channel, own in zip(channels, given, strict=True)
    ]


def read_channels(
    channels: Sequence[Mapping[str, Any]],
) -> tuple[tuple[str, ...], tuple[Color | None, ...], tuple[Limits | None, ...]]:
    """Read names, colors and contrast limits of channels.

    Returns
    -------
    names : tuple of str
        Names; empty unless every channel has one.
    colors : tuple of ((int, int, int) or None)
        Colors; empty if no channel has one.
    limits : tuple of ((float, float) or None)
        Contrast limits; empty if no channel has them.
    """
    names = tuple(str(channel["label"]) for channel in channels if channel.get("label"))
    colors = tuple(_color(channel.get("color")) for channel in channels)
    limits = tuple(_window(channel.get("window")) for channel in channels)
    return (
        names if len(names) == len(channels) else (),
        colors if any(color is not None for color in colors) else (),
        limits if any(pair is not None for pair in limits) else (),
    )


def _color(text: Any) -> Color | None:
    if not isinstance(text, str) or len(text.lstrip("#")) != 6:
        return None
    try:
        red, green, blue = bytes.fromhex(text.lstrip("#"))
    except ValueError:
        # Not a hexadecimal number: the color is not known.
        return None
    return (red, green, blue) if red or green or blue else None


def _window(value: Any) -> Limits | None:
    low, high = (value.get("start"), value.get("end")) if isinstance(value, Mapping) else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        return None
    return float(low), float(high)
