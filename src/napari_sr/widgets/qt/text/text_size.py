"""The size of the texts of a panel: that of the window, also where napari's style sets none."""

from __future__ import annotations

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class TextSize(QObject):
    """Gives a panel the font size of napari's preferences.

    napari's style sets it for labels, buttons and lists, but not for text fields and tables.

    Parameters
    ----------
    panel : QWidget
        The panel.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Set the size when the panel is shown, and after a change of the style, which takes it away."""
        if event is not None and event.type() in (QEvent.Type.Show, QEvent.Type.StyleChange):
            font = self._panel.font()
            font.setPointSize(get_settings().appearance.font_size)
            self._panel.setFont(font)
        return False
