"""How the rows of a panel look: labels of one width, lists that shrink, text that wraps, a part that folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from magicgui.widgets import ComboBox, Container, FloatSlider, FloatSpinBox, Label, PushButton
from magicgui.widgets.bases import Widget
from qtpy import compat
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

W = TypeVar("W", bound=Widget)

# Long names of layers and files must not make the panel wider than the window leaves room for.
_LEAST_CHARACTERS = 17
_ROOM_FOR_SCROLLBAR = 24


def rows(widgets: Sequence[Widget]) -> Container[Widget]:
    """Stack widgets, each with its label to the left."""
    container: Container[Widget] = Container(widgets=list(widgets), labels=True)
    container.margins = (0, 0, 0, 0)
    return container


def beside(name: str, label: str, widgets: Sequence[W]) -> Container[W]:
    """Put widgets beside one another, as one row."""
    row: Container[W] = Container(name=name, label=label, widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row


def order_tabs(container: Container[Widget]) -> None:
    """Have the Tab key go through the rows from top to bottom, in whatever order they were made."""
    natives = [widget.native for widget in single_widgets(container)]
    for before, after in pairwise(natives):
        QWidget.setTabOrder(before, after)


def single_widgets(container: Container[Widget]) -> Iterator[Widget]:
    """Go through all that is not itself a container, from top to bottom."""
    for widget in container:
        if isinstance(widget, Container):
            yield from single_widgets(widget)
        else:
            yield widget


class Scrolled(QScrollArea):
    """Scrolls a panel up and down where the window is low, and leaves it its width.

    Parameters
    ----------
    content : QWidget
        The panel's rows.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        layout = content.layout()
        if isinstance(layout, QVBoxLayout):
            # What room there is more is below the rows, not between them.
            layout.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name, as below)
        """Width of the rows and the scroll bar; hardly any height."""
        return QSize(self._width(self._content().minimumSizeHint()), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802
        """Size of the rows, and the width of the scroll bar."""
        hint = self._content().sizeHint()
        return QSize(self._width(hint), hint.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take the width anew when a row appears."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _content(self) -> QWidget:
        content = self.widget()
        assert content is not None
        return content

    def _width(self, hint: QSize) -> int:
        bar = self.verticalScrollBar()
        return hint.width() + (bar.sizeHint().width() if bar is not None else 0)


class LabelAlignment(QObject):
    """Keeps the labels of several stacks of rows as wide as the widest.

    How wide a label is shows only once the window's style and font apply to it.

    Parameters
    ----------
    panel : QWidget
        The panel that the rows are in.
    stacks : iterable of Container
        The stacks of rows.
    """

    def __init__(self, panel: QWidget, stacks: Iterable[Container[Widget]]) -> None:
        super().__init__(panel)
        self._stacks = tuple(stacks)
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Align when the panel is shown, or has another style."""
        if event is not None and event.type() in (QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.align()
        return False

    def align(self) -> None:
        """Give all labels the width of the widest."""
        labels = [label for stack in self._stacks for label in _row_labels(stack)]
        width = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setMinimumWidth(width)


def shrinkable(combo: ComboBox, least: int = _LEAST_CHARACTERS) -> ComboBox:
    """Let a list be narrower than its longest entry, down to so many characters."""
    native: QComboBox = combo.native
    native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    native.setMinimumContentsLength(least)
    native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def list_anew(combo: ComboBox, value: Any) -> None:
    """Fill a list from its choices, in their order, and choose a value if it is there; nobody is told."""
    with combo.changed.blocked():
        # magicgui would keep the entries that are there already before the new ones.
        combo.native.clear()
        combo.reset_choices()
        if value in combo.choices:
            combo.value = value
    # The list drops down as wide as its longest entry, however narrow the panel is.
    view = combo.native.view()
    view.setMinimumWidth(view.sizeHintForColumn(0) + _ROOM_FOR_SCROLLBAR)


def plain_number(box: FloatSpinBox, decimals: int) -> FloatSpinBox:
    """Leave all the room of a box to its number, which is typed and not stepped to."""
    native: QDoubleSpinBox = box.native
    native.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    native.setDecimals(decimals)
    # napari's style leaves room for the buttons that are not there.
    native.setStyleSheet("min-width: 4em; padding: 1px 4px;")
    return box


def narrow_readout(slider: FloatSlider) -> FloatSlider:
    """Leave the room to the slider and not to the number beside it."""
    for readout in slider.native.findChildren(QDoubleSpinBox):
        # napari's style gives every number 90 pixels.
        readout.setStyleSheet("min-width: 3.5em; max-width: 3.5em; padding: 0px;")
    return slider


def wrapped(label: Label) -> Label:
    """Let a text wrap, be selected with the mouse, and take no more room than it needs."""
    native: QLabel = label.native
    native.setWordWrap(True)
    native.setTextFormat(Qt.TextFormat.PlainText)
    native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def stop(timer: QTimer) -> None:
    """Stop a timer, unless Qt has taken it down already, as it does when the application ends."""
    if compat.isalive(timer):
        timer.stop()


def show_text(label: Label, text: str) -> None:
    """Show a text, or nothing at all where there is none."""
    label.value = text
    label.visible = bool(text)


class Fold(Container[Widget]):
    """Rows under a button that folds them away.

    Parameters
    ----------
    title : str
        What the button says.
    body : Container
        The rows; folded at first.
    tooltip : str
        What is in there.
    """

    def __init__(self, title: str, body: Container[Widget], *, tooltip: str) -> None:
        self._title = title
        self._body = body
        self.button = PushButton(text="", tooltip=tooltip, name="fold")
        self.button.native.setFlat(True)
        self.button.native.setStyleSheet("text-align: left; padding: 3px;")
        self.button.changed.connect(self._toggle)
        super().__init__(widgets=[self.button, body], labels=False)
        self.margins = (0, 0, 0, 0)
        self.open = False

    @property
    def open(self) -> bool:
        """Whether the rows are shown."""
        return self._open

    @open.setter
    def open(self, value: bool) -> None:
        self._open = value
        self._body.visible = value
        self.button.text = f"{'▾' if value else '▸'}  {self._title}"

    def _toggle(self) -> None:
        self.open = not self._open


def _row_labels(container: Container[Widget]) -> list[QLabel]:
    layout = container.native.layout()
    found = []
    for index in range(layout.count()):
        row = layout.itemAt(index).widget()
        label = row.layout().itemAt(0).widget() if row is not None and row.layout() is not None else None
        if isinstance(label, QLabel):
            found.append(label)
    return found
