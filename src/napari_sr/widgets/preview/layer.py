"""The layer of a preview, which lies on its source and has the same look."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.widgets.choices.events import POSITION
from napari_sr.widgets.choices.layer import PREVIEW_KEY, add_unselected, remove_unselected
from napari_sr.widgets.preview.comparison import Array

SHARED_LOOK = ("name", "contrast_limits", "colormap", "gamma", "interpolation2d", "visible")
"""Attributes of the source whose changes the preview follows; napari has an event of each name."""


class PreviewLayer:
    """A layer that exists while there is a preview to show.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the layer is added.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layer: Image | None = None
        """The layer; None while there is nothing to show."""

    @property
    def removed_by_user(self) -> bool:
        """Whether the layer was removed from the viewer by other code than this class."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, source: Image, data: Array, kwargs: dict[str, Any]) -> None:
        """Show pixels above their source, with arguments of ``napari.layers.Image``; the selection stays as it is."""
        metadata = {**kwargs["metadata"], PREVIEW_KEY: True}
        if self.layer is None:
            self._add(source, data, {**kwargs, "metadata": metadata})
            return
        self.layer.data = data
        for name in POSITION:
            # Each assignment draws the layer again, and a line that is dragged changes the data alone.
            if not np.array_equal(getattr(self.layer, name), kwargs[name]):
                setattr(self.layer, name, kwargs[name])
        self.layer.metadata = metadata
        layers = self._viewer.layers
        mine, below = layers.index(self.layer), layers.index(source)
        if mine < below:
            layers.move(mine, below + 1)

    def share_look(self, source: Image, name: str) -> None:
        """Copy one attribute of `SHARED_LOOK`; the others may have been changed for the preview alone."""
        if self.layer is not None:
            setattr(self.layer, name, _name(source) if name == "name" else getattr(source, name))

    def remove(self) -> None:
        """Remove the layer, if there is one; the selection of layers stays as it is."""
        layer, self.layer = self.layer, None
        if layer is not None:
            remove_unselected(self._viewer, [layer])

    def _add(self, source: Image, data: Array, kwargs: dict[str, Any]) -> None:
        # With additive blending, preview and source would add up to twice the brightness.
        look = {**kwargs, "name": _name(source), "blending": "translucent"}
        layer = Layer.create(data, look, "image")
        # Above all images, but below points and shapes that were drawn on them.
        images = [n for n, other in enumerate(self._viewer.layers) if isinstance(other, Image)]
        add_unselected(self._viewer, layer, max(images, default=-1) + 1)
        layer.contrast_limits_range = list(source.contrast_limits_range)
        self.layer = layer


def _name(source: Image) -> str:
    return f"{source.name} (preview)"
