"""Mouse, keyboard and wheel for the sliders of a panel, the wheel for its lists, and both for its number boxes."""

from __future__ import annotations

from magicgui.widgets import FloatSlider
from magicgui.widgets.bases import Widget
from qtpy.QtCore import QEvent, QObject, QRect, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence, QMouseEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QWidget,
)

_PAGES = 10
_READOUT_EM, _UNIT_EM = 3.5, 1.0
_SIGNS = ".,"


def complete_slider(slider: FloatSlider, unit: str = "") -> FloatSlider:
    """Make a click move a slider there, a drag go in its steps, and the number beside it narrow and usable.

    The slider is changed and returned. Its step is that of the mouse and of the arrow keys; Page Up and Page Down go by
    a tenth of the range.
    """
    native: QSlider = slider.native.findChild(QSlider)
    # magicgui leaves Qt's page of 10 millionths.
    native.rangeChanged.connect(lambda least, most: _set_page(native))
    _set_page(native)
    native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    native.installEventFilter(_SliderMouse(slider, native))
    (readout,) = slider.native.findChildren(QDoubleSpinBox)
    # napari's style gives every number box 90 pixels.
    width = _READOUT_EM + (_UNIT_EM if unit else 0)
    readout.setStyleSheet(f"min-width: {width}em; max-width: {width}em; padding: 0px;")
    readout.setSuffix(unit)
    # magicgui uses the number only when the box loses the focus. Typed digits still wait for Enter.
    readout.setKeyboardTracking(False)
    readout.valueChanged.connect(lambda value: _take_readout(slider, readout))
    return slider


def shown_value(slider: FloatSlider) -> float:
    """Return the value of a completed slider with the decimal places of the number beside it.

    The slider itself has an integer for each millionth.
    """
    (readout,) = slider.native.findChildren(QDoubleSpinBox)
    decimals: int = readout.decimals()
    return round(float(slider.value), decimals)


def need_focus_for_wheel(widget: Widget) -> None:
    """Make the mouse wheel scroll the panel over a list, slider or number box that does not have the focus."""
    native: QWidget = widget.native
    for candidate in (native, *native.findChildren(QWidget)):
        if isinstance(candidate, QAbstractSpinBox | QComboBox | QSlider):
            # Qt's default for boxes and lists takes the focus with the wheel.
            candidate.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            candidate.installEventFilter(_WheelGuard(candidate))


class _WheelGuard(QObject):
    """Passes the wheel on to the panel, for a widget without the focus, which owns this object."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name, as below)
        """Ignore the wheel over a widget without the focus: Qt offers it to the parent then."""
        if event is not None and event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget):
            if not watched.hasFocus():
                event.ignore()
                return True
        return False


def read_both_signs(widget: Widget) -> None:
    """Make number boxes read a comma and a point as the decimal sign, whichever the language of the system has."""
    native: QWidget = widget.native
    for candidate in (native, *native.findChildren(QDoubleSpinBox)):
        if isinstance(candidate, QDoubleSpinBox):
            candidate.installEventFilter(_DecimalSigns(candidate))


class _DecimalSigns(QObject):
    """Replaces a typed or pasted comma or point by the decimal sign of the number box, which owns this object.

    Qt takes the other sign for a separator of thousands, also between any two digits: "1,5" would be 15.
    """

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Pass on the key with the decimal sign, and paste the text with it."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if not isinstance(watched, QDoubleSpinBox) or watched.decimals() == 0:
            # Without decimal places, "1,024" has a separator of thousands.
            return False
        point = watched.locale().decimalPoint()
        if event.matches(QKeySequence.StandardKey.Paste):
            return _paste(watched, point)
        if len(event.text()) != 1 or event.text() not in _SIGNS.replace(point, ""):
            return False
        QApplication.sendEvent(watched, QKeyEvent(event.type(), event.key(), event.modifiers(), point))
        return True


def _paste(box: QDoubleSpinBox, point: str) -> bool:
    """Paste a number with one comma or point; return whether there was one."""
    clipboard, line = QApplication.clipboard(), box.findChild(QLineEdit)
    text = "" if clipboard is None else clipboard.text().strip()
    if sum(text.count(sign) for sign in _SIGNS) != 1:
        return False
    line.insert("".join(point if letter in _SIGNS else letter for letter in text))
    return True


class _SliderMouse(QObject):
    """Moves a slider to the place of a click, and in steps with a drag."""

    def __init__(self, slider: FloatSlider, native: QSlider) -> None:
        super().__init__(native)
        self._slider, self._native, self._step = slider, native, float(slider.step or 0.01)
        self._from_center = 0.0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        if not isinstance(event, QMouseEvent) or not self._native.isEnabled():
            return False
        kind, x = event.type(), event.position().x()
        left = event.button() == Qt.MouseButton.LeftButton
        if kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick) and left:
            handle = self._part(QStyle.SubControl.SC_SliderHandle)
            on_handle = handle.contains(event.position().toPoint())
            self._from_center = x - _center(handle) if on_handle else 0.0
            self._native.setSliderDown(True)
            if not on_handle:
                self._move(x)
            return True
        if kind == QEvent.Type.MouseMove and self._native.isSliderDown():
            self._move(x - self._from_center)
            return True
        if kind == QEvent.Type.MouseButtonRelease and left and self._native.isSliderDown():
            self._native.setSliderDown(False)
            return True
        return False

    def _move(self, center: float) -> None:
        """Move the center of the handle to a place in the slider, as far as the steps allow."""
        groove, handle = self._part(QStyle.SubControl.SC_SliderGroove), self._part(QStyle.SubControl.SC_SliderHandle)
        span = max(groove.width() - handle.width(), 1)
        fraction = min(max((center - groove.x() - handle.width() / 2) / span, 0.0), 1.0)
        if self._native.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            fraction = 1 - fraction
        least, most = float(self._slider.min), float(self._slider.max)
        steps = round(fraction * (most - least) / self._step)
        self._slider.value = min(least + steps * self._step, most)

    def _part(self, part: QStyle.SubControl) -> QRect:
        option = QStyleOptionSlider()
        self._native.initStyleOption(option)
        style = self._native.style()
        assert style is not None
        return style.subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self._native)


def _set_page(native: QSlider) -> None:
    """Set the page of a slider to a tenth of its range, in whole steps."""
    step = max(native.singleStep(), 1)
    native.setPageStep(max(round((native.maximum() - native.minimum()) / (_PAGES * step)), 1) * step)


def _center(rect: QRect) -> float:
    return rect.x() + rect.width() / 2


def _take_readout(slider: FloatSlider, readout: QDoubleSpinBox) -> None:
    # The box shows the value with fewer digits than the slider has: that is no change.
    if abs(readout.value() - float(slider.value)) > 0.5 * 10.0 ** -readout.decimals():
        slider.value = readout.value()
