"""The preview of a panel: a layer on top of the source that shows the result for the part in view.

It follows everything that its pixels depend on. After a change, the computation in progress is stopped, and a new one
starts when nothing has changed for a moment: a slider that is dragged gives one image, at its final position.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_sr.errors import NapariSRError
from napari_sr.imaging.part import Part
from napari_sr.progress import Cancel
from napari_sr.widgets.choices.events import Following, layer_events, view_events
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.choices.part import LayerPart
from napari_sr.widgets.choices.view import visible_part
from napari_sr.widgets.preview.comparison import Array, split
from napari_sr.widgets.preview.controls import BLINK, SPLIT, PreviewControls
from napari_sr.widgets.preview.layer import SHARED_LOOK, PreviewLayer
from napari_sr.widgets.preview.render import PreviewImage, make_preview_image, needs_margin
from napari_sr.widgets.preview.split_line import SplitLine
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.timers import delayed, stop_timer

if TYPE_CHECKING:
    from napari_sr.inference import Calibration
    from napari_sr.inference.compute.network import JobNetwork
    from napari_sr.zoo import Model

DELAY_MS = 150
"""Time without a change after which an image is made."""

_BLINK_MS = 700
# Largest number of rows and columns of the part: at first, and its limits. It is halved after a slow image (seconds)
# and doubled after a fast one.
_SIDE = 256
_LEAST_SIDE, _LARGEST_SIDE = 64, 1024
_TOO_SLOW, _TOO_FAST = 2.5, 0.4


class Preview:
    """The preview of one panel.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the preview is added.
    request : callable
        Returns the layer and the plan to preview; raises `InputError` if there is none.
    loader : ModelLoader
        The panel's; a new alpha reads no file.
    queues : WorkQueues
        The work is done in the queue for previews.
    controls : PreviewControls
        The comparison, and the place for messages.
    notify : callable
        Called with an exception: shows it as a notification and returns its sentence.
    on_calibrated : callable
        Called with the `Calibration` of the layer for each image.
    canvas : callable
        Returns the widget of the canvas, on which the line of the comparison is drawn; or None.
    """

    def __init__(
        self,
        viewer: Viewer,
        request: Callable[[], tuple[LayerPart, JobPlan]],
        loader: ModelLoader,
        queues: WorkQueues,
        controls: PreviewControls,
        notify: Callable[[Exception], str],
        on_calibrated: Callable[[Calibration], None],
        canvas: Callable[[], QWidget | None],
    ) -> None:
        self._viewer, self._request, self._loader, self._queue = viewer, request, loader, queues.previews
        self._controls, self._notify, self._on_calibrated = controls, notify, on_calibrated
        self.on = False
        """Whether the preview is switched on."""
        self._shown = PreviewLayer(viewer)
        self.split_line = SplitLine(viewer, controls, canvas)
        self._source: Image | None = None
        self._source_edits, self._source_look = Following(self._source_changed), Following(self._look_changed)
        self._view, self._removal = Following(self.changed), Following(self._layer_removed)
        # An image, and behind it the one to compare with.
        self._runs: list[Run[Any]] = []
        self._key: object = None
        self._image: PreviewImage | None = None
        self._calibration: tuple[object, Calibration] | None = None
        self._network: JobNetwork | None = None
        self._side = _SIDE
        self._cropped = False
        self._failed_key: object = None
        self._generation = 0
        self._seconds = 0.0
        self._blinked = False
        self._delay, self._blink = delayed(self.make_now, DELAY_MS), QTimer()
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._alternate)
        controls.switch.changed.connect(self.turn)
        for widget in (controls.compare, controls.against, controls.line):
            widget.changed.connect(self.compare)

    @property
    def layer(self) -> Image | None:
        """The layer of the preview; None if there is nothing to show."""
        return self._shown.layer

    @property
    def busy(self) -> bool:
        """Whether an image is being made or will be in a moment."""
        return self._delay.isActive() or any(not run.ended for run in self._runs)

    def turn(self, on: bool) -> None:
        """Show the preview and follow the view, or remove it and disconnect from all events."""
        if on == self.on:
            return
        self.on = on
        if on:
            layers = self._viewer.layers.events
            self._view.follow([*view_events(self._viewer), layers.reordered])
            self._removal.follow([layers.removed])
            self.split_line.connect()
            self.make_now()
            return
        self._view.end()
        self._removal.end()
        self.split_line.disconnect()
        self._disconnect_source()
        self._stop()
        self._remove()
        self._calibration = self._failed_key = self._network = None
        self._controls.show_message("")

    def changed(self, event: object = None) -> None:
        """Stop the computation in progress, and start a new one after a moment; also a callback of napari's events."""
        if self.on:
            self._stop()
            self._delay.start()

    def compare(self) -> None:
        """Show the image with the present comparison."""
        if self.on and self._image is not None:
            self._complete(self._image)

    def make_now(self) -> None:
        """Make the image without a delay."""
        self._stop()
        if not self.on:
            return
        try:
            layer_part, plan = self._request()
            part = visible_part(self._viewer, layer_part.layer, layer_part.axes, most=self._side)
            cropped = part != visible_part(self._viewer, layer_part.layer, layer_part.axes)
        except NapariSRError as error:
            self._remove()
            self._controls.show_message(str(error))
            return
        self._connect_source(layer_part.layer)
        key = self._key_of(layer_part, plan, part)
        if key == self._key and self._image is not None and self._image.exact:
            self.compare()
            return
        if key == self._failed_key:
            # Its error is shown. Removing the preview may have moved a slider, which leads here again.
            return
        self._failed_key = None
        self._controls.show_message("Preview: working…")
        started = time.perf_counter()
        self._submit(
            "loading the model for the preview",
            lambda cancel: self._loader.load(plan.request),
            lambda model: self._make(layer_part, plan, part, cropped, key, model, started),
            key,
        )

    def _make(
        self,
        layer_part: LayerPart,
        plan: JobPlan,
        part: Part,
        cropped: bool,
        key: object,
        model: Model,
        started: float,
    ) -> None:
        """Make the quick image, and then the exact one if it is different."""
        from napari_sr.inference import prepare_layer
        from napari_sr.inference.compute.network import JobNetwork

        layer, axes = layer_part.layer, layer_part.axes
        try:
            job = plan.job(model)
            limits = _contrast_limits(layer_part, plan)
            settings, card = plan.settings, job.model.card
            # Noise and sharpness are measured for the model, and only if it takes conditions.
            measured_for = None if card.conditioning is None else card
            facts = (self._generation, axes, settings.intensity, settings.noise, measured_for, limits)
            known = self._calibration
            calibration = known[1] if known is not None and known[0] == facts else None
            prepared = prepare_layer(job, layer, axes.letters, part, calibration)
            # Kept while model and settings are the same, as when the view moves.
            network = self._network
            if network is None or (network.model, network.settings) != (job.model, job.settings):
                network = JobNetwork(job.model, job.settings)
            self._network = network
        except Exception as error:  # of any kind: the panel shows it and stays usable
            self._failed(error, key)
            return
        against = self._controls.counterpart

        def take(image: PreviewImage) -> None:
            self._calibration = facts, image.calibration
            self._on_calibrated(image.calibration)
            self._key, self._image = key, image
            self._cropped = cropped
            self._complete(image)

        def take_quick(image: PreviewImage) -> None:
            self._seconds = time.perf_counter() - started
            take(image)
            if self._adapt_side(image.seconds, cropped):
                self.changed()
            elif not image.exact:
                self._submit("making the preview", lambda cancel: make(False, cancel), take, key)

        def make(quickly: bool, cancel: Cancel) -> PreviewImage:
            return make_preview_image(job, network, prepared, quickly and needs_margin(job, prepared), against, cancel)

        self._submit("making the preview", lambda cancel: make(True, cancel), take_quick, key)

    def _submit(self, name: str, work: Callable[[Cancel], Any], returned: Callable[[Any], None], key: object) -> None:
        run: Run[Any] = Run(
            name,
            lambda progress, cancel: work(cancel),
            returned=returned,
            errored=lambda error: self._failed(error, key),
        )
        self._runs = [*(other for other in self._runs if not other.ended), run]
        self._queue.submit(run)

    def _stop(self) -> None:
        stop_timer(self._delay)
        # The last first: if the first stopped at once, the second would start.
        for run in reversed(self._runs):
            self._queue.abandon(run)
        self._runs = []

    def _failed(self, error: Exception, key: object) -> None:
        self._failed_key = key
        self._remove()
        self._controls.show_message(self._notify(error))

    def _complete(self, image: PreviewImage) -> None:
        """Show an image; the image to compare with is made first if there is none yet."""
        against = self._controls.counterpart
        if against is not None and against not in image.counterparts:
            self._submit(
                "comparing the preview", lambda cancel: image.against(against), lambda _: self.compare(), self._key
            )
            return
        self._blinked = False
        if self._controls.kind == BLINK:
            self._blink.start()
        else:
            stop_timer(self._blink)
        self._show(image)

    def _alternate(self) -> None:
        if self._image is not None:
            self._blinked = not self._blinked
            self._show(self._image)

    def _show(self, image: PreviewImage) -> None:
        assert self._source is not None
        self._shown.show(self._source, self._composed(image), image.kwargs)
        self.split_line.show(self._shown.layer, image.prepared.axes)
        self._controls.show_message(self._sentence(image), " ".join(image.warnings))

    def _composed(self, image: PreviewImage) -> Array:
        against = self._controls.counterpart
        other = image.counterparts.get(against) if against is not None else None
        if other is None:
            return image.data
        if self._controls.kind == SPLIT:
            return split(other, image.data, self._controls.position, image.prepared.axes.x)
        return other if self._blinked else image.data

    def _sentence(self, image: PreviewImage) -> str:
        rows, columns = (
            image.region.ranges[axis][1] - image.region.ranges[axis][0]
            for axis in (image.prepared.axes.y, image.prepared.axes.x)
        )
        size = f"{rows} × {columns} pixels" + (" in the middle of the view" if self._cropped else "")
        other = self._controls.counterpart_text
        sentence = f"Preview of {size}, in {self._seconds:.1f} s."
        if self._controls.kind == SPLIT:
            sentence = f"Preview of {size}. Left of the line: {other}."
        elif self._controls.kind == BLINK:
            sentence = f"Preview of {size}. Now: {other if self._blinked else 'the result'}."
        return f"{sentence} {image.noise}".rstrip()

    def _remove(self) -> None:
        stop_timer(self._blink)
        self._image, self._key = None, None
        self.split_line.show(None, None)
        self._shown.remove()

    def _layer_removed(self, event: object = None) -> None:
        """Switch off if the user removed the preview; remove the preview if its source was removed."""
        if self._shown.removed_by_user:
            self._controls.switch.value = False
        elif self._source is not None and self._source not in self._viewer.layers:
            self._disconnect_source()
            self._remove()
            self.changed()

    def _connect_source(self, layer: Image) -> None:
        if layer is self._source:
            return
        self._disconnect_source()
        self._remove()
        # Facts and errors of the layer before are not those of this one, which may have its address in memory.
        self._generation += 1
        self._source = layer
        self._source_edits.follow(layer_events([layer]))
        self._source_look.follow(getattr(layer.events, name) for name in SHARED_LOOK)

    def _disconnect_source(self) -> None:
        self._source = None
        self._source_edits.end()
        self._source_look.end()

    def _source_changed(self, event: object = None) -> None:
        # The cached image and calibration are for the previous values and position.
        self._generation += 1
        self.changed()

    def _look_changed(self, event: Any) -> None:
        if self._source is not None:
            self._shown.share_look(self._source, event.type)
            self.changed()

    def _adapt_side(self, seconds: float, cropped: bool) -> bool:
        """Adapt the size of the part to the speed of the device, and return whether a larger image is to be made."""
        if seconds > _TOO_SLOW:
            self._side = max(_LEAST_SIDE, self._side // 2)
        elif seconds < _TOO_FAST and cropped and self._side < _LARGEST_SIDE:
            self._side *= 2
            return True
        return False

    def _key_of(self, layer_part: LayerPart, plan: JobPlan, part: Part) -> object:
        """Return all that the image depends on, for comparison with the image that is shown."""
        return (
            self._generation,
            layer_part.axes,
            plan,
            _contrast_limits(layer_part, plan),
            part,
        )


def _contrast_limits(layer_part: LayerPart, plan: JobPlan) -> tuple[float, ...] | None:
    """Return the contrast limits if the pixels of the result depend on them."""
    if plan.settings.intensity != "contrast":
        return None
    return tuple(float(limit) for limit in layer_part.layer.contrast_limits)
