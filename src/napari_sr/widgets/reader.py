"""Opening TIFF, OME-TIFF and ImageJ TIFF in napari with their pixel size, unit and axes, which its own reader drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_sr.imaging.files import ImageFile, is_readable_tiff, read_image
from napari_sr.imaging.geometry import CHANNEL_KEY, LayerData

_COLOURS = ("cyan", "yellow", "magenta", "red", "green", "blue")
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
        ``reader(path)`` gives the layers. None unless the file is a TIFF with axes that we know.
    """
    return read_layers if isinstance(path, str) and is_readable_tiff(path) else None


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
    colours = _PAIR if count == 2 else _COLOURS
    layers = []
    for channel in range(count):
        said = image.channels[channel] if channel < len(image.channels) else str(channel)
        data, kwargs, kind = _layer(image, image.data.take(channel, axis), letters, f"{name} [{said}]", rgb=False)
        kwargs |= {"colormap": colours[channel % len(colours)], "blending": "additive"}
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
