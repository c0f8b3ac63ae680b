"""The preview: one layer, lying on the source, that shows what a run would make of the part in view.

It follows whatever decides its pixels. A change waits until nothing has changed for a moment, and stops what was being
made; so a slider that is dragged makes one picture, where it comes to rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_sr.errors import NapariSRError
from napari_sr.imaging.part import Part
from napari_sr.progress import Cancel
from napari_sr.widgets.comparison import Array, split
from napari_sr.widgets.executor import Run
from napari_sr.widgets.job_plan import JobPlan
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.place_choice import Place
from napari_sr.widgets.preview_controls import BLINK, SPLIT, PreviewControls
from napari_sr.widgets.preview_layer import SHARED_LOOK, PreviewLayer
from napari_sr.widgets.preview_work import Maps, PreviewImage, make_preview_image, needs_margin
from napari_sr.widgets.queues import WorkQueues
from napari_sr.widgets.rows import stop
from napari_sr.widgets.view import visible_part

if TYPE_CHECKING:
    from napari_sr.zoo import Model

REST_MS = 150
"""How long nothing must change before a picture is made."""

_BLINK_MS = 700
# Rows and columns of the part, to begin with and at its bounds; a device that is slow or fast moves it.
_SIDE = 256
_LEAST_SIDE, _LARGEST_SIDE = 64, 1024
_TOO_SLOW, _TOO_FAST = 2.5, 0.4
# What of the source, beside its values, decides where the preview lies or what it shows.
_SOURCE_EVENTS = ("data", "scale", "translate", "rotate", "shear", "affine", "units")


class Preview:
    """The preview of one panel.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    wish : callable
        Gives what to show now; raises `InputError` when there is nothing.
    loader : ModelLoader
        Keeps the endpoints between which alpha moves.
    lanes : Lanes
        Its lane is that of the previews.
    controls : PreviewControls
        How it is compared, and where its sentence stands.
    say_error : callable
        Notifies of an error, and gives the sentence for the panel.
    """

    def __init__(
        self,
        viewer: Viewer,
        request: Callable[[], tuple[Place, JobPlan]],
        loader: ModelLoader,
        queues: WorkQueues,
        controls: PreviewControls,
        say_error: Callable[[Exception], str],
    ) -> None:
        self._viewer, self._request, self._loader, self._queue = viewer, request, loader, queues.previews
        self._controls, self._say_error = controls, say_error
        self.on = False
        self._shown = PreviewLayer(viewer)
        self._source: Image | None = None
        self._run: Run[Any] | None = None
        self._key: object = None
        self._picture: PreviewImage | None = None
        self._maps: tuple[object, Maps] | None = None
        self._side = _SIDE
        self._cut = False
        self._refused: object = None
        self._generation = 0
        self._seconds = 0.0
        self._blinked = False
        self._rest, self._blink = QTimer(), QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.make_now)
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._blinks)

    @property
    def layer(self) -> Image | None:
        """The layer that is shown; None when there is nothing to show."""
        return self._shown.layer

    @property
    def busy(self) -> bool:
        """Whether a picture is being made or about to be."""
        return self._rest.isActive() or self._run is not None

    def turn_on(self) -> None:
        """Show the preview, and follow the view."""
        if self.on:
            return
        self.on = True
        for emitter, callback in self._events():
            emitter.connect(callback)
        self.make_now()

    def turn_off(self) -> None:
        """Take the preview away, and follow nothing."""
        if not self.on:
            return
        self.on = False
        for emitter, callback in self._events():
            emitter.disconnect(callback)
        self._leave_source()
        self._stop()
        self._remove()
        self._maps = self._refused = None
        self._controls.say("")

    def changed(self, event: object = None) -> None:
        """Take note that something may have changed: what is being made is stopped, and made anew after a rest."""
        if self.on:
            self._stop()
            self._rest.start()

    def compare(self) -> None:
        """Show what is compared with what, as the controls say now."""
        if self.on and self._picture is not None:
            self._complete(self._picture)

    def make_now(self) -> None:
        """Make the picture without waiting for a rest."""
        self._stop()
        if not self.on:
            return
        try:
            place, plan = self._request()
            part = visible_part(self._viewer, place.layer, place.axes, most=self._side)
        except NapariSRError as error:
            self._remove()
            self._controls.say(str(error))
            return
        self._follow(place.layer)
        key = self._key_of(place, plan, part)
        if key == self._key and self._picture is not None and self._picture.exact:
            self.compare()
            return
        if key == self._refused:
            # The sentence that says why stands there; removing the picture may have moved a slider.
            return
        self._refused = None
        self._controls.say("Preview: working…")
        started = time.perf_counter()
        self._submit(
            "loading the model for the preview",
            lambda cancel: self._loader.load(plan.request),
            lambda model: self._make(place, plan, part, key, model, started),
            key,
        )

    def _make(self, place: Place, plan: JobPlan, part: Part, key: object, model: Model, started: float) -> None:
        from napari_sr.inference import prepare_layer

        try:
            job = plan.job(model)
            maps_key = (
                id(place.layer),
                self._generation,
                place.axes,
                plan.settings.intensity,
                _limits(place, plan),
            )
            known = self._maps[1] if self._maps is not None and self._maps[0] == maps_key else None
            prepared = prepare_layer(job, place.layer, place.axes.letters, part, known)
        except Exception as error:  # whatever it is, the panel must show it and go on
            self._failed(error, key)
            return
        against, side = self._controls.counterpart, self._side

        def take(picture: PreviewImage) -> None:
            self._maps = maps_key, picture.maps
            self._key, self._picture = key, picture
            self._cut = side in _lengths(part)
            self._complete(picture)

        def refine(picture: PreviewImage) -> None:
            self._seconds = time.perf_counter() - started
            take(picture)
            if self._adapt(picture.seconds, part):
                self.changed()
            elif not picture.exact:
                self._submit("making the preview", lambda cancel: make(False, cancel), take, key)

        def make(quickly: bool, cancel: Cancel) -> PreviewImage:
            return make_preview_image(job, prepared, quickly and needs_margin(job, prepared), against, cancel)

        self._submit("making the preview", lambda cancel: make(True, cancel), refine, key)

    def _submit(self, name: str, work: Callable[[Cancel], Any], returned: Callable[[Any], None], key: object) -> None:
        def ended(then: Callable[[Any], None]) -> Callable[[Any], None]:
            def end(result: Any) -> None:
                if self._run is run:
                    self._run = None
                then(result)

            return end

        run: Run[Any] = Run(
            name,
            lambda progress, cancel: work(cancel),
            returned=ended(returned),
            errored=ended(lambda error: self._failed(error, key)),
            announced=False,
        )
        self._run = run
        self._queue.submit(run)

    def _stop(self) -> None:
        stop(self._rest)
        run, self._run = self._run, None
        if run is not None:
            self._queue.cancel(run)

    def _failed(self, error: Exception, key: object) -> None:
        self._refused = key
        self._remove()
        self._controls.say(self._say_error(error))

    def _complete(self, picture: PreviewImage) -> None:
        """Show a picture, once what it is compared with is there."""
        against = self._controls.counterpart
        if against is not None and against not in picture.counterparts:
            self._submit(
                "comparing the preview", lambda cancel: picture.against(against), lambda _: self.compare(), self._key
            )
            return
        self._blinked = False
        if self._controls.kind == BLINK:
            self._blink.start()
        else:
            stop(self._blink)
        self._show(picture)

    def _blinks(self) -> None:
        if self._picture is not None:
            self._blinked = not self._blinked
            self._show(self._picture)

    def _show(self, picture: PreviewImage) -> None:
        assert self._source is not None
        self._shown.show(self._source, self._composed(picture), picture.kwargs)
        self._controls.say(self._sentence(picture))

    def _composed(self, picture: PreviewImage) -> Array:
        against = self._controls.counterpart
        other = picture.counterparts.get(against) if against is not None else None
        if other is None:
            return picture.data
        if self._controls.kind == SPLIT:
            return split(other, picture.data, float(self._controls.line.value), picture.prepared.axes.x)
        return other if self._blinked else picture.data

    def _sentence(self, picture: PreviewImage) -> str:
        rows, columns = (
            picture.region.ranges[axis][1] - picture.region.ranges[axis][0]
            for axis in (picture.prepared.axes.y, picture.prepared.axes.x)
        )
        size = f"{rows} × {columns} pixels"
        if self._cut:
            size += " in the middle of the view"
        other = self._controls.counterpart_words
        if self._controls.kind == SPLIT:
            return f"Preview of {size}. Left of the line: {other}."
        if self._controls.kind == BLINK:
            return f"Preview of {size}. Now: {other if self._blinked else 'the result'}."
        return f"Preview of {size}, in {self._seconds:.1f} s."

    def _remove(self) -> None:
        stop(self._blink)
        self._picture, self._key = None, None
        self._shown.remove()

    def _layer_removed(self, event: object = None) -> None:
        """The preview goes when its source goes; and it is off when the user has thrown its layer away."""
        if self._shown.thrown_away:
            self._controls.turn(False)
            self.turn_off()
        elif self._source is not None and self._source not in self._viewer.layers:
            self._leave_source()
            self._remove()
            self.changed()

    def _follow(self, layer: Image) -> None:
        """Listen to another source."""
        if layer is self._source:
            return
        self._leave_source()
        self._remove()
        self._source = layer
        for name in _SOURCE_EVENTS:
            getattr(layer.events, name).connect(self._source_changed)
        for name in SHARED_LOOK:
            getattr(layer.events, name).connect(self._look_changed)

    def _leave_source(self) -> None:
        layer, self._source = self._source, None
        if layer is not None:
            for name in _SOURCE_EVENTS:
                getattr(layer.events, name).disconnect(self._source_changed)
            for name in SHARED_LOOK:
                getattr(layer.events, name).disconnect(self._look_changed)

    def _source_changed(self, event: object = None) -> None:
        # Values or place: neither the picture nor the intensity of the whole layer holds any more.
        self._generation += 1
        self.changed()

    def _look_changed(self, event: object = None) -> None:
        if self._source is not None:
            self._shown.share_look(self._source)
            self.changed()

    def _adapt(self, seconds: float, part: Part) -> bool:
        """Choose another size for a device that is slow or fast; whether it is worth another picture at once."""
        if seconds > _TOO_SLOW:
            self._side = max(_LEAST_SIDE, self._side // 2)
        elif seconds < _TOO_FAST and self._side in _lengths(part) and self._side < _LARGEST_SIDE:
            self._side *= 2
            return True
        return False

    def _key_of(self, place: Place, plan: JobPlan, part: Part) -> object:
        return (
            id(place.layer),
            self._generation,
            place.axes,
            plan,
            _limits(place, plan),
            part.rows,
            part.columns,
            tuple(sorted(part.at.items())),
        )

    def _events(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        """Give what the preview follows, beside its source."""
        camera, dims = self._viewer.scene.camera.events, self._viewer.dims.events
        for emitter in (camera.center, camera.zoom, self._viewer.canvas.events.size, dims.point, dims.order):
            yield emitter, self.changed
        yield dims.ndisplay, self.changed
        yield self._viewer.layers.events.removed, self._layer_removed


def _limits(place: Place, plan: JobPlan) -> tuple[float, ...] | None:
    """Contrast limits, where the pixels depend on them."""
    if plan.settings.intensity != "contrast":
        return None
    return tuple(float(limit) for limit in place.layer.contrast_limits)


def _lengths(part: Part) -> tuple[int, ...]:
    return tuple(int(np.diff(span)[0]) for span in (part.rows, part.columns) if span is not None)
