"""Files and folders that are dropped onto a widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QWidget


class PathDrop(QObject):
    """Takes files and folders that are dropped onto a widget, or onto the widgets in it that take no drops.

    Parameters
    ----------
    widget : QWidget
        The widget, which owns this object.
    take : callable
        Called with a list of paths when they are dropped.
    """

    def __init__(self, widget: QWidget, take: Callable[[list[Path]], None]) -> None:
        super().__init__(widget)
        self._take = take
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Accept paths that are dragged over the widget, and take those that are dropped."""
        # The events of entering and moving are of this class, too. A file manager removes files whose move is accepted.
        if not isinstance(event, QDropEvent) or not event.possibleActions() & Qt.DropAction.CopyAction:
            return False
        mime = event.mimeData()
        paths = [] if mime is None else [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
        if not paths:
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if event.type() == QEvent.Type.Drop:
            self._take(paths)
        return True
