"""A result whose pixels are computed where they are displayed, piece by piece, while napari stays usable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # as qtpy exports

from napari_sr.errors import InputError
from napari_sr.imaging.napari_layer import LayerData, finest_level
from napari_sr.imaging.part import Range
from napari_sr.progress import Cancel, Progress
from napari_sr.widgets.choices.events import Following, view_events
from napari_sr.widgets.choices.layer import add_unselected
from napari_sr.widgets.choices.view import current_slice, visible_part
from napari_sr.widgets.qt.errors import notify_error
from napari_sr.widgets.qt.queues import WorkQueue
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.timers import delayed, stop_timer

if TYPE_CHECKING:
    from napari_sr.inference.lazy.displayed import DisplayedResult, Piece

# What napari shows in the status bar of a new viewer.
_READY = "Ready"

DELAY_MS = 40
"""Time from a change of the view to the first piece of it."""

# Largest number of rows and of columns of tiles in a piece: at first, and its limit. It is halved after a slow piece
# (seconds) and doubled after a fast one.
_SIDE, _LARGEST_SIDE = 4, 32
_TOO_SLOW, _TOO_FAST = 1.5, 0.4


class LazyLayer:
    """Adds the layer of a lazy result to a viewer, and computes the part of it in view.

    The pixels of the source are shown until those of the result have been computed, first in the middle of the view.
    Everything that reads the data of the layer in another way, such as to save it, gets exact pixels.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the layer is added.
    layer_data : (list of array or array, dict, str)
        From `napari_sr.inference.lazy.layer.displayed_layer`.
    queue : WorkQueue
        The pieces are computed in this queue.

    Attributes
    ----------
    layer : napari.layers.Image
        The layer.
    """

    def __init__(self, viewer: Viewer, layer_data: LayerData, queue: WorkQueue) -> None:
        # An import at the top would import torch before a panel is drawn.
        from napari_sr.inference.lazy.displayed_array import displaying

        self._viewer, self._queue = viewer, queue
        self._run: Run[Any] | None = None
        self._piece: Piece | None = None
        self._side = _SIDE
        self._failed_view: object = None
        self._failure = ""
        self._progress = ""
        self._signals = _Signals()
        self._signals.read.connect(self._read)
        self._delay = delayed(self._compute, DELAY_MS)
        with displaying():
            self.layer: Image = Layer.create(*layer_data)
        self._array: Any = finest_level(self.layer)
        self._result: DisplayedResult = self._array.displayed
        self._axes = self._result.axes
        # napari enters this context whenever it reads the data of a layer to display it.
        self._indexers = [owner for owner in (self.layer, self.layer._slicing_state) if _slices(owner)]
        self._initial = [owner.dask_optimized_slicing for owner in self._indexers]
        for owner in self._indexers:
            owner.dask_optimized_slicing = displaying
        # With napari's asynchronous rendering the layer is read on another thread, hence a signal.
        self._result.on_read = self._missing
        add_unselected(viewer, self.layer)
        self._removal = Following(self._layer_removed, [viewer.layers.events.removed])
        # napari does not read the layer again after all of these.
        self._view = Following(self._view_changed, [*view_events(viewer), self.layer.events.visible])

    @property
    def busy(self) -> bool:
        """Whether a piece is being computed or will be in a moment."""
        return self._delay.isActive() or self._run is not None

    @property
    def complete(self) -> bool:
        """Whether the window shows the pixels of the result alone."""
        missing, total = self._result.missing(self._visible())
        # A piece is displayed when its run ends.
        return self._displayed and self._run is None and missing == 0 < total

    def release(self) -> None:
        """Stop to compute pieces, and let napari read the layer like any other, without placeholders."""
        self._stop()
        self._clear_progress()
        self._removal.end()
        self._view.end()
        for owner, initial in zip(self._indexers, self._initial, strict=True):
            owner.dask_optimized_slicing = initial
        self._result.on_read = lambda: None
        self._result.forget()

    @property
    def _displayed(self) -> bool:
        """Whether the finest level is in view."""
        layer = self.layer
        return bool(
            layer.visible
            and layer in self._viewer.layers
            and finest_level(layer) is self._array
            and (not layer.multiscale or layer.data_level == 0)
        )

    def _missing(self) -> None:
        # As a method, and not the one of the signal, this keeps the present object alive as long as the layer's data.
        self._signals.read.emit()

    def _read(self) -> None:
        if not self._delay.isActive():
            self._delay.start()

    def _compute(self) -> None:
        """Start with the next piece of the view; one that is not in view any more is stopped."""
        if self._run is not None:
            assert self._piece is not None
            if not (self._displayed and self._result.displays(self._piece)):
                self._queue.cancel(self._run)
            return
        if not self._displayed:
            self._clear_progress()
            return
        if self._result.view == self._failed_view:
            return
        visible = self._visible()
        self._show_state(*self._result.missing(visible))
        piece = self._result.next_piece(self._side, visible)
        if piece is None and visible is not None:
            # For the next move of the camera.
            piece = self._result.next_piece(self._side, _with_margin(visible))
        if piece is None:
            return

        def work(progress: Progress, cancel: Cancel) -> float:
            started = time.perf_counter()
            self._result.compute(piece, cancel=cancel)
            return time.perf_counter() - started

        run: Run[float] = Run(
            f"computing the view of “{self.layer.name}”",
            work,
            returned=self._computed,
            errored=self._failed,
            cancelled=self._cancelled,
        )
        self._run, self._piece = run, piece
        self._queue.submit(run)

    def _visible(self) -> tuple[Range, Range] | None:
        """Rows and columns in the window; None for a volume and for other planes than those of Y and X."""
        try:
            current_slice(self._viewer, self.layer, self._axes)
        except InputError:
            return None
        try:
            part = visible_part(self._viewer, self.layer, self._axes)
        except InputError:
            # The layer is out of view.
            return (0, 0), (0, 0)
        assert part.rows is not None and part.columns is not None
        return part.rows, part.columns

    def _show_state(self, missing: int, total: int) -> None:
        """Show in napari's status bar whether the view is complete; a complete view is reported once."""
        if missing:
            self._progress = (
                f"“{self.layer.name}”: {100 * (total - missing) // total} % of the view computed; "
                "the rest shows the pixels of the source."
            )
            self._viewer.status = self._progress
        elif self._progress:
            self._progress = ""
            self._viewer.status = f"“{self.layer.name}”: the view is computed."

    def _clear_progress(self) -> None:
        """Take what is not true any more out of the status bar: the layer was removed, or is not displayed."""
        progress, self._progress = self._progress, ""
        if progress and self._viewer.status == progress:
            self._viewer.status = _READY

    def _computed(self, seconds: float) -> None:
        self._run = None
        if seconds > _TOO_SLOW:
            self._side = max(1, self._side // 2)
        elif seconds < _TOO_FAST:
            self._side = min(_LARGEST_SIDE, 2 * self._side)
        if self._displayed:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)
        # Not from here: work that is done in place would return to this method.
        self._delay.start()

    def _cancelled(self) -> None:
        self._run = None
        self._delay.start()

    def _failed(self, error: Exception) -> None:
        """Show an error once; the next view is tried again."""
        self._run = None
        self._failed_view = self._result.view
        if str(error) != self._failure:
            self._failure = str(error)
            notify_error(error, "the layer shows the pixels of its source")

    def _stop(self) -> None:
        stop_timer(self._delay)
        run, self._run = self._run, None
        if run is not None:
            self._queue.abandon(run)

    def _view_changed(self, event: object = None) -> None:
        self._read()

    def _layer_removed(self, event: object = None) -> None:
        if self.layer not in self._viewer.layers:
            self.release()


def _with_margin(visible: tuple[Range, Range]) -> tuple[Range, Range]:
    """Rows and columns in the window, and a quarter of their number on each side."""
    (top, bottom), (left, right) = visible
    down, across = (bottom - top) // 4, (right - left) // 4
    return (top - down, bottom + down), (left - across, right + across)


class _Signals(QObject):
    read = Signal()


def _slices(owner: Any) -> bool:
    """Whether an object of napari has the context in which a layer is read."""
    return hasattr(owner, "dask_optimized_slicing")
