"""Sliders and boxes of a panel under real events: a click, a drag, the arrow keys, typed digits, the wheel."""

import pytest
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, FloatSpinBox
from qtpy.QtCore import QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QSlider

from napari_sr.widgets.qt.rows import leaf_widgets
from napari_sr.widgets.qt.sliders import (
    complete_slider,
    need_focus_for_wheel,
    read_both_signs,
    shown_value,
)

LEFT = Qt.MouseButton.LeftButton


def wheel(native, steps=-1):
    """Turn the wheel over the middle of a widget; return whether it used the event."""
    middle = native.rect().center()
    event = QWheelEvent(
        QPointF(middle),
        QPointF(native.mapToGlobal(middle)),
        QPoint(0, 0),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(native, event)
    return event.isAccepted()


@pytest.fixture
def shown(qtbot):
    """A slider from 0 to 2 in steps of 0.05, in a window."""
    slider = complete_slider(FloatSlider(name="amount", label="Amount", value=1.0, min=0.0, max=2.0, step=0.05))
    box = Container(widgets=[slider])
    box.native.resize(400, 60)
    qtbot.addWidget(box.native)
    box.native.show()
    qtbot.waitExposed(box.native)
    values = []
    slider.changed.connect(values.append)
    return slider, slider.native.findChild(QSlider), values


@pytest.mark.parametrize("fraction", [0.0, 0.13, 0.5, 0.77, 1.0])
def test_a_click_moves_the_slider_there(shown, fraction):
    slider, native, _ = shown
    slider.value = 0.3 if fraction > 0.3 else 1.9
    QTest.mouseClick(native, LEFT, pos=QPoint(round(fraction * (native.width() - 1)), native.height() // 2))
    # The middle of the handle is half its width from the ends of the groove at most.
    assert slider.value == pytest.approx(2 * fraction, abs=0.15)
    assert slider.value == pytest.approx(round(slider.value / 0.05) * 0.05)
    assert not native.isSliderDown()


def test_a_drag_goes_in_steps_and_ends_where_the_mouse_does(shown):
    slider, native, values = shown
    middle = native.height() // 2
    QTest.mousePress(native, LEFT, pos=QPoint(native.width() // 2, middle))
    assert slider.value == 1.0  # on the handle
    for x in range(native.width() // 2, native.width() + 40, 3):
        QTest.mouseMove(native, QPoint(x, middle))
    QTest.mouseRelease(native, LEFT, pos=QPoint(native.width() + 40, middle))
    assert slider.value == 2.0
    assert values == sorted(values)
    assert {round(value / 0.05, 3) % 1 for value in values} == {0}
    QTest.mouseMove(native, QPoint(5, middle))
    assert slider.value == 2.0


def test_a_press_on_the_handle_does_not_change_a_value_between_steps(shown):
    slider, native, values = shown
    slider.value = 1.02
    values.clear()
    QTest.mouseClick(native, LEFT, pos=QPoint(native.width() // 2, native.height() // 2))
    assert slider.value == 1.02
    assert not values


def test_keys_go_by_a_step_and_by_a_tenth_of_the_range(shown):
    slider, native, _ = shown
    native.setFocus()
    for key, value in (
        (Qt.Key.Key_Right, 1.05),
        (Qt.Key.Key_Up, 1.1),
        (Qt.Key.Key_Left, 1.05),
        (Qt.Key.Key_PageUp, 1.25),
        (Qt.Key.Key_PageDown, 1.05),
        (Qt.Key.Key_End, 2.0),
        (Qt.Key.Key_Home, 0.0),
        (Qt.Key.Key_Left, 0.0),
    ):
        QTest.keyClick(native, key)
        assert slider.value == pytest.approx(value), key


def test_a_page_follows_the_range(shown):
    slider, native, _ = shown
    slider.max = 1.0
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_PageDown)
    assert slider.value == pytest.approx(0.9)


def test_the_value_in_effect_is_the_one_that_is_shown(shown):
    slider, native, _ = shown
    for value in (0.1234567, 1e-5, 1.999999):
        slider.value = value
        assert shown_value(slider) == native.parent().findChild(QDoubleSpinBox).value()


def test_a_typed_number_takes_effect_with_enter_and_a_step_at_once(shown):
    slider, _, values = shown
    readout = slider.native.findChild(QDoubleSpinBox)
    readout.setFocus()
    readout.selectAll()
    QTest.keyClicks(readout, readout.locale().toString(0.73, "f", 2))
    assert slider.value == 1.0
    QTest.keyClick(readout, Qt.Key.Key_Return)
    assert slider.value == 0.73
    QTest.keyClick(readout, Qt.Key.Key_Up)
    assert slider.value == pytest.approx(0.78)
    assert values == [pytest.approx(0.73), pytest.approx(0.78)]


def test_a_value_with_more_digits_than_the_number_shows_stays(shown):
    slider, _, _ = shown
    slider.value = 1.2345
    assert slider.value == 1.2345
    assert slider.native.findChild(QDoubleSpinBox).value() == 1.23


def test_a_disabled_slider_does_not_move(shown):
    slider, native, values = shown
    slider.enabled = False
    QTest.mouseClick(native, LEFT, pos=QPoint(5, native.height() // 2))
    assert slider.value == 1.0
    assert not values


def test_the_wheel_is_left_to_the_panel_without_the_focus(qtbot):
    slider = complete_slider(FloatSlider(name="amount", label="Amount", value=1.0, min=0.0, max=2.0, step=0.05))
    number = FloatSpinBox(name="number", label="Number", value=5.0)
    choice = ComboBox(name="choice", label="Choice", choices=["a", "b", "c"], value="b")
    other = CheckBox(name="other", text="Other")
    box = Container(widgets=[slider, number, choice, other])
    for widget in leaf_widgets(box):
        need_focus_for_wheel(widget)
    qtbot.addWidget(box.native)
    box.native.show()
    box.native.activateWindow()
    qtbot.waitExposed(box.native)
    inner, readout = slider.native.findChild(QSlider), slider.native.findChild(QDoubleSpinBox)
    values = lambda: (slider.value, number.value, choice.value)  # noqa: E731
    for native in (inner, readout, number.native, choice.native):
        other.native.setFocus()
        qtbot.waitUntil(other.native.hasFocus)
        # Qt offers an event that is not accepted to the parent, and so to the scroll area of a panel.
        assert not wheel(native)
        assert values() == (1.0, 5.0, "b")
        before = values()
        native.setFocus()
        qtbot.waitUntil(native.hasFocus)
        assert wheel(native)
        assert values() != before
        slider.value, number.value, choice.value = before


@pytest.fixture
def box_of(qtbot):
    """Makes a number box, or the box of a slider, in a language."""
    kept = []

    def make(language, widget):
        container = Container(widgets=[widget])
        qtbot.addWidget(container.native)
        kept.append(container)
        read_both_signs(widget)
        native = widget.native
        native = native if isinstance(native, QDoubleSpinBox) else native.findChild(QDoubleSpinBox)
        native.setLocale(QLocale(language))
        container.native.show()
        native.setFocus()
        native.selectAll()
        return native

    return make


@pytest.mark.parametrize("language", ["en_US", "de_DE", "fr_FR", "ar_EG"])
@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), ("1,5", 1.5), ("0,05", 0.05), ("0.05", 0.05), ("12", 12.0)])
@pytest.mark.parametrize("pasted", [False, True])
def test_a_comma_and_a_point_are_the_decimal_sign_in_every_language(box_of, language, text, value, pasted):
    native = box_of(language, FloatSpinBox(value=7.0, min=0.0, max=1e6))
    if pasted:
        QApplication.clipboard().setText(text)
        QTest.keyClick(native, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    else:
        QTest.keyClicks(native, text)
    assert native.value() == value
    QTest.keyClick(native, Qt.Key.Key_Return)
    assert native.text() == native.locale().toString(value, "f", 2).replace(native.locale().groupSeparator(), "")


@pytest.mark.parametrize("language", ["en_US", "de_DE"])
@pytest.mark.parametrize("text", ["0.7", "0,7"])
def test_the_number_beside_a_slider_reads_both_signs(box_of, language, text):
    slider = complete_slider(FloatSlider(value=1.0, min=0.0, max=2.0, step=0.05))
    native = box_of(language, slider)
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)
    assert slider.value == 0.7


@pytest.mark.parametrize(("language", "text"), [("en_US", "1,024"), ("de_DE", "1.024")])
def test_the_sign_is_that_of_thousands_in_a_box_of_whole_numbers(box_of, language, text):
    box = FloatSpinBox(value=7.0, min=0.0, max=1e6)
    box.native.setDecimals(0)
    native = box_of(language, box)
    QTest.keyClicks(native, text)
    assert native.value() == 1024
