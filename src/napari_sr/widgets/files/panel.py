"""The panel for files: images, folder of the results, model and settings, Start and Stop, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, Container
from magicgui.widgets.bases import Widget
from napari.viewer import Viewer
from qtpy.QtWidgets import QVBoxLayout

from napari_sr.errors import InputError, NapariSRError
from napari_sr.inference.files.inputs import PlannedFile, plan_files
from napari_sr.inference.files.results import FileResult, FileResults
from napari_sr.inference.formatting import format_seconds
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.choices.settings.job_rows import JobRows
from napari_sr.widgets.choices.settings.rows import SettingsRows
from napari_sr.widgets.choices.size import SizeChoice
from napari_sr.widgets.files.controls import FilesControls
from napari_sr.widgets.files.images import ImagesChoice
from napari_sr.widgets.files.model import FilesModelChoice
from napari_sr.widgets.files.run import FilesPlan, FilesUpscaling
from napari_sr.widgets.files.table import ResultsTable
from napari_sr.widgets.formats.opening import open_path
from napari_sr.widgets.qt.activity import TimeLeft
from napari_sr.widgets.qt.base_panel import BasePanel
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.path_drop import PathDrop
from napari_sr.widgets.qt.rows import Fold, rows
from napari_sr.widgets.qt.run import Run

if TYPE_CHECKING:
    from napari_sr.inference import DeviceList

#: Formats that are opened with their pixel size; others are opened by napari.
_OWN = (".tif", ".tiff", ".zarr")
_STRETCH = 100


class FilesPanel(BasePanel):
    """A panel that upscales the images of a folder, or chosen files, into another folder.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer in which the panel is docked.
    executor : Executor, optional
        Does all work of the panel. By default the work queues that all panels share.
    """

    controls: FilesControls
    unaffected = "finished results and your images are unchanged"
    _preloaded = ("napari_sr.inference.files.run",)

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        super().__init__(napari_viewer, executor=executor)
        self._run: FilesUpscaling | None = None
        self._listing: Run[list[PlannedFile]] | None = None
        self._time = TimeLeft()
        self._count = self._ended = 0
        # From the start of a run until its images are planned or it is stopped.
        self._pending = False
        self.loader = ModelLoader()
        self.images = ImagesChoice(self._images_changed)
        self.model = FilesModelChoice(self._changed, self._read_model, self._load_pair)
        self.size = SizeChoice(self._changed)
        self.settings = SettingsRows(self._changed, of_layers=False)
        self.job_rows = JobRows(self.size, self.model.conditions, self.settings)
        self.overwrite = CheckBox(
            name="overwrite",
            text="Replace other files in the folder of the results",
            tooltip="Results of earlier runs are replaced in any case, if image, model or settings have changed.",
        )
        self.controls = FilesControls(self.start, self.stop)
        self.table = ResultsTable(napari_viewer, self._open)
        self.overwrite.changed.connect(self._changed)
        PathDrop(self.native, self._dropped)
        self._queues.jobs.add_listener(self._show_pending)
        self._lay_out()
        self.model.show()
        self._complete()
        self._changed()

    @property
    def running(self) -> bool:
        """Whether a run has not ended."""
        return self.controls.running

    @property
    def unfinished(self) -> Sequence[str]:
        """Description of the run that has not ended, if there is one."""
        return (self._run.description,) if self._run is not None and self.running else ()

    def refresh_models(self) -> None:
        """Read the catalog of models again."""
        self.model.refresh()

    def start(self) -> None:
        """Upscale all images that are not finished, as the Start button does."""
        if self.running:
            return
        try:
            plan = self._plan()
        except NapariSRError as error:
            self._report(error)
            return
        self.more.open = False
        self._time, self._ended = TimeLeft(), 0
        self._run = FilesUpscaling(plan, self.loader, self._queues, self)
        self._pending = True
        self.controls.begin("Preparing…")
        self.images.set_enabled(False)
        self._run.start()
        self._show_pending()

    def stop(self) -> None:
        """Stop the run, as the Stop button does; finished results stay."""
        if self._run is not None and self.running:
            self._pending = False
            self.controls.stopping()
            self._run.stop()

    # Called by the run, on the main thread.

    def planned(self, results: FileResults) -> None:
        """Show all images."""
        self._pending = False
        self._show_table(results)

    def image_changed(self, number: int, result: FileResult) -> None:
        """Show the new state of an image."""
        self.table.results.change(number, result)
        if result.state == "running":
            self.table.follow(number)
        else:
            self._ended += 1

    def progressed(self, done: int, total: int) -> None:
        """Show the progress and the time left."""
        self.controls.show_progress(done, total)
        left = self._time.seconds(done, total)
        text = f"{self._ended} of {self._count} images" + ("" if left is None else f", {format_seconds(left)} left")
        self.controls.show_message(f"{text}.")

    def finished(self, results: FileResults) -> None:
        """Show how the run ended."""
        some = any(result.state in ("done", "skipped") for result in results)
        where = f" The results are in {self._out_folder()}." if some else ""
        self._end(f"{results.summary()}.{where}", can_continue=False)
        self._changed()

    def stopped(self) -> None:
        """Show that the run was stopped."""
        self.table.results.stop()
        text = f"Stopped after {self._ended} of {self._count} images: Continue goes on with the others."
        self._end(text, can_continue=True)

    def failed(self, error: Exception) -> None:
        """Show why there was no run."""
        self.table.results.stop()
        self._end("", can_continue=False)
        self._report(error)

    def _show_pending(self) -> None:
        if self._run is not None and self._pending:
            waits = self._run.waiting
            self.controls.show_message("Waiting for the runs before this one." if waits else "Preparing…")

    def _end(self, message: str, *, can_continue: bool) -> None:
        self._pending = False
        self.images.set_enabled(True)
        self.controls.end(message, can_continue=can_continue)

    # Choices.

    def _plan(self) -> FilesPlan:
        """Return the present choices; raises `InputError` if they are not complete or do not fit together."""
        images = self.images
        if not images.inputs:
            raise InputError("There are no images to upscale: choose a folder or files.")
        return FilesPlan(
            images.inputs,
            self._out_folder(),
            images.result_format,
            self.model.request(),
            self.model.scale,
            self.job_rows.settings(),
            bool(self.overwrite.value),
        )

    def _out_folder(self) -> Path:
        if self.images.folder is None:
            raise InputError("There is no folder for the results: choose one under “Results”.")
        return self.images.folder

    # Updates.

    def _changed(self) -> None:
        if not self._completed:
            return
        self.controls.choice_changed()
        self.controls.set_can_start(self._count > 0 and self.images.folder is not None and self.model.usable)
        self.model.mixing.check_pair(self.model.models.scale)

    def _load_pair(self, pair: ModelRequest, refuse: Callable[[str], None]) -> None:
        self._check_in_background("reading two models", lambda: self.loader.load(pair), refuse)

    def _dropped(self, paths: list[Path]) -> None:
        if not self.running:
            self.images.choose(paths)

    def _images_changed(self) -> None:
        """List the images in the background, and show them in the table."""
        if self.running:
            return
        if self._listing is not None:
            self._listing.abandon()
            self._listing = None
        self._count = 0
        self._show_message("")
        inputs, folder, result_format = self.images.inputs, self.images.folder, self.images.result_format
        if not inputs or folder is None:
            self.images.show_problem("")
            self._show_table(FileResults())
            return
        self.images.show_problem("Looking for images…")
        self._changed()
        self._listing = self._in_background(
            "looking for images",
            lambda: plan_files(inputs, folder, format=result_format),
            self._listed,
            self._not_listed,
        )

    def _listed(self, files: list[PlannedFile]) -> None:
        if self.running:
            return
        self.images.show_count(len(files))
        self._show_table(
            FileResults(
                FileResult(file.source, file.out, "failed" if file.problem else "waiting", file.problem)
                for file in files
            )
        )

    def _not_listed(self, error: Exception) -> None:
        self._show_table(FileResults())
        self.images.show_problem(self._notify(error))

    def _show_table(self, results: FileResults) -> None:
        inputs = self.images.inputs
        root = inputs[0] if len(inputs) == 1 and inputs[0].is_dir() else None
        self._count = len(results)
        self.table.results.show_all(results, root)
        self._changed()

    def _open(self, path: Path) -> None:
        """Open a result as layers."""
        try:
            if path.suffix.lower() in _OWN:
                open_path(self._viewer, path)
            else:
                self._viewer.open(str(path), plugin="napari")
        except Exception as error:
            # A reader can raise any exception, and the result may have been changed by others.
            self._report(error)

    # Of the base panel.

    def _lay_out(self) -> None:
        images = rows(self.images.widgets[:1])
        results = rows(self.images.widgets[1:])
        model = rows(self.model.above)
        size = rows([*self.model.below, *self.size.widgets])
        more = rows([*self.settings.widgets, self.overwrite, self.computer_check.button])
        self.more = Fold(
            "More", more, tooltip="Brightness, missing pixels, device, tiling, memory, and files that exist already."
        )
        table: Container[Widget] = Container(labels=False)
        table.margins = (0, 0, 0, 0)
        table.native.layout().addWidget(self.table)
        self._set_content(
            [
                images,
                self.images.chosen,
                results,
                model,
                self.model.models.about,
                size,
                self.more,
                table,
            ],
            [images, results, model, size, more],
        )
        layout = self.content.native.layout()
        if isinstance(layout, QVBoxLayout):
            # All height that is left belongs to the table.
            layout.setStretchFactor(table.native, _STRETCH)

    def _read_model(self, offer: ModelOffer) -> None:
        models = self.model.models
        self._read_model_file(
            offer.text, lambda: self.loader.inspect(offer, None), models.complete, lambda: models.refuse(offer)
        )

    def _set_defaults(self, settings: JobSettings) -> None:
        self.settings.set_defaults(settings)

    def _offer_devices(self, devices: DeviceList) -> None:
        self.settings.device.offer(devices)

    def _disconnect(self) -> None:
        self.table.disconnect_viewer()
        self._queues.jobs.remove_listener(self._show_pending)
        if self._run is not None:
            self._run.abandon()
