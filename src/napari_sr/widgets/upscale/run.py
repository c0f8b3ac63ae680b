"""One run from the window: load the model, read the layer, upscale off the main thread, add the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.imaging.napari_layer import LayerData, copy_contrast_range, finest_level, levels_of
from napari_sr.progress import Cancel, Progress
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.layer import add_unselected
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.choices.output import store_in
from napari_sr.widgets.choices.part import LayerPart
from napari_sr.widgets.choices.settings.measured_noise import format_measured_noise
from napari_sr.widgets.qt.activity import ActivityBar
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.upscale.lazy_layer import LazyLayer

if TYPE_CHECKING:
    from napari_sr.inference import Job, LayerInput, LayerResult, Report
    from napari_sr.zoo import Model

T = TypeVar("T")


def lazy_sentence(layer: Image) -> str:
    """Return a sentence about a new layer whose pixels are computed where they are displayed."""
    return f"Added “{layer.name}”: its pixels are computed where you look, at full resolution."


class UpscalingListener(Protocol):
    """Callbacks of an upscaling run, on the main thread. Exactly one of the last three is called, once."""

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Receive the progress: pieces of work."""

    def finished(self, upscaling: Upscaling, layer: Image, report: Report | None) -> None:
        """Receive the result, which is in the viewer, with its report, or None for a lazy result."""

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Receive the error, of any type, that ended the run."""

    def stopped(self, upscaling: Upscaling, reason: str) -> None:
        """Receive that the run was stopped and nothing was added, and the reason in a sentence."""


class Upscaling:
    """A run over one layer, or over a part of one.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layer, to which the result is added.
    part : LayerPart
        The source; it is not changed.
    plan : JobPlan
        Model and settings.
    loader : ModelLoader
        Loads the model, in the background.
    queues : WorkQueues
        The run waits in the queues for models and for jobs.
    listener : UpscalingListener
        Its methods are called.
    """

    def __init__(
        self,
        viewer: Viewer,
        part: LayerPart,
        plan: JobPlan,
        loader: ModelLoader,
        queues: WorkQueues,
        listener: UpscalingListener,
    ) -> None:
        self._viewer, self.part, self.plan = viewer, part, plan
        self.remarks: list[str] = []
        """Sentences about the result when the run has finished: the measured noise, and pixels that were replaced."""
        self._queues = queues
        self._listener: UpscalingListener | None = listener
        self._run: Run[Any] = Run(
            f"loading the model for “{self.name}”",
            lambda progress, cancel: loader.load(plan.request),
            returned=self._loaded,
            errored=self._failed,
            cancelled=self._stopped,
        )
        self._queue = queues.models
        self._bar = ActivityBar(" · ".join(filter(None, [f"Upscaling {self.name}", part.name])), self.cancel)
        self._stop_reason = "Stopped: nothing was added."
        viewer.layers.events.removed.connect(self._layer_removed)

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.part.layer.name)

    @property
    def description(self) -> str:
        """Layer and model, such as "upscaling “cells” with srcnn-x2"."""
        source = self.plan.request.source
        return f"upscaling “{self.name}” with {source.stem if isinstance(source, Path) else source}"

    def unfinished(self) -> Sequence[str]:
        """Return the description as long as the run has not ended."""
        return () if self._listener is None else (self.description,)

    @property
    def ahead(self) -> int:
        """Number of runs that have to end before this one starts."""
        return self._queues.jobs.ahead(self._run)

    def start(self) -> None:
        """Start the run; the listener is called from then on."""
        # Among the events that napari handles meanwhile, this run may be cancelled or abandoned.
        self._bar.open()
        self._queue.submit(self._run)

    def cancel(self, reason: str = "") -> None:
        """Request that the run stops, for a reason in a sentence; the listener is called with it when it has."""
        self._stop_reason = reason or self._stop_reason
        self._queue.cancel(self._run)

    def abandon(self) -> None:
        """Request that the run stops, and call the listener no more."""
        self._queue.abandon(self._run)
        self._end()

    def _loaded(self, model: Model) -> None:
        from napari_sr.inference import learn_speed, run_layer

        try:
            job = self.plan.job(model)
            prepared = self.part.prepare(job)
        except Exception as error:  # of any kind: the panel must not stay in its running state
            self._failed(error)
            return
        if self.plan.lazy:
            self._prepare_lazy(job, prepared)
            return
        folder = self.plan.store

        def work(progress: Progress, cancel: Cancel) -> LayerResult:
            ready = self._measured(job, prepared, cancel)
            # Now that the runs before it have ended: one of them may have written a store of this name.
            out = None if folder is None else store_in(folder, prepared.kwargs["name"])
            result = run_layer(job, ready, out=out, progress=progress, cancel=cancel)
            learn_speed(job, ready.region, ready.image.dtype, result.report.seconds)
            return result

        self._submit(work, lambda result: self._add(job, result.layer_data, prepared, result.report))

    def _measured(self, job: Job, prepared: LayerInput, cancel: Cancel) -> LayerInput:
        """Measure the noise for a model that takes it as `run_layer` would do, and keep a remark about it."""
        from napari_sr.inference import calibrate_layer

        if job.model.card.conditioning is None:
            return prepared
        calibration = calibrate_layer(job, prepared, cancel=cancel)
        if noise := format_measured_noise(calibration, job.settings, prepared.image.dtype):
            self.remarks.append(noise)
        return replace(prepared, calibration=calibration)

    def _prepare_lazy(self, job: Job, prepared: LayerInput) -> None:
        """Measure the layer, and add the result without its pixels."""
        from napari_sr.inference.lazy.layer import displayed_layer

        levels = levels_of(self.part.layer)

        def work(progress: Progress, cancel: Cancel) -> LayerData:
            return displayed_layer(job, self._measured(job, prepared, cancel), levels, cancel=cancel)

        self._submit(work, lambda layer_data: self._add(job, layer_data, prepared, None))

    def _submit(self, work: Callable[[Progress, Cancel], T], returned: Callable[[T], None]) -> None:
        """Put the work of the job into the queue of jobs."""
        self._run = Run(
            self.description,
            work,
            returned=returned,
            errored=self._failed,
            cancelled=self._stopped,
            progressed=self._progressed,
        )
        self._queue = self._queues.jobs
        self._queue.submit(self._run)

    def _add(self, job: Job, made: LayerData, prepared: LayerInput, report: Report | None) -> None:
        """Add the layer of a result; without a report, its pixels are computed where they are displayed."""
        # An import at the top would import torch before a panel is drawn.
        from napari_sr.inference.script import layer_data

        try:
            present = self.part.present(prepared)
            if present is not prepared:
                facts = {} if report is None else report.as_dict()
                made = layer_data(job, present, made[0], facts, lazy=report is None)
            if report is None:
                added = LazyLayer(self._viewer, made, self._queues.previews).layer
            else:
                added = Layer.create(*made)
                # The next run, and the contrast sliders, are for the layers that the user has selected.
                add_unselected(self._viewer, added)
            copy_contrast_range(self.part.layer, added)
        except Exception as error:  # as above
            self._failed(error)
            return
        if finest_level(self.part.layer) is not prepared.image:
            self.remarks.append(
                f"The pixels of “{self.name}” were replaced during the run: this is the result of those before."
            )
        if (listener := self._end()) is not None:
            listener.finished(self, added, report)

    def _progressed(self, done: int, total: int) -> None:
        if self._listener is not None:
            self._listener.progressed(self, done, total)
        # Last: napari's bar handles events, among them the end of this run.
        self._bar.show(done, total)

    def _failed(self, error: Exception) -> None:
        if (listener := self._end()) is not None:
            listener.failed(self, error)

    def _stopped(self) -> None:
        if (listener := self._end()) is not None:
            listener.stopped(self, self._stop_reason)

    def _layer_removed(self, event: object) -> None:
        if self._listener is not None and self.part.layer not in self._viewer.layers:
            self.cancel(f"“{self.name}” was removed, so its run was stopped: nothing was added.")

    def _end(self) -> UpscalingListener | None:
        """Disconnect and close the bar; return the listener if it was not called with the end yet."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._bar.close()
        return listener
