"""Reading of TIFF, OME-TIFF and ImageJ TIFF for napari with their metadata, which napari's own reader discards.

The stores of napari-sr are read as well, with the position and the units of their layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.errors import InputError
from napari_sr.imaging.files import ImageFile, is_readable_tiff, read_image, stem_of
from napari_sr.imaging.files.lazy_array import LazyArray, PlanesAt
from napari_sr.imaging.files.plates import is_plate_part, plate_error
from napari_sr.imaging.napari_layer import CHANNEL_KEY, LayerData
from napari_sr.inference.output.reading import open_store

#: Key of a layer's metadata for the ICC profile of its file.
PROFILE_KEY = "napari_sr_icc_profile"
#: Key of a layer's metadata for the name of its channel in the file.
NAME_KEY = "napari_sr_channel_name"

_COLORS = ("cyan", "yellow", "magenta", "red", "green", "blue")
_PAIR = ("magenta", "green")
# Names of colormaps in napari's menu, by the color of the largest value.
_NAMED = {
    (255, 255, 255): "gray",
    (255, 0, 0): "red",
    (0, 255, 0): "green",
    (0, 0, 255): "blue",
    (0, 255, 255): "cyan",
    (255, 0, 255): "magenta",
    (255, 255, 0): "yellow",
}


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Return a reader for a file, or None for a file that is left to other readers.

    Parameters
    ----------
    path : str or sequence of str
        A file. Several files, which are stacked, are left to napari's own reader.

    Returns
    -------
    callable or None
        A function of the path that returns layers. None unless the file is a TIFF with known axes.
    """
    return read_layers if isinstance(path, str) and is_readable_tiff(path) else None


def read_store(path: str) -> list[LayerData]:
    """Open a store of napari-sr as a layer at the position of the result; its pixels are read when displayed.

    Raises `InputError` if the folder is not a store of napari-sr.
    """
    store = open_store(Path(path))
    if is_plate_part(Path(path)):
        raise plate_error(Path(path))
    if store is None:
        raise InputError(f"{path} is not a store that napari-sr wrote: open it with File > Open Folder.")
    axes, place = store.axes, store.place
    letters = axes.without_colors
    several = len(store.levels) > 1
    kwargs = {
        "name": place.name,
        "scale": tuple(place.scale),
        "translate": tuple(place.translate),
        "units": tuple(unit or "pixel" for unit in place.units),
        "axis_labels": tuple(letter.lower() for letter in letters),
        "rgb": axes.rgb,
        "multiscale": several,
    }
    return [(store.levels if several else store.levels[0], kwargs, "image")]


def read_layers(path: str) -> list[LayerData]:
    """Read a file as one layer, or as one layer for each channel.

    Parameters
    ----------
    path : str
        A TIFF, or another picture that `read_image` reads. Of a file with several images the largest is read, and a
        notification names the others.

    Returns
    -------
    list of LayerData
        Layers with scale, position and units, and with the names, colors and contrast limits of the channels. A large
        TIFF that is a pyramid gives multiscale layers, of which napari reads the parts that it displays.

    Raises
    ------
    InputError
        If the file is damaged or incomplete, or compressed in a way that needs another package.
    """
    image = read_image(path, lazy=True)
    if isinstance(image.data, LazyArray) and not image.levels:
        # Without coarser levels every slice would be read whole again whenever it is displayed.
        image = read_image(path)
    if image.other_series:
        from napari.utils.notifications import show_info

        others = ", ".join(image.other_series)
        show_info(f"{Path(path).name}: series {image.series} is opened. The file has others: {others}.")
    name = stem_of(Path(path))
    rgb = image.axes.endswith("C") and image.data.shape[-1] in (3, 4)
    if "C" not in image.axes or rgb:
        data, kwargs, kind = _layer(image, _levels(image), image.axes, name, rgb=rgb)
        if rgb:
            return [(data, kwargs, kind)]
        return [(data, _with_appearance(kwargs, image, 0), kind)]
    axis = image.axes.index("C")
    count = image.data.shape[axis]
    letters = image.axes.replace("C", "")
    colors = _PAIR if count == 2 else _COLORS
    layers = []
    for channel in range(count):
        label = image.channels[channel] if channel < len(image.channels) else str(channel)
        data, kwargs, kind = _layer(image, _levels(image, axis, channel), letters, f"{name} [{label}]", rgb=False)
        kwargs |= {"colormap": colors[channel % len(colors)], "blending": "additive"}
        kwargs = _with_appearance(kwargs, image, channel)
        # For a script that reads the pixels of the layer from the file again.
        kwargs["metadata"] |= {CHANNEL_KEY: (axis, channel)}
        layers.append((data, kwargs, kind))
    return layers


def _levels(image: ImageFile, axis: int = 0, channel: int | None = None) -> list[Any]:
    """All levels of an image, or of one of its channels."""
    levels = [image.data, *image.levels]
    if channel is None:
        return levels
    # The levels of a pyramid are lazy.
    if levels[1:]:
        return [PlanesAt(level, axis, channel) for level in levels]
    return [image.data.take(channel, axis)]


def _layer(image: ImageFile, levels: list[Any], axes: str, name: str, *, rgb: bool) -> LayerData:
    letters = axes[:-1] if rgb else axes
    known = image.unit is not None and image.unit != "pixel"
    scale = [image.pixel_size.get(letter, 1.0) for letter in letters]
    # In napari 0.9 a layer without units removes the units of all layers in the viewer.
    units = [image.unit if known and letter in image.pixel_size else "pixel" for letter in letters]
    if image.time_interval is not None and "T" in letters:
        scale[letters.index("T")], units[letters.index("T")] = image.time_interval, "second"
    kwargs = {
        "name": name,
        "scale": tuple(scale),
        "translate": tuple(image.origin.get(letter, 0.0) if letter in image.pixel_size else 0.0 for letter in letters),
        "units": tuple(units),
        "axis_labels": tuple(letter.lower() for letter in letters),
        "rgb": rgb,
        "metadata": {} if image.icc_profile is None else {PROFILE_KEY: image.icc_profile},
    }
    if len(levels) > 1:
        return levels, {**kwargs, "multiscale": True}, "image"
    return levels[0], kwargs, "image"


def _with_appearance(kwargs: dict[str, Any], image: ImageFile, channel: int) -> dict[str, Any]:
    """Arguments of a layer with the name, color and contrast limits of its channel, as far as the file has them."""
    shown = dict(kwargs)
    if channel < len(image.channels):
        shown["metadata"] = {**kwargs["metadata"], NAME_KEY: image.channels[channel]}
    lut = image.luts[channel] if channel < len(image.luts) else None
    color = image.colors[channel] if channel < len(image.colors) else None
    if len(image.colors) > 1 and set(image.colors) == {(255, 255, 255)}:
        # In an OME-TIFF without colors all channels are white.
        color = None
    limits = image.limits[channel] if channel < len(image.limits) else None
    if lut is not None:
        shown["colormap"] = {"colors": lut.astype(np.float64) / 255, "name": f"{image.path.name} {channel}"}
    elif color is not None:
        shown["colormap"] = _NAMED.get(color, f"#{bytes(color).hex()}")
    if limits is not None:
        shown["contrast_limits"] = limits
    return shown
