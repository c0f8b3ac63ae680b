"""The sliders of a panel under real events: the values that a run takes are those on show."""

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QSlider

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def shown(in_viewer, qtbot):
    """An ESRGAN panel with a pair, in a window."""
    viewer, panel = in_viewer("esrgan")
    window = viewer.__wrapped__.window._qt_window
    window.resize(1000, 800)
    window.show()
    qtbot.waitExposed(window)
    panel.models.select("esrgan-pair")
    return panel


def click(native, fraction):
    QTest.mouseClick(native, LEFT, pos=QPoint(round(fraction * (native.width() - 1)), native.height() // 2))


def test_alpha_goes_to_the_click_by_a_hundredth_and_by_a_tenth(shown):
    native = shown.mixing.alpha.native.findChild(QSlider)
    click(native, 0.7)
    assert shown.mixing.value == pytest.approx(0.7, abs=0.06)
    shown.mixing.alpha.value = 0.5
    native.setFocus()
    for key, value in (("PageUp", 0.6), ("Right", 0.61), ("PageDown", 0.51), ("Down", 0.5), ("Home", 0.0)):
        QTest.keyClick(native, getattr(Qt.Key, f"Key_{key}"))
        assert shown.mixing.value == value, key


def test_no_alpha_is_in_effect_that_is_not_on_show(shown):
    shown.mixing.alpha.value = 1e-5
    assert shown.mixing.value == 0.0
    assert shown._plan().request.alpha == 0.0


def test_the_split_goes_to_the_click_by_a_hundredth_and_by_a_tenth(shown, qtbot):
    controls = shown.preview_controls
    QTest.mouseClick(controls.switch.native, LEFT, pos=QPoint(8, controls.switch.native.height() // 2))
    controls.compare.value = "split"
    native = controls.line.native.findChild(QSlider)
    qtbot.waitUntil(native.isVisible, timeout=2_000)
    click(native, 0.2)
    assert controls.position == pytest.approx(0.2, abs=0.06)
    controls.line.value = 0.5
    native.setFocus()
    for key, value in (("PageUp", 0.6), ("Left", 0.59), ("End", 1.0)):
        QTest.keyClick(native, getattr(Qt.Key, f"Key_{key}"))
        assert controls.position == value, key
