"""Layout of a panel's rows: labels of equal width, lists that shrink, text that wraps, rows that fold away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from magicgui.widgets import ComboBox, Container, FloatSpinBox, Label, PushButton
from magicgui.widgets.bases import Widget
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_sr.widgets.qt.elision import MiddleElision

W = TypeVar("W", bound=Widget)

# Long names of layers and files must not make the panel too wide for the window.
_LEAST_CHARACTERS = 17
_SCROLLBAR_WIDTH = 24


def rows(widgets: Sequence[Widget]) -> Container[Widget]:
    """Stack widgets from top to bottom without margins, each with its label on the left."""
    container: Container[Widget] = Container(widgets=list(widgets), labels=True)
    container.margins = (0, 0, 0, 0)
    return container


def side_by_side(name: str, label: str, widgets: Sequence[W]) -> Container[W]:
    """Put widgets into one row with a label, from left to right, without margins and labels of their own."""
    row: Container[W] = Container(name=name, label=label, widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row


def set_tab_order(*containers: Container[Widget]) -> None:
    """Make the Tab key go through nested rows from top to bottom, whatever the order in which they were created."""
    natives = [widget.native for container in containers for widget in leaf_widgets(container)]
    for before, after in pairwise(natives):
        QWidget.setTabOrder(before, after)


def leaf_widgets(container: Container[Widget]) -> Iterator[Widget]:
    """Yield all widgets in nested rows that are not containers, from top to bottom."""
    for widget in container:
        if isinstance(widget, Container):
            yield from leaf_widgets(widget)
        else:
            yield widget


class VerticalScrollArea(QScrollArea):
    """A scroll area as wide as its content, so that it scrolls up and down only.

    Parameters
    ----------
    content : QWidget
        The rows of the panel.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        layout = content.layout()
        if isinstance(layout, QVBoxLayout):
            # Without this, surplus height would be divided between the rows.
            layout.addStretch(1)
        # Not by Tab: the area follows the focus through its rows, and scrolls by the keys that they leave to it.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        # Its own hint is for the smallest width, at which the texts have many more lines than in the panel: there would
        # be a scroll bar although all rows fit.
        content.setMinimumHeight(1)
        content.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name, as below)
        """Width of the rows and the scroll bar; almost no height."""
        return QSize(self._width(self._content().minimumSizeHint()), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802
        """Size of the rows, and the width of the scroll bar."""
        hint = self._content().sizeHint()
        return QSize(self._width(hint), hint.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Update the width when a row appears."""
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
    """Makes the labels of several stacks of rows as wide as the widest one.

    The width of a label is known only when the style and the font of the window apply to it.

    Parameters
    ----------
    panel : QWidget
        The panel that contains the rows.
    stacks : iterable of Container
        The stacks of rows, from `rows`.
    """

    def __init__(self, panel: QWidget, stacks: Iterable[Container[Widget]]) -> None:
        super().__init__(panel)
        self._stacks = tuple(stacks)
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Align the labels when the panel is shown or its style changes."""
        if event is not None and event.type() in (QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.align()
        return False

    def align(self) -> None:
        """Set the width of all labels to that of the widest."""
        labels = [label for stack in self._stacks for label in _row_labels(stack)]
        width = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setMinimumWidth(width)


def shrinkable(combo: ComboBox, least: int = _LEAST_CHARACTERS) -> ComboBox:
    """Allow a list to be narrower than its longest entry, with space for so many characters; return the list.

    An entry that is too wide is elided in its middle.
    """
    native: QComboBox = combo.native
    native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    native.setMinimumContentsLength(least)
    native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    native.installEventFilter(MiddleElision(native))
    return combo


def refresh_choices(combo: ComboBox, value: Any) -> None:
    """Fill a list with the choices of its callable again, without emitting `changed`.

    The value is selected if it is in the list.
    """
    with combo.changed.blocked():
        # magicgui would keep the present entries before the new ones.
        combo.native.clear()
        combo.reset_choices()
        if value in combo.choices:
            combo.value = value
    # The opened list is as wide as its longest entry, even if the panel is narrow.
    view = combo.native.view()
    view.setMinimumWidth(view.sizeHintForColumn(0) + _SCROLLBAR_WIDTH)


def typed_number(
    name: str,
    value: float,
    least: float,
    most: float,
    step: float,
    decimals: int,
    tooltip: str,
    label: str | None = None,
) -> FloatSpinBox:
    """Make a number box without step buttons: its whole width is for the number, which is typed rather than stepped.

    Parameters
    ----------
    name : str
        Name of the box.
    value, least, most, step : float
        First value, ends of the range, and step of the arrow keys.
    decimals : int
        Decimal places that are shown, 0 or more.
    tooltip : str
        Description of the number.
    label : str, optional
        Label of its row; by default that of magicgui, from the name.
    """
    box = FloatSpinBox(name=name, label=label, value=value, min=least, max=most, step=step, tooltip=tooltip)
    native: QDoubleSpinBox = box.native
    native.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    native.setDecimals(decimals)
    # napari's style reserves space for the hidden buttons.
    native.setStyleSheet("min-width: 4em; padding: 1px 4px;")
    return box


def show_automatic(box: FloatSpinBox, decimals: int) -> FloatSpinBox:
    """Show the smallest value of a number box as "Automatic", and so many decimal places; return the box.

    magicgui's `SpinBox` for integers cannot do this.
    """
    native: QDoubleSpinBox = box.native
    native.setDecimals(decimals)
    native.setSpecialValueText("Automatic")
    return box


def show_text(label: Label, text: str) -> None:
    """Show a text, and hide the label if the text is empty."""
    label.value = text
    label.visible = bool(text)


class Fold(Container[Widget]):
    """Rows under a button that shows and hides them.

    Parameters
    ----------
    title : str
        Text of the button.
    body : Container
        The rows; hidden at first.
    tooltip : str
        Description of the rows.
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
    """List the labels of a stack of rows."""
    layout = container.native.layout()
    labels = []
    for index in range(layout.count()):
        row = layout.itemAt(index).widget()
        label = row.layout().itemAt(0).widget() if row is not None and row.layout() is not None else None
        if isinstance(label, QLabel):
            labels.append(label)
    return labels
