"""A line of text in the color that the theme of a viewer has for warnings."""

from __future__ import annotations

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtGui import QColor

from napari_sr.widgets.qt.rows import show_text
from napari_sr.widgets.qt.text.contrast import readable
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
        self.label.native.setStyleSheet(f"color: {warning_color(self._viewer)};")


def warning_color(viewer: Viewer) -> str:
    """Return the color of warnings of a viewer's theme, or a darker one that can be read on its background."""
    theme = get_theme(str(viewer.theme))
    return readable(QColor(theme.warning.as_hex()).name(), QColor(theme.background.as_hex()).name())
