"""Where a run works: the whole layer, several layers, a slice, the view, or rectangles that were drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget
from napari.layers import Image, Shapes
from napari.viewer import Viewer

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.part import Part
from napari_sr.widgets.layer_choice import is_preview
from napari_sr.widgets.rows import list_anew, shrinkable
from napari_sr.widgets.view import current_slice, rectangles, visible_part

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.inference.layer_input import LayerInput

WHOLE, SELECTED, SLICE, VIEW, RECTANGLES = "whole", "selected", "slice", "view", "rectangles"
_WORDS = {
    WHOLE: "The whole layer",
    SELECTED: "All selected layers",
    SLICE: "This slice",
    VIEW: "What the view shows",
    RECTANGLES: "Rectangles that I drew",
}
_NONE = ""


@dataclass(frozen=True)
class Place:
    """A layer, or a part of one, that becomes a layer of its own.

    Parameters
    ----------
    layer : napari Image layer
        The source.
    axes : Axes
        Its axes.
    part : Part or None
        What of it; None for all of it.
    name : str
        What the result's name says of the part; empty for all of it.
    """

    layer: Image
    axes: Axes
    part: Part | None = None
    name: str = ""

    def prepare(self, job: Job) -> LayerInput:
        """Take from the layer all that a job needs, on the main thread; the result is named after the part as well.

        Raises
        ------
        InputError
            As `prepare_layer`.
        """
        from napari_sr.inference import prepare_layer

        prepared = prepare_layer(job, self.layer, self.axes.letters, self.part)
        name = " · ".join(filter(None, [prepared.kwargs["name"], self.name]))
        return replace(prepared, kwargs={**prepared.kwargs, "name": name})


class PlaceChoice:
    """The list of places, and the list of shapes layers for those who drew rectangles.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose view, sliders, selection and shapes are meant.
    axes_of : callable
        Gives the axes of a layer.
    on_change : callable
        Told when something else was chosen.
    """

    def __init__(self, viewer: Viewer, axes_of: Callable[[Image], Axes], on_change: Callable[[], None]) -> None:
        self._viewer, self._axes_of, self._on_change = viewer, axes_of, on_change
        self.where = shrinkable(
            ComboBox(
                name="where",
                label="Where",
                choices=[(text, name) for name, text in _WORDS.items()],
                tooltip=(
                    "What is upscaled. A part becomes a layer that lies where the part lies; "
                    "its brightness is still that of the whole layer."
                ),
            )
        )
        self.shapes = shrinkable(
            ComboBox(
                name="rectangles",
                label="Drawn in",
                choices=self._shapes,
                tooltip="The shapes layer with the rectangles. Each becomes a layer in its place.",
                visible=False,
            )
        )
        self.where.changed.connect(self._changed)
        self.shapes.changed.connect(lambda: self._on_change())
        events = viewer.layers.events
        self._listened = (events.inserted, events.removed, events.renamed)
        for event in self._listened:
            event.connect(self._refresh)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.where, self.shapes)

    @property
    def follows_window(self) -> bool:
        """Whether what is upscaled depends on view, sliders or selection."""
        return self.where.value in (SELECTED, SLICE, VIEW)

    def places(self, layer: Image) -> list[Place]:
        """List what a run would upscale now.

        Raises
        ------
        InputError
            If there is nothing of the kind: no rectangle, no selected image, a slider beside the layer.
        """
        where = self.where.value
        if where == SELECTED:
            return self._selected()
        axes = self._axes_of(layer)
        if where == SLICE:
            at = current_slice(self._viewer, layer, axes)
            said = ", ".join(f"{letter}={position}" for letter, position in at.items())
            return [Place(layer, axes, Part(at=at) if at else None, said)]
        if where == VIEW:
            return [Place(layer, axes, visible_part(self._viewer, layer, axes), "view")]
        if where == RECTANGLES:
            return self._drawn(layer, axes)
        return [Place(layer, axes)]

    def leave(self) -> None:
        """Listen to the viewer no more: the lists are gone."""
        for event in self._listened:
            event.disconnect(self._refresh)

    def _selected(self) -> list[Place]:
        chosen = self._viewer.layers.selection
        layers = [one for one in self._viewer.layers if one in chosen and isinstance(one, Image)]
        layers = [one for one in layers if not is_preview(one)]
        if not layers:
            raise InputError("No image layer is selected: select some in the layer list.")
        return [Place(layer, self._axes_of(layer)) for layer in layers]

    def _drawn(self, layer: Image, axes: Axes) -> list[Place]:
        shapes = self.shapes.value
        if not isinstance(shapes, Shapes):
            raise InputError("There is no shapes layer: add one and draw a rectangle around what you want to upscale.")
        parts = rectangles(shapes, layer, axes)
        several = len(parts) > 1
        return [
            Place(layer, axes, part, f"rectangle {number}" if several else "rectangle")
            for number, part in enumerate(parts, 1)
        ]

    def _shapes(self, widget: object = None) -> list[tuple[str, Any]]:
        found = [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Shapes)]
        return found or [("There is no shapes layer", _NONE)]

    def _refresh(self, event: object = None) -> None:
        list_anew(self.shapes, self.shapes.value)

    def _changed(self, value: object) -> None:
        self.shapes.visible = value == RECTANGLES
        self._on_change()
