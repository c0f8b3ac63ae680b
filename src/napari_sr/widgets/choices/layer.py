"""Which layer is upscaled: the list of image layers, which follows the active one."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.widgets.qt.rows import list_anew, shrinkable

NO_LAYER = ""
"""What the list holds when no image is open."""

_RESULT_KEY = "napari_sr"
PREVIEW_KEY = "napari_sr_preview"
"""In the metadata of a preview."""


def is_preview(layer: Any) -> bool:
    """Whether a layer is a preview, which comes and goes with its panel."""
    return PREVIEW_KEY in layer.metadata


def is_result(layer: Any) -> bool:
    """Whether a layer was made by napari-sr: its job's report is in the metadata."""
    return _RESULT_KEY in layer.metadata


class LayerChoice:
    """The list of image layers of a viewer.

    It follows the active layer when that is an image which was not made here: a result becomes the active layer as it
    is added, and the next run should start from the source again.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers it lists.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.widget = shrinkable(
            ComboBox(
                name="layer",
                label="Layer",
                choices=self._choices,
                tooltip="The image to upscale. It stays as it is; the result is a new layer that lies exactly on it.",
            )
        )
        events = viewer.layers.events
        self._listened = (events.inserted, events.removed, events.reordered, events.renamed)
        for event in self._listened:
            event.connect(self._refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The chosen layer; None when no image is open."""
        value = self.widget.value
        return None if value is None or isinstance(value, str) else value

    def select(self, layer: Image) -> None:
        """Choose a layer.

        Raises
        ------
        ValueError
            If it is not an image layer of the viewer.
        """
        self.widget.value = layer

    def leave(self) -> None:
        """Listen to the viewer no more: the list is gone."""
        for event in self._listened:
            event.disconnect(self._refresh)
        self._viewer.layers.selection.events.active.disconnect(self._follow)

    def _choices(self, widget: object) -> list[tuple[str, Any]]:
        # The newest result must not be what a fresh list starts with.
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and not is_preview(layer)]
        images.sort(key=is_result)
        return [(layer.name, layer) for layer in images] or [("No image is open", NO_LAYER)]

    def _refresh(self, event: object = None) -> None:
        self._list_with(self.layer)

    def _follow(self, event: object = None) -> None:
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and not is_result(active) and active in self._viewer.layers:
            self._list_with(active)

    def _list_with(self, layer: Image | None) -> None:
        before = self.layer
        list_anew(self.widget, layer)
        if self.layer != before:
            self.widget.changed.emit(self.widget.value)
