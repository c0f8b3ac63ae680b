"""Events of napari that parts of a panel follow: of the list of layers, of single layers, and of the view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer

POSITION = ("units", "scale", "translate", "rotate", "shear", "affine")
"""Attributes that place a layer in the world; napari has an event of each name."""


class Following:
    """Calls a method at events of napari.

    Parameters
    ----------
    callback : callable
        Called with an event of napari.
    events : iterable of EventEmitter, default ()
        The events to begin with.
    """

    def __init__(self, callback: Callable[..., None], events: Iterable[Any] = ()) -> None:
        self._callback = callback
        self._events: tuple[Any, ...] = ()
        self.follow(events)

    def follow(self, events: Iterable[Any]) -> None:
        """Follow some events, and no others any more."""
        for event in self._events:
            event.disconnect(self._callback)
        self._events = tuple(events)
        for event in self._events:
            event.connect(self._callback)

    def end(self) -> None:
        """Follow no events any more."""
        self.follow(())


def list_events(viewer: Viewer) -> tuple[Any, ...]:
    """Return the events after which a viewer has other layers, in another order or with other names."""
    events = viewer.layers.events
    return events.inserted, events.removed, events.reordered, events.renamed


def layer_events(layers: Iterable[Layer]) -> tuple[Any, ...]:
    """Return the events of the data, the axis labels and the position of layers, of which each may occur several times.

    They are not those of its appearance.
    """
    names = ("data", "axis_labels", *POSITION)
    return tuple(getattr(layer.events, name) for layer in set(layers) for name in names)


def view_events(viewer: Viewer) -> tuple[Any, ...]:
    """Return the events after which a viewer shows another part of its layers."""
    camera, dims = viewer.scene.camera.events, viewer.dims.events
    canvas = viewer.canvas.events.size, viewer.canvas.grid.events, _BoxesOfGrid(viewer)
    return camera.center, camera.zoom, *canvas, dims.point, dims.order, dims.ndisplay


class _BoxesOfGrid:
    """An event at each layer that is hidden or shown in napari's grid, whose boxes move then; for one callback."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._callback: Callable[..., None] = lambda event: None

    def connect(self, callback: Callable[..., None]) -> None:
        self._callback = callback
        # The list of layers emits the events of each layer in it again, also of those that are added later.
        self._viewer.layers.events.connect(self._emit)

    def disconnect(self, callback: Callable[..., None]) -> None:
        self._viewer.layers.events.disconnect(self._emit)

    def _emit(self, event: Any) -> None:
        if event.type == "visible" and self._viewer.canvas.grid.enabled:
            self._callback(event)
