"""Names of controls for screen readers, labels as their buddies, and a frame around the control with the focus."""

from __future__ import annotations

from collections.abc import Iterator

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from qtpy import compat
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSlider,
    QWidget,
)

_CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QProgressBar, QSlider)
# The text field of a number box and the corner of a table, which belong to these.
_INNER = ("qt_spinbox_lineedit", "qt_tableview_cornerbutton")
_MARGIN, _WIDTH, _RADIUS = 2, 2, 3


def name_controls(container: Container[Widget]) -> None:
    """Give every control of some rows, nested to any depth, a name and a description for screen readers.

    The name is the label of the row, or the text of a button; a button with a sign alone has the first sentence of its
    tooltip.
    """
    for widget, label in _named(container, ""):
        for native in controls_of(widget.native):
            tooltip = widget.tooltip or ""
            text = native.text().strip("▸▾ ") if isinstance(native, QAbstractButton) else ""
            sign = isinstance(native, QAbstractButton) and len(text) < 2
            native.setAccessibleName(tooltip.partition(".")[0] if sign else text or label or tooltip.partition(".")[0])
            native.setAccessibleDescription(tooltip)
            if not native.toolTip():
                native.setToolTip(tooltip)
    for title in container.native.findChildren(QLabel):
        _set_buddy(title)


def controls_of(native: QWidget) -> list[QWidget]:
    """Return the controls of a widget that take input or show progress: itself, or the ones inside it.

    The parts of number boxes and tables are not among them.
    """
    candidates = (native, *native.findChildren(QWidget))
    return [one for one in candidates if isinstance(one, _CONTROLS) and one.objectName() not in _INNER]


class FocusFrame(QWidget):
    """A frame around the control of a panel that has the focus; napari's themes mark the focus of few controls.

    Parameters
    ----------
    content : QWidget
        The rows, on which the frame is drawn.
    color : str
        Color of the frame.
    """

    def __init__(self, content: QWidget, color: str) -> None:
        super().__init__(content)
        self._content, self._color = content, color
        self._control: QWidget | None = None
        self._followed: tuple[QWidget, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow)

    def set_color(self, color: str) -> None:
        """Set the color of the frame, such as "#e3b617"."""
        self._color = color
        self.update()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name, as below)
        """Follow the control when it, or a row that contains it, is moved, resized or hidden."""
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event is not None and event.type() in kinds:
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._color), _WIDTH))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), _RADIUS, _RADIUS)
        painter.end()

    def _follow(self, old: QWidget | None, new: QWidget | None) -> None:
        if not compat.isalive(self) or not compat.isalive(self._content):
            return
        for one in filter(compat.isalive, self._followed):
            one.removeEventFilter(self)
        inside = new is not None and self._content.isAncestorOf(new) and not isinstance(new, QLabel)
        self._control = new if inside else None
        self._followed = tuple(_up_to(self._content, self._control))
        for one in self._followed:
            one.installEventFilter(self)
        self._place()

    def _place(self) -> None:
        control = self._control
        if control is None or not compat.isalive(control) or not control.isVisible():
            self.hide()
            return
        corner = control.mapTo(self._content, control.rect().topLeft())
        place = control.rect().translated(corner).adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
        self.setGeometry(place.intersected(self._content.rect()))
        self.show()
        self.raise_()


def _named(container: Container[Widget], outer: str) -> Iterator[tuple[Widget, str]]:
    """Yield the widgets that are not containers, with the label by which a user sees them."""
    for widget in container:
        label = str(widget.label or "")
        if isinstance(widget, Container):
            yield from _named(widget, label if container.labels else outer)
        else:
            yield widget, label or outer


def _up_to(content: QWidget, control: QWidget | None) -> Iterator[QWidget]:
    """Yield a control and the rows that contain it, without the content itself."""
    while control is not None and control is not content:
        yield control
        control = control.parentWidget()


def _set_buddy(label: QLabel) -> None:
    """Connect the label of a row to the first control of the row."""
    row = label.parentWidget()
    layout = None if row is None else row.layout()
    first, second = (None if layout is None else layout.itemAt(place) for place in (0, 1))
    field = None if second is None else second.widget()
    if first is not None and first.widget() is label and field is not None and (controls := controls_of(field)):
        label.setBuddy(controls[0])
