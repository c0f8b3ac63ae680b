"""Place of a panel in the window: panels of this plugin share one area as tabs."""

from __future__ import annotations

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def dock_of(panel: QWidget) -> QDockWidget | None:
    """Return the dock of a panel; None while it is not docked."""
    parent = panel.parent()
    return parent if isinstance(parent, QDockWidget) else None


def main_window_of(panel: QWidget) -> QMainWindow | None:
    """Return the main window of a panel, whose dock may float; None while it is not docked."""
    dock = dock_of(panel)
    window = None if dock is None else dock.parent()
    return window if isinstance(window, QMainWindow) else None


def canvas_of(panel: QWidget) -> QWidget | None:
    """Return the canvas of the window of a panel; None while it is not docked."""
    window = main_window_of(panel)
    middle = None if window is None else window.centralWidget()
    return None if middle is None else middle.findChild(QOpenGLWidget)


def join_tabs(panel: QWidget, others: list[QWidget]) -> None:
    """Put the dock of a panel into one area with those of other panels, as tabs, and bring it to the front.

    napari stacks the docks that its menu opens, which leaves little of the first. Panels that float, or are in another
    window or area, are left where they are.
    """
    window, dock = main_window_of(panel), dock_of(panel)
    if window is None or dock is None or dock.isFloating():
        return
    area = window.dockWidgetArea(dock)
    for other in others:
        place = dock_of(other)
        if place is None or main_window_of(other) is not window or place.isFloating():
            continue
        if window.dockWidgetArea(place) == area and place.isVisible() and dock not in window.tabifiedDockWidgets(place):
            window.tabifyDockWidget(place, dock)
            dock.show()
            dock.raise_()
            return
