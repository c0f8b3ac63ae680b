"""A line of text in the color that the theme of a viewer has for warnings."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_sr.widgets.qt.rows import show_text
from napari_sr.widgets.qt.text.contrast import readable, theme_colors
from napari_sr.widgets.qt.text.wrapped_text import WrappedText


class WarningText:
    """A line of warnings, which is hidden while there are none.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the color of its theme.
    name, tooltip : str
        Of the line.
    """

    def __init__(self, viewer: Viewer, name: str, tooltip: str) -> None:
        self._viewer = viewer
        self.label = WrappedText(name=name, tooltip=tooltip)
        viewer.events.theme.connect(self._color)
        self._color()
        self.show("")

    def show(self, text: str) -> None:
        """Show one or more warnings; an empty text hides the line."""
        show_text(self.label, text)

    def disconnect(self) -> None:
        """Disconnect from the viewer."""
        self._viewer.events.theme.disconnect(self._color)

    def _color(self, event: object = None) -> None:
        color = readable(*theme_colors(self._viewer, "warning", "background"))
        self.label.native.setStyleSheet(f"color: {color};")
