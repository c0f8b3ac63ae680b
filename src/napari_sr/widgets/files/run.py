"""A run over files in the background, in the queue of jobs; its events are delivered to the main thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_sr.inference.files.inputs import plan_files
from napari_sr.inference.files.results import FileResult, FileResults
from napari_sr.progress import Cancel, Progress
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.qt.activity import ActivityBar
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.torch_loading import load_torch

if TYPE_CHECKING:
    from napari_sr.zoo import Model


@dataclass(frozen=True)
class FilesPlan:
    """The choices of the panel at one moment.

    Parameters
    ----------
    inputs : tuple of Path
        A folder, or files.
    out_folder : Path
        Folder of the results.
    result_format : str or None
        Format of the results; None for that of each image.
    request : ModelRequest or None
        The model for all images; None for the suggested one of each.
    scale : int or None
        Factor of suggested models.
    settings : JobSettings
        The settings.
    overwrite : bool
        Whether files are replaced that no run has written.
    """

    inputs: tuple[Path, ...]
    out_folder: Path
    result_format: str | None
    request: ModelRequest | None
    scale: int | None
    settings: JobSettings
    overwrite: bool = False


class FilesListener(Protocol):
    """Is called on the main thread about a run."""

    def planned(self, results: FileResults) -> None:
        """All images, before the first is computed."""

    def image_changed(self, number: int, result: FileResult) -> None:
        """The new state of an image."""

    def progressed(self, done: int, total: int) -> None:
        """The progress of all images."""

    def finished(self, results: FileResults) -> None:
        """All images are finished or have failed."""

    def stopped(self) -> None:
        """The run was stopped."""

    def failed(self, error: Exception) -> None:
        """The run could not begin, or ended with an error that is not that of an image."""


class FilesUpscaling:
    """One run over files.

    Parameters
    ----------
    plan : FilesPlan
        The choices.
    loader : ModelLoader
        Loads the model.
    queues : WorkQueues
        The run waits for the jobs before it.
    listener : FilesListener
        Is called about the run.
    """

    def __init__(self, plan: FilesPlan, loader: ModelLoader, queues: WorkQueues, listener: FilesListener) -> None:
        self._plan, self._loader, self._queues, self._listener = plan, loader, queues, listener
        self.description = f"upscaling images into “{plan.out_folder.name}”"
        """The run in a sentence, such as "upscaling images into “plate-x2”"."""
        # Filled on the thread of the work, and emptied on the main thread.
        self._events: deque[Callable[[], None]] = deque()
        self._bar = ActivityBar(f"Images into {plan.out_folder.name}", self.stop)
        self._run: Run[FileResults] = Run(
            self.description,
            self._work,
            returned=self._returned,
            errored=self._errored,
            cancelled=self._cancelled,
            progressed=self._progressed,
        )

    @property
    def waiting(self) -> bool:
        """Whether other runs have to end before this one begins."""
        return self._queues.jobs.ahead(self._run) > 0

    def start(self) -> None:
        """Submit the run."""
        self._bar.open()
        self._queues.jobs.submit(self._run)

    def stop(self) -> None:
        """Stop the run; results that are finished stay."""
        self._queues.jobs.cancel(self._run)

    def abandon(self) -> None:
        """Stop the run without a further call of the listener: its panel is closed."""
        self._queues.jobs.abandon(self._run)
        self._bar.close()

    def _work(self, progress: Progress, cancel: Cancel) -> FileResults:
        """Do the run, on any thread."""
        plan, listener = self._plan, self._listener
        files = plan_files(plan.inputs, plan.out_folder, format=plan.result_format)
        load_torch()
        from napari_sr.inference.files.jobs import FileJobs
        from napari_sr.inference.files.run import FilesRun
        from napari_sr.inference.suggest import AUTO

        model: Model | str = AUTO if plan.request is None else self._loader.load(plan.request)
        jobs = FileJobs(model, plan.settings, scale=plan.scale)
        run = FilesRun(files, plan.out_folder, jobs, overwrite=plan.overwrite)
        planned = run.planned()
        self._events.append(lambda: listener.planned(planned))

        def changed(number: int, result: FileResult) -> None:
            self._events.append(lambda: listener.image_changed(number, result))

        return run.run(progress=progress, cancel=cancel, changed=changed)

    def _deliver(self) -> None:
        while self._events:
            self._events.popleft()()

    def _progressed(self, done: int, total: int) -> None:
        self._deliver()
        self._listener.progressed(done, total)
        # Last: napari's bar handles events, among them the end of this run.
        self._bar.show(done, total)

    def _returned(self, results: FileResults) -> None:
        self._deliver()
        self._bar.close()
        self._listener.finished(results)

    def _cancelled(self) -> None:
        self._deliver()
        self._bar.close()
        self._listener.stopped()

    def _errored(self, error: Exception) -> None:
        self._deliver()
        self._bar.close()
        self._listener.failed(error)
