"""The images to train on: a table of layers, each alone or with its low-resolution image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, Label, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QSizePolicy

from napari_sr.widgets.choices.events import Following, layer_events, list_events
from napari_sr.widgets.choices.layer import is_preview, is_result
from napari_sr.widgets.choices.view import unit_ratio
from napari_sr.widgets.qt.rows import refresh_choices, show_text, shrinkable, side_by_side
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

ALONE, PAIRS = "alone", "pairs"
_NOTHING = ""
_NONE_OPEN = [("No image is open", _NOTHING)]
# Narrow enough for two layers side by side in a narrow panel.
_CHARACTERS = 8


@dataclass(frozen=True)
class Example:
    """One row of the table.

    Parameters
    ----------
    high : napari.layers.Image
        The high-resolution image.
    low : napari.layers.Image, optional
        The low-resolution image; None if the degradation makes it.
    """

    high: Image
    low: Image | None = None


class ImageRow(Container[Widget]):
    """One row: a list of layers, or two, and a button that removes the row.

    Parameters
    ----------
    choices : callable
        Returns the layers that are offered, as (name, layer).
    on_change : callable
        Called without arguments when another layer is chosen.
    on_remove : callable
        Called with the row when its button is pressed.
    """

    def __init__(
        self,
        choices: Callable[[object], list[tuple[str, Any]]],
        on_change: Callable[[], None],
        on_remove: Callable[[ImageRow], None],
    ) -> None:
        self._paired = False
        self.low = ComboBox(
            name="low",
            label="Low resolution",
            choices=choices,
            tooltip="The low-resolution image, as your microscope usually records it.",
        )
        self.high = ComboBox(
            name="high",
            label="High resolution",
            choices=choices,
            tooltip="The high-resolution image, as the model should make it.",
        )
        self.remove_button = PushButton(name="remove", text="×", tooltip="Remove this row; the layers stay.")
        for combo in (self.low, self.high):
            shrinkable(combo, _CHARACTERS)
            combo.changed.connect(lambda: on_change())
        self.remove_button.native.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.remove_button.native.setFixedWidth(28)
        self.remove_button.changed.connect(lambda: on_remove(self))
        super().__init__(widgets=[self.low, self.high, self.remove_button], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def example(self) -> Example | None:
        """The chosen layers; None if no image is open."""
        high, low = self.high.value, self.low.value
        if not isinstance(high, Image):
            return None
        return Example(high, low if self._paired and isinstance(low, Image) else None)

    def arrange(self, paired: bool, removable: bool) -> None:
        """Show one list, or two for a pair, and enable the button if there is another row."""
        self._paired = paired
        self.low.visible = paired
        self.remove_button.enabled = removable


class ImageTable(Container[Widget]):
    """The table of layers or pairs.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose image layers are offered.
    on_change : callable
        Called without arguments when a choice or a chosen layer changes.
    on_row : callable
        Called with each row that is added to the table.
    """

    def __init__(
        self, viewer: Viewer, on_change: Callable[[], None], on_row: Callable[[Container[Widget]], None]
    ) -> None:
        self._viewer, self._on_change, self._on_row = viewer, on_change, on_row
        self._edits = Following(self._layer_edited)
        self.kind = ComboBox(
            name="kind",
            label="Kind of training images",
            choices=[("High-resolution images alone", ALONE), ("Pairs: low and high resolution", PAIRS)],
            tooltip=(
                "Alone: the low-resolution images are made by the degradation below. "
                "Pairs: each field was recorded twice; the layers are matched by their positions in the viewer."
            ),
        )
        titles = [Label(value=text) for text in ("Low resolution", "High resolution")]
        self._titles = side_by_side("titles", "", titles)
        self._rows: Container[Widget] = Container(labels=False)
        self._rows.margins = (0, 0, 0, 0)
        self.add_button = PushButton(name="add", text="Add an image", tooltip="Add a row to the table.")
        self.facts = WrappedText(name="facts", tooltip="Shift between the images of a pair.")
        super().__init__(widgets=[self.kind, self._titles, self._rows, self.add_button, self.facts], labels=False)
        self.margins = (0, 0, 0, 0)
        self.kind.changed.connect(lambda: self._changed())
        self.add_button.changed.connect(lambda: self.add())
        self._of_list = Following(self._refresh, list_events(viewer))
        self.show_facts("")
        self.add()

    @property
    def paired(self) -> bool:
        """Whether the rows are pairs."""
        return bool(self.kind.value == PAIRS)

    @property
    def rows(self) -> Sequence[ImageRow]:
        """The rows, from top to bottom."""
        return tuple(row for row in self._rows if isinstance(row, ImageRow))

    @property
    def examples(self) -> list[Example]:
        """The chosen layers of each row; empty if no image is open."""
        return [example for row in self.rows if (example := row.example) is not None]

    def add(self) -> ImageRow:
        """Add a row with the first layers that no other row has, and return it."""
        row = ImageRow(self._choices, self._chosen, self.remove_row)
        self._suggest(row)
        self._rows.append(row)
        self._on_row(row)
        self._changed()
        return row

    def remove_row(self, row: ImageRow) -> None:
        """Remove a row of the table."""
        self._rows.remove(row)
        # Not deleted at once: the button of the row may be the sender of the signal.
        row.native.setParent(None)
        row.native.deleteLater()
        self._changed()

    def show_facts(self, text: str) -> None:
        """Show a sentence about the shift of the pairs; an empty text hides the line."""
        show_text(self.facts, text)

    def disconnect(self) -> None:
        """Disconnect from the events of the viewer."""
        self._of_list.end()
        self._edits.end()

    def _changed(self) -> None:
        rows = self.rows
        for row in rows:
            self._complete_pair(row)
            row.arrange(self.paired, removable=len(rows) > 1)
        self._titles.visible = self.paired
        self.add_button.text = "Add a pair" if self.paired else "Add an image"
        self._chosen()

    def _chosen(self) -> None:
        layers = [layer for example in self.examples for layer in (example.low, example.high)]
        chosen = [layer for layer in layers if layer is not None]
        # What is shown about a pair names its layers.
        self._edits.follow([*layer_events(chosen), *(layer.events.name for layer in set(chosen))])
        self._on_change()

    def _layer_edited(self, event: object = None) -> None:
        self._on_change()

    def _images(self) -> list[Image]:
        """Return the image layers that can be trained on; results last."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and not is_preview(layer)]
        return sorted(images, key=is_result)

    def _choices(self, widget: object) -> list[tuple[str, Any]]:
        return [(layer.name, layer) for layer in self._images()] or list(_NONE_OPEN)

    def _refresh(self, event: object = None) -> None:
        before = self.examples
        for row in self.rows:
            values = row.low.value, row.high.value
            for combo, value in zip((row.low, row.high), values, strict=True):
                refresh_choices(combo, value)
            if not any(isinstance(value, Image) for value in values):
                self._suggest(row)
            self._complete_pair(row)
        if self.examples != before:
            self._chosen()

    def _complete_pair(self, row: ImageRow) -> None:
        """Choose another layer for a pair that has one twice, as when it was the only one that was open."""
        if self.paired and row.low.value is row.high.value:
            self._suggest(row, row.high.value)

    def _suggest(self, row: ImageRow, first: object = None) -> None:
        """Choose layers for a row: one, the active one, or the first that no row has. The coarser is the low one."""
        shown = [other.example for other in self.rows if other is not row]
        used = {id(layer) for example in shown if example is not None for layer in (example.low, example.high)}
        free = [layer for layer in self._images() if id(layer) not in used]
        preferred = self._viewer.layers.selection.active if first is None else first
        if preferred in free and not is_result(preferred):
            free.remove(preferred)
            free.insert(0, preferred)
        chosen = (free or self._images())[:2]
        # A result has more pixels than its source, and is no image to learn from.
        chosen = [layer for layer in chosen if not is_result(layer)] or chosen
        if len(chosen) == 2:
            ratio = _pixel_ratio(*chosen)
            if np.isclose(ratio, 1, rtol=1e-6):
                chosen.pop()
            elif ratio > 1:
                chosen.reverse()
        for combo, layer in ((row.high, chosen[:1]), (row.low, chosen[-1:])):
            refresh_choices(combo, layer[0] if layer else _NOTHING)


def _pixel_ratio(layer: Image, other: Image) -> float:
    """Return the length of a layer's pixels along X in those of another."""
    return float(abs(layer.scale[-1] / other.scale[-1])) * unit_ratio(layer.units[-1], other.units[-1])
