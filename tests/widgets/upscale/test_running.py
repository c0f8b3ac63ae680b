"""Runs with real threads: they wait, are cancelled, and end when their layer, panel or window is closed."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sr.errors import Cancelled
from napari_sr.widgets.qt.executor import ThreadExecutor


def drawn(side):
    """An image of values that a network has to process."""
    return np.random.default_rng(0).integers(0, 200, (side, side), np.uint8)


class Gate:
    """Holds a job in the middle of its work until it is opened or the job is cancelled."""

    def __init__(self) -> None:
        self.reached, self.open, self.left = threading.Event(), threading.Event(), threading.Event()

    def hold(self, job, prepared, *, out=None, progress=None, cancel=None):
        from napari_sr.inference.layer import run_layer

        try:
            progress(1, 2)
            self.reached.set()
            while not self.open.wait(0.01):
                if cancel():
                    raise Cancelled("stopped")
            return run_layer(job, prepared, out=out, progress=progress, cancel=cancel)
        finally:
            self.left.set()


@pytest.fixture
def gate(monkeypatch):
    gate = Gate()
    monkeypatch.setattr("napari_sr.inference.run_layer", gate.hold)
    yield gate
    gate.open.set()


@pytest.fixture
def running(in_viewer, gate, qtbot):
    """A viewer and a panel whose run waits at the gate."""
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    panel.controls.run_button.native.click()
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    return viewer, panel


class TimedKey(QKeyEvent):
    """An event of a key at a time in milliseconds."""

    def __init__(self, kind, key, time, repeated):
        super().__init__(kind, key, Qt.KeyboardModifier.NoModifier, "", repeated)
        self.time = time

    def timestamp(self):
        return self.time


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_a_run_from_end_to_end(in_viewer, qtbot):
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor(), scale=(0.5, 0.5))
    panel.controls.run_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=30_000)
    result = viewer.layers[1]
    np.testing.assert_allclose(result.scale, (0.25, 0.25))
    np.testing.assert_allclose(result.translate, (-0.125, -0.125))
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)


def test_cancel_is_enabled_during_a_run_and_another_run_waits(running, gate, qtbot):
    viewer, panel = running
    controls = panel.controls
    assert controls.cancel_button.enabled
    qtbot.waitUntil(lambda: controls.message.value == "Upscaling: 50 %", timeout=5_000)
    assert controls.bar.native.isVisibleTo(panel.native)
    viewer.add_image(drawn(4), name="other")
    assert controls.run_button.text == "Run this too"
    controls.run_button.native.click()
    qtbot.wait(200)
    assert names(viewer) == ["cells", "other"]
    gate.open.set()
    qtbot.waitUntil(lambda: not controls.running, timeout=30_000)
    assert controls.run_button.text == "Run"
    assert not controls.cancel_button.enabled
    assert not controls.bar.native.isVisibleTo(panel.native)
    assert names(viewer) == ["cells", "other", "cells (ESRGAN x4)", "other (ESRGAN x4)"]
    assert controls.message.value.startswith("Done: 2 layers were added, the last one in ")


def test_a_double_click_on_run_starts_one_run_and_another_click_a_second_one(in_viewer, gate, qtbot):
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    window = viewer.__wrapped__.window._qt_window
    window.show()
    qtbot.waitExposed(window)
    run, left = panel.controls.run_button.native, Qt.MouseButton.LeftButton
    # The events of a double click: press, release, double click, release.
    QTest.mouseClick(run, left)
    QTest.mouseDClick(run, left)
    QTest.mouseRelease(run, left)
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    assert len(panel.unfinished) == 1
    QTest.mouseClick(run, left)
    assert len(panel.unfinished) == 2
    gate.open.set()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=30_000)
    assert len(viewer.layers) == 3


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_a_key_that_is_held_on_run_starts_one_run(in_viewer, gate, qtbot, key):
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    viewer.__wrapped__.window._qt_window.show()
    run = panel.controls.run_button.native
    press, release = QEvent.Type.KeyPress, QEvent.Type.KeyRelease
    # The third pair is one that X11 has not recognized.
    held = [(press, 1, False), (release, 2, True), (press, 2, True), (release, 3, False), (press, 3, False)]
    for kind, time, repeated in [*held, (release, 4, False)]:
        QApplication.sendEvent(run, TimedKey(kind, key, time, repeated))
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    assert len(panel.unfinished) == 1


def test_cancel_leaves_no_layer(running, gate, qtbot):
    viewer, panel = running
    panel.controls.cancel_button.native.click()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)
    assert names(viewer) == ["cells"]
    assert "nothing was added" in panel.controls.message.value
    assert panel.controls.run_button.enabled


def test_cancel_by_the_space_bar_leaves_the_focus_on_run(running, gate, qtbot):
    viewer, panel = running
    window = viewer.__wrapped__.window._qt_window
    window.show()
    qtbot.waitExposed(window)
    cancel = panel.controls.cancel_button.native
    cancel.setFocus()
    QTest.keyClick(cancel, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)
    assert window.focusWidget() is panel.controls.run_button.native


def test_a_layer_removed_during_its_run_stops_it(running, gate, qtbot):
    viewer, panel = running
    viewer.add_image(np.zeros((4, 4)), name="other")
    viewer.layers.remove("cells")
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)
    assert names(viewer) == ["other"]
    assert "“cells” was removed" in panel.controls.message.value


def test_a_result_has_the_name_that_its_layer_was_given_during_the_run(running, gate, qtbot):
    viewer, panel = running
    viewer.layers["cells"].name = "nuclei"
    assert panel.unfinished == ["upscaling “nuclei” with esrgan-one"]
    gate.open.set()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=30_000)
    assert names(viewer) == ["nuclei", "nuclei (ESRGAN x4)"]
    assert "“nuclei (ESRGAN x4)”" in panel.controls.message.value


@pytest.mark.parametrize("shape", [(12, 16), (5, 7)])
def test_a_result_of_pixels_that_were_replaced_during_the_run_says_so(running, gate, qtbot, shape):
    viewer, panel = running
    viewer.layers["cells"].data = np.zeros(shape, np.uint16)
    gate.open.set()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=30_000)
    assert viewer.layers[1].data.any()
    said = "The pixels of “cells” were replaced during the run: this is the result of those before."
    assert said in panel.controls.message.value


def test_removing_another_layer_does_not_stop_a_run(running, gate, qtbot):
    viewer, panel = running
    viewer.add_image(np.zeros((4, 4)), name="other")
    viewer.layers.remove("other")
    gate.open.set()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=30_000)
    assert names(viewer) == ["cells", "cells (ESRGAN x4)"]


def test_a_viewer_closed_during_a_run_stops_it(running, gate, qtbot):
    viewer, _ = running
    viewer.close()
    qtbot.waitUntil(gate.left.is_set, timeout=5_000)
    qtbot.wait(100)  # the last signals of the worker arrive here
    assert names(viewer) == []


def test_a_panel_closed_during_a_run_stops_it(running, gate, qtbot):
    viewer, panel = running
    dock = panel.native.parent()
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(gate.left.is_set, timeout=5_000)
    qtbot.wait(100)
    assert names(viewer) == ["cells"]


def test_a_closed_panel_is_disconnected(in_viewer, qtbot):
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    viewer.window.remove_dock_widget(panel.native.parent())
    source = viewer.layers[0]
    shown = panel.summary.value
    source.scale, source.name = (3, 3), "renamed"
    viewer.add_image(np.zeros((4, 4), np.uint8), name="other")
    viewer.scene.camera.zoom = 3
    viewer.layers.selection.active = source
    qtbot.wait(300)
    assert panel.layer_choice.widget.current_choice == "cells"
    assert panel.summary.value == shown
    assert panel.facts.size.value == 1.0


def test_an_error_on_the_thread_is_shown(in_viewer, qtbot, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=np.full((8, 8), np.nan, np.float32))
    panel.controls.run_button.native.click()
    qtbot.waitUntil(lambda: bool(shown), timeout=30_000)
    assert "NaN" in panel.controls.message.value
    assert names(viewer) == ["cells"]
    assert not panel.controls.running


def test_cancel_between_the_layers_of_a_network(in_viewer, qtbot):
    image = np.random.default_rng(0).integers(0, 255, (40, 256, 256), np.uint8)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor(), image=image)
    panel.controls.run_button.native.click()
    qtbot.waitUntil(lambda: "%" in panel.controls.message.value, timeout=30_000)
    panel.controls.cancel_button.native.click()
    qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)
    assert names(viewer) == ["cells"]


def test_two_viewers_do_not_mix_their_results(make_napari_viewer_proxy, models, qtbot):
    from napari_sr.widgets.upscale.families import SRCNNPanel

    pairs = []
    for name in ("one", "two"):
        viewer = make_napari_viewer_proxy()
        viewer.add_image(drawn(8), name=name)
        panel = SRCNNPanel(viewer)
        viewer.window.add_dock_widget(panel)
        pairs.append((name, viewer, panel))
    for _, _, panel in pairs:
        panel.controls.run_button.native.click()
    for name, viewer, panel in pairs:
        qtbot.waitUntil(lambda panel=panel: not panel.controls.running, timeout=30_000)
        assert names(viewer) == [name, f"{name} (SRCNN x2)"]


def test_runs_of_two_windows_wait_for_one_another(make_napari_viewer_proxy, models, gate, qtbot):
    from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel

    panels = []
    for panel_class in (ESRGANPanel, SRCNNPanel):
        viewer = make_napari_viewer_proxy()
        viewer.add_image(drawn(8), name="cells")
        panel = panel_class(viewer)
        viewer.window.add_dock_widget(panel)
        panels.append((viewer, panel))
    (one, first), (two, second) = panels
    first.controls.run_button.native.click()
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    second.controls.run_button.native.click()
    qtbot.waitUntil(lambda: second.controls.message.value == "Waiting for another run…", timeout=30_000)
    second.controls.cancel_button.native.click()
    assert not second.running
    assert "nothing was added" in second.controls.message.value
    second.controls.run_button.native.click()
    qtbot.waitUntil(lambda: "Waiting" in second.controls.message.value, timeout=30_000)
    gate.open.set()
    qtbot.waitUntil(lambda: not first.running and not second.running, timeout=30_000)
    assert names(one) == ["cells", "cells (ESRGAN x4)"]
    assert names(two) == ["cells", "cells (SRCNN x2)"]


def test_closing_a_window_does_not_stop_the_runs_of_others(make_napari_viewer_proxy, models, gate, qtbot):
    from napari_sr.widgets.upscale.families import SRCNNPanel

    pairs = []
    for name in ("one", "two"):
        viewer = make_napari_viewer_proxy()
        viewer.add_image(drawn(8), name=name)
        panel = SRCNNPanel(viewer)
        viewer.window.add_dock_widget(panel)
        pairs.append((viewer, panel))
    (one, first), (two, second) = pairs
    first.controls.run_button.native.click()
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    second.controls.run_button.native.click()
    one.close()
    qtbot.waitUntil(gate.left.is_set, timeout=5_000)
    gate.open.set()
    qtbot.waitUntil(lambda: not second.running, timeout=30_000)
    assert names(two) == ["two", "two (SRCNN x2)"]


def test_closing_the_window_in_front_does_not_stop_the_run_of_another(in_viewer, gate, make_napari_viewer_proxy, qtbot):
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    front = make_napari_viewer_proxy()
    panel.controls.run_button.native.click()
    qtbot.waitUntil(gate.reached.is_set, timeout=30_000)
    front.close()
    qtbot.wait(100)
    gate.open.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=30_000)
    assert names(viewer) == ["cells", "cells (ESRGAN x4)"]
