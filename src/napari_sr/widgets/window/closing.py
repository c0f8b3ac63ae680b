"""One question that names the unfinished work when the user closes a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakMethod

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QMessageBox, QPushButton, QWidget

_Unfinished = Callable[[], Sequence[str]]


class CloseQuestion(QObject):
    """Asks before a window with unfinished work is closed by its title bar.

    napari itself would ask in general, and would not name the work.

    Parameters
    ----------
    window : QWidget
        The main window, which owns this object.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._sources: list[WeakMethod[_Unfinished]] = []
        window.installEventFilter(self)

    def add(self, unfinished: _Unfinished) -> None:
        """Add a method that describes unfinished work; it is dropped with its object, such as a closed panel."""
        source = WeakMethod(unfinished)
        if source not in self._sources:
            self._sources = [*(other for other in self._sources if other() is not None), source]

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Ask, and close the window only after a confirmation."""
        # Calls of `close` from a script or a menu are not spontaneous.
        if not isinstance(event, QCloseEvent) or not event.spontaneous():
            return False
        work = [text for source in self._sources if (unfinished := source()) is not None for text in unfinished()]
        if not work:
            return False
        event.ignore()
        if self._confirmed(work):
            # Qt ignores a close of a window within its own close event.
            QTimer.singleShot(0, self._window.close)
        return True

    def _confirmed(self, work: Sequence[str]) -> bool:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Close the window?")
        box.setText("Close the window while work is in progress?")
        box.setInformativeText(f"This ends {format_work(work)}.")
        close, stay = QPushButton("Close"), QPushButton("Keep open")
        box.addButton(close, QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(stay, QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is close


def ask_before_closing(window: QWidget, unfinished: _Unfinished) -> None:
    """Ask before a main window is closed, as `CloseQuestion`, once for the work of all panels and commands.

    Parameters
    ----------
    window : QWidget
        The main window.
    unfinished : callable
        A method that returns descriptions of the work that closing would end, such as "upscaling “cells”".
    """
    question: CloseQuestion | None = window.findChild(CloseQuestion)
    (question if question is not None else CloseQuestion(window)).add(unfinished)


def format_work(work: Sequence[str]) -> str:
    """Describe unfinished work: "upscaling “a”, upscaling “b” and 3 more"."""
    if len(work) <= 2:
        return " and ".join(work)
    return f"{work[0]}, {work[1]} and {len(work) - 2} more"
