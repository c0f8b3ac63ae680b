"""The card of a model as text, the dialog that shows it, and the help of a list of models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.qt.help import RESPONSIBLE_USE, HelpButton, open_page
from napari_sr.zoo.card import Card


def model_help(models: ModelChoice, about: str, page: str, more: Mapping[str, str]) -> HelpButton:
    """Make the button "?" of a list of models: the card of the chosen one, and the page on the use of results.

    `about`, `page` and `more` are those of `HelpButton`.
    """

    def show() -> None:
        if (model := models.model) is not None:
            show_card(models.model_choice.widget.native, model.name, model.card)

    pages = {text: partial(open_page, other) for text, other in more.items()}
    use = {"What results can be used for…": partial(open_page, RESPONSIBLE_USE)}
    return HelpButton(about, page, {**pages, "Card of this model…": show, **use})


def show_card(parent: QWidget, name: str, card: Card | None) -> None:
    """Show the card of a model in a dialog over a widget; None for a file that was not read yet."""
    box = QMessageBox(parent)
    box.setWindowTitle(f"Card of {name}")
    box.setText(name)
    box.setInformativeText("This file has not been read yet: choose it first." if card is None else format_card(card))
    box.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    box.exec()


def format_card(card: Card) -> str:
    """Return the main entries of a card, one on each line; unknown ones are left out."""
    size = None if card.pixel_size is None else f"{card.pixel_size:.4g} {card.pixel_unit}, of a low-resolution pixel"
    figures = "; ".join(f"{figure.metric} {figure.value:g} ({figure.dataset})" for figure in card.figures)
    lines = {
        "Family": f"{card.family.upper()}, factor {card.scale}",
        "Domain": card.domain,
        "Trained on": ", ".join(data.name for data in card.training_data),
        "Low resolution": "recorded images" if card.paired else card.degradation,
        "Pixel size": size,
        "Brightness": card.intensity,
        "Figures": figures,
        "License": card.license,
        "Notes": card.notes,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)
