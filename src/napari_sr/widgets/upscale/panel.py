"""The panel of a family: layer, model, size, part, preview, Run, and all settings under "More"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.errors import InputError, NapariSRError
from napari_sr.imaging.napari_layer import finest_level
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.card_text import model_help
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.layer import LayerChoice
from napari_sr.widgets.choices.layer_facts import LayerFacts, known_axes
from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.choices.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.choices.output import OutputChoice
from napari_sr.widgets.choices.part import LayerPart, PartChoice
from napari_sr.widgets.choices.settings.conditions import ConditionRows
from napari_sr.widgets.choices.settings.job_rows import JobRows
from napari_sr.widgets.choices.settings.measured_noise import measured_values
from napari_sr.widgets.choices.settings.rows import SettingsRows
from napari_sr.widgets.choices.size import SizeChoice
from napari_sr.widgets.formats.open_button import OpenButton
from napari_sr.widgets.preview.controls import PreviewControls
from napari_sr.widgets.preview.preview import Preview
from napari_sr.widgets.qt.base_panel import BasePanel
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.help import HelpButton, with_help
from napari_sr.widgets.qt.rows import Fold, rows, show_text
from napari_sr.widgets.qt.text.wrapped_text import WrappedText
from napari_sr.widgets.upscale.controls import RunControls
from napari_sr.widgets.upscale.remembered import recent_files
from napari_sr.widgets.upscale.remembered_rows import KeptRows, RememberedRows
from napari_sr.widgets.upscale.result_actions import ResultActions
from napari_sr.widgets.upscale.runs import PanelRuns, check_output
from napari_sr.widgets.upscale.script_text import copy_script
from napari_sr.widgets.upscale.suggested_rows import SuggestedRows
from napari_sr.widgets.upscale.suggestion import Suggest, suggest_model
from napari_sr.widgets.upscale.suggestion_line import SuggestionLine
from napari_sr.widgets.upscale.summary import format_summary, result_regions
from napari_sr.widgets.upscale.time_estimate import TimeEstimate
from napari_sr.widgets.window.docking import canvas_of

if TYPE_CHECKING:
    from napari_sr.inference import Calibration, DeviceList
    from napari_sr.inference.suggest import SuggestedFamily, Suggestion
    from napari_sr.zoo import Model

_NO_LAYER = "Open or select an image layer: labels, points and shapes cannot be upscaled."


class UpscalePanel(BasePanel):
    """A panel that upscales an image layer with the models of one family.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer in which the panel is docked.
    executor : Executor, optional
        Does all work of the panel. By default the work queues that all panels share.
    """

    controls: RunControls
    family: ClassVar[SuggestedFamily]
    """Family of the models, as cards name it: "srcnn", "srgan" or "esrgan"."""

    suggest: ClassVar[Suggest | None] = suggest_model
    """Computes the suggestion for a layer; None for no suggestions."""

    _preloaded = ("napari_sr.inference.layer",)

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        super().__init__(napari_viewer, executor=executor)
        self.loader = ModelLoader()
        self.layer_choice = LayerChoice(napari_viewer)
        self.facts = LayerFacts(self._changed)
        self.open_button = OpenButton(napari_viewer)
        self.summary = WrappedText(name="summary", tooltip="Source, result, memory of the result, and time.")
        self.models = ModelChoice(self.family, self._model_changed, self._read_model, recent_files(self.family))
        self.size = SizeChoice(self._changed)
        self.part_choice = PartChoice(napari_viewer, self._changed, self._show_summary)
        self.conditions = ConditionRows(self._changed)
        self.settings = SettingsRows(self._changed)
        self.job_rows = JobRows(self.size, self.conditions, self.settings)
        self.output = OutputChoice(self._changed)
        self.controls = RunControls(napari_viewer, self.run_upscaling, self.cancel_upscaling)
        self.preview_controls = PreviewControls(napari_viewer)
        self.runs = PanelRuns(napari_viewer, self._queues, self.controls, self._notify, self._runs_ended)
        self.preview = Preview(
            napari_viewer,
            self._preview_request,
            self.loader,
            self._queues,
            self.preview_controls,
            self._notify,
            self._calibrated,
            lambda: canvas_of(self.native),
        )
        self.suggested = SuggestedRows(self.models, self.job_rows)
        self.suggestion = SuggestionLine(
            napari_viewer,
            self._queues.background,
            self.family,
            type(self).suggest,
            on_known=self.suggested.begin_with,
            on_use=self.use_suggestion,
            is_used=self.suggested.shows,
        )
        kept = KeptRows(self.models, self.job_rows, self.output, self.part_choice, self.preview_controls)
        self.remembered = RememberedRows(self.family, kept, self._show_plan, self._notify, self._layer_changed)
        self.actions = ResultActions(
            napari_viewer, lambda: self.layer_choice.layer, self.copy_as_python, self.run_again_on
        )
        self.time = TimeEstimate(self.loader, self._queues, self._show_summary)
        self._lay_out()
        self.layer_choice.widget.changed.connect(self._layer_changed)
        self._complete()
        self._layer_changed()
        self._model_changed()
        self.remembered.begin()

    @property
    def running(self) -> bool:
        """Whether a run of this panel has not ended."""
        return self.runs.running

    @property
    def unfinished(self) -> Sequence[str]:
        """The runs of this panel that have not ended."""
        return self.runs.unfinished

    def refresh_models(self) -> None:
        """Read the catalog of models again."""
        self.models.refresh()

    def run_upscaling(self) -> None:
        """Upscale the chosen parts with the present choices, as the Run button does."""
        if (work := self._chosen_work()) is None:
            return
        plan, parts = work
        # A model that comes after the run was started would not be that of the result.
        self.suggested.may_begin = False
        self.runs.start(parts, plan, self.loader)
        self.remembered.keep_run(plan)

    def cancel_upscaling(self) -> None:
        """Stop all runs of this panel, as the Cancel button does."""
        if self.running:
            self.runs.cancel()

    def run_again_on(self, layers: Sequence[Image]) -> None:
        """Repeat the last run, with its settings, on other layers of the viewer.

        In place of two values, their noise is measured.
        """
        plan = self.runs.last_plan
        if plan is None:
            return
        if isinstance(plan.settings.noise, tuple):
            # Two values belong to the layer of the last run.
            plan = replace(plan, settings=replace(plan.settings, noise=JobSettings().noise))
        parts, refused = [], []
        for layer in layers:
            try:
                parts.append(LayerPart(layer, known_axes(layer)))
            except NapariSRError as error:
                refused.append(error)
        self.runs.start(parts, plan, self.loader, refused)

    def copy_as_python(self) -> None:
        """Copy a script that does the same as Run, as the button does."""
        if (work := self._chosen_work()) is None:
            return
        plan, parts = work
        self.actions.set_enabled(copy=False, again=self.runs.last_plan is not None)
        self._in_background(
            "loading the model for the script",
            lambda: self.loader.load(plan.request),
            lambda model: self._copy(plan, model, parts),
            self._not_copied,
        )

    def _copy(self, plan: JobPlan, model: Model, parts: Sequence[LayerPart]) -> None:
        try:
            message = copy_script(plan, model, parts)
        except NapariSRError as error:
            self._not_copied(error)
            return
        self._enable_actions()
        self._show_message(message)

    def _not_copied(self, error: Exception) -> None:
        self._enable_actions()
        self._report(error)

    # Choices.

    def _family_rows(self) -> Sequence[Widget]:
        """Return the rows that only this family has."""
        return ()

    def _family_model_changed(self) -> None:
        """Update the rows of the family for the chosen model."""

    def _request(self, model: ModelOffer) -> ModelRequest:
        """Return the request for the chosen model."""
        return ModelRequest(model.source, scale=self.models.scale)

    def _plan(self) -> JobPlan:
        """Return the present choices; raises `InputError` without a model, or if the settings do not fit together."""
        request = self._request(self.models.ready_model())
        return JobPlan(request, self.job_rows.settings(), self.output.store, self.output.lazy)

    def _chosen_work(self) -> tuple[JobPlan, list[LayerPart]] | None:
        """Return the present choices and the parts to upscale; None if Run is disabled, or after an error was shown."""
        layer = self.layer_choice.layer
        if layer is None or not self._can_run():
            return None
        try:
            plan, parts = self._plan(), self.part_choice.parts(layer)
            check_output(plan, parts)
        except NapariSRError as error:
            self._report(error)
            return None
        return plan, parts

    def _preview_request(self) -> tuple[LayerPart, JobPlan]:
        layer = self.layer_choice.layer
        if layer is None:
            raise InputError(_NO_LAYER)
        return LayerPart(layer, known_axes(layer)), self._plan()

    def _can_run(self) -> bool:
        return self.layer_choice.layer is not None and self.models.ready

    def _show_plan(self, plan: JobPlan | None) -> None:
        """Show the rows of the family for the model of a plan, which is chosen; with None, set them back."""

    # Suggestions.

    def use_suggestion(self, suggestion: Suggestion) -> None:
        """Choose the model and the settings of a suggestion for the chosen layer, as the button "Use it" does.

        A model of another family is chosen in the panel of that family.
        """
        layer, panel = self.layer_choice.layer, self if self.models.offers_model(suggestion.model) else None
        if panel is None and layer is not None:
            panel = self._panel_of(suggestion.model, layer)
        if panel is None:
            self._show_message(f"The model {suggestion.model} is not on this computer.")
            return
        try:
            panel.suggested.use(suggestion)
        except NapariSRError as error:
            self._report(error)

    def _panel_of(self, model: str, layer: Image) -> UpscalePanel | None:
        """Bring the panel of another family to the front, with a layer; None if no family has the model."""
        return None

    # Updates.

    def _layer_changed(self) -> None:
        self.suggested.may_begin = True
        layer = self.layer_choice.layer
        self.facts.show(layer)
        self.conditions.begin_layer()
        self.output.begin_with(None if layer is None else finest_level(layer))
        self._changed()

    def _model_changed(self) -> None:
        self.conditions.show_model(None if self.models.model is None else self.models.model.card)
        self._family_model_changed()
        self._changed()

    def _changed(self) -> None:
        if not self._completed:
            return
        self.controls.set_can_start(self._can_run())
        if not self.controls.running:
            self._show_message(_NO_LAYER if self.layer_choice.layer is None else "")
        layer, axes = self.layer_choice.layer, self.facts.present_axes
        self.conditions.show_layer(layer, axes)
        self.suggestion.request(layer, axes, self.models.present_scale)
        self._enable_actions()
        self._show_summary()
        self.preview.changed()

    def _calibrated(self, calibration: Calibration) -> None:
        if (values := measured_values(calibration)) is not None:
            self.conditions.noise.show_measured(*values)

    def _show_summary(self, event: object = None) -> None:
        layer, scale = self.layer_choice.layer, self.models.present_scale
        if layer is None or scale is None:
            self.time.clear()
            show_text(self.summary, "")
            return
        try:
            parts = self.part_choice.parts(layer)
            regions = result_regions(parts, scale, self.size.target)
            plan = self._plan()
            if plan.lazy:
                self.time.clear()
            else:
                self.time.request(plan, parts)
            text = format_summary(parts, regions, self.time.seconds, self.time.device, lazy=plan.lazy)
        except NapariSRError as error:
            self.time.clear()
            text = str(error)
        show_text(self.summary, text)

    def _enable_actions(self) -> None:
        self.actions.set_enabled(copy=self._can_run(), again=self.runs.last_plan is not None)

    def _runs_ended(self) -> None:
        self._enable_actions()
        # The speed of this device was measured again by the run.
        self.time.clear()
        self._show_summary()

    # Of the base panel.

    def _lay_out(self) -> None:
        layer = rows([with_help(self.layer_choice.widget, HelpButton("The layer and its size", "window/#summary"))])
        facts = rows([*self.facts.widgets, self.open_button])
        more_help = {"The suggestion…": "window/#the-suggestion", "Noise and blur…": "window/#noise-and-blur"}
        help_button = model_help(self.models, "Models", "window/#models", more_help)
        model = rows([with_help(self.models.model_choice.widget, help_button)])
        own = (*self._family_rows(), *self.conditions.widgets)
        where, *shapes = self.part_choice.widgets
        part = with_help(where, HelpButton("Region and size", "window/#region-and-size"))
        size = rows([self.models.factor, *self.size.widgets, *own, part, *shapes])
        more = rows([*self.settings.widgets, *self.output.widgets, self.remembered.button, self.computer_check.button])
        self.layer_fold = Fold(
            "Pixel size and axes", facts, tooltip="Complete what the layer does not define: pixel size, unit and axes."
        )
        self.more = Fold("More", more, tooltip="Brightness, missing pixels, device, tiling, memory and output.")
        choices = [layer, self.summary, self.layer_fold, model, self.models.about, self.suggestion, size]
        self._set_content(
            [*choices, self.preview_controls, self.actions, self.more],
            [layer, facts, model, size, self.preview_controls.comparison_rows, more],
        )

    def _read_model(self, offer: ModelOffer) -> None:
        """Read a model file in the background, for its family and factor."""
        self._read_model_file(
            offer.text,
            lambda: self.loader.inspect(offer, self.family),
            self._model_read,
            lambda: self.models.refuse(offer),
        )

    def _model_read(self, offer: ModelOffer) -> None:
        self.models.complete(offer)
        self.remembered.file_read(offer)

    def _set_defaults(self, settings: JobSettings) -> None:
        self.settings.set_defaults(settings)

    def _offer_devices(self, devices: DeviceList) -> None:
        self.settings.device.offer(devices)

    def _disconnect(self) -> None:
        warnings = (self.controls.warnings, self.preview_controls.warnings)
        for part in (self.layer_choice, self.part_choice, self.facts, self.suggestion, *warnings):
            part.disconnect()
        self.preview.turn(False)
        self.time.clear()
        self.runs.abandon()
