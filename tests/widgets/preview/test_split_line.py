"""The line of the comparison in the canvas: where it is, dragged with the mouse, and moved by keys."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_sr.widgets.choices.view import pixel_under, pixels_on_canvas, viewbox

LEFT, ALT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def split(in_viewer, qtbot):
    """Opens a window with a preview that is split against the source."""

    def make(image=None, **layer):
        if image is None:
            image = np.random.default_rng(0).integers(0, 200, (40, 60), np.uint8)
        viewer, panel = in_viewer("srcnn", image=image, **layer)
        window = viewer.__wrapped__.window._qt_window
        window.resize(1000, 800)
        window.show()
        window.activateWindow()
        qtbot.waitExposed(window)
        qtbot.wait(100)
        viewer.reset_view()
        panel.preview_controls.switch.value = True
        panel.preview.make_now()
        panel.preview_controls.compare.value = "split"
        qtbot.waitUntil(lambda: panel.preview.split_line.line is not None, timeout=5_000)
        qtbot.wait(50)
        return viewer, panel, panel.preview.split_line.line

    return make


def boundary(viewer, panel):
    """X and y on the canvas of the middle of the boundary between the two images, by the pixels of the preview."""
    layer = panel.preview.layer
    rows, columns = layer.data.shape[-2:]
    column = round(panel.preview_controls.position * columns) - 0.5
    pixel = np.zeros(layer.ndim)
    pixel[-2:] = (rows - 1) / 2, column
    return pixels_on_canvas(viewer, layer, pixel[np.newaxis])[0]


POSES = {
    "plain": {},
    "scaled": {"scale": (0.3, 0.3), "units": ("micrometer",) * 2, "translate": (5, -3)},
    "rotated": {"rotate": 30},
}


@pytest.mark.parametrize("pose", POSES)
def test_the_handle_is_on_the_boundary_and_follows_the_view(split, qtbot, pose):
    viewer, panel, line = split(**POSES[pose])
    for zoom in (1.0, 1.3):
        viewer.scene.camera.zoom *= zoom
        panel.preview.make_now()
        qtbot.wait(20)
        assert (line.handle.x(), line.handle.y()) == pytest.approx(tuple(boundary(viewer, panel)), abs=3)
        assert line.isVisible()
        # Elsewhere the mouse reaches the canvas.
        assert not line.mask().contains(line.handle.toPoint() + QPoint(60, 0))
        assert line.mask().contains(line.handle.toPoint())


def test_a_drag_moves_the_line_and_the_image_with_it(split):
    _, panel, line = split()
    before, start = panel.preview.layer.data.copy(), line.handle.toPoint()
    QTest.mousePress(line, LEFT, pos=start + QPoint(2, 3))
    for step in range(0, 101, 10):
        QTest.mouseMove(line, start + QPoint(2 + step, 3))
    QTest.mouseRelease(line, LEFT, pos=start + QPoint(102, 3))
    assert line.handle.x() - start.x() == pytest.approx(100, abs=8)
    assert panel.preview_controls.position > 0.55
    changed = np.any(np.asarray(panel.preview.layer.data) != before, axis=0)
    columns = before.shape[1]
    assert changed[round(0.5 * columns) : round(panel.preview_controls.position * columns)].mean() > 0.8
    assert not changed[: round(0.5 * columns)].any()
    QTest.mousePress(line, LEFT, pos=line.handle.toPoint())
    QTest.mouseMove(line, line.handle.toPoint() + QPoint(3000, 0))
    assert panel.preview_controls.position == 1.0


def test_keys_on_the_line_and_in_the_window(split, qtbot):
    viewer, panel, line = split()
    controls, window = panel.preview_controls, viewer.__wrapped__.window._qt_window
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    for key, position in (("Right", 0.51), ("PageUp", 0.61), ("Left", 0.6), ("Home", 0.0), ("End", 1.0)):
        QTest.keyClick(line, getattr(Qt.Key, f"Key_{key}"))
        assert controls.position == position, key
    QTest.keyClick(window, Qt.Key.Key_Left, ALT)
    assert controls.position == 0.99
    for number, kind in ((3, "blink"), (1, "nothing"), (2, "split"), (2, "nothing"), (2, "split")):
        QTest.keyClick(window, getattr(Qt.Key, f"Key_{number}"), ALT)
        assert controls.kind == kind
    QTest.keyClick(window, Qt.Key.Key_4, ALT)
    assert controls.counterpart == "bicubic"
    QTest.keyClick(window, Qt.Key.Key_4, ALT)
    assert controls.counterpart == "source"


def test_the_line_goes_with_the_comparison_and_the_preview(split, qtbot):
    viewer, panel, line = split()
    panel.preview_controls.compare.value = "nothing"
    assert not line.isVisible()
    panel.preview_controls.compare.value = "split"
    assert line.isVisible()
    panel.preview_controls.switch.value = False
    assert panel.preview.split_line.line is None
    QTest.keyClick(viewer.__wrapped__.window._qt_window, Qt.Key.Key_3, ALT)
    assert panel.preview_controls.kind == "split"  # the keys went with the preview


def test_a_place_on_the_canvas_is_the_pixel_that_is_drawn_there(split):
    viewer, panel, _ = split(**POSES["scaled"])
    layer = panel.preview.layer
    for pixel in ((0.0, 0.0), (13.5, 40.25)):
        x, y = pixels_on_canvas(viewer, layer, np.array([pixel]))[0]
        assert pixel_under(viewer, layer, float(x), float(y)) == pytest.approx(pixel)


def test_in_grid_mode_the_line_is_on_the_boundary_in_the_box_of_the_preview(split, qtbot):
    viewer, panel, line = split()
    viewer.canvas.grid.enabled = True
    qtbot.waitUntil(lambda: line.geometry().x() > 0, timeout=5_000)
    canvas = viewer.canvas.size
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=5_000)
    assert line.width() == pytest.approx(canvas[1] / 2, abs=1)
    assert line.height() == pytest.approx(canvas[0], abs=1)
    x, y = boundary(viewer, panel)
    assert (line.handle.x(), line.handle.y()) == pytest.approx((x, y), abs=1)
    viewer.canvas.grid.enabled = False
    assert (line.x(), line.width()) == (0, canvas[1])


def test_in_grid_mode_the_line_follows_the_boxes_when_another_layer_is_hidden_or_shown(split, qtbot):
    viewer, panel, line = split()
    viewer.canvas.grid.enabled = True
    other = viewer.add_points([[5, 5]])
    qtbot.waitUntil(lambda: not panel.preview.busy, timeout=5_000)
    for visible in (False, True):
        other.visible = visible
        box = viewbox(viewer, panel.preview.layer)
        assert (line.x(), line.y(), line.width(), line.height()) == pytest.approx(box, abs=1)
        # What is in view is another part then.
        qtbot.waitUntil(lambda: not panel.preview.busy, timeout=5_000)
        assert (line.handle.x(), line.handle.y()) == pytest.approx(tuple(boundary(viewer, panel)), abs=1)


def test_the_line_is_hidden_with_the_preview(split):
    _, panel, line = split()
    panel.preview.layer.visible = False
    assert not line.isVisible()
    panel.preview.layer.visible = True
    assert line.isVisible()
