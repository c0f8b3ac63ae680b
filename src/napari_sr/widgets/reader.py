"""Opening TIFF, OME-TIFF and ImageJ TIFF in napari with their metadata, which its own reader drops.

Our own results on disk are opened as well, as they were shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import STORE_KEY, ImageFile, is_readable_tiff, read_image
from napari_sr.imaging.geometry import CHANNEL_KEY, LayerData

#: Where a layer's metadata hold the ICC profile of its file.
PROFILE_KEY = "napari_sr_icc_profile"
#: Where a layer's metadata hold the name that its file gives to its channel.
NAME_KEY = "napari_sr_channel_name"

_COLORS = ("cyan", "yellow", "magenta", "red", "green", "blue")
_PAIR = ("magenta", "green")
# napari's own names of plain colors, under which its menu lists them.
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
    """Give a reader for a file, or None for what is better left to others.

    Parameters
    ----------
    path : str or sequence of str
        One file; several, to be stacked, are left to napari's own reader.

    Returns
    -------
    callable or None
        ``reader(path)`` gives the layers. None unless the file is a TIFF with axes that we know, or a Zarr store that
        napari-sr wrote.
    """
    if not isinstance(path, str):
        return None
    if Path(path).is_dir():
        return read_store if _is_own_store(Path(path)) else None
    return read_layers if is_readable_tiff(path) else None


def read_store(path: str) -> list[LayerData]:
    """Open a Zarr store of a result, in its place; its pixels are read when they are looked at."""
    import zarr

    group = zarr.open_group(path, mode="r")
    said: Any = group.attrs[STORE_KEY]
    levels: list[Any] = [group[name] for name in sorted(group.array_keys(), key=int)]
    axes = parse_axes(said["axes"], levels[0].shape)
    letters = axes.letters[:-1] if axes.rgb else axes.letters
    kwargs = {
        "name": said["name"],
        "scale": tuple(said["scale"]),
        "translate": tuple(said["translate"]),
        "units": tuple(unit or "pixel" for unit in said["units"]),
        "axis_labels": tuple(letter.lower() for letter in letters),
        "rgb": axes.rgb,
        "multiscale": len(levels) > 1,
    }
    return [(levels if len(levels) > 1 else levels[0], kwargs, "image")]


def _is_own_store(path: Path) -> bool:
    try:
        facts = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        return STORE_KEY in facts["attributes"] and (path / "0").is_dir()
    except (OSError, ValueError, KeyError, TypeError):
        # Another kind of folder.
        return False


def read_layers(path: str) -> list[LayerData]:
    """Read a file into layers: one, or one for each channel.

    Parameters
    ----------
    path : str
        A TIFF; of one with several images the largest is read, and a notice names the others.

    Returns
    -------
    list of LayerData
        With the metadata of the file: scale, position and units, names, colors and display ranges of the channels.

    Raises
    ------
    InputError
        The file is damaged or not complete, or compressed in a way that needs another package.
    """
    image = read_image(path)
    if image.left_series:
        from napari.utils.notifications import show_info

        show_info(f"{Path(path).name}: series {image.series} is opened; left are {', '.join(image.left_series)}.")
    name = Path(path).name.rsplit(".tif", 1)[0].removesuffix(".ome")
    rgb = image.axes.endswith("C") and image.data.shape[-1] in (3, 4)
    if "C" not in image.axes or rgb:
        data, kwargs, kind = _layer(image, image.data, image.axes, name, rgb=rgb)
        if rgb:
            return [(data, kwargs, kind)]
        return [(data, _shown(kwargs, image, 0), kind)]
    axis = image.axes.index("C")
    count = image.data.shape[axis]
    letters = image.axes.replace("C", "")
    colors = _PAIR if count == 2 else _COLORS
    layers = []
    for channel in range(count):
        said = image.channels[channel] if channel < len(image.channels) else str(channel)
        data, kwargs, kind = _layer(image, image.data.take(channel, axis), letters, f"{name} [{said}]", rgb=False)
        kwargs = _shown(kwargs | {"colormap": colors[channel % len(colors)], "blending": "additive"}, image, channel)
        # So that a script made of the layer finds its pixels in the file again.
        kwargs["metadata"] |= {CHANNEL_KEY: (axis, channel)}
        layers.append((data, kwargs, kind))
    return layers


def _layer(image: ImageFile, data: Any, axes: str, name: str, *, rgb: bool) -> LayerData:
    letters = axes[:-1] if rgb else axes
    known = image.unit is not None and image.unit != "pixel"
    scale = [image.pixel_size.get(letter, 1.0) for letter in letters]
    # On napari 0.9 a layer without units makes the viewer drop them for all.
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
    return data, kwargs, "image"


def _shown(kwargs: dict[str, Any], image: ImageFile, channel: int) -> dict[str, Any]:
    """Arguments of a layer with name, color and display range of its channel, where the file gives them."""
    found = dict(kwargs)
    if channel < len(image.channels):
        found["metadata"] = {**kwargs["metadata"], NAME_KEY: image.channels[channel]}
    lut = image.luts[channel] if channel < len(image.luts) else None
    color = image.colors[channel] if channel < len(image.colors) else None
    if len(image.colors) > 1 and set(image.colors) == {(255, 255, 255)}:
        # White for every channel is what OME-TIFF says of no color.
        color = None
    limits = image.limits[channel] if channel < len(image.limits) else None
    if lut is not None:
        found["colormap"] = {"colors": lut.astype(np.float64) / 255, "name": f"{image.path.name} {channel}"}
    elif color is not None:
        found["colormap"] = _NAMED.get(color, f"#{bytes(color).hex()}")
    if limits is not None:
        found["contrast_limits"] = limits
    return found
