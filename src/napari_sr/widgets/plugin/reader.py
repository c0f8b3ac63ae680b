"""Opening TIFF, OME-TIFF and ImageJ TIFF in napari with their pixel size, unit and axes, which its own reader drops.

Our own results on disk are opened as well, as they were shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError
from napari_sr.imaging.files import ImageFile, is_readable_tiff, read_image
from napari_sr.imaging.napari_layer import CHANNEL_KEY, LayerData
from napari_sr.inference.output.ome_zarr import open_store

_COLORS = ("cyan", "yellow", "magenta", "red", "green", "blue")
_PAIR = ("magenta", "green")


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
        return None if open_store(Path(path)) is None else read_store
    return read_layers if is_readable_tiff(path) else None


def read_store(path: str) -> list[LayerData]:
    """Open a store of a result in its place; its pixels are read when they are shown.

    Raises
    ------
    InputError
        The folder is not a store of napari-sr.
    """
    store = open_store(Path(path))
    if store is None:
        raise InputError(f"{path} is not a store that napari-sr wrote: open it with another reader.")
    axes, place = store.axes, store.place
    letters = axes.letters[:-1] if axes.rgb else axes.letters
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
    """Read a file into layers: one, or one for each channel.

    Raises
    ------
    InputError
        The file is damaged, or compressed in a way that needs another package.
    """
    image = read_image(path)
    name = Path(path).name.rsplit(".tif", 1)[0].removesuffix(".ome")
    rgb = image.axes.endswith("C") and image.data.shape[-1] in (3, 4)
    if "C" not in image.axes or rgb:
        return [_layer(image, image.data, image.axes, name, rgb=rgb)]
    axis = image.axes.index("C")
    count = image.data.shape[axis]
    letters = image.axes.replace("C", "")
    colors = _PAIR if count == 2 else _COLORS
    layers = []
    for channel in range(count):
        said = image.channels[channel] if channel < len(image.channels) else str(channel)
        data, kwargs, kind = _layer(image, image.data.take(channel, axis), letters, f"{name} [{said}]", rgb=False)
        kwargs |= {"colormap": colors[channel % len(colors)], "blending": "additive"}
        # So that a script made of the layer finds its pixels in the file again.
        kwargs["metadata"] = {CHANNEL_KEY: (axis, channel)}
        layers.append((data, kwargs, kind))
    return layers


def _layer(image: ImageFile, data: Any, axes: str, name: str, *, rgb: bool) -> LayerData:
    letters = axes[:-1] if rgb else axes
    known = image.unit is not None and image.unit != "pixel"
    kwargs = {
        "name": name,
        "scale": tuple(image.pixel_size.get(letter, 1.0) for letter in letters),
        # On napari 0.9 a layer without units makes the viewer drop them for all.
        "units": tuple(image.unit if known and letter in image.pixel_size else "pixel" for letter in letters),
        "axis_labels": tuple(letter.lower() for letter in letters),
        "rgb": rgb,
    }
    return data, kwargs, "image"
