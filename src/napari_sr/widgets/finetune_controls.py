"""Start, Pause and Stop of a training, its bar, and the lines that say how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from magicgui.widgets import Container, Label, ProgressBar, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.widgets.rows import beside, show_text, wrapped

ControlsState = Literal["idle", "running", "paused", "stopping", "stopped"]
"""Of the last training; one that was stopped can be gone on with."""


class TrainingControls(Container[Widget]):
    """The buttons and what they show; what they do is the panel's.

    Parameters
    ----------
    on_start, on_pause, on_resume, on_stop : callable
        Called when a button is pressed.
    """

    def __init__(
        self,
        on_start: Callable[[], None],
        on_pause: Callable[[], None],
        on_resume: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._state: ControlsState = "idle"
        self._can_start = True
        self._on_pause, self._on_resume = on_pause, on_resume
        self.start_button = PushButton(
            name="start", text="Start", tooltip="Train. The model that is begun with stays as it is."
        )
        self.pause_button = PushButton(name="pause", text="Pause")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="End now, and keep the best model so far under a name of its own."
        )
        self.bar = ProgressBar(name="bar", min=0, max=1, value=0, tooltip="How many of the steps are done.")
        # The line below the bar says how many, and more.
        self.bar.native.setTextVisible(False)
        self.message = wrapped(Label(name="message", tooltip="How the training goes."))
        self.verdict = wrapped(
            Label(
                name="verdict", tooltip="Measured on pixels that nothing is learned from, beside plain interpolation."
            )
        )
        buttons = beside("buttons", "", [self.start_button, self.pause_button, self.stop_button])
        super().__init__(widgets=[buttons, self.bar, self.message, self.verdict], labels=False)
        self.margins = (0, 0, 0, 0)
        self.start_button.changed.connect(lambda: on_start())
        self.pause_button.changed.connect(lambda: self._pause_pressed())
        self.stop_button.changed.connect(lambda: on_stop())
        self.say("")
        self.judge("")
        self._update()

    @property
    def state(self) -> ControlsState:
        """How the last training stands."""
        return self._state

    @property
    def going(self) -> bool:
        """Whether a training has not ended."""
        return self._state in ("running", "paused", "stopping")

    def set_state(self, state: ControlsState) -> None:
        """Show how the training stands."""
        self._state = state
        self._update()

    def set_can_start(self, value: bool) -> None:
        """Say whether there is a model and an image to train on."""
        self._can_start = value
        self._update()

    def progress(self, done: int, total: int) -> None:
        """Show how far it is; of 0 steps for not knowing."""
        self.bar.native.setRange(0, total)
        self.bar.native.setValue(done)

    def say(self, text: str) -> None:
        """Show a sentence under the buttons, or none."""
        show_text(self.message, text)

    def judge(self, text: str, warning: str | None = None) -> None:
        """Show what the last measurement says; in the color of warnings, where it is one."""
        self.verdict.native.setStyleSheet(f"color: {warning};" if warning else "")
        show_text(self.verdict, text)

    def _pause_pressed(self) -> None:
        if self._state in ("paused", "stopped"):
            self._on_resume()
        else:
            self._on_pause()

    def _update(self) -> None:
        self.start_button.enabled = self._can_start and not self.going
        resumes = self._state in ("paused", "stopped")
        self.pause_button.text = "Resume" if resumes else "Pause"
        self.pause_button.enabled = self._state in ("running", "paused", "stopped")
        self.pause_button.tooltip = (
            "Go on where the training stands." if resumes else "Wait after this step; the computer is free meanwhile."
        )
        self.stop_button.enabled = self._state in ("running", "paused")
        self.bar.visible = self.going
