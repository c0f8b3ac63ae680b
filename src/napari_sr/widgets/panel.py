"""What the three panels have in common: layer, model, factor, Run, and the rest under "More"."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.notifications import show_error
from napari.viewer import Viewer

from napari_sr.errors import NapariSRError
from napari_sr.widgets.executor import Executor, Run, ThreadExecutor
from napari_sr.widgets.job_settings import JobSettings
from napari_sr.widgets.layer_choice import LayerChoice
from napari_sr.widgets.model_choice import ModelChoice
from napari_sr.widgets.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.model_offers import ModelOffer, likely_factor
from napari_sr.widgets.rows import Fold, LabelAlignment, rows
from napari_sr.widgets.run_controls import RunControls
from napari_sr.widgets.upscaling import Upscaling

_ADDITIVE = "additive"
# A report says so of a model that could not be streamed.
_INSTEAD = ", because "

_log = logging.getLogger(__name__)


class UpscalePanel(Container[Widget]):
    """A panel that upscales an image layer with the models of one family.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    executor : Executor, optional
        Where the work is done; by default on a thread of napari's pool.
    """

    family: ClassVar[str]
    """The family of models it offers, as cards name it."""

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        self._viewer = napari_viewer
        self._executor: Executor = executor or ThreadExecutor()
        self.loader = ModelLoader()
        self.layer_choice = LayerChoice(napari_viewer)
        self.settings = JobSettings()
        self.controls = RunControls(self.run_upscaling, self.cancel_upscaling)
        self.models = ModelChoice(self.family, self._model_changed, self._read_model)
        self._upscaling: Upscaling | None = None
        self._background: list[Run[Any]] = []
        what = rows([self.layer_choice.widget, self.models.model_choice.widget])
        how = rows([self.models.factor, *self._family_rows()])
        more = rows(self.settings.widgets)
        self.more = Fold("More", more, tooltip="Device, precision, tiling, memory and brightness.")
        super().__init__(widgets=[what, self.models.about, how, self.controls, self.more], labels=False)
        self._label_alignment = LabelAlignment(self.native, [what, how, more])
        self.layer_choice.widget.changed.connect(self._update_run_button)
        self.native_parent_changed.connect(self._parent_changed)
        self.native.destroyed.connect(self._leave)
        self._model_changed()
        self._warm_up()

    @property
    def running(self) -> bool:
        """Whether a run goes on whose result will be shown."""
        return self._upscaling is not None

    def run_upscaling(self) -> None:
        """Upscale the chosen layer as the controls say: what the Run button does."""
        layer, model = self.layer_choice.layer, self.models.model
        if layer is None or model is None or not model.usable or self.controls.running:
            return
        request = self._request(model)
        self.controls.begin("Loading the model…")
        self._upscaling = Upscaling(
            self._viewer,
            layer,
            lambda: self.loader.load(request),
            self.settings.job,
            self._executor,
            self,
        )
        self._upscaling.start()

    def cancel_upscaling(self) -> None:
        """Stop the run: what the Cancel button does."""
        if self._upscaling is not None:
            self.controls.show_message("Stopping…")
            self._upscaling.cancel()

    def progressed(self, done: int, total: int) -> None:
        """Show how far the run is."""
        self.controls.progress(done, total, f"Upscaling: {100 * done // max(total, 1)} %")

    def finished(self, layer: Image) -> None:
        """Say that the result is there."""
        self._upscaling = None
        facts = layer.metadata["napari_sr"]
        message = f"Done in {facts['seconds']:.1f} s: “{layer.name}”."
        if _INSTEAD in facts["tiling"]:
            message += f" Exact tiling was not possible: it went by {facts['tiling']}."
        if layer.blending == _ADDITIVE:
            message += " Both layers add up where they overlap: hide one to judge brightness."
        self.controls.end(message)

    def failed(self, error: Exception) -> None:
        """Show why the run could not be done."""
        self._upscaling = None
        self.controls.end(self._show_error(error))

    def stopped(self, why: str) -> None:
        """Say that the run was stopped."""
        self._upscaling = None
        self.controls.end(why)

    def _family_rows(self) -> Sequence[Widget]:
        """Give the rows that only this family has."""
        return ()

    def _family_model_changed(self) -> None:
        """Bring the family's rows in line with the chosen model."""

    def _request(self, model: ModelOffer) -> ModelRequest:
        """Say which model a run needs."""
        return ModelRequest(model.source, scale=self.models.scale)

    def _model_changed(self) -> None:
        self._family_model_changed()
        self._update_run_button()

    def _update_run_button(self) -> None:
        model = self.models.model
        self.controls.set_can_run(self.layer_choice.layer is not None and model is not None and model.usable)
        if not self.controls.running:
            no_layer = "Open an image, or select an image layer: labels, points and shapes cannot be upscaled."
            self.controls.show_message(no_layer if self.layer_choice.layer is None else "")

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
        self._update_run_button()
        self.controls.show_message(self._show_error(error))

    def _warm_up(self) -> None:
        """Bring in torch while the user looks at the panel, and learn which devices there are."""
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
        self._executor.submit(run)

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
        """Stop everything: nobody is there any more to see a result."""
        for run in self._background:
            run.abandon()
        if self._upscaling is not None:
            self._upscaling.abandon()
            self._upscaling = None


def _devices() -> tuple[str, ...]:
    from napari_sr.inference import available_devices

    return available_devices()
