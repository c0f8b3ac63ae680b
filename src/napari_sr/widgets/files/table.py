"""The table of the images of a run: state, time, and why an image failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_sr.inference.files.results import FileResult
from napari_sr.widgets.qt.errors import worded_for_window
from napari_sr.widgets.qt.text.contrast import readable, theme_colors

_Index = QModelIndex | QPersistentModelIndex

_HEADER = ("Image", "State", "Why", "Seconds", "Model")
_IMAGE, _WHY = 0, 2
_LEAST_HEIGHT = 260
# Widths of the first columns and height of a row, in lines of text. In the width of a panel the first three are seen.
_WIDTHS = (8.5, 4.5, 10.0, 4.5)
_LINES = 1.5


class ResultsTable(QTableView):
    """The table. A double click on a finished image opens its result.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the color of failures in its theme.
    on_open : callable
        Called with the path of a result.
    """

    def __init__(self, viewer: Viewer, on_open: Callable[[Path], None]) -> None:
        super().__init__()
        self._viewer, self._on_open = viewer, on_open
        self.results = ResultsModel()
        """The content of the table."""
        self.setModel(self.results)
        self.setAccessibleName("Images and results")
        self.setToolTip("Double-click a finished image to open its result.")
        # The arrow keys move through the cells; Tab would never leave them.
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setWordWrap(False)
        self.setMinimumHeight(_LEAST_HEIGHT)
        rows, header = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert header is not None
        rows.hide()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        self._fit_to_font()
        self.doubleClicked.connect(self._double_clicked)
        viewer.events.theme.connect(self._color)
        self._color()

    def disconnect_viewer(self) -> None:
        """Disconnect from the viewer."""
        self._viewer.events.theme.disconnect(self._color)

    def follow(self, row: int) -> None:
        """Scroll to an image by its number, unless the user has selected another one."""
        selection = self.selectionModel()
        if selection is None or not selection.hasSelection():
            self.scrollTo(self.results.index(row, 0))

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Fit rows and columns to another size of the font."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit_to_font()

    def _fit_to_font(self) -> None:
        line, rows = self.fontMetrics().height(), self.verticalHeader()
        assert rows is not None
        rows.setDefaultSectionSize(int(_LINES * line))
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, int(width * line))

    def _double_clicked(self, index: QModelIndex) -> None:
        result = self.results.result(index.row())
        if result.state in ("done", "skipped") and result.output.exists():
            self._on_open(result.output)

    def _color(self, event: object = None) -> None:
        # napari's style gives tables the foreground color of the theme as their background.
        self.results.set_failure_color(QColor(readable(*theme_colors(self._viewer, "warning", "foreground"))))


class ResultsModel(QAbstractTableModel):
    """The rows of the table."""

    def __init__(self) -> None:
        super().__init__()
        self._results: list[FileResult] = []
        self._names: list[str] = []
        self._failure = QColor()

    def show_all(self, results: Sequence[FileResult], root: Path | None) -> None:
        """Replace all rows; names of images are relative to the root, or alone without one."""
        self.beginResetModel()
        self._results = list(results)
        self._names = [_name(result.input, root) for result in results]
        self.endResetModel()

    def change(self, row: int, result: FileResult) -> None:
        """Replace the row of an image by its new state."""
        self._results[row] = result
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(_HEADER) - 1))

    def stop(self) -> None:
        """Show that no image is computed any more: those that were not finished wait for the next run."""
        for row, one in enumerate(self._results):
            if one.state == "running":
                self.change(row, FileResult(one.input, one.output, "waiting"))

    def result(self, row: int) -> FileResult:
        """Return the row of an image."""
        return self._results[row]

    def set_failure_color(self, color: QColor) -> None:
        """Set the color of images that failed."""
        self._failure = color
        if self._results:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._results) - 1, len(_HEADER) - 1))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: N802, B008 (Qt's name and default)
        """Return the number of images."""
        return 0 if parent.isValid() else len(self._results)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: N802, B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_HEADER)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return the title of a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADER[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, tooltip or color of a cell."""
        result = self._results[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(index.row(), index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return {_IMAGE: str(result.input), _WHY: worded_for_window(result.reason)}.get(index.column())
        if role == Qt.ItemDataRole.ForegroundRole and result.state == "failed":
            return self._failure
        return None

    def _text(self, row: int, column: int) -> str:
        result = self._results[row]
        seconds = f"{result.seconds:.1f}" if result.seconds else ""
        # The whole path is in the tooltip.
        reason = worded_for_window(result.reason).replace(str(result.input), result.input.name)
        return (self._names[row], result.state, reason, seconds, result.model)[column]


def _name(path: Path, root: Path | None) -> str:
    return str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else path.name
