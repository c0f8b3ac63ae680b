"""One run from the window: a model is loaded, a layer read, upscaled off the main thread, and the result added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.imaging.geometry import copy_contrast_range
from napari_sr.progress import Cancel, Progress
from napari_sr.widgets.activity import ActivityBar
from napari_sr.widgets.executor import Run
from napari_sr.widgets.job_plan import JobPlan
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.output_choice import store_in
from napari_sr.widgets.place_choice import Place
from napari_sr.widgets.queues import WorkQueues

if TYPE_CHECKING:
    from napari_sr.inference import LayerResult, Report
    from napari_sr.zoo import Model


class UpscalingListener(Protocol):
    """Hears how an upscaling goes, on the main thread; one of the last three is called, once."""

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Hear how far it is."""

    def finished(self, upscaling: Upscaling, layer: Image, report: Report) -> None:
        """Hear that the result was added."""

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Hear why it could not be done."""

    def stopped(self, upscaling: Upscaling, why: str) -> None:
        """Hear that it was stopped and nothing was added."""


class Upscaling:
    """A run over one layer, or over a part of one.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer is and the result goes.
    place : Place
        The source; only read.
    plan : JobPlan
        What is done to it.
    loader : ModelLoader
        Gives the model; called in the background.
    lanes : Lanes
        Where it waits for its turn.
    listener : Listener
        Who hears of it.
    """

    def __init__(
        self,
        viewer: Viewer,
        place: Place,
        plan: JobPlan,
        loader: ModelLoader,
        queues: WorkQueues,
        listener: UpscalingListener,
    ) -> None:
        self._viewer, self.place, self.plan = viewer, place, plan
        self.name = str(place.layer.name)
        self._loader, self._queues = loader, queues
        self._listener: UpscalingListener | None = listener
        self._run: Run[Any] | None = None
        self._queue = queues.models
        self._bar: ActivityBar | None = None
        self._why = "Stopped: nothing was added."

    @property
    def ahead(self) -> int:
        """Runs that have to end before this one starts."""
        return self._queues.jobs.ahead(self._run) if self._run is not None else 0

    def start(self) -> None:
        """Begin; how it goes on is told to the listener."""
        self._viewer.layers.events.removed.connect(self._layer_removed)
        # napari lets other events through as it makes a bar: after this, nothing else may come before this run.
        self._bar = ActivityBar(" · ".join(filter(None, [f"Upscaling {self.name}", self.place.name])), self.cancel)
        self._run = Run(
            f"loading the model for “{self.name}”",
            lambda progress, cancel: self._loader.load(self.plan.request),
            returned=self._loaded,
            errored=self._failed,
            cancelled=self._stopped,
        )
        self._queue = self._queues.models
        self._queue.submit(self._run)

    def cancel(self, why: str = "") -> None:
        """Ask it to stop; the listener hears when it has."""
        self._why = why or self._why
        if self._run is not None:
            self._queue.cancel(self._run)

    def abandon(self) -> None:
        """Ask it to stop and tell nobody."""
        if self._run is not None:
            self._run.abandon()
        self._end()

    def _loaded(self, model: Model) -> None:
        from napari_sr.inference import learn_speed, run_layer

        try:
            job = self.plan.job(model)
            prepared = self.place.prepare(job)
        except Exception as error:  # whatever it is, the panel must not be left running
            self._failed(error)
            return
        folder = self.plan.store
        out = None if folder is None else store_in(folder, prepared.kwargs["name"])

        def work(progress: Progress, cancel: Cancel) -> LayerResult:
            result = run_layer(job, prepared, out=out, progress=progress, cancel=cancel)
            learn_speed(job, prepared.region, prepared.image.dtype, result.report.seconds)
            return result

        self._run = Run(
            f"upscaling “{self.name}” with {model.name}",
            work,
            returned=self._add,
            errored=self._failed,
            cancelled=self._stopped,
            progressed=self._progressed,
        )
        self._queue = self._queues.jobs
        self._queue.submit(self._run)

    def _add(self, result: LayerResult) -> None:
        try:
            added = self._viewer.add_layer(Layer.create(*result.layer_data))
            copy_contrast_range(self.place.layer, added)
        except Exception as error:  # as above
            self._failed(error)
            return
        listener = self._end()
        if listener is not None:
            listener.finished(self, added, result.report)

    def _progressed(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.show(done, total)
        if self._listener is not None:
            self._listener.progressed(self, done, total)

    def _failed(self, error: Exception) -> None:
        listener = self._end()
        if listener is not None:
            listener.failed(self, error)

    def _stopped(self) -> None:
        listener = self._end()
        if listener is not None:
            listener.stopped(self, self._why)

    def _layer_removed(self, event: object) -> None:
        if self._listener is not None and self.place.layer not in self._viewer.layers:
            self.cancel(f"“{self.name}” was removed, so its run was stopped: nothing was added.")

    def _end(self) -> UpscalingListener | None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._viewer.layers.events.removed.disconnect(self._layer_removed)
        if self._bar is not None:
            self._bar.close()
        return listener
