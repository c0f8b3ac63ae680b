"""The fine-tune panel: a model learns on the user's own layers, while she watches."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, Label, LineEdit
from magicgui.widgets.bases import Widget
from napari.utils.theme import get_theme
from napari.viewer import Viewer

from napari_sr.config import load_config
from napari_sr.errors import InputError, NapariSRError
from napari_sr.imaging.geometry import finest_level
from napari_sr.training.recipe import Degradation
from napari_sr.widgets.error_notice import notify_of
from napari_sr.widgets.executor import Executor, Run
from napari_sr.widgets.finetune_checks import noise_of, pair_facts, pixel_in_nanometres
from napari_sr.widgets.finetune_course import UNTOUCHED, TrainingCourse
from napari_sr.widgets.finetune_degradation import OPTICS, DegradationChoice
from napari_sr.widgets.finetune_images import ImageTable
from napari_sr.widgets.finetune_layers import copy_image, copy_shapes
from napari_sr.widgets.finetune_picture import DegradationView, LivePicture
from napari_sr.widgets.finetune_recipe import RecipeChoice
from napari_sr.widgets.finetune_regions import RegionChoice
from napari_sr.widgets.finetuning import FinetunePlan, Trained
from napari_sr.widgets.layer_facts import known_axes
from napari_sr.widgets.model_choice import ModelChoice
from napari_sr.widgets.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.model_offers import ModelOffer, likely_factor
from napari_sr.widgets.panel_opening import open_panels, show_panel
from napari_sr.widgets.queues import WorkQueues, queues_on, shared_queues
from napari_sr.widgets.rows import Fold, LabelAlignment, Scrolled, rows, show_text, wrapped

_NO_IMAGE = "Open an image with the resolution that the model shall learn to reach."
_SPOILS_A_FILE_NAME = re.compile(r'[/\\:*?"<>|]|^\.')


class FinetunePanel(Container[Widget]):
    """Train a model further on layers, and find it in the list.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    executor : Executor, optional
        Where all of its work is done; by default in the lanes that all panels share.
    """

    def __init__(self, napari_viewer: Viewer, *, executor: Executor | None = None) -> None:
        self._viewer = napari_viewer
        self._queues: WorkQueues = shared_queues() if executor is None else queues_on(executor)
        self._background: list[Run[Any]] = []
        self._made = self._left = False
        self._pair_check: Run[Any] | None = None
        self._suggested_name = ""
        self.loader = ModelLoader()
        self.models = ModelChoice(None, self._changed, self._read_model)
        self.images = ImageTable(napari_viewer, self._changed)
        self.regions = RegionChoice(napari_viewer, self._changed)
        self.degradation = DegradationChoice(self._changed, self.estimate_noise)
        self.picture_message = wrapped(Label(name="picture_message"))
        self.picture = LivePicture(napari_viewer, self._degradation_view, self._queues, self._say_of_picture)
        self.recipe = RecipeChoice(self._changed)
        self.name_box = LineEdit(name="name", label="Name", tooltip="Of the new model. No other model is overwritten.")
        self.course = TrainingCourse(
            napari_viewer,
            self._queues,
            self.loader,
            on_start=self.start,
            on_use=self.use,
            on_pairs=self.images.say,
            on_end=self._training_ended,
        )
        self.controls, self.outcome = self.course.controls, self.course.outcome
        self._lay_out()
        self._made = True
        self.native_parent_changed.connect(self._parent_changed)
        self.native.destroyed.connect(self._leave)
        napari_viewer.events.theme.connect(self._dress)
        self._dress()
        self._take_defaults()
        self._changed()
        self._warm_up()

    @property
    def going(self) -> bool:
        """Whether a training has not ended."""
        return self.course.going

    def start(self) -> None:
        """Begin a training with what is chosen: what Start does."""
        if self.going:
            return
        try:
            plan = self._plan()
        except NapariSRError as error:
            self.controls.say(notify_of(error, UNTOUCHED))
            return
        self.images_fold.open = self.degradation_fold.open = self.more.open = False
        self.course.begin(plan, self.images.examples[0].high)

    def use(self, trained: Trained) -> None:
        """Open the panel of the new model's family, and choose it there: what "Use it now" does."""
        panel = show_panel(self._viewer, trained.model.card.family)
        panel.models.refresh()
        panel.models.select(trained.model.name)
        low = next((example.low for example in self.images.examples if example.low is not None), None)
        if low is not None and low in self._viewer.layers:
            panel.layer_choice.select(low)

    def _training_ended(self) -> None:
        """List a new model wherever models are listed."""
        for models in (self.models, *(panel.models for panel in open_panels(self._viewer))):
            models.refresh()
        self._suggest_name()

    def estimate_noise(self) -> None:
        """Read gain and read noise off the first image: what the button does."""
        examples = self.images.examples
        if not examples:
            self.controls.say(_NO_IMAGE)
            return
        layer, offset = examples[0].high, float(self.degradation.offset.value)
        try:
            axes = known_axes(layer)
        except NapariSRError as error:
            self.controls.say(notify_of(error, UNTOUCHED))
            return
        data = finest_level(layer)
        self._in_background(
            f"estimating the noise of {layer.name}",
            lambda: noise_of(data, axes, offset),
            lambda found: self.degradation.take_noise(*found),
        )

    # What is chosen.

    def _plan(self) -> FinetunePlan:
        """Take down what is chosen.

        Raises
        ------
        InputError
            If something is missing, or does not go together.
        """
        model, examples = self.models.model, self.images.examples
        if model is None or not model.usable:
            raise InputError("There is no model to begin with: choose one under “Model”.")
        if not examples:
            raise InputError(_NO_IMAGE)
        name = str(self.name_box.value).strip()
        if not name or _SPOILS_A_FILE_NAME.search(name):
            raise InputError(f"“{name}” is no name for a model's file: use letters, digits, spaces and dashes.")
        paired = self.images.paired
        if paired and any(example.low is example.high for example in examples):
            raise InputError("A pair has the same layer twice: choose the low-resolution image on the left.")
        units = tuple(examples[0].high.units)
        train_on, validate_on = self.regions.train_on, self.regions.validate_on
        return FinetunePlan(
            request=ModelRequest(model.source, scale=self.models.scale),
            base=_called(model),
            recipe=self.recipe.recipe(Degradation() if paired else self._degradation()),
            pairs=tuple(
                (None if one.low is None else copy_image(one.low, units), copy_image(one.high, units))
                for one in examples
            ),
            train_on=None if train_on is None else copy_shapes(train_on, units),
            validate_on=None if validate_on is None else copy_shapes(validate_on, units),
            name=name,
            device=self.recipe.device.value,
        )

    def _degradation(self) -> Degradation:
        chosen = self.degradation.degradation()
        if self.degradation.blur.value == OPTICS:
            # Says so where the images' pixels have different sizes.
            pixel_in_nanometres(self.images.examples)
        return chosen

    def _degradation_view(self) -> DegradationView | None:
        examples, model = self.images.examples, self.models.model
        scale = None if model is None else self.models.scale or model.scale
        if self.images.paired or not examples or scale is None:
            return None
        layer = examples[0].high
        return DegradationView(layer, known_axes(layer), scale, self._degradation())

    def _changed(self) -> None:
        """Bring everything in line with what is chosen now."""
        if not self._made:
            return
        model, examples = self.models.model, self.images.examples
        usable = model is not None and model.usable
        self.controls.set_can_start(usable and bool(examples))
        if not self.going and self.controls.state == "idle":
            self.controls.say("" if examples else _NO_IMAGE)
        self.degradation_fold.visible = not self.images.paired
        self._suggest_name()
        self._know_pixel()
        self.picture.changed()
        self._check_pairs()

    def _suggest_name(self) -> None:
        """Name the new model after the old one and the training, unless the user has named it."""
        model = self.models.model
        if model is None or str(self.name_box.value) not in ("", self._suggested_name):
            return
        self._suggested_name = f"{_called(model)}-{self.recipe.preset.value}"
        self.name_box.value = self._suggested_name

    def _know_pixel(self) -> None:
        try:
            self.degradation.know_pixel(pixel_in_nanometres(self.images.examples))
        except InputError:
            # Said by the picture, and by Start, where it matters.
            self.degradation.know_pixel(None)

    def _check_pairs(self) -> None:
        """Say in the background how the pairs lie on each other."""
        if self._pair_check is not None:
            self._pair_check.abandon()
            self._pair_check = None
        model, examples = self.models.model, self.images.examples
        scale = None if model is None else self.models.scale or model.scale
        pairs = [one for one in examples if one.low is not None and one.low is not one.high]
        if self.going:
            return
        if not self.images.paired or not pairs or scale is None:
            self.images.say("")
            return
        try:
            units = tuple(pairs[0].high.units)
            copies = [(copy_image(one.low, units), copy_image(one.high, units)) for one in pairs if one.low is not None]
        except NapariSRError as error:
            self.images.say(str(error))
            return
        self.images.say("Matching the images…")
        self._pair_check = Run(
            "matching pairs",
            lambda progress, cancel: " ".join(pair_facts(low, high, scale) for low, high in copies),
            returned=self.images.say,
            errored=lambda error: self.images.say(str(error)),
            announced=False,
        )
        self._queues.background.submit(self._pair_check)

    # Around it.

    def _lay_out(self) -> None:
        which = rows([self.models.model_choice.widget])
        factor = rows([self.models.factor])
        regions = rows([*self.regions.widgets])
        how = rows([self.recipe.preset, self.name_box])
        more = rows(self.recipe.widgets)
        images: Container[Widget] = Container(widgets=[self.images, regions], labels=False)
        degradation: Container[Widget] = Container(widgets=[self.degradation, self.picture_message], labels=False)
        degradation.native.layout().addWidget(self.picture.widget)
        self.images_fold = Fold("Images to learn from", images, tooltip="Layers, and where in them.")
        self.degradation_fold = Fold(
            "How low resolution comes about",
            degradation,
            tooltip="A model undoes what it was shown: this has to be what your microscope does.",
        )
        self.images_fold.open = self.degradation_fold.open = True
        self.more = Fold("More", more, tooltip="Steps, patches, rate, seed, brightness and device.")
        for box in (images, degradation):
            box.margins = (0, 0, 0, 0)
        self.content: Container[Widget] = Container(
            widgets=[
                which,
                self.models.about,
                factor,
                self.images_fold,
                self.degradation_fold,
                how,
                self.controls,
                self.course.curve_box,
                self.outcome,
                self.more,
            ],
            labels=False,
        )
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self.scroll = Scrolled(self.content.native)
        self.native.layout().addWidget(self.scroll)
        self._label_alignment = LabelAlignment(self.native, [which, factor, regions, self.degradation.stack, how, more])

    def _say_of_picture(self, text: str) -> None:
        show_text(self.picture_message, text)

    def _dress(self, event: object = None) -> None:
        theme = get_theme(str(self._viewer.theme))
        self.course.curves.dress(theme.background.as_hex(), theme.text.as_hex())

    def _read_model(self, offer: ModelOffer) -> None:
        """Read a file that was chosen, in the background, to know its family and factor."""
        self.controls.set_can_start(False)
        self._in_background(
            f"reading {offer.text}",
            lambda: self.loader.inspect(offer, None, likely_factor(offer.text)),
            self.models.complete,
            self._not_read,
        )

    def _not_read(self, error: Exception) -> None:
        self.models.refuse()
        self._changed()
        self.controls.say(notify_of(error, UNTOUCHED))

    def _take_defaults(self) -> None:
        try:
            self.recipe.take_defaults(load_config().device)
        except NapariSRError as error:
            self.controls.say(notify_of(error, UNTOUCHED))

    def _warm_up(self) -> None:
        """Bring in torch while the user looks at the panel, and learn which devices there are."""
        self._in_background("looking for devices", _devices, self.recipe.offer_devices)

    def _in_background(
        self,
        name: str,
        work: Callable[[], Any],
        returned: Callable[[Any], None],
        errored: Callable[[Exception], None] | None = None,
    ) -> None:
        run: Run[Any] = Run(
            name,
            lambda progress, cancel: work(),
            returned=returned,
            errored=errored or (lambda error: self.controls.say(notify_of(error, UNTOUCHED))),
            announced=False,
        )
        self._background = [*(other for other in self._background if not other.ended), run]
        self._queues.background.submit(run)

    def _parent_changed(self, parent: object) -> None:
        # napari takes the panel out of its dock when that is closed.
        if self.native.parent() is None:
            self._leave()

    def _leave(self) -> None:
        """Stop everything, once: nobody is there any more to see it."""
        if self._left:
            return
        self._left = True
        self._viewer.events.theme.disconnect(self._dress)
        self.images.leave()
        self.regions.leave()
        self.picture.leave()
        for run in (*self._background, *([self._pair_check] if self._pair_check is not None else [])):
            run.abandon()
        self.course.leave()


def _called(model: ModelOffer) -> str:
    """What a model is called: as its card says, or as its file."""
    if model.card is not None:
        return model.card.name
    return model.source.stem if isinstance(model.source, Path) else str(model.source)


def _devices() -> tuple[str, ...]:
    from napari_sr.inference import available_devices

    # Everything a training needs is there by the time that it is started.
    import_module("napari_sr.training.training")
    return available_devices()
