"""The list of image layers to upscale, which follows the active layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.widgets.choices.events import Following, list_events
from napari_sr.widgets.qt.rows import refresh_choices, shrinkable

NO_LAYER = ""
"""Value of the list when no image is open."""

_RESULT_KEY = "napari_sr"
PREVIEW_KEY = "napari_sr_preview"
"""Key in the metadata of a preview layer."""


def is_preview(layer: Any) -> bool:
    """Return whether a layer is a preview, which is added and removed by its panel."""
    return PREVIEW_KEY in layer.metadata


def is_result(layer: Any) -> bool:
    """Return whether a layer was made by napari-sr, which leaves its report in the metadata."""
    return _RESULT_KEY in layer.metadata


def add_unselected(viewer: Viewer, layer: Layer, place: int | None = None) -> None:
    """Add a layer without a change of the selection, at a place in the list, or above all others.

    Previews that lie above all other images stay above it: one that is covered shows no sign of it. napari selects each
    new layer, and panels follow the active one.
    """
    layers = viewer.layers
    if place is None:
        images = [n for n, other in enumerate(layers) if isinstance(other, Image) and not is_preview(other)]
        previews = [n for n, other in enumerate(layers) if is_preview(other) and n > max(images, default=-1)]
        place = len(layers) if is_preview(layer) else min(previews, default=len(layers))
    selected = set(layers.selection)
    # After each event of the selection, napari makes the controls of all selected layers again.
    with layers.selection.events.blocker_all():
        layers.insert(place, layer)
        layers.selection = selected


def remove_unselected(viewer: Viewer, gone: Iterable[Layer]) -> None:
    """Remove the layers that are in the viewer; of the others, those that were selected stay so."""
    layers = viewer.layers
    selected = set(layers.selection)
    present = [layer for layer in gone if layer in layers]
    if not present:
        return
    # napari collects garbage after each removal, or after all of them: up to half a second.
    with layers.batched_update():
        for layer in present:
            layers.remove(layer)
    layers.selection = {layer for layer in selected if layer in layers}


class LayerChoice:
    """The list of the image layers of a viewer.

    The choice follows the active layer, except if that is a result: the next run should start from the source again.
    Results are upscaled if they are chosen in the list.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose layers are listed.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.widget = shrinkable(
            ComboBox(
                name="layer",
                label="Layer",
                choices=self._choices,
                tooltip="The image to upscale. It is not changed; the result is a new layer in the same place.",
            )
        )
        self._of_list = Following(self._refresh, list_events(viewer))
        self._active = Following(self._follow, [viewer.layers.selection.events.active])
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The chosen layer; None if no image is open."""
        value = self.widget.value
        return None if value is None or isinstance(value, str) else value

    def select(self, layer: Image) -> None:
        """Choose a layer of the viewer; raises ValueError if it is not in the list."""
        self.widget.value = layer

    def disconnect(self) -> None:
        """Disconnect from the events of the viewer."""
        self._of_list.end()
        self._active.end()

    def _choices(self, widget: object) -> list[tuple[str, Any]]:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and not is_preview(layer)]
        choices: list[tuple[str, Any]] = [(layer.name, layer) for layer in sorted(images, key=is_result)]
        if all(is_result(layer) for layer in images):
            # A new list starts with its first entry, which must not be a result.
            choices.insert(0, ("Choose a result" if images else "No image is open", NO_LAYER))
        return choices

    def _refresh(self, event: object = None) -> None:
        self._refresh_with(self.layer)

    def _follow(self, event: object = None) -> None:
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and not is_result(active) and active in self._viewer.layers:
            self._refresh_with(active)

    def _refresh_with(self, layer: Image | None) -> None:
        before = self.layer
        refresh_choices(self.widget, layer)
        if self.layer != before:
            self.widget.changed.emit(self.widget.value)
