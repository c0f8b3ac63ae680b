"""What the three panels have in common: layer, model, size, place, preview, Run, and the rest under "More"."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import Container, Label
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_sr.config import load_config
from napari_sr.errors import InputError, NapariSRError
from napari_sr.widgets.commands import keep_last
from napari_sr.widgets.executor import Executor, Run
from napari_sr.widgets.job_plan import JobPlan
from napari_sr.widgets.job_settings import SettingsRows
from napari_sr.widgets.layer_choice import LayerChoice
from napari_sr.widgets.layer_facts import LayerFacts
from napari_sr.widgets.model_choice import ModelChoice
from napari_sr.widgets.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.model_offers import ModelOffer, likely_factor
from napari_sr.widgets.output_choice import OutputChoice
from napari_sr.widgets.panel_runs import PanelRuns
from napari_sr.widgets.place_choice import Place, PlaceChoice
from napari_sr.widgets.preview import Preview
from napari_sr.widgets.preview_controls import PreviewControls
from napari_sr.widgets.queues import WorkQueues, queues_on, shared_queues
from napari_sr.widgets.result_actions import ResultActions
from napari_sr.widgets.rows import Fold, LabelAlignment, Scrolled, order_tabs, rows, show_text, wrapped
from napari_sr.widgets.run_controls import RunControls
from napari_sr.widgets.size_choice import SizeChoice
from napari_sr.widgets.summary import regions, summary_text
from napari_sr.widgets.time_estimate import TimeEstimate
from napari_sr.widgets.torch_loading import load_torch

if TYPE_CHECKING:
    from napari_sr.zoo import Model

_WARM_UP_MS = 200
_NO_LAYER = "Open an image, or select an image layer: labels, points and shapes cannot be upscaled."

_log = logging.getLogger(__name__)


class UpscalePanel(Container[Widget]):
    """A panel that upscales an image layer with the models of one family.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    executor : Executor, optional
        Where all of its work is done; by default in the lanes that all panels share.
    """

    family: ClassVar[str]
    """The family of models it offers, as cards name it."""

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        self._viewer = napari_viewer
        self._queues: WorkQueues = shared_queues() if executor is None else queues_on(executor)
        self._background: list[Run[Any]] = []
        self._made = self._left = False
        self.loader = ModelLoader()
        self.layer_choice = LayerChoice(napari_viewer)
        self.facts = LayerFacts(self._changed)
        self.summary = wrapped(Label(name="glance", tooltip="What goes in, what comes out, and what it takes."))
        self.models = ModelChoice(self.family, self._model_changed, self._read_model)
        self.size = SizeChoice(self._changed)
        self.where = PlaceChoice(napari_viewer, self.facts.axes_of, self._changed)
        self.settings = SettingsRows(self._changed)
        self.output = OutputChoice(self._changed)
        self.controls = RunControls(self.run_upscaling, self.cancel_upscaling)
        self.preview_controls = PreviewControls(self._switch_preview, lambda: self.preview.compare())
        self.runs = PanelRuns(napari_viewer, self._queues, self.controls, self._show_error, self._runs_ended)
        self.preview = Preview(
            napari_viewer, self._preview_request, self.loader, self._queues, self.preview_controls, self._show_error
        )
        self.actions = ResultActions(napari_viewer, self._last_source, self.copy_as_python, self.run_again_on)
        self.time = TimeEstimate(self.loader, self._queues, self._show_summary)
        self._lay_out()
        self._made = True
        self.layer_choice.widget.changed.connect(self._layer_changed)
        self.native_parent_changed.connect(self._parent_changed)
        self.native.destroyed.connect(self._leave)
        self._follow_view()
        self._take_defaults()
        self._layer_changed()
        self._model_changed()
        # The panel is drawn first: what torch does when it is imported would hold it up.
        QTimer.singleShot(_WARM_UP_MS, self._warm_up)

    @property
    def running(self) -> bool:
        """Whether a run goes on whose result will be shown."""
        return self.runs.going

    def run_upscaling(self) -> None:
        """Upscale what is chosen as the controls say: what the Run button does."""
        layer = self.layer_choice.layer
        if layer is None or not self._can_run():
            return
        try:
            plan, places = self._plan(), self.where.places(layer)
        except NapariSRError as error:
            self.controls.show_message(self._show_error(error))
            return
        self.runs.start(places, plan, self.loader)
        try:
            keep_last(self.family, plan)
        except NapariSRError as error:
            # The run goes on; only the next session will not know of it.
            self._show_error(error)

    def cancel_upscaling(self) -> None:
        """Stop what this panel has started: what the Cancel button does."""
        if self.running:
            self.runs.cancel()

    def run_again_on(self, layers: Sequence[Image]) -> None:
        """Do the last run, as it was, to other layers."""
        if self.runs.last is not None:
            plan = self.runs.last[1]
            self.runs.start([Place(layer, self.facts.axes_of(layer)) for layer in layers], plan, self.loader)

    def copy_as_python(self) -> None:
        """Copy a script that does what Run would do now: what the button does."""
        layer = self.layer_choice.layer
        if layer is None or not self._can_run():
            return
        try:
            plan, places = self._plan(), self.where.places(layer)
        except NapariSRError as error:
            self.controls.show_message(self._show_error(error))
            return
        self.actions.allow(copy=False, again=self.runs.last is not None)
        self._in_background(
            Run(
                "loading the model for the script",
                lambda progress, cancel: self.loader.load(plan.request),
                returned=lambda model: self._copy(plan, model, places),
                errored=self._not_copied,
                announced=False,
            )
        )

    def _copy(self, plan: JobPlan, model: Model, places: Sequence[Place]) -> None:
        from napari_sr.inference.script import as_script

        # A script is for one layer, and for as many parts of it as there are.
        parts = [place for place in places if place.layer is places[0].layer]
        try:
            job = plan.job(model)
            prepared = [part.prepare(job) for part in parts]
            script = as_script(job, *prepared)
        except NapariSRError as error:
            self._not_copied(error)
            return
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(script)
        self._run_ended()
        which = f" for {len(parts)} parts" if len(parts) > 1 else ""
        if len(parts) < len(places):
            which = f" for the first of {len(places)} layers"
        by_hand = "" if prepared[0].source.path else " It says where to put the array: it came from no file."
        self.controls.show_message(f"The script{which} is in the clipboard.{by_hand}")

    def _not_copied(self, error: Exception) -> None:
        self._run_ended()
        self.controls.show_message(self._show_error(error))

    def _lay_out(self) -> None:
        what = rows([self.layer_choice.widget])
        facts = rows(self.facts.widgets)
        which = rows([self.models.model_choice.widget])
        how = rows([self.models.factor, *self.size.widgets, *self._family_rows(), *self.where.widgets])
        more = rows([*self.settings.widgets, *self.output.widgets])
        self.layer_fold = Fold("Pixel size and axes", facts, tooltip="What the layer does not say of itself.")
        self.more = Fold("More", more, tooltip="Brightness, device, precision, tiling, memory and output.")
        self.content: Container[Widget] = Container(
            widgets=[
                what,
                self.summary,
                self.layer_fold,
                which,
                self.models.about,
                how,
                self.preview_controls,
                self.controls,
                self.actions,
                self.more,
            ],
            labels=False,
        )
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        order_tabs(self.content)
        self.scroll = Scrolled(self.content.native)
        self.native.layout().addWidget(self.scroll)
        compared = self.preview_controls.comparison_rows
        self._label_alignment = LabelAlignment(self.native, [what, facts, which, how, compared, more])

    def _family_rows(self) -> Sequence[Widget]:
        """Give the rows that only this family has."""
        return ()

    def _family_model_changed(self) -> None:
        """Bring the family's rows in line with the chosen model."""

    def _request(self, model: ModelOffer) -> ModelRequest:
        """Say which model a run needs."""
        return ModelRequest(model.source, scale=self.models.scale)

    def _plan(self) -> JobPlan:
        """Take down what is chosen.

        Raises
        ------
        InputError
            If no model is, or the settings do not go together.
        """
        model = self.models.model
        if model is None or not model.usable:
            raise InputError("There is no model to upscale with: choose one under “Model”.")
        return JobPlan(self._request(model), self.settings.settings(self.size.target), self.output.store)

    def _preview_request(self) -> tuple[Place, JobPlan]:
        layer = self.layer_choice.layer
        if layer is None:
            raise InputError(_NO_LAYER)
        return Place(layer, self.facts.axes_of(layer)), self._plan()

    def _can_run(self) -> bool:
        model = self.models.model
        return self.layer_choice.layer is not None and model is not None and model.usable

    def _switch_preview(self, on: bool) -> None:
        if on:
            self.preview.turn_on()
        else:
            self.preview.turn_off()

    def _layer_changed(self) -> None:
        self.facts.show(self.layer_choice.layer)
        self._changed()

    def _model_changed(self) -> None:
        self._family_model_changed()
        self._changed()

    def _changed(self) -> None:
        """Bring everything in line with what is chosen now."""
        if not self._made:
            return
        self.controls.set_can_run(self._can_run())
        if not self.controls.running:
            self.controls.show_message(_NO_LAYER if self.layer_choice.layer is None else "")
        self.actions.allow(copy=self._can_run(), again=self.runs.last is not None)
        self._show_summary()
        self.preview.changed()

    def _show_summary(self, event: object = None) -> None:
        layer, model = self.layer_choice.layer, self.models.model
        if layer is None or model is None or model.scale is None:
            self.time.forget()
            show_text(self.summary, "")
            return
        try:
            places = self.where.places(layer)
            made = regions(places, self.models.scale or model.scale, self.size.target)
            self.time.want(self._plan(), places)
            text = summary_text(places, made, self.time.seconds, self.time.device)
        except NapariSRError as error:
            self.time.forget()
            text = str(error)
        show_text(self.summary, text)

    def _follow_view(self) -> None:
        """Keep the line at a glance true when the view or the selection is what is upscaled."""
        viewer = self._viewer
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        self._followed: tuple[Any, ...] = (
            camera.center,
            camera.zoom,
            viewer.canvas.events.size,
            dims.point,
            dims.order,
            dims.ndisplay,
            viewer.layers.selection.events.changed,
        )
        for emitter in self._followed:
            emitter.connect(self._view_changed)

    def _view_changed(self, event: object = None) -> None:
        if self.where.follows_window:
            self._show_summary()

    def _last_source(self) -> Image | None:
        return self.layer_choice.layer

    def _run_ended(self) -> None:
        self.actions.allow(copy=self._can_run(), again=self.runs.last is not None)

    def _runs_ended(self) -> None:
        self._run_ended()
        # The run has shown how fast this machine is.
        self.time.forget()
        self._show_summary()

    def _read_model(self, offer: ModelOffer) -> None:
        """Read a file that was chosen, in the background, to know its factor."""
        self.controls.set_can_run(False)
        self.controls.show_message(f"Reading {offer.text}…")
        self._in_background(
            Run(
                f"reading {offer.text}",
                lambda progress, cancel: self.loader.inspect(offer, self.family, likely_factor(offer.text)),
                returned=self.models.complete,
                errored=self._not_read,
                announced=False,
            )
        )

    def _not_read(self, error: Exception) -> None:
        self.models.refuse()
        self._changed()
        self.controls.show_message(self._show_error(error))

    def _take_defaults(self) -> None:
        """Begin with device, precision and memory of the shared settings."""
        try:
            config = load_config()
        except NapariSRError as error:
            self._show_error(error)
            return
        self.settings.take_defaults(config.device, config.precision, config.memory)

    def _warm_up(self) -> None:
        """Bring in torch while the user looks at the panel, and learn which devices there are."""
        if self._left:
            return
        self._in_background(
            Run(
                "looking for devices",
                lambda progress, cancel: _devices(),
                returned=self.settings.offer_devices,
                errored=self._not_warm,
                announced=False,
            )
        )

    def _not_warm(self, error: Exception) -> None:
        self.controls.show_message(self._show_error(error))

    def _in_background(self, run: Run[Any]) -> None:
        self._background = [*(other for other in self._background if not other.ended), run]
        self._queues.background.submit(run)

    def _show_error(self, error: Exception) -> str:
        """Notify of an error, and give the sentence for the panel."""
        sentence = str(error)
        if not isinstance(error, NapariSRError):
            _log.error("A run failed unexpectedly.", exc_info=error)
            sentence = f"Something unexpected went wrong ({type(error).__name__}: {error}); nothing was changed."
        show_error(sentence)
        return sentence

    def _parent_changed(self, parent: object) -> None:
        # napari takes the panel out of its dock when that is closed.
        if self.native.parent() is None:
            self._leave()

    def _leave(self) -> None:
        """Stop everything, once: nobody is there any more to see a result."""
        if self._left:
            return
        self._left = True
        for emitter in self._followed:
            emitter.disconnect(self._view_changed)
        self._followed = ()
        for part in (self.layer_choice, self.where, self.facts):
            part.leave()
        self.preview.turn_off()
        self.time.forget()
        for run in self._background:
            run.abandon()
        self.runs.abandon()


def _devices() -> tuple[str, ...]:
    load_torch()
    from napari_sr.inference import available_devices

    return available_devices()
