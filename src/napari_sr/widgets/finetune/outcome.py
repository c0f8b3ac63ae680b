"""The new model after a training: its name, its quality, its card, and a button to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import Container, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.widgets.choices.card_text import format_card
from napari_sr.widgets.finetune.run import Trained
from napari_sr.widgets.qt.rows import Fold, show_text
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

if TYPE_CHECKING:
    from napari_sr.training.events import Validated


class OutcomeView(Container[Widget]):
    """The lines about the new model, its card, and the button "Use it now"; hidden at first.

    Parameters
    ----------
    on_use : callable
        Called with the `Trained` when the button is pressed.
    """

    def __init__(self, on_use: Callable[[Trained], None]) -> None:
        self.trained: Trained | None = None
        """The last training that ended with a model."""
        self.title = WrappedText(name="title", tooltip="The new model is listed in every panel of its family.")
        self.use_button = PushButton(
            name="use", text="Use it now", tooltip="Open the panel of its family with the new model chosen."
        )
        self.card = WrappedText(name="card", tooltip="Card of the model, from its file.")
        body: Container[Widget] = Container(widgets=[self.card], labels=False)
        self.fold = Fold("Its card", body, tooltip="How the model was made, and its figures.")
        super().__init__(widgets=[self.title, self.use_button, self.fold], labels=False)
        self.margins = (0, 0, 0, 0)
        self._on_use = on_use
        self.use_button.changed.connect(lambda: self._use())
        self.visible = False

    def show_trained(self, trained: Trained) -> None:
        """Show the new model of an ended training."""
        self.trained = trained
        show_text(self.title, format_outcome(trained))
        show_text(self.card, format_card(trained.model.card))
        self.title.tooltip = str(trained.path)
        self.visible = True

    def clear(self) -> None:
        """Hide the lines: another training has begun. The model stays in the list."""
        self.trained = None
        self.visible = False

    def _use(self) -> None:
        if self.trained is not None:
            self._on_use(self.trained)


def format_outcome(trained: Trained) -> str:
    """Return the name of a new model, and its quality, in two or three sentences."""
    name, outcome = trained.model.name, trained.outcome
    made = f"“{name}” is in the list of models"
    if not outcome.finished:
        made += f", as it was when the training was stopped (after {outcome.step} of {outcome.steps} steps)"
    reached = list(outcome.reached.values())
    if not reached:
        return f"{made}. The training was stopped before the first measurement: compare the model by eye."
    return f"{made}. {format_gain(reached[-1], trained.model.card.base)}"


def format_gain(measurement: Validated, base: str | None) -> str:
    """Compare the last measurement of a model with bicubic interpolation, and with its base if it has one."""
    sentences = [_against_bicubic(measurement)]
    if base is not None and measurement.start_psnr is not None:
        gain = measurement.psnr - measurement.start_psnr
        verdict = f"{abs(gain):.2f} dB {'better' if gain > 0 else 'worse'} than" if abs(gain) >= 0.005 else "as good as"
        sentences.append(f"It is {verdict} {base}, with which it began ({measurement.start_psnr:.2f} dB).")
    return " ".join(sentences)


def _against_bicubic(measurement: Validated) -> str:
    gain = measurement.psnr - measurement.bicubic_psnr
    if measurement.worse_than_bicubic:
        return (
            f"It is worse than bicubic interpolation on the validation images ({measurement.psnr:.2f} dB against "
            f"{measurement.bicubic_psnr:.2f} dB): train longer, or check that the low-resolution images are like yours."
        )
    return (
        f"On the validation images it is {gain:.2f} dB better than bicubic interpolation "
        f"({measurement.psnr:.2f} dB against {measurement.bicubic_psnr:.2f} dB)."
    )
