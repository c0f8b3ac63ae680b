"""Three journeys of a user from end to end, by mouse and keys and with real threads; and the clicks to a preview."""

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QCheckBox, QSlider

from napari_sr import list_models
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.executor import ThreadExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, open_panels

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def journey(make_napari_viewer_proxy, models, qtbot):
    """Opens a window with a panel."""

    def make(panel_class):
        viewer = make_napari_viewer_proxy()
        window = viewer.__wrapped__.window._qt_window
        window.resize(1200, 900)
        window.show()
        window.activateWindow()
        qtbot.waitExposed(window)
        panel = panel_class(viewer, executor=ThreadExecutor())
        viewer.window.add_dock_widget(panel, name="panel")
        qtbot.wait(100)
        return viewer, panel

    return make


def click(panel, widget):
    """Click the middle of a widget, or the box of a check box, after scrolling to it."""
    native = widget.native
    panel.scroll.ensureWidgetVisible(native)
    assert not native.visibleRegion().isEmpty(), widget.name
    place = QPoint(8, native.height() // 2) if isinstance(native, QCheckBox) else native.rect().center()
    QTest.mouseClick(native, LEFT, pos=place)


def choose(panel, combo, text):
    """Choose an entry of a list with the arrow keys."""
    native = combo.native
    panel.scroll.ensureWidgetVisible(native)
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_Home)
    for _ in range(native.count()):
        if native.currentText() == text:
            return
        QTest.keyClick(native, Qt.Key.Key_Down)
    raise AssertionError(f"{combo.name} has no entry {text!r}")


def enter(box, text):
    """Type a text into a number box."""
    box.native.setFocus()
    box.native.selectAll()
    QTest.keyClicks(box.native, text)
    QTest.keyClick(box.native, Qt.Key.Key_Return)


def test_a_slice_of_a_stack_with_an_entered_pixel_size(journey, qtbot):
    viewer, panel = journey(SRCNNPanel)
    viewer.add_image(np.random.default_rng(0).integers(0, 200, (4, 24, 32), np.uint8), name="stack")
    click(panel, panel.layer_fold.button)
    choose(panel, panel.facts.unit, "µm")
    enter(panel.facts.size, panel.facts.size.native.locale().toString(0.1, "f", 4))
    assert viewer.layers["stack"].scale[-1] == pytest.approx(0.1)
    viewer.dims.set_point(0, 2)
    viewer.reset_view()
    choose(panel, panel.part_choice.kind, "This slice")
    click(panel, panel.preview_controls.switch)
    qtbot.waitUntil(lambda: panel.preview.layer is not None and not panel.preview.busy, timeout=60_000)
    previewed = np.array(panel.preview.layer.data)
    click(panel, panel.controls.run_button)
    qtbot.waitUntil(lambda: not panel.running and len(viewer.layers) == 3, timeout=60_000)
    result = next(layer for layer in viewer.layers if layer.name == "stack (SRCNN x2, Z=2)")
    assert result.data.shape == (1, 48, 64)
    np.testing.assert_allclose(result.scale[-2:], 0.05)
    np.testing.assert_array_equal(np.squeeze(result.data), np.squeeze(previewed))
    assert viewer.layers.selection.active.name == "stack"


def test_own_weights_from_a_file_mixed_with_a_model(journey, tmp_path, qtbot):
    viewer, panel = journey(ESRGANPanel)
    viewer.add_image(np.random.default_rng(0).integers(0, 200, (24, 32), np.uint8), name="cells")
    panel.models.model_choice.dialog = lambda parent: Path(tmp_path / "gan.pth")
    native = panel.models.model_choice.widget.native
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_F4)
    qtbot.waitUntil(native.view().isVisible, timeout=10_000)
    QTest.keyClick(native.view(), Qt.Key.Key_End)
    QTest.keyClick(native.view(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.models.model.source == tmp_path / "gan.pth", timeout=60_000)
    choose(panel, panel.mixing.second_choice.widget, "esrgan-one")
    panel.scroll.ensureWidgetVisible(panel.mixing.alpha.native)
    slider = panel.mixing.alpha.native.findChild(QSlider)
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_PageUp)
    QTest.keyClick(slider, Qt.Key.Key_PageUp)
    assert panel.mixing.value == 0.2
    click(panel, panel.controls.run_button)
    qtbot.waitUntil(lambda: not panel.running and len(viewer.layers) == 2, timeout=60_000)
    result = viewer.layers[1]
    assert result.name == "cells (ESRGAN x4)"
    assert result.data.shape == (96, 128)
    click(panel, panel.actions.copy_button)
    qtbot.waitUntil(lambda: "in the clipboard" in panel.controls.message.value, timeout=60_000)
    assert "gan.pth" in QApplication.clipboard().text()


def test_a_model_is_fine_tuned_and_used(journey, qtbot):
    viewer, panel = journey(FinetunePanel)
    high = np.kron(np.random.default_rng(0).integers(0, 3000, (12, 12)), np.ones((8, 8))).astype(np.uint16)
    viewer.add_image(high, name="high")
    choose(panel, panel.models.model_choice.widget, "srcnn-x2")
    click(panel, panel.more.button)
    enter(panel.recipe.steps, "6")
    enter(panel.recipe.batch, "2")
    click(panel, panel.controls.start_button)
    qtbot.waitUntil(lambda: not panel.running and panel.outcome.trained is not None, timeout=120_000)
    assert "srcnn-x2-quick" in {entry.name for entry in list_models()}
    assert "with which it began" in panel.outcome.title.value
    click(panel, panel.outcome.use_button)
    qtbot.wait(100)
    (upscaling,) = open_panels(viewer)
    assert upscaling.models.model.name == "srcnn-x2-quick"
    assert not upscaling.native.visibleRegion().isEmpty()
    upscaling.layer_choice.select(viewer.layers["high"])
    click(upscaling, upscaling.controls.run_button)
    qtbot.waitUntil(lambda: any(layer.name == "high (SRCNN x2)" for layer in viewer.layers), timeout=120_000)
    qtbot.waitUntil(lambda: not upscaling.running, timeout=10_000)


def test_three_clicks_from_a_sample_to_a_preview(journey, qtbot):
    viewer, panel = journey(SRCNNPanel)
    window, clicks = viewer.__wrapped__.window._qt_window, 0
    bar = window.menuBar()
    file = next(action for action in bar.actions() if action.text().replace("&", "") == "File")
    QTest.mouseClick(bar, LEFT, pos=bar.actionGeometry(file).center())
    clicks += 1
    menu = file.menu()
    for title in ("Open Sample", "napari-sr"):
        qtbot.waitUntil(menu.isVisible, timeout=5_000)
        entry = next(action for action in menu.actions() if action.text().replace("&", "") == title)
        # A submenu opens under the mouse, without a click.
        QTest.mouseMove(menu, menu.actionGeometry(entry).center() - QPoint(2, 0))
        QTest.mouseMove(menu, menu.actionGeometry(entry).center())
        menu = entry.menu()
    qtbot.waitUntil(menu.isVisible, timeout=5_000)
    sample = next(action for action in menu.actions() if action.text().startswith("Fluorescence, low"))
    QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(sample).center())
    clicks += 1
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=10_000)
    click(panel, panel.preview_controls.switch)
    clicks += 1
    qtbot.waitUntil(lambda: panel.preview.layer is not None, timeout=60_000)
    assert clicks == 3
