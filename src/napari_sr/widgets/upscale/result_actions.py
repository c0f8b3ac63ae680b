"""Buttons for actions beside a run: copy it as a script, and repeat it on other layers."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import Container, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QAction, QMenu  # type: ignore[attr-defined]  # qtpy brings QAction here from QtGui

from napari_sr.widgets.choices.layer import is_preview, is_result

_ALL = "All of them"


class ResultActions(Container[Widget]):
    """The buttons "Copy as Python" and "Run again on".

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose layers are offered.
    source : callable
        Returns the chosen layer, which is not offered; or None.
    on_copy : callable
        Called without arguments to copy the script.
    on_again : callable
        Called with a list of image layers to repeat the last run on them.
    """

    def __init__(
        self,
        viewer: Viewer,
        source: Callable[[], Image | None],
        on_copy: Callable[[], None],
        on_again: Callable[[list[Image]], None],
    ) -> None:
        self._viewer, self._source, self._on_again = viewer, source, on_again
        self.copy_button = PushButton(
            name="copy",
            text="Copy as Python",
            tooltip="Copy a script that gives the same pixels to the clipboard.",
        )
        self.again_button = PushButton(
            name="again",
            text="Run again on",
            tooltip=(
                "Repeat the last run, with its settings, on other layers. "
                "In place of two values, the noise of each layer is measured."
            ),
        )
        super().__init__(widgets=[self.copy_button, self.again_button], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)
        self.copy_button.changed.connect(lambda: on_copy())
        self.menu = QMenu(self.again_button.native)
        self.menu.aboutToShow.connect(self._fill)
        self.again_button.native.setMenu(self.menu)

    def set_enabled(self, copy: bool, again: bool) -> None:
        """Enable or disable the buttons."""
        self.copy_button.enabled = copy
        self.again_button.enabled = again

    def _fill(self) -> None:
        self.menu.clear()
        source = self._source()
        others = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Image) and layer is not source and not is_preview(layer) and not is_result(layer)
        ]
        for layer in others:
            self._add(layer.name, [layer])
        if len(others) > 1:
            self.menu.addSeparator()
            self._add(_ALL, others)
        if not others:
            nothing = QAction("There is no other image layer", self.menu)
            nothing.setEnabled(False)
            self.menu.addAction(nothing)

    def _add(self, text: str, layers: list[Image]) -> None:
        # Qt takes a single ampersand for a keyboard shortcut.
        action = QAction(text.replace("&", "&&"), self.menu)
        self.menu.addAction(action)
        action.triggered.connect(lambda: self._on_again(layers))
