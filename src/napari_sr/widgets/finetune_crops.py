"""The validation scenes before, now and in truth: three layers beside the images, new at each measurement."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_sr.training.events import ValidationCrop
from napari_sr.widgets.layer_choice import PREVIEW_KEY
from napari_sr.widgets.preview_layer import selection_kept
from napari_sr.widgets.rows import stop

Floats = npt.NDArray[np.float32]
KINDS = ("before", "now", "truth")
_NAMES = {kind: f"validation: {kind}" for kind in KINDS}
#: Pixels between two scenes, and between two layers.
_GAP = 8
#: Height of the strip with the caption, and of its letters, in pixels.
_STRIP, _LETTERS = 20, 16


class CropLayers:
    """Three layers that lie in a row, to the right of the image that is learned from.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layers: dict[str, Image] = {}
        self._waiting: deque[Image] = deque()
        self._turn = QTimer()
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._add_next)
        self._source: Image | None = None
        self._unwanted = False

    def begin(self, source: Image) -> None:
        """Take away those of the training before; the next ones will lie beside `source`."""
        self.remove()
        self._source, self._unwanted = source, False

    def show(self, crops: Sequence[ValidationCrop]) -> None:
        """Show the scenes of a measurement; not again once somebody has removed one of the layers."""
        if self._unwanted or not crops:
            return
        added = [layer for layer in self.layers.values() if layer not in self._waiting]
        if any(layer not in self._viewer.layers for layer in added):
            self._unwanted = True
            self.remove()
            return
        pictures = {kind: stacked([getattr(crop, kind) for crop in crops]) for kind in KINDS}
        white = _limits(pictures["truth"])[1]
        if self.layers:
            self.layers["now"].data = captioned(pictures["now"], "now", white)
            return
        limits = _limits(pictures["truth"])
        self._make({kind: captioned(picture, kind, white) for kind, picture in pictures.items()}, limits)

    def remove(self) -> None:
        """Take them away."""
        stop(self._turn)
        layers, self.layers = self.layers, {}
        self._waiting.clear()
        with selection_kept(self._viewer):
            for layer in layers.values():
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def _make(self, pictures: dict[str, Floats], limits: tuple[float, float]) -> None:
        place, size, units = self._place()
        for number, (kind, picture) in enumerate(pictures.items()):
            rgb = picture.ndim == 3
            across = number * (picture.shape[1] + 2 * _GAP) * size
            kwargs: dict[str, Any] = {
                "name": _NAMES[kind],
                "scale": (size, size),
                "translate": (place[0] - _STRIP * size, place[1] + across),
                "units": units,
                "rgb": rgb,
                "interpolation2d": "nearest",
                "blending": "translucent",
                "metadata": {PREVIEW_KEY: True},
            }
            if not rgb:
                kwargs["contrast_limits"] = limits
            self.layers[kind] = Layer.create(np.clip(picture, 0, 1) if rgb else picture, kwargs, "image")
        self._waiting.extend(self.layers.values())
        self._add_next()

    def _add_next(self) -> None:
        """Add a layer; the next one when the window has come round, for napari takes a tenth of a second for each."""
        if not self._waiting:
            # Seen once whole; where one looks from then on is one's own affair.
            self._viewer.reset_view()
            return
        with selection_kept(self._viewer):
            self._viewer.add_layer(self._waiting.popleft())
        self._turn.start()

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
        All gray or all in colors.
    """
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + _GAP * (len(pictures) - 1)
    whole = np.zeros((height, width, *pictures[0].shape[2:]), np.float32)
    top = 0
    for picture in pictures:
        whole[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + _GAP
    return whole


def captioned(picture: Floats, caption: str, white: float) -> Floats:
    """Put a strip with a caption above a picture, (Y, X) or (Y, X, 3); letters are as bright as `white`."""
    width = picture.shape[1]
    strip = PIL.Image.new("L", (width, _STRIP))
    PIL.ImageDraw.Draw(strip).text((0, 0), caption, fill=255, font=PIL.ImageFont.load_default(_LETTERS))
    letters = np.asarray(strip, np.float32) / 255 * white
    above = letters if picture.ndim == 2 else np.repeat(letters[..., None], picture.shape[2], axis=2)
    return np.concatenate((above, picture)).astype(np.float32, copy=False)


def _limits(truth: Floats) -> tuple[float, float]:
    """Black and white for all three: almost all of the truth's values."""
    low, high = (float(value) for value in np.quantile(truth, (0.005, 0.998)))
    return (low, high) if high > low else (low, low + 1.0)
