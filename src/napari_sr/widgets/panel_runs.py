"""All runs of one panel: one after another, with one line and one bar that say how it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.inference.formatting import format_seconds
from napari_sr.widgets.activity import TimeLeft
from napari_sr.widgets.job_plan import JobPlan
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.place_choice import Place
from napari_sr.widgets.queues import WorkQueues
from napari_sr.widgets.run_controls import RunControls
from napari_sr.widgets.upscaling import Upscaling

if TYPE_CHECKING:
    from napari_sr.inference import Report

_ADDITIVE = "additive"


class PanelRuns:
    """What a panel has started and not finished.

    Parameters
    ----------
    viewer : napari.Viewer
        Where layers are and results go.
    lanes : Lanes
        Where runs wait for their turn.
    controls : RunControls
        Shows how it goes.
    say_error : callable
        Notifies of an error, and gives the sentence for the panel.
    on_end : callable
        Told when the last one has ended, with a result that was added, if any was.
    """

    def __init__(
        self,
        viewer: Viewer,
        queues: WorkQueues,
        controls: RunControls,
        say_error: Callable[[Exception], str],
        on_end: Callable[[], None],
    ) -> None:
        self._viewer, self._queues, self._controls = viewer, queues, controls
        self._say_error, self._on_end = say_error, on_end
        self._going: list[Upscaling] = []
        self._started = self._done = 0
        self._failures: list[str] = []
        self._time = TimeLeft()
        self.last: tuple[Image, JobPlan] | None = None
        queues.jobs.on_event(self._show_place)

    @property
    def going(self) -> bool:
        """Whether one has not ended."""
        return bool(self._going)

    def start(self, places: Sequence[Place], plan: JobPlan, loader: ModelLoader) -> None:
        """Start a run for each place; they wait for those that are going on."""
        if not self._going:
            self._started = self._done = 0
            self._failures = []
            self._time = TimeLeft()
            self._controls.begin("Loading the model…")
        started = [Upscaling(self._viewer, place, plan, loader, self._queues, self) for place in places]
        self._started += len(started)
        self._going += started
        for upscaling in started:
            upscaling.start()

    def cancel(self) -> None:
        """Stop all of them."""
        self._controls.show_message("Stopping…")
        # The last first, so that none starts in place of one that has stopped.
        for upscaling in reversed(tuple(self._going)):
            upscaling.cancel()

    def abandon(self) -> None:
        """Stop all of them and tell nobody: the panel is gone."""
        self._queues.jobs.forget(self._show_place)
        going, self._going = self._going, []
        for upscaling in reversed(going):
            upscaling.abandon()

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Show how far it is."""
        seconds = self._time.seconds(done, total)
        left = f", {format_seconds(seconds)} left" if seconds is not None and done < total else ""
        self._controls.progress(
            done, total, f"Upscaling{self._which(upscaling)}: {100 * done // max(total, 1)} %{left}"
        )

    def finished(self, upscaling: Upscaling, layer: Image, report: Report) -> None:
        """Say that a result is there."""
        message = f"Done in {report.seconds:.1f} s: “{layer.name}”."
        if report.not_exact_because is not None:
            message += f" Exact tiling was not possible, because {report.not_exact_because}: {report.tiling} was used."
        if layer.blending == _ADDITIVE:
            message += " Both layers add up where they overlap: hide one to judge brightness."
        self.last = layer, upscaling.plan
        self._end(upscaling, message)

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Show why a run could not be done; the others go on."""
        sentence = self._say_error(error)
        self._failures.append(sentence)
        self._end(upscaling, sentence)

    def stopped(self, upscaling: Upscaling, why: str) -> None:
        """Say that a run was stopped."""
        self._end(upscaling, why)

    def _end(self, upscaling: Upscaling, message: str) -> None:
        if upscaling not in self._going:
            return
        self._going.remove(upscaling)
        self._done += 1
        self._time = TimeLeft()
        if self._going:
            return
        several = self._started > 1
        if several and self._failures:
            message = f"{len(self._failures)} of {self._started} could not be done: {self._failures[0]}"
        elif several and message.startswith("Done"):
            message = f"Done: {self._started} layers were added. {message}"
        self._controls.end(message)
        self._on_end()

    def _which(self, upscaling: Upscaling) -> str:
        return f" “{upscaling.name}” ({self._done + 1} of {self._started})" if self._started > 1 else ""

    def _show_place(self) -> None:
        """Say that others come first, as long as they do."""
        if self._going and (ahead := self._going[0].ahead):
            others = "another run" if ahead == 1 else f"{ahead} other runs"
            self._controls.progress(0, 0, f"Waiting for {others}…")
