"""Rows for the model of a run over files: the suggested one of each image, or the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget

from napari_sr.widgets.choices.mixing import MixingChoice
from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.choices.model_offers import OPEN_FACTORS, ModelOffer
from napari_sr.widgets.choices.settings.conditions import ConditionRows
from napari_sr.widgets.qt.rows import shrinkable

SUGGESTED, SAME = "suggested", "same"


class FilesModelChoice:
    """The list of the two kinds, the factor of suggested models, and all rows of the one model for all images.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    on_unread : callable
        Called with the `ModelOffer` of a file that has to be read first, as by `ModelChoice`.
    load_pair : callable
        Loads two models in the background, as for `MixingChoice`.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        on_unread: Callable[[ModelOffer], None],
        load_pair: Callable[[ModelRequest, Callable[[str], None]], None],
    ) -> None:
        self._on_change = on_change
        self.kind = shrinkable(
            ComboBox(
                name="model_kind",
                label="Models",
                choices=[("Suggested for each image", SUGGESTED), ("One for all images", SAME)],
                tooltip=(
                    "A model is suggested by the kind of an image and its noise. Results that are to be compared with "
                    "each other need one model."
                ),
            )
        )
        self.suggested_factor = shrinkable(
            ComboBox(
                name="suggested_factor",
                label="Factor",
                choices=[(f"{factor} ×", factor) for factor in OPEN_FACTORS],
                value=2,
                tooltip="Factor in each direction of the suggested models.",
            )
        )
        self.models = ModelChoice(None, self._changed, on_unread)
        self.mixing = MixingChoice(on_change, load_pair)
        self.conditions = ConditionRows(on_change)
        self.kind.changed.connect(self._changed)
        self.suggested_factor.changed.connect(lambda: on_change())

    @property
    def suggested(self) -> bool:
        """Whether a model is suggested for each image."""
        return bool(self.kind.value == SUGGESTED)

    @property
    def above(self) -> Sequence[Widget]:
        """The rows before the line about the model."""
        return (self.kind, self.models.model_choice.widget)

    @property
    def below(self) -> Sequence[Widget]:
        """The rows after it."""
        return (self.suggested_factor, self.models.factor, *self.mixing.widgets, *self.conditions.widgets)

    @property
    def scale(self) -> int | None:
        """Factor of suggested models; None for one model."""
        return int(self.suggested_factor.value) if self.suggested else None

    @property
    def usable(self) -> bool:
        """Whether there is a model."""
        return self.suggested or self.models.ready

    def request(self) -> ModelRequest | None:
        """Return the model for all images.

        Returns
        -------
        ModelRequest or None
            None for the suggested models.

        Raises
        ------
        InputError
            If there is no model that can be used.
        """
        if self.suggested:
            return None
        model, mixing = self.models.ready_model(), self.mixing
        return ModelRequest(model.source, mixing.second, self.models.scale, mixing.value, mixing=mixing.kind)

    def show(self) -> None:
        """Show the rows of the present kind, and hide the others; for the end of the layout and for changes."""
        same = not self.suggested
        for widget in (self.models.model_choice.widget, self.models.about, self.models.factor):
            widget.visible = same
        self.suggested_factor.visible = self.suggested
        model = self.models.model if same else None
        self.mixing.model_changed(model, self.models.offers)
        self.mixing.second_choice.widget.visible = same and not (model is not None and model.is_classic)
        self.conditions.show_model(None if model is None else model.card)

    def refresh(self) -> None:
        """Read the catalog of models again."""
        self.models.refresh()
        if not self.suggested:
            self.mixing.offers_changed(self.models.offers)

    def _changed(self) -> None:
        self.show()
        self._on_change()
