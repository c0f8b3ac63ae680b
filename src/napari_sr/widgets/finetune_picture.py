"""What the degradation does, live: a piece of the image beside the low-resolution twin that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QRect, QSize, Qt, QTimer
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sr.errors import NapariSRError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.geometry import finest_level
from napari_sr.imaging.part import Part, crop
from napari_sr.training.recipe import Degradation
from napari_sr.widgets.executor import Run
from napari_sr.widgets.queues import WorkQueues
from napari_sr.widgets.rows import stop
from napari_sr.widgets.view import visible_part

Array = npt.NDArray[Any]
#: Side of the piece, in high-resolution pixels.
_SIDE = 128
#: What lies around it, so that the blur meets no border inside it.
_MARGIN = 16
_REST_MS = 150
_GAP, _CAPTION = 6, 16
_MOST_SHOWN = 220


@dataclass(frozen=True)
class DegradationView:
    """What is looked at.

    Parameters
    ----------
    layer : napari Image layer
        High resolution.
    axes : Axes
        The layer's.
    scale : int
        The model's factor.
    degradation : Degradation
        What is done to it.
    """

    layer: Image
    axes: Axes
    scale: int
    degradation: Degradation


class TwoPictures(QWidget):
    """Two square pictures beside each other, as large as there is room, each with a caption."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: tuple[tuple[str, QImage], ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_pictures(self, pictures: Mapping[str, Array]) -> None:
        """Show gray or color pictures of uint8 by their captions, in order; nothing takes them away."""
        self.pictures = tuple((caption, _as_image(picture)) for caption, picture in pictures.items())
        self.setVisible(bool(self.pictures))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name, as below)
        """Two pictures of 150 pixels."""
        return QSize(2 * 150 + _GAP, 150 + _CAPTION)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Two pictures of 100 pixels."""
        return QSize(2 * 100 + _GAP, 100 + _CAPTION)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """It has."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Squares, and a line for the captions."""
        return self._side(width) + _CAPTION

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw; the pixels stay squares."""
        painter = QPainter(self)
        side = self._side(self.width())
        for number, (caption, image) in enumerate(self.pictures):
            left = number * (side + _GAP)
            painter.drawImage(QRect(left, 0, side, side), image)
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(QRect(left, side, side, _CAPTION), int(Qt.AlignmentFlag.AlignCenter), caption)
        painter.end()

    def _side(self, width: int) -> int:
        return min(_MOST_SHOWN, max(1, (width - _GAP) // 2))


class LivePicture:
    """Keeps the two pictures in line with what is chosen, a moment after it has changed.

    Parameters
    ----------
    viewer : napari.Viewer
        The piece is the middle of what it shows, or of the image.
    sight : callable
        Gives what to look at; raises `InputError` when there is nothing.
    lanes : Lanes
        The picture is made in the background.
    say : callable
        Takes the sentence that stands there instead of pictures.
    """

    def __init__(
        self, viewer: Viewer, view: Callable[[], DegradationView | None], queues: WorkQueues, say: Callable[[str], None]
    ) -> None:
        self._viewer, self._degradation_view, self._queues, self._say = viewer, view, queues, say
        self.widget = TwoPictures()
        self._run: Run[Any] | None = None
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.make_now)

    @property
    def busy(self) -> bool:
        """Whether a picture is being made or about to be."""
        return self._rest.isActive() or (self._run is not None and not self._run.ended)

    def changed(self) -> None:
        """Make the picture anew after a rest."""
        self._rest.start()

    def leave(self) -> None:
        """Make none any more."""
        stop(self._rest)
        if self._run is not None:
            self._run.abandon()

    def make_now(self) -> None:
        """Make the picture without waiting for a rest."""
        stop(self._rest)
        if self._run is not None:
            self._run.abandon()
            self._run = None
        try:
            view = self._degradation_view()
            part = None if view is None else _piece(self._viewer, view)
        except NapariSRError as error:
            self._failed(error)
            return
        if view is None or part is None:
            self._say("")
            self.widget.show_pictures({})
            return
        data, limits = finest_level(view.layer), tuple(float(limit) for limit in view.layer.contrast_limits)
        self._run = Run(
            "showing the degradation",
            lambda progress, cancel: make_pictures(data, view, part, (limits[0], limits[1])),
            returned=self._show,
            errored=self._failed,
            announced=False,
        )
        self._queues.background.submit(self._run)

    def _show(self, pictures: Mapping[str, Array]) -> None:
        self._say("")
        self.widget.show_pictures(pictures)

    def _failed(self, error: Exception) -> None:
        self.widget.show_pictures({})
        self._say(str(error))


def make_pictures(data: Any, view: DegradationView, part: Part, limits: tuple[float, float]) -> dict[str, Array]:
    """Make both pictures; on any thread.

    Parameters
    ----------
    data : array
        The layer's finest level.
    sight : Sight
        What is looked at; its layer is not touched.
    part : Part
        The piece: one plane, with a margin.
    limits : (float, float)
        Values that are shown black and white.

    Returns
    -------
    dict of str to array of uint8, shape (Y, X) or (Y, X, 3)
        By their captions.
    """
    from napari_sr.training.degradation import degrade

    axes, scale = view.axes, view.scale
    piece = crop(data, part.ranges(axes))
    within = Axes(axes.letters, tuple(piece.shape))
    high = within.plane(piece, next(iter(within.plane_indices())))
    height, width = (n // scale * scale for n in high.shape[:2])
    high = high[:height, :width, :3] if high.ndim == 3 else high[:height, :width]
    low = degrade(high, scale, view.degradation)
    margins = [_MARGIN // scale if n > 3 * _MARGIN else 0 for n in (height, width)]
    inside = tuple(slice(margin, n // scale - margin) for margin, n in zip(margins, (height, width), strict=True))
    outside = tuple(slice(scale * s.start, scale * s.stop) for s in inside)
    return {
        "original": _shown(high[outside], limits),
        "its low-resolution twin": _shown(low[inside], limits),
    }


def _piece(viewer: Viewer, view: DegradationView) -> Part:
    """The middle of the view, or of the image where the view shows something else; a square."""
    axes, side = view.axes, _SIDE + 2 * _MARGIN
    try:
        seen = visible_part(viewer, view.layer, axes, most=side)
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


def _shown(picture: Array, limits: tuple[float, float]) -> Array:
    low, high = limits
    shares = (picture.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(np.nan_to_num(shares), 0, 1)).astype(np.uint8)


def _as_image(picture: Array) -> QImage:
    whole = np.ascontiguousarray(picture)
    height, width = whole.shape[:2]
    kind = QImage.Format.Format_RGB888 if whole.ndim == 3 else QImage.Format.Format_Grayscale8
    # A copy: Qt does not keep the array alive.
    return QImage(whole.tobytes(), width, height, whole.strides[0], kind).copy()
