"""Layers with the validation scenes before the training, now, and in truth; updated after each measurement."""

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
from napari_sr.widgets.choices.layer import PREVIEW_KEY, add_unselected, remove_unselected
from napari_sr.widgets.qt.timers import delayed, stop_timer

Floats = npt.NDArray[np.float32]
KINDS = ("before", "now", "truth")
_NAMES = {kind: f"validation: {kind}" for kind in KINDS}
#: Pixels between two scenes, and between two layers.
_GAP = 8
#: Milliseconds in which the canvas takes its new size after a panel was closed.
_REMOVAL_MS = 500
#: Height of the strip with the caption, and of its letters, in pixels.
_STRIP, _LETTERS = 20, 16


class ValidationLayers:
    """Three layers in a row to the right of an image.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the layers are added.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.layers: dict[str, Image] = {}
        """The layers by "before", "now" and "truth"; empty until the first measurement."""
        self._waiting: deque[Image] = deque()
        self._timer = delayed(self._add_next, 0)
        self._source: Image | None = None
        self._removed_by_user = False

    def begin(self, source: Image) -> None:
        """Remove the layers of the last training; the new ones will be to the right of the source."""
        self.remove()
        self._source, self._removed_by_user = source, False

    def show(self, crops: Sequence[ValidationCrop]) -> None:
        """Show the scenes of a measurement, one below the other; nothing changes if there are none.

        Nothing is shown any more after the user has removed one of the layers.
        """
        if self._removed_by_user or not crops:
            return
        added = [layer for layer in self.layers.values() if layer not in self._waiting]
        if any(layer not in self._viewer.layers for layer in added):
            self._removed_by_user = True
            self.remove()
            return
        images = {kind: stacked([getattr(crop, kind) for crop in crops]) for kind in KINDS}
        limits = _limits(images["truth"])
        white = limits[1]
        if self.layers:
            self.layers["now"].data = captioned(images["now"], "now", white)
            return
        self._make({kind: captioned(image, kind, white) for kind, image in images.items()}, limits)

    def remove(self) -> None:
        """Remove the layers; the selection of layers stays as it is."""
        self._take_away(self._forget())

    def remove_later(self) -> None:
        """Remove the layers from the event loop, because the panel is closed.

        OpenGL can crash in glDrawArrays when layers are removed in the turn in which a closed panel changes the size of
        the canvas; seen with a software OpenGL.
        """
        layers = self._forget()
        if layers:
            QTimer.singleShot(_REMOVAL_MS, lambda: self._take_away(layers))

    def _forget(self) -> list[Image]:
        """Stop the adding of layers, and return those that were made."""
        stop_timer(self._timer)
        layers, self.layers = self.layers, {}
        self._waiting.clear()
        return list(layers.values())

    def _take_away(self, layers: Sequence[Image]) -> None:
        remove_unselected(self._viewer, layers)

    def _make(self, images: dict[str, Floats], limits: tuple[float, float]) -> None:
        corner, size, units = self._position()
        for number, (kind, image) in enumerate(images.items()):
            rgb = image.ndim == 3
            across = number * (image.shape[1] + 2 * _GAP) * size
            kwargs: dict[str, Any] = {
                "name": _NAMES[kind],
                "scale": (size, size),
                "translate": (corner[0] - _STRIP * size, corner[1] + across),
                "units": units,
                "rgb": rgb,
                "interpolation2d": "nearest",
                "blending": "translucent",
                "metadata": {PREVIEW_KEY: True},
            }
            if not rgb:
                kwargs["contrast_limits"] = limits
            self.layers[kind] = Layer.create(np.clip(image, 0, 1) if rgb else image, kwargs, "image")
        self._waiting.extend(self.layers.values())
        self._add_next()

    def _add_next(self) -> None:
        """Add a layer, and the next one from the event loop: napari takes a tenth of a second for each."""
        if not self._waiting:
            # Once only: afterwards the view is the user's.
            self._viewer.reset_view()
            return
        add_unselected(self._viewer, self._waiting.popleft())
        self._timer.start()

    def _position(self) -> tuple[npt.NDArray[np.float64], float, tuple[Any, Any]]:
        """Return the upper left corner, the pixel size and the units: right of the source, with its pixel size."""
        source = self._source
        if source is None or source not in self._viewer.layers:
            return np.zeros(2), 1.0, ("pixel", "pixel")
        size = float(abs(source.scale[-1]))
        corners = np.asarray(source.extent.world)[:, -2:]
        corner = np.array([corners[0, 0], corners[1, 1] + 3 * _GAP * size])
        units = tuple(source.units)[-2:]
        return corner, size, (units[0], units[1])


def stacked(images: Sequence[Floats]) -> Floats:
    """Stack images one below the other, aligned at the left, with a black gap between them.

    Parameters
    ----------
    images : sequence of array of float32, shape (Y, X) or (Y, X, 3)
        All gray or all in color.

    Returns
    -------
    array of float32, shape (Y, X) or (Y, X, 3)
        As wide as the widest image.
    """
    width = max(image.shape[1] for image in images)
    height = sum(image.shape[0] for image in images) + _GAP * (len(images) - 1)
    whole = np.zeros((height, width, *images[0].shape[2:]), np.float32)
    top = 0
    for image in images:
        whole[top : top + image.shape[0], : image.shape[1]] = image
        top += image.shape[0] + _GAP
    return whole


def captioned(image: Floats, caption: str, white: float) -> Floats:
    """Put a strip with a caption above an image.

    Parameters
    ----------
    image : array of float32, shape (Y, X) or (Y, X, 3)
        The image.
    caption : str
        A word.
    white : float
        Value of the letters.

    Returns
    -------
    array of float32, shape (Y + 20, X) or (Y + 20, X, 3)
        The image below its caption.
    """
    width = image.shape[1]
    strip = PIL.Image.new("L", (width, _STRIP))
    PIL.ImageDraw.Draw(strip).text((0, 0), caption, fill=255, font=PIL.ImageFont.load_default(_LETTERS))
    letters = np.asarray(strip, np.float32) / 255 * white
    above = letters if image.ndim == 2 else np.repeat(letters[..., None], image.shape[2], axis=2)
    return np.concatenate((above, image)).astype(np.float32, copy=False)


def _limits(truth: Floats) -> tuple[float, float]:
    """Return contrast limits for all three layers: quantiles of the truth."""
    low, high = (float(value) for value in np.quantile(truth, (0.005, 0.998)))
    return (low, high) if high > low else (low, low + 1.0)
