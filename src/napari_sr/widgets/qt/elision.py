"""Texts that are too long, with an ellipsis in their middle: names of layers and models differ at their ends."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

_TEXT_MARGIN = 4


class MiddleElision(QObject):
    """Draws the present entry of a list with an ellipsis in its middle if it is too long.

    Parameters
    ----------
    native : QComboBox
        The list.
    """

    def __init__(self, native: QComboBox) -> None:
        super().__init__(native)
        self._native = native

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Draw the list in place of Qt."""
        if event is None or event.type() != QEvent.Type.Paint:
            return False
        option = QStyleOptionComboBox()
        self._native.initStyleOption(option)
        painter = QStylePainter(self._native)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.text()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
        return True

    def text(self) -> str:
        """Return the entry as it is drawn: the entry, or its beginning and its end."""
        option = QStyleOptionComboBox()
        self._native.initStyleOption(option)
        style = self._native.style()
        assert style is not None
        field = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self._native
        )
        return elided(self._native.currentText(), self._native.fontMetrics(), field.width() - _TEXT_MARGIN)


def elided(text: str, metrics: QFontMetrics, width: int) -> str:
    """Return a text, or its beginning and its end with an ellipsis between if it is wider than so many pixels."""
    return metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width)
