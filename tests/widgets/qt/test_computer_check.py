"""The check of this computer in a dialog: lines as they come, a text to copy, and an end when it is closed."""

import threading

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_sr import Cancelled
from napari_sr.inference import check as checks
from napari_sr.inference.check import Check
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.computer_check import CheckDialog
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor

OK, FAILED = Check("memory", "20 GiB free"), Check("cpu, float16", "12 dB; use 32 bit", ok=False)


@pytest.fixture
def lines(monkeypatch):
    """The lines of the check, which a test changes."""
    lines = [OK]
    monkeypatch.setattr(checks, "check_computer", lambda cancel: iter(lines))
    return lines


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return window


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_button_under_more_opens_the_dialog_with_all_lines(in_viewer, lines):
    _, panel = in_viewer("esrgan")
    panel.more.open = True
    press(panel.computer_check.button.native)
    dialog = panel.computer_check.dialog
    assert dialog.isVisible()
    assert dialog.text.toPlainText() == OK.line()
    assert dialog.summary.text() == "All checks are ok."
    panel.shut_down()
    assert not dialog.isVisible()


def test_the_panel_for_fine_tuning_has_the_button(make_napari_viewer_proxy, models, lines):
    panel = FinetunePanel(make_napari_viewer_proxy(), executor=InPlaceExecutor())
    panel.computer_check.button.native.click()
    assert panel.computer_check.dialog.text.toPlainText() == OK.line()
    panel.shut_down()


def test_a_second_press_shows_the_same_dialog_and_after_closing_it_a_new_one(in_viewer, lines):
    _, panel = in_viewer("srcnn")
    panel.computer_check.open()
    first = panel.computer_check.dialog
    panel.computer_check.open()
    assert panel.computer_check.dialog is first
    press(first.close_button)
    lines.append(FAILED)
    panel.computer_check.open()
    assert panel.computer_check.dialog is not first
    assert len(panel.computer_check.dialog.text.toPlainText().splitlines()) == 2
    panel.shut_down()


def test_failed_checks_are_named_and_all_lines_are_copied(window, lines):
    lines.append(FAILED)
    dialog = CheckDialog(window, InPlaceExecutor())
    dialog.start()
    assert dialog.summary.text().startswith("1 check has failed: cpu, float16.")
    press(dialog.copy_button)
    assert QApplication.clipboard().text() == f"{OK.line()}\n{FAILED.line()}\n"
    dialog.close()


def test_an_unexpected_error_is_shown(window, monkeypatch):
    def broken(cancel):
        raise RuntimeError("no torch")

    monkeypatch.setattr(checks, "check_computer", broken)
    dialog = CheckDialog(window, InPlaceExecutor())
    dialog.start()
    assert dialog.summary.text() == "The check has failed (RuntimeError: no torch)."
    dialog.close()


def test_lines_appear_while_the_checks_go_on_and_escape_stops_them(window, qtbot, monkeypatch):
    stopped = threading.Event()

    def endless(cancel):
        yield OK
        while not cancel():
            threading.Event().wait(0.005)
        stopped.set()
        raise Cancelled("The check was stopped.")

    monkeypatch.setattr(checks, "check_computer", endless)
    dialog = CheckDialog(window, ThreadExecutor(threads=1))
    dialog.show()
    dialog.start()
    qtbot.waitUntil(lambda: dialog.text.toPlainText() == OK.line())
    assert not dialog.copy_button.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert stopped.wait(5)
    QTest.qWait(50)
    assert not dialog.isVisible()
    assert dialog.summary.text().startswith("Checking this computer.")
