"""Rows for the part of the data to upscale: the layer, several layers, a slice, the view, or drawn rectangles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget
from napari.layers import Image, Shapes
from napari.viewer import Viewer

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.napari_layer import finest_level, upscaled_kwargs
from napari_sr.imaging.part import Part
from napari_sr.widgets.choices.events import POSITION, Following, layer_events, list_events, view_events
from napari_sr.widgets.choices.layer import is_preview, is_result
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.choices.view import current_slice, rectangles, visible_part
from napari_sr.widgets.qt.rows import refresh_choices, shrinkable

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.inference.layer_input import LayerInput

WHOLE, SELECTED, SLICE, VIEW, RECTANGLES = "whole", "selected", "slice", "view", "rectangles"
_TEXTS = {
    WHOLE: "The whole layer",
    SELECTED: "All selected layers",
    SLICE: "This slice",
    VIEW: "The visible part",
    RECTANGLES: "Drawn rectangles",
}
_NONE = ""


@dataclass(frozen=True)
class LayerPart:
    """An image layer, or a part of one, of which a new layer is made.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : Axes
        Axes of the whole layer.
    part : Part, optional
        The part; None for the whole layer.
    name : str, default ""
        Name of the part, which is appended to the name of the result, such as "Z=3".
    """

    layer: Image
    axes: Axes
    part: Part | None = None
    name: str = ""

    def prepare(self, job: Job) -> LayerInput:
        """Read from the layer all that a job needs; on the main thread.

        The name of the part is in that of the result: "cells (ESRGAN x4, Z=3)". Raises `InputError` as
        `napari_sr.inference.prepare_layer`.
        """
        from napari_sr.inference import prepare_layer

        prepared = prepare_layer(job, self.layer, self.axes.letters, self.part)
        name = prepared.kwargs["name"]
        if self.name:
            name = f"{name.removesuffix(')')}, {self.name})"
        return replace(prepared, kwargs={**prepared.kwargs, "name": name})

    def present(self, prepared: LayerInput) -> LayerInput:
        """Return what `prepare` read, with the position and the name that the layer has now; the same if it has them.

        The layer may have been moved, renamed, or given a pixel size meanwhile. The position is that of `prepare` if
        its data were replaced by those of another shape.
        """
        name, kwargs, region = str(self.layer.name), prepared.kwargs, prepared.region
        now = {"name": f"{name}{kwargs['name'].removeprefix(prepared.source.name)}"}
        if tuple(finest_level(self.layer).shape) == self.axes.shape:
            upscaled = upscaled_kwargs(self.layer, region.factors, region.origin)
            now |= {key: upscaled[key] for key in POSITION}
        if all(np.array_equal(kwargs[key], value) for key, value in now.items()):
            return prepared
        return replace(prepared, kwargs={**kwargs, **now}, source=replace(prepared.source, name=name))


class PartChoice:
    """The list of parts, and the list of shapes layers that hold rectangles.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose camera, sliders, selection and shapes are used.
    on_change : callable
        Called without arguments when the choice changes.
    on_view : callable
        Called without arguments when the list of layers changes, and when the view, the selection or the drawn
        rectangles do, as long as the parts depend on them.
    """

    def __init__(
        self,
        viewer: Viewer,
        on_change: Callable[[], None],
        on_view: Callable[[], None],
    ) -> None:
        self._viewer, self._on_change, self._on_view = viewer, on_change, on_view
        self.kind = shrinkable(
            ComboBox(
                name="where",
                label="Where",
                choices=[(text, kind) for kind, text in _TEXTS.items()],
                tooltip=(
                    "The part to upscale. The result of a part lies on that part, "
                    "and its brightness is scaled as for the whole layer."
                ),
            )
        )
        self.shapes = shrinkable(
            ComboBox(
                name="rectangles",
                label="Drawn in",
                choices=self._shapes,
                tooltip="The shapes layer with the rectangles. Each rectangle gives a layer of its own.",
                visible=False,
            )
        )
        self.kind.changed.connect(self._changed)
        self.shapes.changed.connect(self._shapes_changed)
        self._drawn_in = Following(self._drawing_changed)
        self._follow_shapes()
        self._of_list = Following(self._refresh, list_events(viewer))
        self._view = Following(self._view_changed, [*view_events(viewer), viewer.layers.selection.events.changed])

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.shapes)

    @property
    def follows_window(self) -> bool:
        """Whether the parts depend on the camera, the sliders or the selection."""
        return self.kind.value in (SELECTED, SLICE, VIEW)

    def parts(self, layer: Image) -> list[LayerPart]:
        """Return the parts that a run would upscale now, at least one.

        Of the selected layers, results are left out unless they are the chosen layer. Raises `InputError` if there is
        none: no rectangle, no selected image, a slider outside the layer, or the layer out of view.
        """
        kind = self.kind.value
        if kind == SELECTED:
            return self._selected(layer)
        axes = known_axes(layer)
        if kind == SLICE:
            at = current_slice(self._viewer, layer, axes)
            name = ", ".join(f"{letter}={position}" for letter, position in at.items())
            return [LayerPart(layer, axes, Part(at=at) if at else None, name)]
        if kind == VIEW:
            return [LayerPart(layer, axes, visible_part(self._viewer, layer, axes), "view")]
        if kind == RECTANGLES:
            return self._drawn(layer, axes)
        return [LayerPart(layer, axes)]

    def disconnect(self) -> None:
        """Disconnect from the events of the viewer."""
        for following in (self._of_list, self._view, self._drawn_in):
            following.end()

    def _selected(self, chosen: Image) -> list[LayerPart]:
        selection = self._viewer.layers.selection
        images = [layer for layer in self._viewer.layers if layer in selection and isinstance(layer, Image)]
        images = [layer for layer in images if not is_preview(layer)]
        layers = [layer for layer in images if layer is chosen or not is_result(layer)]
        if not layers:
            which = "Only results of napari-sr are selected" if images else "No image layer is selected"
            raise InputError(f"{which}: select one or more other image layers in the layer list.")
        return [LayerPart(layer, known_axes(layer)) for layer in layers]

    def _drawn(self, layer: Image, axes: Axes) -> list[LayerPart]:
        shapes = self.shapes.value
        if not isinstance(shapes, Shapes):
            raise InputError("There is no shapes layer: add one, and draw a rectangle around the part to upscale.")
        parts = rectangles(shapes, layer, axes)
        several = len(parts) > 1
        return [
            LayerPart(layer, axes, part, f"rectangle {number}" if several else "rectangle")
            for number, part in enumerate(parts, 1)
        ]

    def _shapes(self, widget: object = None) -> list[tuple[str, Any]]:
        shapes = [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Shapes)]
        return shapes or [("There is no shapes layer", _NONE)]

    def _refresh(self, event: object = None) -> None:
        refresh_choices(self.shapes, self.shapes.value)
        self._follow_shapes()
        # What is shown about the parts names the layers.
        self._on_view()

    def _follow_shapes(self) -> None:
        self._drawn_in.follow(layer_events([self.shapes.value] if isinstance(self.shapes.value, Shapes) else []))

    def _shapes_changed(self) -> None:
        self._follow_shapes()
        self._on_change()

    def _drawing_changed(self, event: object = None) -> None:
        if self.kind.value == RECTANGLES:
            self._on_view()

    def _view_changed(self, event: object = None) -> None:
        if self.follows_window:
            self._on_view()

    def _changed(self, value: object) -> None:
        self.shapes.visible = value == RECTANGLES
        self._on_change()
