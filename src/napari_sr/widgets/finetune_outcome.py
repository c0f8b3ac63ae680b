"""What a training has come to: the new model's name, what its card says, and the way to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import Container, Label, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.widgets.finetuning import Trained
from napari_sr.widgets.rows import Fold, show_text, wrapped
from napari_sr.zoo.card import Card

if TYPE_CHECKING:
    from napari_sr.training.events import Validated


class OutcomeView(Container[Widget]):
    """The lines about the new model, its card, and "Use it now".

    Parameters
    ----------
    on_use : callable
        Called with what was trained, when the button is pressed.
    """

    def __init__(self, on_use: Callable[[Trained], None]) -> None:
        self.trained: Trained | None = None
        self.title = wrapped(Label(name="title", tooltip="The new model is in the list of every panel of its family."))
        self.use_button = PushButton(
            name="use", text="Use it now", tooltip="Open the panel of its family with the new model chosen."
        )
        self.card = wrapped(Label(name="card", tooltip="What the model's file says of itself."))
        inside: Container[Widget] = Container(widgets=[self.card], labels=False)
        self.fold = Fold("Its card", inside, tooltip="How it was made and what it reached; the file holds all of it.")
        super().__init__(widgets=[self.title, self.use_button, self.fold], labels=False)
        self.margins = (0, 0, 0, 0)
        self._on_use = on_use
        self.use_button.changed.connect(lambda: self._use())
        self.visible = False

    def show_trained(self, trained: Trained) -> None:
        """Show what a training has come to."""
        self.trained = trained
        show_text(self.title, title(trained))
        show_text(self.card, card_text(trained.model.card))
        self.title.tooltip = str(trained.path)
        self.visible = True

    def _use(self) -> None:
        if self.trained is not None:
            self._on_use(self.trained)

    def forget(self) -> None:
        """Show nothing: another training has begun. The model stays in the list."""
        self.trained = None
        self.visible = False


def title(trained: Trained) -> str:
    """Say what the new model is called, and what it is worth."""
    name, outcome = trained.model.name, trained.outcome
    made = f"“{name}” is in the list of models"
    if not outcome.finished:
        made += f", as it was when the training was stopped (after {outcome.step} of {outcome.steps} steps)"
    reached = list(outcome.reached.values())
    if not reached:
        return f"{made}. It was not measured before it was stopped: compare it by eye."
    return f"{made}. {worth(reached[-1])}"


def worth(seen: Validated) -> str:
    """Say how a model compares with plain interpolation."""
    gain = seen.psnr - seen.bicubic_psnr
    if not seen.better_than_bicubic:
        return (
            f"It is worse than bicubic interpolation on the validation images ({seen.psnr:.2f} dB against "
            f"{seen.bicubic_psnr:.2f} dB): train longer, or check that the low-resolution images are like yours."
        )
    return (
        f"On the validation images it is {gain:.2f} dB better than bicubic interpolation "
        f"({seen.psnr:.2f} dB against {seen.bicubic_psnr:.2f} dB)."
    )


def card_text(card: Card) -> str:
    """Say what a card says, line by line; what it does not know is left out."""
    size = None if card.pixel_size is None else f"{card.pixel_size:.4g} {card.pixel_unit}, of a low-resolution pixel"
    figures = "; ".join(f"{figure.metric} {figure.value:g} ({figure.dataset})" for figure in card.figures)
    lines = {
        "Family": f"{card.family.upper()}, factor {card.scale}",
        "Domain": card.domain,
        "Trained on": ", ".join(data.name for data in card.training_data),
        "Low resolution": card.degradation,
        "Pixel size": size,
        "Brightness": card.intensity,
        "Reached": figures,
        "License": card.license,
        "Notes": card.notes,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)
