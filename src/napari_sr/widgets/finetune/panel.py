"""Fine-tune panel: train a model on the user's layers, with live validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import Container, LineEdit
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.errors import InputError, NapariSRError
from napari_sr.imaging.napari_layer import finest_level
from napari_sr.settings import JobSettings
from napari_sr.training.recipe import Degradation
from napari_sr.widgets.choices.card_text import model_help
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.choices.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.finetune.checks import noise_of, pair_facts, pixel_in_nanometers
from napari_sr.widgets.finetune.controls import TrainingControls
from napari_sr.widgets.finetune.degradation import OPTICS, DegradationChoice
from napari_sr.widgets.finetune.degradation_preview import DegradationPreview, DegradationRequest
from napari_sr.widgets.finetune.images import ImageTable
from napari_sr.widgets.finetune.layer_snapshot import copy_image, copy_shapes
from napari_sr.widgets.finetune.progress import TrainingProgress
from napari_sr.widgets.finetune.recipe import RecipeChoice
from napari_sr.widgets.finetune.regions import RegionChoice
from napari_sr.widgets.finetune.run import FinetunePlan, Trained
from napari_sr.widgets.finetune.unfinished import (
    UnfinishedOffer,
    UnfinishedTraining,
    is_unfinished,
    unfinished_trainings,
)
from napari_sr.widgets.qt.base_panel import BasePanel, refresh_all_models
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.help import with_help
from napari_sr.widgets.qt.rows import Fold, rows, show_text
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.text.contrast import theme_colors
from napari_sr.widgets.qt.text.wrapped_text import WrappedText
from napari_sr.widgets.upscale.families import show_panel
from napari_sr.zoo.names import check_name

if TYPE_CHECKING:
    from napari_sr.inference import DeviceList

_NO_IMAGE = "Open an image with the resolution that the model should reach."


class FinetunePanel(BasePanel):
    """A panel that trains a model further on image layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer in which the panel is docked.
    executor : Executor, optional
        Does all work of the panel. By default the work queues that all panels share.
    """

    controls: TrainingControls
    unaffected = "your models and images are unchanged"
    # Imported with torch, so that a training starts at once.
    _preloaded = ("napari_sr.training.training",)

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        super().__init__(napari_viewer, executor=executor)
        self._pair_check: Run[str] | None = None
        self._suggested_name = ""
        self.loader = ModelLoader()
        self.models = ModelChoice(None, self._changed, self._read_model, classics=False)
        self.images = ImageTable(napari_viewer, self._changed, self._complete_controls)
        self.regions = RegionChoice(napari_viewer, self._changed)
        self.degradation = DegradationChoice(self._changed, self.estimate_noise)
        self.degradation_message = WrappedText(name="degradation_message")
        self.degradation_preview = DegradationPreview(
            napari_viewer,
            self._degradation_request,
            self._queues,
            lambda text: show_text(self.degradation_message, text),
        )
        self.recipe = RecipeChoice(self._changed)
        self.name_box = LineEdit(
            name="name", label="Name", tooltip="Name of the new model. No other model is overwritten."
        )
        self.progress = TrainingProgress(
            napari_viewer,
            self._queues,
            self.loader,
            on_start=self.start,
            on_use=self.use,
            on_pairs=self.images.show_facts,
            on_end=self._training_ended,
            notify=self._notify,
        )
        self.controls, self.outcome = self.progress.controls, self.progress.outcome
        self.unfinished_offer = UnfinishedOffer(self.continue_training)
        self._lay_out()
        napari_viewer.events.theme.connect(self._set_colors)
        self._set_colors()
        self._complete()
        self._changed()
        self._find_unfinished()

    @property
    def running(self) -> bool:
        """Whether a training has not ended; it may be paused."""
        return self.progress.running

    @property
    def unfinished(self) -> Sequence[str]:
        """The training in progress."""
        return self.progress.unfinished

    def start(self) -> None:
        """Begin a training with the present choices, as the Start button does."""
        if self.running:
            return
        try:
            plan = self._plan()
        except NapariSRError as error:
            self._report(error)
            return
        self._begin(plan, self.images.examples[0].high)

    def continue_training(self, training: UnfinishedTraining) -> None:
        """Continue a training of an earlier session, as the button Continue does.

        The images it was trained on must be open; the present choices are not used.
        """
        if self.running:
            return
        layers = {str(layer.name): layer for layer in self._viewer.layers}
        try:
            if not is_unfinished(training.folder):
                self._find_unfinished()
                raise InputError(
                    f"“{training.name}” cannot be continued: its training is in progress in another window, has ended "
                    "with a model, or was removed."
                )
            plan = training.plan(layers)
        except NapariSRError as error:
            self._report(error)
            return
        self._begin(plan, layers[plan.pairs[0][1].name], training.folder)

    def use(self, trained: Trained) -> None:
        """Open the panel of a new model's family with the model chosen, as the button "Use it now" does."""
        if not trained.path.exists():
            self._report(InputError(f"The new model was moved or deleted: put it back at {trained.path}."))
            return
        panel = show_panel(self._viewer, trained.model.card.family)
        panel.models.refresh()
        if panel.models.offers_model(trained.model.name):
            panel.models.select(trained.model.name)
        else:
            # The folder of models is another one since the training.
            panel.models.choose_file(trained.path)
        low = next((example.low for example in self.images.examples if example.low is not None), None)
        if low is not None and low in self._viewer.layers:
            panel.layer_choice.select(low)

    def estimate_noise(self) -> None:
        """Estimate gain and read noise from the first image, as the button does."""
        examples = self.images.examples
        if not examples:
            self._show_message(_NO_IMAGE)
            return
        layer, offset = examples[0].high, float(self.degradation.noise.offset.value)
        try:
            axes = known_axes(layer)
        except NapariSRError as error:
            self._report(error)
            return
        data = finest_level(layer)
        self._in_background(
            f"estimating the noise of {layer.name}",
            lambda: noise_of(data, axes, offset),
            lambda noise: self.degradation.noise.set_noise(*noise),
        )

    def refresh_models(self) -> None:
        """Read the catalog of models again, and look for trainings that have no model."""
        self.models.refresh()
        self._find_unfinished()

    # Choices.

    def _plan(self) -> FinetunePlan:
        """Return the present choices; raises `InputError` if something is missing or does not fit together."""
        model, examples = self.models.ready_model(), self.images.examples
        if not examples:
            raise InputError(_NO_IMAGE)
        name = check_name(str(self.name_box.value).strip())
        paired = self.images.paired
        if paired and any(example.low is example.high for example in examples):
            raise InputError("A pair has the same layer twice: choose the low-resolution image on the left.")
        units = tuple(examples[0].high.units)
        train_on, validate_on = self.regions.train_on, self.regions.validate_on
        return FinetunePlan(
            request=ModelRequest(model.source, scale=self.models.scale),
            base=model.name,
            recipe=self.recipe.recipe(Degradation() if paired else self._degradation()),
            pairs=tuple(
                (None if example.low is None else copy_image(example.low, units), copy_image(example.high, units))
                for example in examples
            ),
            train_on=None if train_on is None else copy_shapes(train_on, units),
            validate_on=None if validate_on is None else copy_shapes(validate_on, units),
            name=name,
            device=self.recipe.device.value,
        )

    def _begin(self, plan: FinetunePlan, source: Image, folder: Path | None = None) -> None:
        self.images_fold.open = self.degradation_fold.open = self.more.open = False
        self.unfinished_offer.visible = False
        self.progress.begin(plan, source, folder)

    def _find_unfinished(self) -> None:
        self._in_background("looking for unfinished trainings", _unfinished, self._offer_unfinished)

    def _offer_unfinished(self, trainings: list[UnfinishedTraining]) -> None:
        if not self.running:
            self.unfinished_offer.offer(trainings)

    def _degradation(self) -> Degradation:
        """Return the degradation; raises `InputError` if its blur needs one pixel size and the images have several."""
        blur = self.degradation.blur
        if blur.kind.value == OPTICS:
            blur.set_known_pixel_size(pixel_in_nanometers(self.images.examples))
        return self.degradation.degradation()

    def _degradation_request(self) -> DegradationRequest | None:
        examples, scale = self.images.examples, self.models.present_scale
        if self.images.paired or not examples or scale is None:
            return None
        layer = examples[0].high
        return DegradationRequest(layer, known_axes(layer), scale, self._degradation())

    # Updates.

    def _changed(self) -> None:
        if not self._completed:
            return
        examples = self.images.examples
        self.controls.set_can_start(self.models.ready and bool(examples))
        if not self.running and self.controls.state == "idle":
            self._show_message("" if examples else _NO_IMAGE)
        self.degradation_fold.visible = not self.images.paired
        self._suggest_name()
        self._show_pixel_size()
        self.degradation_preview.changed()
        self._check_pairs()

    def _suggest_name(self) -> None:
        """Name the new model after the old one and the preset, unless the user has entered a name."""
        model = self.models.model
        if model is None or str(self.name_box.value) not in ("", self._suggested_name):
            return
        self._suggested_name = f"{model.name}-{self.recipe.preset.value}"
        self.name_box.value = self._suggested_name

    def _show_pixel_size(self) -> None:
        try:
            size = pixel_in_nanometers(self.images.examples)
        except InputError:
            # The preview and Start show this error if the pixel size matters.
            size = None
        self.degradation.blur.set_known_pixel_size(size)

    def _check_pairs(self) -> None:
        """Match the pairs in the background, and show their shift."""
        if self._pair_check is not None:
            self._pair_check.abandon()
            self._pair_check = None
        scale = self.models.present_scale
        pairs = [pair for pair in self.images.examples if pair.low is not None and pair.low is not pair.high]
        if self.running:
            return
        if not self.images.paired or not pairs or scale is None:
            self.images.show_facts("")
            return
        try:
            units = tuple(pairs[0].high.units)
            copies = [
                (copy_image(pair.low, units), copy_image(pair.high, units)) for pair in pairs if pair.low is not None
            ]
        except NapariSRError as error:
            self.images.show_facts(str(error))
            return
        self.images.show_facts("Matching the images…")
        self._pair_check = self._in_background(
            "matching pairs",
            lambda: " ".join(pair_facts(low, high, scale) for low, high in copies),
            self.images.show_facts,
            lambda error: self.images.show_facts(str(error)),
        )

    def _training_ended(self) -> None:
        """List the new model in all panels, and look for trainings that ended without one."""
        refresh_all_models()
        self._suggest_name()

    def _set_colors(self, event: object = None) -> None:
        self.progress.curves.set_colors(*theme_colors(self._viewer, "background", "text"))

    # Of the base panel.

    def _lay_out(self) -> None:
        tutorial = {"A tutorial…": "tutorials/fine-tune/"}
        help_button = model_help(self.models, "Fine-tuning", "training/#in-the-window", tutorial)
        model = rows([with_help(self.models.model_choice.widget, help_button)])
        factor = rows([self.models.factor])
        regions = rows([*self.regions.widgets])
        training = rows([self.recipe.preset, self.name_box])
        more = rows([*self.recipe.widgets, self.computer_check.button])
        images: Container[Widget] = Container(widgets=[self.images, regions], labels=False)
        degradation: Container[Widget] = Container(widgets=[self.degradation, self.degradation_message], labels=False)
        degradation.native.layout().addWidget(self.degradation_preview.widget)
        self.images_fold = Fold("Training images", images, tooltip="The layers, and regions in them.")
        self.degradation_fold = Fold(
            "Degradation",
            degradation,
            tooltip="The model learns to undo this degradation: set it as your microscope degrades images.",
        )
        self.images_fold.open = self.degradation_fold.open = True
        self.more = Fold("More", more, tooltip="Steps, patches, learning rate, seed, brightness and device.")
        for box in (images, degradation):
            box.margins = (0, 0, 0, 0)
        self._set_content(
            [
                self.unfinished_offer,
                model,
                self.models.about,
                factor,
                self.images_fold,
                self.degradation_fold,
                training,
                self.progress.curve_box,
                self.outcome,
                self.more,
            ],
            [model, factor, regions, self.degradation.stack, training, more],
        )

    def _read_model(self, offer: ModelOffer) -> None:
        """Read a model file in the background, for its family and factor."""
        self._read_model_file(
            offer.text,
            lambda: self.loader.inspect(offer, None),
            self.models.complete,
            lambda: self.models.refuse(offer),
        )

    def _show_reading(self, name: str) -> None:
        self.controls.set_can_start(False)

    def _set_defaults(self, settings: JobSettings) -> None:
        self.recipe.device.set_default(settings.device)

    def _offer_devices(self, devices: DeviceList) -> None:
        self.recipe.device.offer(devices)

    def _disconnect(self) -> None:
        self._viewer.events.theme.disconnect(self._set_colors)
        for part in (self.images, self.regions, self.degradation_preview):
            part.disconnect()
        self.progress.abandon()


def _unfinished() -> list[UnfinishedTraining]:
    # An import at the top would import torch before the panel is drawn.
    from napari_sr.training.finetuning import runs_folder

    try:
        folder = runs_folder()
    except InputError:
        # The settings file cannot be read: the panel has shown this error when it read its defaults.
        return []
    return unfinished_trainings(folder)
