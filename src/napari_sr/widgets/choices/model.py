"""Rows for the model and its factor, which are kept consistent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox

from napari_sr.errors import InputError
from napari_sr.widgets.choices.file import FileChoice
from napari_sr.widgets.choices.model_offers import (
    OPEN_FACTORS,
    ModelOffer,
    catalog_offers,
    classic_offers,
    empty_family_remedy,
)
from napari_sr.widgets.qt.rows import refresh_choices, show_text, shrinkable
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

_NO_MODEL = ""


class ModelChoice:
    """The lists of models and of factors, and a line about the chosen model.

    The factor is that of the model. Choosing another factor chooses the first model with that factor. If the weight
    file does not contain its factor, the model stays and is loaded with the chosen one.

    Parameters
    ----------
    family : {"srcnn", "srgan", "esrgan"} or None
        Family of the panel; None offers the models of all families.
    on_change : callable
        Called without arguments when the model or the factor changes.
    on_unread : callable
        Called with the `ModelOffer` of a file that has to be read first. Call `complete` or `refuse` afterwards.
    recent : sequence of Path, default ()
        Weight files that are offered after the models of the catalog.
    classics : bool, default True
        Whether methods without a network are offered behind the models that can be used.
    """

    def __init__(
        self,
        family: str | None,
        on_change: Callable[[], None],
        on_unread: Callable[[ModelOffer], None],
        recent: Sequence[Path] = (),
        *,
        classics: bool = True,
    ) -> None:
        self._family, self._classics = family, classics
        self._on_change, self._on_unread = on_change, on_unread
        self._offers = [ModelOffer(path.name, path) for path in recent]
        self._current: ModelOffer | None = None
        # Chosen by hand, but not read yet.
        self._awaited: ModelOffer | None = None
        self._chosen = False
        self.model_choice = FileChoice(
            name="model",
            label="Model",
            tooltip="The model that upscales: one of napari-sr, one from your model folder, or a file.",
            on_choice=self._model_chosen,
            on_file=self.choose_file,
        )
        self.factor = shrinkable(ComboBox(name="factor", label="Factor", choices=self._factors))
        self.about = WrappedText(name="about", tooltip="About the model.")
        self.factor.changed.connect(self._factor_chosen)
        self._read_catalog()

    @property
    def offers(self) -> Sequence[ModelOffer]:
        """All models in the list."""
        return tuple(self._offers)

    @property
    def model(self) -> ModelOffer | None:
        """The chosen model; None if there is none."""
        return self._current

    @property
    def scale(self) -> int | None:
        """The chosen factor, if the file of the model does not contain its own; else None."""
        return self.factor.value if self._current is not None and self._current.scale_is_open else None

    @property
    def present_scale(self) -> int | None:
        """The chosen factor, or else that of the model; None if it is not known."""
        return self.scale or (None if self._current is None else self._current.scale)

    @property
    def ready(self) -> bool:
        """Whether there is a model that can be used, and no other one is being read in its place."""
        return self._awaited is None and self._current is not None and self._current.usable

    def ready_model(self) -> ModelOffer:
        """Return the chosen model; raises `InputError` unless it is `ready`."""
        if self._awaited is not None:
            raise InputError(f"The model {self._awaited.text} is being read: wait a moment.")
        if self._current is None or not self._current.usable:
            raise InputError("There is no model that can be used: choose one under “Model”.")
        return self._current

    @property
    def chosen_by_hand(self) -> bool:
        """Whether the model was chosen by hand or with `select`, so that `propose` leaves it."""
        return self._chosen

    def set_back(self) -> None:
        """Choose the first model, as in a new panel; `propose` may choose another one."""
        self._chosen, self._current, self._awaited = False, None, None
        self._read_catalog()
        self._on_change()

    def offers_model(self, source: str | Path) -> bool:
        """Return whether a model is in the list and can be used, by its source."""
        offer = self._find(source)
        return offer is not None and offer.usable

    def refresh(self) -> None:
        """Read the catalog again. The choice stays, if the model is still there, and the files that were opened."""
        before = self._current
        self._read_catalog()
        if self._current != before:
            self._on_change()

    def select(self, source: str | Path) -> None:
        """Choose a model by its source; raises ValueError if it is not in the list."""
        self._chosen = True
        self.model_choice.select(source)

    def show_scale(self, scale: int) -> None:
        """Show a factor, if the file of the model does not contain its own and the list has it."""
        if self.scale is not None and scale in self.factor.choices:
            self.factor.value = scale

    def propose(self, source: str | Path) -> None:
        """Choose a model, unless one was chosen by hand or with `select`.

        Nothing is done if it is not in the list, or has another factor than the present one.
        """
        offer = self._find(source)
        if self._chosen or offer is None or not offer.usable or not offer.known or offer == self._current:
            return
        if self._current is None or offer.scale == self.present_scale:
            self._select(offer)
            self._on_change()

    def choose_file(self, path: Path) -> None:
        """Choose a weight file; one that was not read yet is given to `on_unread` first."""
        self._choose(self._find(path) or ModelOffer(path.name, path))

    def complete(self, offer: ModelOffer) -> None:
        """Replace the offer of a model whose file was read by the one with its card.

        The model is chosen, unless another one was chosen meanwhile.
        """
        others = [other for other in self._offers if other.source != offer.source]
        index = next((n for n, other in enumerate(self._offers) if other.source == offer.source), len(others))
        self._offers = [*others[:index], offer, *others[index:]]
        if self._awaits(offer):
            self._awaited = None
            self._select(offer)
            self._on_change()

    def refuse(self, offer: ModelOffer) -> None:
        """Select the present model again after the file of an offer could not be used."""
        if self._awaits(offer):
            self._awaited = None
            self._select(self._current)

    def _read_catalog(self) -> None:
        files = [offer for offer in self._offers if isinstance(offer.source, Path)]
        known = {offer.source: offer for offer in self._offers if offer.known}
        listed = [known.get(offer.source, offer) for offer in catalog_offers(self._family)]
        # Behind the models that can be used, and before those that are to be downloaded.
        classics = classic_offers() if self._classics else ()
        usable, others = ([offer for offer in listed if offer.usable is wanted] for wanted in (True, False))
        self._offers = [*usable, *classics, *others, *files]
        present = self._find(self._current.source) if self._current is not None else None
        ready = [offer for offer in self._offers if offer.usable and offer.known and not offer.is_classic]
        # Models for all kinds of microscopy come first.
        first = next((offer for offer in ready if offer.takes_conditions), ready[0] if ready else None)
        self._select(present or first)

    def _select(self, offer: ModelOffer | None) -> None:
        self._current = offer
        choices: list[tuple[str, Any]] = [(text, offer.source) for text, offer in _with_unique_texts(self._offers)]
        if offer is None:
            some = any(not other.is_classic for other in self._offers)
            choices.insert(0, ("No model chosen" if some else "No model yet", _NO_MODEL))
        self.model_choice.offer(choices, offer.source if offer is not None else _NO_MODEL)
        show_text(self.about, offer.about() if offer is not None else empty_family_remedy(self._family))
        self._show_factor()

    def _show_factor(self) -> None:
        offer = self._current
        refresh_choices(self.factor, offer.scale if offer is not None else None)
        self.factor.enabled = len(self._factors()) > 1
        self.factor.tooltip = (
            "This file does not contain its factor: choose the one that it was trained for."
            if offer is not None and offer.scale_is_open and not offer.is_classic
            else "Factor in each direction. Another factor chooses another model."
        )

    def _factors(self, widget: object = None) -> list[tuple[str, int]]:
        offer = self._current
        if offer is None:
            return [("–", 0)]
        if offer.scale_is_open:
            return [(f"{factor} ×", factor) for factor in sorted({*OPEN_FACTORS, offer.scale or OPEN_FACTORS[0]})]
        scales = {other.scale for other in self._of_another_factor(offer)} | {offer.scale}
        return [(f"{factor} ×", factor) for factor in sorted(scale for scale in scales if scale is not None)] or [
            ("–", 0)
        ]

    def _model_chosen(self, source: str | Path) -> None:
        self._choose(self._find(source))

    def _choose(self, offer: ModelOffer | None) -> None:
        self._chosen, self._awaited = True, None
        if offer is not None and offer.usable and not offer.known:
            self._awaited = offer
            self._on_unread(offer)
        else:
            self._select(offer)
            self._on_change()

    def _awaits(self, offer: ModelOffer) -> bool:
        return self._awaited is not None and self._awaited.source == offer.source

    def _factor_chosen(self, factor: int) -> None:
        offer = self._current
        if offer is None:
            return
        self._awaited = None
        if not offer.scale_is_open and factor != offer.scale:
            fitting = [other for other in self._of_another_factor(offer) if other.scale == factor]
            # A model for the same kind of images, if there is one.
            self._select(min(fitting, key=lambda other: other.domain != offer.domain, default=offer))
        self._on_change()

    def _of_another_factor(self, offer: ModelOffer) -> list[ModelOffer]:
        """Models that may take the place of one when another factor is chosen: networks, or methods without one."""
        usable = [other for other in self._offers if other.usable and other.known and not other.scale_is_open]
        return [other for other in usable if other.is_classic == offer.is_classic]

    def _find(self, source: str | Path) -> ModelOffer | None:
        return next((offer for offer in self._offers if offer.source == source), None)


def _with_unique_texts(offers: Sequence[ModelOffer]) -> list[tuple[str, ModelOffer]]:
    """Append the folder to equal texts: magicgui identifies choices by their text."""
    texts = [offer.text for offer in offers]
    return [
        (f"{text} ({offer.source.parent})" if texts.count(text) > 1 and isinstance(offer.source, Path) else text, offer)
        for text, offer in zip(texts, offers, strict=True)
    ]
