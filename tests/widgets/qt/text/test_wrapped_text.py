"""Texts with long names wrap at the edge of a panel, and are copied as they are."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sr.widgets.qt.text.wrapped_text import WrappedText

NAME = "20240315_HeLa_siCtrl_DAPI_GFP_mCherry_63xOil_zstack_deconvolved_channel01_rep2_MaxProjection"
NARROW = 250


@pytest.fixture
def shown(qtbot):
    def show(text):
        widget = WrappedText(value=text)
        qtbot.addWidget(widget.native)
        widget.native.resize(NARROW, 200)
        widget.native.show()
        qtbot.waitExposed(widget.native)
        return widget

    return show


def copied(native, start, length):
    native.setSelection(start, length)
    QTest.keyClick(native, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    return QApplication.clipboard().text()


@pytest.mark.parametrize("name", [NAME, "x" * 150])
def test_a_long_name_is_wrapped_and_not_cut_off(shown, name):
    native = shown(f"Done in 0.9 s: “{name}”.").native
    assert native.minimumSizeHint().width() <= NARROW
    assert native.heightForWidth(NARROW) > 2 * native.heightForWidth(20 * NARROW)


def test_a_long_name_is_read_and_copied_as_it_is(shown):
    text = f"Done in 0.9 s: “{NAME}”."
    widget = shown(text)
    assert widget.value == text
    assert widget.native.accessibleName() == text
    assert copied(widget.native, 0, len(widget.native.text())) == text
    QApplication.clipboard().clear()
    (action,) = widget.native.actions()
    action.trigger()
    assert QApplication.clipboard().text() == text


def test_words_of_usual_length_are_left_alone(shown):
    text = "Noise measured: 3.9 gray levels at medium brightness of the half-open cell-cell contacts."
    assert shown(text).native.text() == text
