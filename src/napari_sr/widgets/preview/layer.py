"""The layer of a preview: it lies on its source, looks as the source looks, and disturbs neither list nor selection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.widgets.choices.layer import PREVIEW_KEY
from napari_sr.widgets.preview.comparison import Array

# What the preview takes from its source when it changes there.
SHARED_LOOK = ("contrast_limits", "colormap", "gamma", "interpolation2d")


class PreviewLayer:
    """A layer that is there while there is something to show.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layer: Image | None = None

    @property
    def thrown_away(self) -> bool:
        """Whether somebody else has removed it."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, source: Image, data: Array, kwargs: dict[str, Any]) -> None:
        """Show a picture.

        Parameters
        ----------
        source : napari Image layer
            What it was made of.
        data : array
            The pixels.
        kwargs : dict
            Where they lie and how they look: napari's arguments for an image layer.
        """
        metadata = {**kwargs["metadata"], PREVIEW_KEY: True}
        if self.layer is None:
            self._add(source, data, {**kwargs, "metadata": metadata})
            return
        self.layer.data = data
        self.layer.scale, self.layer.translate = kwargs["scale"], kwargs["translate"]
        self.layer.metadata = metadata

    def share_look(self, source: Image) -> None:
        """Look as the source looks by now."""
        if self.layer is not None:
            for name in SHARED_LOOK:
                setattr(self.layer, name, getattr(source, name))

    def remove(self) -> None:
        """Take it away."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            with selection_kept(self._viewer):
                self._viewer.layers.remove(layer)

    def _add(self, source: Image, data: Array, kwargs: dict[str, Any]) -> None:
        # Added to its source it would be twice as bright.
        look = {**kwargs, "name": f"{source.name} · preview", "blending": "translucent"}
        layer = Layer.create(data, look, "image")
        with selection_kept(self._viewer):
            # Over every image, and under the points and shapes that were drawn on them.
            images = [n for n, other in enumerate(self._viewer.layers) if isinstance(other, Image)]
            self._viewer.layers.insert(max(images, default=-1) + 1, layer)
        layer.contrast_limits_range = list(source.contrast_limits_range)
        self.layer = layer


@contextmanager
def selection_kept(viewer: Viewer) -> Iterator[None]:
    """Give the selection back: napari selects a layer as it is added, and panels follow the active one."""
    selected = set(viewer.layers.selection)
    yield
    viewer.layers.selection = {layer for layer in selected if layer in viewer.layers}
