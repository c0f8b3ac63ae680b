"""The validation scenes before, now and in truth: three layers beside the images, new at each measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Points
from napari.viewer import Viewer

from napari_sr.training.events import Crop
from napari_sr.widgets.layer_choice import PREVIEW_KEY
from napari_sr.widgets.preview_layer import selection_kept

Floats = npt.NDArray[np.float32]
KINDS = ("before", "now", "truth")
_NAMES = {kind: f"validation: {kind}" for kind in KINDS}
_CAPTIONS = "validation: captions"
#: Pixels between two scenes, and between two layers.
_GAP = 8


class CropLayers:
    """Three layers that lie in a row, to the right of the image that is learnt from.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layers: dict[str, Image] = {}
        self.captions: Points | None = None
        self._source: Image | None = None
        self._unwanted = False

    def begin(self, source: Image) -> None:
        """Take away those of the training before; the next ones will lie beside `source`."""
        self.remove()
        self._source, self._unwanted = source, False

    def show(self, crops: Sequence[Crop]) -> None:
        """Show the scenes of a measurement; not again once somebody has removed one of the layers."""
        if self._unwanted or not crops:
            return
        if self.layers and any(layer not in self._viewer.layers for layer in self.layers.values()):
            self._unwanted = True
            self.remove()
            return
        pictures = {kind: stacked([getattr(crop, kind) for crop in crops]) for kind in KINDS}
        if self.layers:
            self.layers["now"].data = pictures["now"]
        else:
            self._add(pictures)

    def remove(self) -> None:
        """Take them away."""
        layers: list[Layer] = [*self.layers.values(), *([self.captions] if self.captions is not None else [])]
        self.layers, self.captions = {}, None
        with selection_kept(self._viewer):
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def _add(self, pictures: dict[str, Floats]) -> None:
        place, size, units = self._place()
        with selection_kept(self._viewer):
            for number, (kind, picture) in enumerate(pictures.items()):
                rgb = picture.ndim == 3
                across = number * (picture.shape[1] + 2 * _GAP) * size
                kwargs: dict[str, Any] = {
                    "name": _NAMES[kind],
                    "scale": (size, size),
                    "translate": (place[0], place[1] + across),
                    "units": units,
                    "rgb": rgb,
                    "interpolation2d": "nearest",
                    "blending": "translucent",
                    "metadata": {PREVIEW_KEY: True},
                }
                if not rgb:
                    kwargs["contrast_limits"] = _limits(pictures["truth"])
                layer = Layer.create(np.clip(picture, 0, 1) if rgb else picture, kwargs, "image")
                self._viewer.add_layer(layer)
                self.layers[kind] = layer
            self._add_captions()
        # Seen once whole; where one looks from then on is one's own affair.
        self._viewer.reset_view()

    def _add_captions(self) -> None:
        """Write over each layer what it shows: three points without a dot."""
        corners = [np.asarray(layer.extent.world)[0] for layer in self.layers.values()]
        first = self.layers[KINDS[0]]
        captions = Points(
            np.array(corners) - np.array([2.0 * float(first.scale[0]), 0.0]),
            name=_CAPTIONS,
            size=1,
            face_color="transparent",
            border_color="transparent",
            text={"string": list(self.layers), "color": "yellow", "anchor": "upper_left", "size": 11},
            units=first.units,
            metadata={PREVIEW_KEY: True},
        )
        self._viewer.add_layer(captions)
        self.captions = captions

    def _place(self) -> tuple[npt.NDArray[np.float64], float, tuple[Any, Any]]:
        """Upper left corner, size of a pixel and units: right of the source, in pixels of its size."""
        source = self._source
        if source is None or source not in self._viewer.layers:
            return np.zeros(2), 1.0, ("pixel", "pixel")
        size = float(abs(source.scale[-1]))
        corners = np.asarray(source.extent.world)[:, -2:]
        place = np.array([corners[0, 0], corners[1, 1] + 3 * _GAP * size])
        units = tuple(source.units)[-2:]
        return place, size, (units[0], units[1])


def stacked(pictures: Sequence[Floats]) -> Floats:
    """Put pictures below one another, each at the left, with a gap between them that is black.

    Parameters
    ----------
    pictures : sequence of array, shape (Y, X) or (Y, X, 3)
        All grey or all in colours.
    """
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + _GAP * (len(pictures) - 1)
    whole = np.zeros((height, width, *pictures[0].shape[2:]), np.float32)
    top = 0
    for picture in pictures:
        whole[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + _GAP
    return whole


def _limits(truth: Floats) -> tuple[float, float]:
    """Black and white for all three: almost all of the truth's values."""
    low, high = (float(value) for value in np.quantile(truth, (0.005, 0.998)))
    return (low, high) if high > low else (low, low + 1.0)
