"""The line in the canvas between a preview and the image that it is compared with, and the keys of the comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy import compat
from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPaintEvent,
    QPen,
    QPolygonF,
    QRegion,
)
from qtpy.QtWidgets import QShortcut, QWidget  # type: ignore[attr-defined]  # qtpy brings QShortcut here from QtGui

from napari_sr.imaging.axes import Axes
from napari_sr.widgets.choices.events import Following, view_events
from napari_sr.widgets.choices.view import pixel_under, pixels_on_canvas, viewbox
from napari_sr.widgets.preview.controls import BLINK, NOTHING, SPLIT, PreviewControls

_RADIUS, _REACH, _LINE = 11.0, 14.0, 2.0
_STEP, _PAGE = 0.01, 0.1
_DARK, _LIGHT = QColor(0, 0, 0, 200), QColor(255, 255, 255)
_STEPS = {
    Qt.Key.Key_Left: -_STEP,
    Qt.Key.Key_Down: -_STEP,
    Qt.Key.Key_Right: _STEP,
    Qt.Key.Key_Up: _STEP,
    Qt.Key.Key_PageDown: -_PAGE,
    Qt.Key.Key_PageUp: _PAGE,
    Qt.Key.Key_Home: -1.0,
    Qt.Key.Key_End: 1.0,
}


class LineOnCanvas(QWidget):
    """A line with a handle over a canvas, or a part of it; the mouse and the wheel reach the canvas everywhere else.

    Parameters
    ----------
    canvas : QWidget
        The canvas.
    on_drag : callable
        Called with x and y in the part of the canvas while the line is dragged.
    on_step : callable
        Called with the change of the position, such as 0.01, when a key is pressed.
    """

    def __init__(
        self, canvas: QWidget, on_drag: Callable[[float, float], None], on_step: Callable[[float], None]
    ) -> None:
        super().__init__(canvas)
        self._on_drag, self._on_step = on_drag, on_step
        self._ends = QPointF(), QPointF()
        self._grip = QPointF()
        self.setObjectName("split_line")
        self.setAccessibleName("Split")
        self.setAccessibleDescription("The line between the other image and the result: drag it, or press arrow keys.")
        self.setToolTip("Drag the line; left of it is the other image, right of it the result.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.hide()

    @property
    def handle(self) -> QPointF:
        """Center of the handle in the part of the canvas."""
        return (self._ends[0] + self._ends[1]) / 2

    def place(self, part: QRect, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Show the line between two places (x, y) of a part of the canvas, at whose border it is cut off."""
        clipped = _clipped(start, end, part.width(), part.height())
        if clipped is None:
            self.hide()
            return
        self._ends = QPointF(*clipped[0]), QPointF(*clipped[1])
        self.setGeometry(part)
        path = QPainterPath(self._ends[0])
        path.lineTo(self._ends[1])
        stroker = QPainterPathStroker()
        stroker.setWidth(_REACH)
        area = stroker.createStroke(path)
        area.addEllipse(self.handle, _RADIUS + 1, _RADIUS + 1)
        self.setMask(_region(area))
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name, as below)
        """Draw the line light on dark, so that it can be seen on any image."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for color, width in ((_DARK, _LINE + 2), (_LIGHT, _LINE)):
            painter.setPen(QPen(color, width))
            painter.drawLine(*self._ends)
        painter.setPen(QPen(_DARK, 3 if self.hasFocus() else 1.5))
        painter.setBrush(_LIGHT)
        painter.drawEllipse(self.handle, _RADIUS - 1, _RADIUS - 1)
        painter.setBrush(_DARK)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = self.handle
        for side in (-1, 1):
            tip, foot = side * 7.0, side * 2.5
            corners = [QPointF(tip, 0), QPointF(foot, -4), QPointF(foot, 4)]
            painter.drawPolygon(QPolygonF([middle + corner for corner in corners]))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take the line."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._grip = event.position() - self.handle
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Move the line with the mouse."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            place = event.position() - self._grip
            self._on_drag(place.x(), place.y())
            event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Move the line by a hundredth with an arrow key, by a tenth with Page Up and Page Down, or to an end."""
        step = None if event is None else _STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._on_step(step)


class SplitLine:
    """The line of a preview, and the keys of its comparison.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the preview.
    controls : PreviewControls
        The kind of comparison and the position of the line, which the mouse and the keys change.
    canvas : callable
        Returns the widget of the canvas; None while the panel is not docked.
    """

    def __init__(self, viewer: Viewer, controls: PreviewControls, canvas: Callable[[], QWidget | None]) -> None:
        self._viewer, self._controls, self._canvas = viewer, controls, canvas
        self._layer: Image | None = None
        self._axes: Axes | None = None
        self._view, self._hiding = Following(self.place), Following(self.place)
        self._keys: list[QShortcut] = []
        self.line: LineOnCanvas | None = None
        """The widget over the canvas; None before the first comparison."""

    def connect(self) -> None:
        """Follow the view, and take the keys: the preview is switched on."""
        self._view.follow(view_events(self._viewer))
        canvas, controls = self._canvas(), self._controls
        if canvas is None:
            return
        actions: dict[str, Callable[[], None]] = {
            "Alt+1": lambda: controls.show_kind(NOTHING),
            "Alt+2": lambda: controls.show_kind(SPLIT),
            "Alt+3": lambda: controls.show_kind(BLINK),
            "Alt+4": controls.change_counterpart,
            "Alt+Left": lambda: self._step(-_STEP),
            "Alt+Right": lambda: self._step(_STEP),
        }
        for keys, action in actions.items():
            shortcut = QShortcut(QKeySequence(keys), canvas.window())
            shortcut.activated.connect(action)
            # Of two panels with a preview, Qt calls one after the other.
            shortcut.activatedAmbiguously.connect(action)
            self._keys.append(shortcut)

    def disconnect(self) -> None:
        """Hide the line, and follow the view and the keys no more."""
        self._view.end()
        keys, self._keys = self._keys, []
        for shortcut in keys:
            if compat.isalive(shortcut):
                shortcut.setEnabled(False)
                shortcut.deleteLater()
        self.show(None, None)
        line, self.line = self.line, None
        if line is not None and compat.isalive(line):
            line.deleteLater()

    def show(self, layer: Image | None, axes: Axes | None) -> None:
        """Show the line that divides the columns of a preview, if it is split; None hides the line."""
        self._layer, self._axes = layer, axes
        self._hiding.follow([] if layer is None else [layer.events.visible])
        self.place()

    def place(self, event: object = None) -> None:
        """Put the line where the images meet, or hide it; the event of napari that calls it is not used."""
        layer, axes = self._layer, self._axes
        shown = layer is not None and layer.visible and layer in self._viewer.layers
        flat = self._viewer.dims.ndisplay == 2
        if layer is None or axes is None or not shown or not flat or self._controls.kind != SPLIT:
            if self.line is not None and compat.isalive(self.line):
                self.line.hide()
            return
        if self.line is None:
            canvas = self._canvas()
            if canvas is None:
                return
            self.line = LineOnCanvas(canvas, self._dragged, self._step)
        height, width = layer.data.shape[axes.y], layer.data.shape[axes.x]
        ends = np.zeros((2, layer.ndim))
        ends[:, axes.x] = round(self._controls.position * width) - 0.5
        ends[:, axes.y] = -0.5, height - 0.5
        (x1, y1), (x2, y2) = pixels_on_canvas(self._viewer, layer, ends)
        part = QRectF(*viewbox(self._viewer, layer)).toRect()
        self.line.place(part, (float(x1), float(y1)), (float(x2), float(y2)))

    def _dragged(self, x: float, y: float) -> None:
        if self._layer is not None and self._axes is not None:
            pixel, axis = pixel_under(self._viewer, self._layer, x, y), self._axes.x
            self._controls.move_line((float(pixel[axis]) + 0.5) / self._layer.data.shape[axis])

    def _step(self, change: float) -> None:
        if self._controls.kind == SPLIT:
            self._controls.move_line(self._controls.position + change)


def _clipped(
    start: tuple[float, float], end: tuple[float, float], width: float, height: float
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Cut a line off at the borders of a canvas; None if none of it is inside."""
    first, last = 0.0, 1.0
    for place, change, most in ((start[0], end[0] - start[0], width), (start[1], end[1] - start[1], height)):
        if abs(change) < 1e-9:
            if not 0 <= place <= most:
                return None
            continue
        one, other = sorted(((0 - place) / change, (most - place) / change))
        first, last = max(first, one), min(last, other)
    if first >= last:
        return None
    points = [(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])) for part in (first, last)]
    return points[0], points[1]


def _region(path: QPainterPath) -> QRegion:
    return QRegion(path.simplified().toFillPolygon().toPolygon())
