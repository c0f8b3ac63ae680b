"""The kept choices of a panel in its rows, and the button that sets them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from magicgui.widgets import PushButton

from napari_sr.config import load_settings
from napari_sr.errors import NapariSRError
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.job_plan import JobPlan, save_last_plan
from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.choices.output import OutputChoice
from napari_sr.widgets.choices.part import WHOLE, PartChoice
from napari_sr.widgets.choices.settings.job_rows import JobRows
from napari_sr.widgets.preview.controls import NOTHING, PreviewControls
from napari_sr.widgets.upscale.remembered import (
    forget_panel,
    load_remembered,
    remember_file,
    remember_window,
    without_image,
)

_SOURCE = "source"


@dataclass(frozen=True)
class KeptRows:
    """The rows of a panel whose choices are kept.

    Parameters
    ----------
    models : ModelChoice
        The model and its factor.
    job : JobRows
        The settings.
    output : OutputChoice
        The destination of results.
    part : PartChoice
        The part to upscale, which is set back but not kept.
    preview : PreviewControls
        The comparison.
    """

    models: ModelChoice
    job: JobRows
    output: OutputChoice
    part: PartChoice
    preview: PreviewControls


class RememberedRows:
    """Shows the kept choices in a panel, and keeps new ones.

    Parameters
    ----------
    family : {"srcnn", "srgan", "esrgan"}
        Family of the panel.
    rows : KeptRows
        Its rows.
    show_plan : callable
        Called with a `JobPlan` whose model is chosen, to show the rows of the family; with None, to set them back.
    notify : callable
        Called with an exception: shows it.
    on_set_back : callable
        Called without arguments after the rows were set back.
    """

    def __init__(
        self,
        family: str,
        rows: KeptRows,
        show_plan: Callable[[JobPlan | None], None],
        notify: Callable[[Exception], object],
        on_set_back: Callable[[], None],
    ) -> None:
        self._family, self._rows, self._show_plan = family, rows, show_plan
        self._notify, self._on_set_back = notify, on_set_back
        self._awaited: JobPlan | None = None
        self.button = PushButton(
            name="set_back", text="Set back", tooltip="Show the choices of a new panel, and forget the last ones."
        )
        self.button.changed.connect(lambda: self.set_back())

    def begin(self) -> None:
        """Show the kept choices in a new panel, and keep the comparison from now on."""
        try:
            kept, shared = load_remembered(self._family), load_settings()
        except NapariSRError:
            # The panel has shown this error when it read its defaults.
            return
        rows, plan = self._rows, kept.plan
        if plan is not None:
            if kept.by_hand and rows.models.offers_model(plan.request.source):
                self._awaited = plan
                rows.models.select(plan.request.source)
                # A weight file is chosen later, when it has been read.
                self._show_awaited()
            rows.job.show(without_image(plan.settings, shared))
            if plan.store is None or plan.store.is_dir():
                rows.output.show(plan.store, plan.lazy)
        rows.preview.show_comparison(kept.compare or NOTHING, kept.against or _SOURCE)
        for widget in (rows.preview.compare, rows.preview.against):
            widget.changed.connect(lambda: self._write(self._keep_window))

    def keep_run(self, plan: JobPlan) -> None:
        """Keep the choices of a run."""

        def write() -> None:
            save_last_plan(self._family, plan)
            self._keep_window()

        self._write(write)

    def file_read(self, offer: ModelOffer) -> None:
        """Put the file of a model that was read into the list of recent ones, and show the kept choices for it.

        They are shown if it is chosen. A model of the catalog is not put into the list.
        """
        self._show_awaited()
        self._awaited = None
        path = offer.source
        if isinstance(path, Path):
            self._write(lambda: remember_file(self._family, path))

    def set_back(self) -> None:
        """Show the choices of a new panel and forget the last ones, as the button does."""
        rows = self._rows
        self._awaited = None
        self._write(lambda: forget_panel(self._family))
        try:
            shared = load_settings()
        except NapariSRError:
            shared = JobSettings()
        rows.models.set_back()
        self._show_plan(None)
        rows.job.show(shared)
        rows.output.show(None)
        rows.part.kind.value = WHOLE
        rows.preview.show_comparison(NOTHING, _SOURCE)
        self._on_set_back()

    def _show_awaited(self) -> None:
        """Show the kept choices that depend on the model, if it is that of the last run."""
        plan, model = self._awaited, self._rows.models.model
        if plan is not None and model is not None and model.source == plan.request.source:
            self._awaited = None
            if plan.request.scale is not None:
                self._rows.models.show_scale(plan.request.scale)
            self._show_plan(plan)

    def _keep_window(self) -> None:
        preview = self._rows.preview
        remember_window(
            self._family,
            by_hand=self._rows.models.chosen_by_hand,
            compare=preview.kind,
            against=str(preview.against.value),
        )

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except NapariSRError as error:
            # The work is not affected, so its message stays in the panel.
            self._notify(error)
