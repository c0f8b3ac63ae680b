"""Buttons "?" that open the documentation at the section of a control."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import metadata

from magicgui.widgets import Container, PushButton
from magicgui.widgets.bases import Widget
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QAction, QMenu, QSizePolicy  # type: ignore[attr-defined]  # qtpy brings QAction from QtGui

from napari_sr.widgets.qt.rows import side_by_side

RESPONSIBLE_USE = "explanation/not-for-measuring/"
"""The page on the use of results."""

_WIDTH = 24


@cache
def documentation() -> str:
    """Return the address of the documentation, from the metadata of the package, without a slash at the end."""
    entries: list[str] = metadata("napari-sr").get_all("Project-URL") or []
    addresses = dict(entry.split(", ", 1) for entry in entries)
    return addresses["Documentation"].rstrip("/")


def open_page(page: str) -> None:
    """Open a page of the documentation in the browser, with the anchor of a section: "window/#models"."""
    QDesktopServices.openUrl(QUrl(f"{documentation()}/{page}"))


class HelpButton(PushButton):
    """A button "?" for one page, or with a menu.

    Parameters
    ----------
    about : str
        The subject, which the tooltip and the name for screen readers contain: "Models".
    page : str
        Path of the page, as for `open_page`.
    more : mapping of str to callable, default {}
        Other entries of the menu by their text, which are called without arguments.
    """

    def __init__(self, about: str, page: str, more: Mapping[str, Callable[[], None]] | None = None) -> None:
        super().__init__(name="help", text="?", tooltip=f"Help: {about.lower()}. Opens the documentation.")
        self.page = page
        self.native.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.native.setFixedWidth(_WIDTH)
        if not more:
            self.changed.connect(lambda: open_page(page))
            return
        self.menu = QMenu(self.native)
        for text, call in {f"{about}…": lambda: open_page(page), **more}.items():
            action = QAction(text, self.menu)
            action.triggered.connect(lambda checked=False, call=call: call())
            self.menu.addAction(action)
        self.native.setMenu(self.menu)
        # The arrow of a menu would leave no space for the sign.
        self.native.setStyleSheet("QPushButton::menu-indicator { width: 0px; }")


def with_help(widget: Widget, button: HelpButton) -> Container[Widget]:
    """Put a button "?" behind a widget, in a row with the widget's label."""
    return side_by_side(f"{widget.name}_row", str(widget.label or ""), [widget, button])
