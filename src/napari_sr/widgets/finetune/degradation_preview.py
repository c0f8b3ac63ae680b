"""Preview of the degradation: a piece of the image beside the low-resolution image that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sr.errors import NapariSRError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.napari_layer import finest_level
from napari_sr.imaging.part import Part, crop
from napari_sr.training.recipe import Degradation
from napari_sr.widgets.choices.events import Following, view_events
from napari_sr.widgets.choices.view import visible_part
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.timers import delayed, stop_timer

Array = npt.NDArray[Any]
ORIGINAL, LOW_RESOLUTION = "original", "low resolution"
"""Captions of the two images."""
#: Side of the piece, in high-resolution pixels.
_SIDE = 128
#: Pixels around the piece that are degraded as well, so that no border effect of the blur is seen.
_MARGIN = 16
_DELAY_MS = 150
_GAP, _AROUND_CAPTION = 6, 2
_MOST_SHOWN = 220


@dataclass(frozen=True)
class DegradationRequest:
    """A layer and the degradation to preview.

    Parameters
    ----------
    layer : napari.layers.Image
        The high-resolution image.
    axes : Axes
        The layer's.
    scale : int
        Factor of the model.
    degradation : Degradation
        The degradation.
    """

    layer: Image
    axes: Axes
    scale: int
    degradation: Degradation


class ImagePair(QWidget):
    """Two square images side by side, as large as the width allows, each with a caption."""

    def __init__(self) -> None:
        super().__init__()
        self.images: tuple[tuple[str, QImage], ...] = ()
        """Caption and image of each."""
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_images(self, images: Mapping[str, Array]) -> None:
        """Show images, or hide the widget if there are none.

        Parameters
        ----------
        images : mapping of str to array of uint8, shape (Y, X) or (Y, X, 3)
            By their captions, in order.
        """
        self.images = tuple((caption, _as_qimage(image)) for caption, image in images.items())
        self.setVisible(bool(self.images))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name, as below)
        """Two images of 150 pixels."""
        return QSize(2 * 150 + _GAP, 150 + self._caption)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Two images of 100 pixels."""
        return QSize(2 * 100 + _GAP, 100 + self._caption)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """True."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Height of the squares, and of one line for the captions."""
        return self._side(width) + self._caption

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the images without interpolation."""
        painter = QPainter(self)
        side = self._side(self.width())
        for number, (caption, image) in enumerate(self.images):
            left = number * (side + _GAP)
            painter.drawImage(QRect(left, 0, side, side), image)
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(QRect(left, side, side, self._caption), int(Qt.AlignmentFlag.AlignCenter), caption)
        painter.end()

    @property
    def _caption(self) -> int:
        """Height of the captions."""
        return self.fontMetrics().height() + _AROUND_CAPTION

    def _side(self, width: int) -> int:
        return min(_MOST_SHOWN, max(1, (width - _GAP) // 2))


class DegradationPreview:
    """The two images, which are made again a moment after each change, also of the view and of the contrast limits.

    Parameters
    ----------
    viewer : napari.Viewer
        The piece is from the middle of the view, or of the image if it is out of view.
    request : callable
        Returns a `DegradationRequest`, or None if there is nothing to show; raises `InputError` if there is an error.
    queues : WorkQueues
        The images are made in the background.
    show_message : callable
        Called with a sentence that is shown in place of the images, or with an empty text.
    """

    def __init__(
        self,
        viewer: Viewer,
        request: Callable[[], DegradationRequest | None],
        queues: WorkQueues,
        show_message: Callable[[str], None],
    ) -> None:
        self._viewer, self._request, self._queues, self._show_message = viewer, request, queues, show_message
        self.widget = ImagePair()
        self._run: Run[Any] | None = None
        self._timer = delayed(self.make_now, _DELAY_MS)
        self._view = Following(self.changed, view_events(viewer))
        self._limits = Following(self.changed)

    @property
    def busy(self) -> bool:
        """Whether the images are being made or will be in a moment."""
        return self._timer.isActive() or (self._run is not None and not self._run.ended)

    def changed(self, event: object = None) -> None:
        """Make the images again in a moment; also a callback of napari's events."""
        self._timer.start()

    def disconnect(self) -> None:
        """Make no more images, and disconnect from the events of the viewer."""
        self._view.end()
        self._limits.end()
        self._stop()

    def make_now(self) -> None:
        """Make the images without a delay."""
        self._stop()
        self._run = None
        self._limits.end()
        try:
            request = self._request()
            part = None if request is None else _piece(self._viewer, request)
        except NapariSRError as error:
            self._failed(error)
            return
        if request is None or part is None:
            self._show({})
            return
        self._limits.follow([request.layer.events.contrast_limits])
        low, high = (float(limit) for limit in request.layer.contrast_limits)
        data = finest_level(request.layer)
        self._run = Run(
            "showing the degradation",
            lambda progress, cancel: make_images(data, request, part, (low, high)),
            returned=self._show,
            errored=self._failed,
        )
        self._queues.background.submit(self._run)

    def _stop(self) -> None:
        stop_timer(self._timer)
        if self._run is not None:
            self._run.abandon()

    def _show(self, images: Mapping[str, Array]) -> None:
        self._show_message("")
        self.widget.show_images(images)

    def _failed(self, error: Exception) -> None:
        self.widget.show_images({})
        self._show_message(str(error))


def make_images(data: Any, request: DegradationRequest, part: Part, limits: tuple[float, float]) -> dict[str, Array]:
    """Make both images; may be called on any thread.

    Parameters
    ----------
    data : array
        Finest level of the layer.
    request : DegradationRequest
        Its layer is not used.
    part : Part
        The piece: one plane, with a margin.
    limits : (float, float)
        Values that are shown black and white.

    Returns
    -------
    dict of str to array of uint8, shape (Y, X) or (Y, X, 3)
        By their captions.
    """
    from napari_sr.training.data.degradation import degrade

    axes, scale = request.axes, request.scale
    piece = crop(data, part.ranges(axes))
    piece_axes = Axes(axes.letters, tuple(piece.shape))
    high = piece_axes.plane(piece, next(iter(piece_axes.plane_indices())))
    height, width = (n // scale * scale for n in high.shape[:2])
    high = high[:height, :width, :3] if high.ndim == 3 else high[:height, :width]
    low = degrade(high, scale, request.degradation)
    margins = [_MARGIN // scale if n > 3 * _MARGIN else 0 for n in (height, width)]
    inside = tuple(slice(margin, n // scale - margin) for margin, n in zip(margins, (height, width), strict=True))
    outside = tuple(slice(scale * s.start, scale * s.stop) for s in inside)
    return {ORIGINAL: _as_uint8(high[outside], limits), LOW_RESOLUTION: _as_uint8(low[inside], limits)}


def _piece(viewer: Viewer, request: DegradationRequest) -> Part:
    """Return a square from the middle of the view, or of the image if it is out of view."""
    axes, side = request.axes, _SIDE + 2 * _MARGIN
    try:
        seen = visible_part(viewer, request.layer, axes, most=side)
        middles = [sum(span) // 2 for span in (seen.rows, seen.columns) if span is not None]
        at = dict(seen.at)
    except NapariSRError:
        middles = [axes.shape[axis] // 2 for axis in (axes.y, axes.x)]
        at = {axes.letters[axis]: axes.shape[axis] // 2 for axis in axes.plane_axes}
    side = min(side, axes.shape[axes.y], axes.shape[axes.x])
    spans = []
    for middle, axis in zip(middles, (axes.y, axes.x), strict=True):
        first = min(max(0, middle - side // 2), axes.shape[axis] - side)
        spans.append((first, first + side))
    return Part(rows=spans[0], columns=spans[1], at=at)


def _as_uint8(image: Array, limits: tuple[float, float]) -> Array:
    low, high = limits
    fractions = (image.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(np.nan_to_num(fractions), 0, 1)).astype(np.uint8)


def _as_qimage(image: Array) -> QImage:
    whole = np.ascontiguousarray(image)
    height, width = whole.shape[:2]
    kind = QImage.Format.Format_RGB888 if whole.ndim == 3 else QImage.Format.Format_Grayscale8
    # A copy: QImage holds no reference to the array.
    return QImage(whole.tobytes(), width, height, whole.strides[0], kind).copy()
