"""Opening of files and of results on disk with pixel size and position, and napari's own preference for OME-TIFF.

napari 0.9 has no priority of readers: where two match a file, it shows a dialog with its own reader chosen, which drops
the pixel size. It matches all folders, whatever the patterns of a reader. The manifest therefore has the pattern
``*.ome.tif`` alone, since napari's preference for a pattern is used only if the reader matches the file. All other
files and the results on disk are opened by the functions of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari.layers import Layer
from napari.settings import get_settings
from napari.viewer import Viewer
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from napari_sr.errors import NapariSRError
from napari_sr.imaging.napari_layer import PATH_KEY, LayerData
from napari_sr.widgets.formats.reader import read_layers, read_store
from napari_sr.widgets.qt.errors import notify_error

_IMAGES = "Images (*.tif *.tiff *.png *.jpg *.jpeg *.bmp);;All files (*)"
_OME_TIFF = ("*.ome.tif", "*.ome.tiff")
_PLUGIN = "napari-sr"


def open_with_pixel_size(viewer: Viewer) -> None:
    """Show a file dialog, and open the chosen files in the viewer; a command of File > IO Utilities."""
    names, _ = QFileDialog.getOpenFileNames(_window(), "Open with pixel size", "", _IMAGES)
    open_paths(viewer, names)


def open_result_on_disk(viewer: Viewer) -> None:
    """Show a dialog for a folder, and open the OME-Zarr store that it is; a command of File > IO Utilities."""
    name = QFileDialog.getExistingDirectory(_window(), "Open a result on disk: a folder that ends in .zarr")
    open_paths(viewer, [name] if name else [])


def open_paths(viewer: Viewer, paths: Sequence[str | Path]) -> list[Layer]:
    """Open image files and results on disk; the error of each that cannot be opened is shown as a notification.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the layers are added.
    paths : sequence of str or Path
        Files, and folders of OME-Zarr stores that napari-sr wrote.

    Returns
    -------
    list of napari.layers.Layer
        The new layers.
    """
    added: list[Layer] = []
    for path in paths:
        try:
            added += open_path(viewer, path)
        except NapariSRError as error:
            notify_error(error)
    return added


def open_path(viewer: Viewer, path: str | Path) -> list[Layer]:
    """Open an image file, or the folder of an OME-Zarr store that napari-sr wrote, and return the new layers.

    Raises `InputError` if it cannot be opened; nothing is added then.
    """
    place = Path(path).absolute()
    read: Callable[[str], list[LayerData]] = read_store if place.is_dir() else read_layers
    layers = []
    for data, kwargs, kind in read(str(path)):
        metadata = {**kwargs.get("metadata", {}), PATH_KEY: str(place)}
        layers.append(Layer.create(data, {**kwargs, "metadata": metadata}, kind))
    for layer in layers:
        viewer.add_layer(layer)
    return layers


def opens_ome_tiff() -> bool:
    """Return whether napari's preferences name this plugin for both endings of OME-TIFF."""
    readers = get_settings().plugins.extension2reader
    return all(readers.get(pattern) == _PLUGIN for pattern in _OME_TIFF)


def set_opens_ome_tiff(on: bool) -> None:
    """Set or remove napari's preference for OME-TIFF, which is listed under Preferences > Plugins.

    With it, napari opens these files with this plugin without a question.
    """
    plugins = get_settings().plugins
    others = {
        pattern: reader
        for pattern, reader in plugins.extension2reader.items()
        if pattern not in _OME_TIFF or (not on and reader != _PLUGIN)
    }
    plugins.extension2reader = {**others, **dict.fromkeys(_OME_TIFF, _PLUGIN)} if on else others


def _window() -> QWidget | None:
    return QApplication.activeWindow()
