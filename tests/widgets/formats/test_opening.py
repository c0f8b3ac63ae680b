"""Readers with the plugin installed, "Open with pixel size", and napari's own preference for OME-TIFF."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.plugins import _npe2
from napari.settings import get_settings
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_sr
from napari_sr import upscale_layer
from napari_sr.errors import InputError
from napari_sr.imaging.files import write_image
from napari_sr.widgets.formats.opening import open_path, open_paths, opens_ome_tiff, set_opens_ome_tiff
from tests.imaging.files.foreign import plate

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    """Register the manifest of this source tree if the plugin is not installed, and keep napari's preferences."""
    from napari.plugins import _initialize_plugins

    manager = PluginManager.instance()
    if "napari" not in manager:
        _initialize_plugins()
    known = "napari-sr" in manager
    if not known:
        manager.register(PluginManifest.from_file(Path(napari_sr.__file__).parent / "napari.yaml"))
    before = dict(get_settings().plugins.extension2reader)
    get_settings().plugins.extension2reader = {}
    yield
    get_settings().plugins.extension2reader = before
    if not known:
        manager.unregister("napari-sr")


@pytest.fixture
def calibrated(tmp_path: Path) -> Path:
    """An OME-TIFF with a pixel size."""
    path = tmp_path / "cells.ome.tif"
    write_image(path, np.arange(60, dtype=np.uint16).reshape(6, 10), "YX", {"Y": 0.2, "X": 0.2}, "micrometer")
    return path


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the files and the folder that the dialogs return."""

    def use(files: list[Path], folder: Path | None = None) -> None:
        dialog = "napari_sr.widgets.formats.opening.QFileDialog"
        monkeypatch.setattr(f"{dialog}.getOpenFileNames", lambda *_: ([str(file) for file in files], ""))
        monkeypatch.setattr(f"{dialog}.getExistingDirectory", lambda *_: str(folder or ""))

    return use


def test_plain_files_and_folders_have_one_reader(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((8, 9), np.uint8))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.zarr").mkdir()
    for name in ("plain.tif", "folder", "folder.zarr"):
        assert list(_npe2.get_readers(str(tmp_path / name))) == ["napari"], name
    # Without a dialog, therefore.
    assert len(ViewerModel().open(str(tmp_path / "plain.tif"), plugin=None)) == 1


def test_ome_tiff_opens_with_its_pixel_size_without_a_question_once_the_user_has_chosen_so(calibrated: Path) -> None:
    assert set(_npe2.get_readers(str(calibrated))) == {"napari", "napari-sr"}
    assert not opens_ome_tiff()
    get_settings().plugins.extension2reader = {"*.npy": "napari"}
    set_opens_ome_tiff(True)
    assert opens_ome_tiff()
    # Without a plugin, as by drag and drop.
    (layer,) = ViewerModel().open(str(calibrated), plugin=None)
    assert np.allclose(layer.scale, 0.2)
    set_opens_ome_tiff(False)
    assert get_settings().plugins.extension2reader == {"*.npy": "napari"}


def test_the_preference_of_another_plugin_is_not_removed() -> None:
    get_settings().plugins.extension2reader = {"*.ome.tif": "other"}
    set_opens_ome_tiff(False)
    assert get_settings().plugins.extension2reader == {"*.ome.tif": "other"}


def test_the_menu_opens_files_with_their_pixel_size(in_viewer: Any, calibrated: Path, chosen: Any, qtbot: Any) -> None:
    from napari._app_model import get_app_model

    viewer, _ = in_viewer("srcnn")
    chosen([calibrated])
    items = get_app_model().menus.get_menu("napari/file/io_utilities")
    commands = [item.command.id for item in items if hasattr(item, "command")]
    assert {"napari-sr.open_with_pixel_size", "napari-sr.open_result_on_disk"} <= set(commands)
    get_app_model().commands.execute_command("napari-sr.open_with_pixel_size").result()
    assert [layer.name for layer in viewer.layers] == ["cells", "cells [1]"]
    assert np.allclose(viewer.layers[1].scale, 0.2)


def test_the_button_opens_files_and_results_on_disk_in_their_places(
    in_viewer: Any, calibrated: Path, tmp_path: Path, chosen: Any, qtbot: Any
) -> None:
    viewer, panel = in_viewer("srcnn")
    button = panel.open_button
    window = viewer.__wrapped__.window._qt_window
    window.show()
    QTest.mouseClick(panel.layer_fold.button.native, LEFT)
    (source,) = open_paths(viewer, [calibrated])
    upscale_layer(source, "srcnn-x2", out=tmp_path / "result.ome.zarr")
    viewer.layers.clear()
    qtbot.wait(50)
    chosen([calibrated], tmp_path / "result.ome.zarr")
    click(button, button.files, qtbot)
    click(button, button.store, qtbot)
    file, store = viewer.layers
    assert np.allclose(file.scale, 0.2)
    assert np.allclose(store.scale, 0.1)
    assert np.allclose(file.extent.world[0] - 0.1, store.extent.world[0] - 0.05)
    assert not opens_ome_tiff()
    click(button, button.always, qtbot)
    assert opens_ome_tiff()
    click(button, button.always, qtbot)
    assert not opens_ome_tiff()


def click(button: Any, action: Any, qtbot: Any) -> None:
    """Open the menu of the button with the keyboard or mouse, and click an entry."""
    button.menu.popup(button.native.mapToGlobal(button.native.rect().bottomLeft()))
    qtbot.waitUntil(button.menu.isVisible, timeout=2_000)
    QTest.mouseClick(button.menu, LEFT, pos=button.menu.actionGeometry(action).center())
    qtbot.waitUntil(lambda: not button.menu.isVisible(), timeout=2_000)


def test_a_file_that_cannot_be_opened_is_named_and_the_others_are_opened(
    calibrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", said.append)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder").mkdir()
    viewer = ViewerModel()
    added = open_paths(viewer, [tmp_path / "notes.txt", tmp_path / "folder", calibrated])
    assert [layer.name for layer in added] == ["cells"]
    assert len(said) == 2
    assert "notes.txt" in said[0]
    assert "folder is not a store that napari-sr wrote" in said[1]


def test_a_script_reads_the_file_that_was_opened(calibrated: Path) -> None:
    (layer,) = open_paths(ViewerModel(), [calibrated])
    _, kwargs, _ = upscale_layer(layer, "srcnn-microscopy-x2", device="cpu")
    assert repr(str(calibrated)) in kwargs["metadata"]["napari_sr"]["script"]
    assert "napari_sr_path" not in kwargs["metadata"]


def test_a_plate_is_refused_in_a_sentence_that_names_a_field(tmp_path: Path) -> None:
    path = plate(tmp_path / "p.zarr")
    viewer = ViewerModel()
    with pytest.raises(InputError, match=r"is a plate or a well with 4 images: give one of them, such as .*0; .*panel"):
        open_path(viewer, path)
    assert len(viewer.layers) == 0
