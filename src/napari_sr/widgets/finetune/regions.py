"""Rows for the regions of the images that are used for training and for validation, as shapes layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget
from napari.layers import Shapes
from napari.viewer import Viewer

from napari_sr.widgets.choices.events import Following, list_events
from napari_sr.widgets.qt.rows import refresh_choices, shrinkable

_NONE = ""


class RegionChoice:
    """Two lists of shapes layers.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose shapes layers are offered.
    on_change : callable
        Called without arguments when a choice changes.
    """

    def __init__(self, viewer: Viewer, on_change: Callable[[], None]) -> None:
        self._viewer, self._on_change = viewer, on_change
        self.train = shrinkable(
            ComboBox(
                name="train_on",
                label="Train on",
                choices=self._choices("Everywhere"),
                tooltip="A shapes layer with rectangles, ellipses or polygons around the regions to train on.",
            )
        )
        self.validate = shrinkable(
            ComboBox(
                name="validate_on",
                label="Validate on",
                choices=self._choices("Blocks kept aside"),
                tooltip=(
                    "A shapes layer around the regions to measure on; without one, a tenth of the image, in blocks. "
                    "These pixels and their nearest neighbors are not used for training."
                ),
            )
        )
        for combo in (self.train, self.validate):
            combo.changed.connect(lambda: self._on_change())
        self._of_list = Following(self._refresh, list_events(viewer))

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.train, self.validate)

    @property
    def train_on(self) -> Shapes | None:
        """The layer with the regions for training; None for everywhere."""
        return self.train.value if isinstance(self.train.value, Shapes) else None

    @property
    def validate_on(self) -> Shapes | None:
        """The layer with the regions for validation; None for blocks of the images."""
        return self.validate.value if isinstance(self.validate.value, Shapes) else None

    def disconnect(self) -> None:
        """Disconnect from the events of the viewer."""
        self._of_list.end()

    def _choices(self, otherwise: str) -> Callable[[object], list[tuple[str, Any]]]:
        def choices(widget: object) -> list[tuple[str, Any]]:
            shapes = [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]
            return [(otherwise, _NONE), *((layer.name, layer) for layer in shapes)]

        return choices

    def _refresh(self, event: object = None) -> None:
        before = self.train_on, self.validate_on
        for combo, value in zip((self.train, self.validate), before, strict=True):
            refresh_choices(combo, value if value is not None else _NONE)
        if (self.train_on, self.validate_on) != before:
            self._on_change()
