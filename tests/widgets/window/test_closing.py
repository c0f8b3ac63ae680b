"""Closing a window or a panel while work is in progress, and two panels in one window."""

import ctypes
import sys
import threading

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialog, QLabel, QMessageBox, QPushButton

from napari_sr.errors import Cancelled
from napari_sr.widgets.choices.job_plan import save_last_plan
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.plugin.commands import upscale_active_layer
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.upscale.families import SRCNNPanel
from napari_sr.widgets.window.closing import format_work
from napari_sr.widgets.window.docking import dock_of


class _Message(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    ]


class _Event(ctypes.Union):
    _fields_ = [("message", _Message), ("padding", ctypes.c_long * 24)]


def press_close_of_the_title_bar(window):
    """Send what a window manager sends when its close button is pressed; only such a close is spontaneous for Qt."""
    if QApplication.platformName() != "xcb" or not sys.platform.startswith("linux"):
        pytest.skip("The event of a window manager is made for X11.")
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        pytest.skip("There is no libX11.")
    x11.XOpenDisplay.restype, x11.XInternAtom.restype = ctypes.c_void_p, ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x11.XSync.argtypes, x11.XCloseDisplay.argtypes = [ctypes.c_void_p, ctypes.c_int], [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    event, number = _Event(), int(window.winId())
    event.message.type, event.message.format, event.message.window = 33, 32, number  # ClientMessage
    event.message.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event.message.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(display, number, 0, 0, ctypes.byref(event))
    x11.XSync(display, 0)
    x11.XCloseDisplay(display)


@pytest.fixture
def held(monkeypatch):
    """Runs wait until they are cancelled."""
    reached, left = threading.Event(), threading.Event()

    def hold(job, prepared, *, out=None, progress=None, cancel=None):
        reached.set()
        while not cancel():
            threading.Event().wait(0.01)
        left.set()
        raise Cancelled("stopped")

    monkeypatch.setattr("napari_sr.inference.run_layer", hold)
    return reached, left


@pytest.fixture
def answered():
    """The texts of all dialogs; the button of this text is pressed in each."""
    texts, press = [], []

    def answer():
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            parts = [label.text() for label in dialog.findChildren(QLabel)]
            texts.append(" ".join(parts if not isinstance(dialog, QMessageBox) else [dialog.informativeText()]))
            buttons = {button.text().replace("&", ""): button for button in dialog.findChildren(QPushButton)}
            buttons.get(press[0], next(iter(buttons.values()))).click()

    timer = QTimer()
    timer.timeout.connect(answer)
    timer.start(50)

    def use(text):
        press[:] = [text]
        return texts

    yield use
    timer.stop()


@pytest.mark.parametrize("answer", ["Keep open", "Close"])
def test_closing_during_a_run_asks_one_question_that_names_the_run(
    in_viewer, held, answered, monkeypatch, qtbot, answer
):
    reached, _ = held
    texts = answered(answer)
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor())
    window = viewer.__wrapped__.window._qt_window
    get_settings().application.confirm_close_window = True
    # The fixture closes the window at the end of the test, and cannot close one that is gone.
    closed = []
    monkeypatch.setattr(window, "close", lambda: closed.append(True))
    window.show()
    qtbot.waitExposed(window)
    panel.controls.run_button.native.click()
    qtbot.waitUntil(reached.is_set, timeout=30_000)
    press_close_of_the_title_bar(window)
    qtbot.waitUntil(lambda: bool(texts), timeout=5_000)
    qtbot.wait(300)
    assert texts == ["This ends upscaling “cells” with srcnn-x2."]
    assert closed == [True] * (answer == "Close")
    assert window.isVisible()
    assert panel.running
    monkeypatch.undo()
    panel.cancel_upscaling()
    qtbot.waitUntil(lambda: not panel.running, timeout=5_000)


def test_closing_during_a_run_of_the_command_asks_and_ends_it(in_viewer, held, answered, monkeypatch, qtbot):
    reached, left = held
    viewer, panel = in_viewer("srcnn")
    save_last_plan("srcnn", panel._plan())
    # The command has no panel.
    dock_of(panel.native).destroyOnClose()
    window = viewer.__wrapped__.window._qt_window
    monkeypatch.setattr(window, "close", lambda: None)
    window.show()
    qtbot.waitExposed(window)
    upscale_active_layer(viewer, ThreadExecutor())
    qtbot.waitUntil(reached.is_set, timeout=30_000)
    texts = answered("Keep open")
    press_close_of_the_title_bar(window)
    qtbot.waitUntil(lambda: bool(texts), timeout=5_000)
    assert texts == ["This ends upscaling “cells” with srcnn-x2."]
    assert not left.is_set()
    monkeypatch.undo()
    viewer.close()
    qtbot.waitUntil(left.is_set, timeout=5_000)


def test_closing_a_panel_says_which_work_it_has_ended(in_viewer, held, monkeypatch, qtbot):
    reached, left = held
    said = []
    monkeypatch.setattr("napari_sr.widgets.qt.base_panel.show_warning", said.append)
    _, panel = in_viewer("srcnn", executor=ThreadExecutor())
    panel.controls.run_button.native.click()
    qtbot.waitUntil(reached.is_set, timeout=30_000)
    dock_of(panel.native).destroyOnClose()
    qtbot.waitUntil(left.is_set, timeout=5_000)
    assert said == ["Closing the panel has ended upscaling “cells” with srcnn-x2: nothing was changed."]


def test_closing_an_idle_panel_says_nothing(in_viewer, monkeypatch):
    said = []
    monkeypatch.setattr("napari_sr.widgets.qt.base_panel.show_warning", said.append)
    _, panel = in_viewer("srcnn")
    dock_of(panel.native).destroyOnClose()
    assert not said


def test_two_panels_are_tabs_and_the_last_is_in_front(in_viewer, qtbot):
    viewer, first = in_viewer("esrgan")
    qtbot.wait(50)
    window = viewer.__wrapped__.window._qt_window
    window.show()
    for number, panel_class in enumerate((SRCNNPanel, FinetunePanel), 2):
        panel = panel_class(viewer, executor=InPlaceExecutor())
        viewer.window.add_dock_widget(panel, name=panel_class.__name__)
        qtbot.waitUntil(lambda panel=panel: bool(window.tabifiedDockWidgets(dock_of(panel.native))), timeout=2_000)
        assert len(window.tabifiedDockWidgets(dock_of(first.native))) == number - 1
        qtbot.wait(50)
        assert not panel.native.visibleRegion().isEmpty()
        assert first.native.visibleRegion().isEmpty()


def test_a_panel_that_floats_stays_alone(in_viewer, qtbot):
    viewer, first = in_viewer("esrgan")
    window = viewer.__wrapped__.window._qt_window
    window.show()
    dock_of(first.native).setFloating(True)
    second = SRCNNPanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(second, name="SRCNN")
    qtbot.wait(100)
    assert dock_of(first.native).isFloating()
    assert not window.tabifiedDockWidgets(dock_of(second.native))


def test_much_work_is_counted():
    assert format_work(["a", "b"]) == "a and b"
    assert format_work(["a", "b", "c", "d"]) == "a, b and 2 more"


def test_an_all_black_image_keeps_the_range_of_its_type(in_viewer):
    viewer, panel = in_viewer("srcnn", image=np.zeros((12, 16), np.uint8))
    panel.controls.run_button.native.click()
    source, result = viewer.layers
    assert tuple(result.contrast_limits) == tuple(source.contrast_limits) == (0, 255)
    assert tuple(result.contrast_limits_range) == (0, 255)
