"""Rows for two sets of weights: the slider between them, the second model, and what is mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from magicgui.widgets import ComboBox, FloatSlider
from magicgui.widgets.bases import Widget

from napari_sr.widgets.choices.file import FileChoice
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.qt.rows import show_text, shrinkable
from napari_sr.widgets.qt.sliders import complete_slider, shown_value
from napari_sr.widgets.qt.text.wrapped_text import WrappedText
from napari_sr.zoo.card import Mixing

_NOTHING = ""
_ALPHA = (
    "0 is faithful: smooth, and closest to the measured image. 1 is sharper, and part of its detail is invented. "
    "“Mix” sets what is mixed in between."
)


class MixingChoice:
    """Alpha and the second model; the slider is shown if there are two sets of weights.

    Parameters
    ----------
    on_change : callable
        Called without arguments when alpha, the second model, or what is mixed changes.
    load : callable
        Called with a `ModelRequest` and a callable: loads the two models in the background, and calls the callable with
        the sentence of an error.
    """

    def __init__(
        self, on_change: Callable[[], None], load: Callable[[ModelRequest, Callable[[str], None]], None]
    ) -> None:
        self._on_change, self._load = on_change, load
        self._checked: ModelRequest | None = None
        self._model: ModelOffer | None = None
        self._offers: list[ModelOffer] = []
        self._files: list[Path] = []
        self.second_choice = FileChoice(
            name="mix_with",
            label="Mix with",
            tooltip=(
                "A second model of the same network, for the sharp end of a slider from this one to that; the model "
                "above is the faithful end."
            ),
            on_choice=self._second_chosen,
            on_file=self.choose_file,
        )
        self.problem = WrappedText(name="mixing_problem", label="Problem", tooltip="Why the models cannot be mixed.")
        show_text(self.problem, "")
        self.alpha = complete_slider(
            FloatSlider(name="alpha", label="Sharpness α", min=0.0, max=1.0, step=0.01, value=0.0, tooltip=_ALPHA)
        )
        self.mix = shrinkable(
            ComboBox(
                name="mix",
                label="Mix",
                choices=[("The models (one new model)", "weights"), ("The images (blended)", "images")],
                tooltip=(
                    "The models: their weights are mixed into one model between the two (network interpolation), which "
                    "keeps edges clean. The images: both models upscale, and their results are blended, which keeps "
                    "the artifacts of both and takes twice as long; for comparison."
                ),
            )
        )
        self._update()
        self.alpha.changed.connect(lambda: on_change())
        self.mix.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.second_choice.widget, self.problem, self.alpha, self.mix)

    @property
    def kind(self) -> Mixing | None:
        """What alpha mixes: "weights" or "images"; None if there is one set of weights."""
        kind: Mixing = self.mix.value
        return kind if self.mixes else None

    @property
    def second(self) -> str | Path | None:
        """The second model; None if the model is a pair itself or is used alone."""
        value: str | Path = self.second_choice.value
        return None if value == _NOTHING or self._is_pair else value

    @property
    def mixes(self) -> bool:
        """Whether there are two sets of weights."""
        return self._is_pair or self.second is not None

    @property
    def value(self) -> float | None:
        """Alpha, 0 to 1; None if there is one set of weights."""
        return shown_value(self.alpha) if self.mixes else None

    def model_changed(self, model: ModelOffer | None, offers: Sequence[ModelOffer]) -> None:
        """Update the rows for another model; of all offers, those of its factor become second models."""
        self._model = model
        self._offers = self._second_models(offers)
        if model is not None and model.card is not None and model.is_pair:
            with self.alpha.changed.blocked():
                self.alpha.value = model.card.default_alpha or 0.0
        self._update()

    def offers_changed(self, offers: Sequence[ModelOffer]) -> None:
        """Offer the models of a list that was read again; a second model that is still there stays chosen."""
        before = self.second
        self._offers = self._second_models(offers)
        self._update()
        if self.second != before:
            self._on_change()

    def check_pair(self, scale: int | None) -> None:
        """Show why the two models cannot be mixed, with the factor of files that do not contain theirs.

        Nothing is done for two models that were checked last.
        """
        second = self.second
        pair = None if self._model is None or second is None else ModelRequest(self._model.source, second, scale)
        if pair == self._checked:
            return
        self._checked = pair
        show_text(self.problem, "")
        if pair is not None:
            self._load(pair, lambda sentence: self._show_problem(pair, sentence))

    def show(self, second: str | Path | None, alpha: float | None, kind: Mixing | None) -> None:
        """Show a second model ("" for none), alpha and what it mixes; None leaves a row as it is.

        A second model that is not in the list is left out.
        """
        if isinstance(second, Path) and second.is_file() and second not in self._files:
            self._files.append(second)
        self._update(second)
        if alpha is not None and self.mixes:
            self.alpha.value = alpha
        if kind is not None:
            self.mix.value = kind

    def choose_file(self, path: Path) -> None:
        """Choose a weight file as the second model."""
        if path not in self._files:
            self._files.append(path)
        self._update(path)
        self._on_change()

    @property
    def _is_pair(self) -> bool:
        return self._model is not None and self._model.is_pair

    def _second_models(self, offers: Sequence[ModelOffer]) -> list[ModelOffer]:
        model = self._model
        if model is None or model.is_classic:
            return []
        usable = [offer for offer in offers if offer.usable and not (offer.is_classic or offer.is_pair)]
        return [offer for offer in usable if offer.source != model.source and offer.scale in (model.scale, None)]

    def _show_problem(self, pair: ModelRequest, sentence: str) -> None:
        if pair == self._checked:
            show_text(self.problem, sentence)

    def _second_chosen(self, value: object) -> None:
        self._update()
        self._on_change()

    def _update(self, second: str | Path | None = None) -> None:
        nothing = "Its own second weights" if self._is_pair else "Nothing"
        choices: list[tuple[str, str | Path]] = [(nothing, _NOTHING)]
        choices += [(offer.text, offer.source) for offer in self._offers]
        listed = {value for _, value in choices} | ({self._model.source} if self._model else set())
        choices += [(path.name, path) for path in self._files if path not in listed]
        chosen = self.second_choice.value if second is None else second
        available = any(value == chosen for _, value in choices)
        self.second_choice.offer(choices, chosen if available and not self._is_pair else _NOTHING)
        self.second_choice.widget.enabled = self._model is not None and not self._is_pair
        self.second_choice.widget.visible = self._model is None or not self._model.is_classic
        self.alpha.enabled = self.alpha.visible = self.mix.visible = self.mixes
