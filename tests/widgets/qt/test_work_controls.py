"""The buttons of long work are used with the keyboard: the focus stays on them when one is disabled."""

import pytest
from magicgui.widgets import Container, PushButton
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sr.widgets.files.controls import FilesControls
from napari_sr.widgets.finetune.controls import TrainingControls


@pytest.fixture
def between(qtbot):
    """Shows controls between two other buttons, and returns the name of the control that has the focus."""
    windows = []

    def show(controls):
        others = [PushButton(name="before", text="before"), PushButton(name="after", text="after")]
        window = Container(widgets=[others[0], controls, others[1]], labels=False)
        windows.append(window)
        qtbot.addWidget(window.native)
        window.native.show()
        qtbot.waitExposed(window.native)
        known = {button.native: button.name for button in (*others, *controls._buttons)} | {controls.native: "beside"}
        return lambda: known[window.native.focusWidget()]

    return show


def press(button):
    button.native.setFocus()
    QTest.keyClick(button.native, Qt.Key.Key_Space)


def test_the_focus_goes_from_start_to_stop_and_back(between):
    controls = FilesControls(lambda: controls.begin("Begun."), lambda: controls.stopping())
    focused = between(controls)
    controls.set_can_start(True)
    press(controls.start_button)
    assert focused() == "stop"
    press(controls.stop_button)
    assert focused() == "beside"
    controls.end("Stopped.", can_continue=True)
    assert focused() == "start"


def test_the_focus_stays_on_the_controls_of_a_training(between, make_napari_viewer_proxy):
    controls = TrainingControls(
        make_napari_viewer_proxy(),
        lambda: controls.set_state("running"),
        lambda: controls.set_state("paused"),
        lambda: controls.set_state("running"),
        lambda: controls.set_state("stopping"),
    )
    focused = between(controls)
    press(controls.start_button)
    assert focused() == "pause"
    press(controls.pause_button)
    press(controls.pause_button)
    assert (controls.state, focused()) == ("running", "pause")
    press(controls.stop_button)
    assert focused() == "beside"
    controls.set_state("idle")
    assert focused() == "start"


def test_the_focus_elsewhere_stays_there(between):
    controls = FilesControls(lambda: None, lambda: None)
    focused = between(controls)
    controls.set_can_start(True)
    controls.native.window().findChildren(type(controls.start_button.native))[-1].setFocus()
    before = focused()
    assert before not in ("start", "stop")
    controls.begin("Begun.")
    controls.stopping()
    controls.end("Stopped.", can_continue=False)
    assert focused() == before
