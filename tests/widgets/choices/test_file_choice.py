"""The last entry of a list opens a file dialog when it is chosen, and only then."""

import pytest
from magicgui.widgets import Container
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sr.widgets.choices.file import OPEN_A_FILE, FileChoice


@pytest.fixture
def choice(qtbot, tmp_path):
    """A list of three models in a window, whose dialog is counted and returns a file."""
    choice = FileChoice(
        name="model",
        label="Model",
        tooltip="",
        on_choice=lambda value: chosen(choice, value),
        on_file=lambda path: choice.files.append(path),
    )
    choice.dialog = lambda parent: tmp_path / "model.pth"
    choice.files, choice.chosen = [], []
    models = [("alpha", "a"), ("beta", "b"), ("omega", "o")]

    def chosen(choice, value):
        # As the panels do: the list is filled again.
        choice.chosen.append(value)
        choice.offer(models, value)

    choice.offer(models, "a")
    box = Container(widgets=[choice.widget])
    qtbot.addWidget(box.native)
    box.native.show()
    qtbot.waitExposed(box.native)
    choice.widget.native.setFocus()
    return choice


def wheel(native):
    middle = native.rect().center()
    event = QWheelEvent(
        QPointF(middle),
        QPointF(native.mapToGlobal(middle)),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(native, event)


@pytest.mark.parametrize("way", ["down", "end", "page", "letter", "wheel"])
def test_the_way_through_a_closed_list_ends_at_the_last_model(choice, way):
    native = choice.widget.native
    for _ in range(6):
        if way == "wheel":
            wheel(native)
        elif way == "letter":
            QTest.keyClick(native, "o")
        else:
            QTest.keyClick(native, {"down": Qt.Key.Key_Down, "end": Qt.Key.Key_End, "page": Qt.Key.Key_PageDown}[way])
    assert choice.value == "o"
    assert choice.chosen[-1] == "o"
    assert not choice.files
    QTest.keyClick(native, Qt.Key.Key_Up)
    assert choice.value == "b"


def test_the_entry_opens_a_file_by_a_click_in_the_opened_list(choice, qtbot, tmp_path):
    native = choice.widget.native
    QTest.keyClick(native, Qt.Key.Key_Down)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton)
    view = native.view()
    qtbot.waitUntil(view.isVisible, timeout=2_000)
    # Qt ignores a release of the mouse that could belong to the click that has opened the list.
    qtbot.wait(QApplication.doubleClickInterval() + 100)
    place = view.visualRect(native.model().index(native.findText(OPEN_A_FILE), 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: choice.files == [tmp_path / "model.pth"], timeout=2_000)
    assert choice.value == "b"


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_F4])
def test_the_entry_opens_a_file_by_enter_in_the_opened_list(choice, qtbot, tmp_path, key):
    native = choice.widget.native
    QTest.keyClick(native, key)
    view = native.view()
    qtbot.waitUntil(view.isVisible, timeout=2_000)
    QTest.keyClick(view, Qt.Key.Key_End)
    assert not choice.files
    QTest.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: choice.files == [tmp_path / "model.pth"], timeout=2_000)
    assert choice.value == "a"
