"""All runs of one panel, one after another, with one progress bar and one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.errors import InputError
from napari_sr.inference.formatting import format_seconds
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.choices.part import LayerPart
from napari_sr.widgets.qt.activity import TimeLeft
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.upscale.controls import RunControls
from napari_sr.widgets.upscale.run import Upscaling, lazy_sentence

if TYPE_CHECKING:
    from napari_sr.inference import Report

_ADDITIVE = "additive"


def check_output(plan: JobPlan, parts: Sequence[LayerPart]) -> None:
    """Check that parts can have the output of a plan; raises `InputError` for a lazy result of a part of a layer."""
    if plan.lazy and any(part.part is not None for part in parts):
        raise InputError(
            "The output “Only what is displayed” is for whole layers: choose “The whole layer” under Where, or another "
            "output under More."
        )


class PanelRuns:
    """The runs that a panel has started and that have not ended; an `UpscalingListener`.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layers, to which the results are added.
    queues : WorkQueues
        The runs wait in them.
    controls : RunControls
        Shows the progress and the messages.
    notify : callable
        Called with an exception: shows it as a notification and returns its sentence.
    on_end : callable
        Called without arguments when the last run has ended.
    """

    def __init__(
        self,
        viewer: Viewer,
        queues: WorkQueues,
        controls: RunControls,
        notify: Callable[[Exception], str],
        on_end: Callable[[], None],
    ) -> None:
        self._viewer, self._queues, self._controls = viewer, queues, controls
        self._notify, self._on_end = notify, on_end
        self._runs: list[Upscaling] = []
        self._started = self._done = self._added = 0
        self._failures: list[str] = []
        self._warnings: list[tuple[str, str]] = []
        self._time = TimeLeft()
        self.last_plan: JobPlan | None = None
        """The plan of the last result; None before the first."""
        queues.jobs.add_listener(self._show_waiting)

    @property
    def running(self) -> bool:
        """Whether a run has not ended."""
        return bool(self._runs)

    @property
    def unfinished(self) -> Sequence[str]:
        """Descriptions of the runs that have not ended, such as "upscaling “cells” with srcnn-x2"."""
        return [upscaling.description for upscaling in self._runs]

    def start(
        self, parts: Sequence[LayerPart], plan: JobPlan, loader: ModelLoader, refused: Sequence[Exception] = ()
    ) -> None:
        """Start a run for each part; they wait for the runs in progress.

        `refused` holds why other layers cannot be upscaled; each error counts as a run that failed.
        """
        if not self._runs:
            self._started = self._done = self._added = 0
            self._failures, self._warnings = [], []
            self._time = TimeLeft()
            self._controls.begin("Loading the model…")
        new = [Upscaling(self._viewer, part, plan, loader, self._queues, self) for part in parts]
        self._started += len(new) + len(refused)
        self._done += len(refused)
        self._failures += [self._notify(error) for error in refused]
        self._runs += new
        for upscaling in new:
            upscaling.start()
        if not new and not self._runs:
            self._show_end(self._failures[-1])

    def cancel(self) -> None:
        """Stop all runs."""
        self._controls.show_message("Stopping…")
        # The last first: if the first stopped at once, the second would start.
        for upscaling in reversed(tuple(self._runs)):
            upscaling.cancel()

    def abandon(self) -> None:
        """Stop all runs and show nothing any more: the panel is closed."""
        self._queues.jobs.remove_listener(self._show_waiting)
        runs, self._runs = self._runs, []
        for upscaling in reversed(runs):
            upscaling.abandon()

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Show the progress of a run."""
        seconds = self._time.seconds(done, total)
        left = f", {format_seconds(seconds)} left" if seconds is not None and done < total else ""
        percent = 100 * done // max(total, 1)
        self._controls.show_progress(done, total, f"Upscaling{self._format_which(upscaling)}: {percent} %{left}")

    def finished(self, upscaling: Upscaling, layer: Image, report: Report | None) -> None:
        """Show that a result was added."""
        self._added += 1
        self.last_plan = upscaling.plan
        remarks = "".join(f" {remark}" for remark in upscaling.remarks)
        if report is None:
            self._end(upscaling, lazy_sentence(layer) + remarks + _overlap(layer))
            return
        begin = "Done in" if self._added == 1 else f"Done: {self._added} layers were added, the last one in"
        message = f"{begin} {report.seconds:.1f} s: “{layer.name}”."
        if report.not_exact_because is not None:
            message += f" Exact tiling was not possible, because {report.not_exact_because}; tiling: {report.tiling}."
        message += remarks
        if black_and_white := report.black_and_white():
            message += f" {black_and_white[0].upper()}{black_and_white[1:]}."
        self._warnings += [(upscaling.name, sentence) for sentence in report.warnings]
        self._end(upscaling, message + _overlap(layer))

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Show the error of a run; the others continue."""
        self._failures.append(self._notify(error))
        self._end(upscaling, self._failures[-1])

    def stopped(self, upscaling: Upscaling, reason: str) -> None:
        """Show that a run was stopped."""
        self._end(upscaling, reason)

    def _end(self, upscaling: Upscaling, message: str) -> None:
        if upscaling not in self._runs:
            return
        self._runs.remove(upscaling)
        self._done += 1
        self._time = TimeLeft()
        if not self._runs:
            self._show_end(message)

    def _show_end(self, message: str) -> None:
        if self._started > 1 and self._failures:
            message = f"{len(self._failures)} of {self._started} runs failed: {self._failures[0]}"
        self._controls.end(message, self._format_warnings())
        self._on_end()

    def _format_warnings(self) -> str:
        names = len({name for name, _ in self._warnings}) > 1
        return " ".join(dict.fromkeys(f"“{name}”: {text}" if names else text for name, text in self._warnings))

    def _format_which(self, upscaling: Upscaling) -> str:
        return f" “{upscaling.name}” ({self._done + 1} of {self._started})" if self._started > 1 else ""

    def _show_waiting(self) -> None:
        """Show how many runs come before the first of this panel, if there are any."""
        if self._runs and (ahead := self._runs[0].ahead):
            others = "another run" if ahead == 1 else f"{ahead} other runs"
            self._controls.show_progress(0, 0, f"Waiting for {others}…")


def _overlap(layer: Image) -> str:
    """Sentence about layers that add up; empty for others."""
    if layer.blending != _ADDITIVE:
        return ""
    return " The layers add up where they overlap: hide one of them to compare brightness."
