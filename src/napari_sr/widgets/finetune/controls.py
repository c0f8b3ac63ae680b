"""Start, Pause and Stop of a training, its progress bar, and the lines about its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from magicgui.widgets import PushButton
from napari.viewer import Viewer

from napari_sr.widgets.qt.rows import show_text
from napari_sr.widgets.qt.text.warning_text import WarningText
from napari_sr.widgets.qt.text.wrapped_text import WrappedText
from napari_sr.widgets.qt.work_controls import WorkControls

ControlsState = Literal["idle", "running", "paused", "stopping", "stopped"]
"""State of the last training; a stopped one can be resumed."""


class TrainingControls(WorkControls):
    """The buttons, the progress bar and the messages of a training.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the colors of its theme.
    on_start, on_pause, on_resume, on_stop : callable
        Called without arguments when the button is pressed.
    """

    def __init__(
        self,
        viewer: Viewer,
        on_start: Callable[[], None],
        on_pause: Callable[[], None],
        on_resume: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._state: ControlsState = "idle"
        self._on_pause, self._on_resume = on_pause, on_resume
        self.start_button = PushButton(
            name="start", text="Start", tooltip="Train a new model. The model to begin with is not changed."
        )
        self.pause_button = PushButton(name="pause", text="Pause")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="End now, and keep the best model so far under a name of its own."
        )
        self.notes = WrappedText(
            name="notes", tooltip="Shift of the pairs, and the noise and the blur that the network is given."
        )
        measured = "Measured on pixels that are not used for training, against bicubic interpolation."
        self.measurement = WrappedText(name="measurement", tooltip=measured)
        self.warnings = WarningText(viewer, "measurement_warning", measured)
        """The last measurement, if it is a warning."""
        super().__init__(
            [self.start_button, self.pause_button, self.stop_button],
            bar="Progress in steps.",
            message="State of the training.",
            below=[self.notes, self.measurement, self.warnings.label],
        )
        self.start_button.changed.connect(lambda: on_start())
        self.pause_button.changed.connect(lambda: self._pause_pressed())
        self.stop_button.changed.connect(lambda: on_stop())
        self.show_message("")
        self.show_notes("")
        self.show_measurement("")
        self._update()

    @property
    def state(self) -> ControlsState:
        """State of the last training."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether a training has not ended; it may be paused."""
        return self._state in ("running", "paused", "stopping")

    def set_state(self, state: ControlsState) -> None:
        """Show the state of the training."""
        self._state = state
        self._update()

    def show_notes(self, text: str) -> None:
        """Show sentences about the images of the training; an empty text hides the line."""
        show_text(self.notes, text)

    def show_measurement(self, text: str, *, warns: bool = False) -> None:
        """Show a sentence about the last measurement, which may be a warning; an empty text hides the line."""
        show_text(self.measurement, "" if warns else text)
        self.warnings.show(text if warns else "")

    def _pause_pressed(self) -> None:
        if self._state in ("paused", "stopped"):
            self._on_resume()
        else:
            self._on_pause()

    def _update(self) -> None:
        self._enable(
            self._can_start and not self.running,
            self._state in ("running", "paused", "stopped"),
            self._state in ("running", "paused"),
        )
        resumes = self._state in ("paused", "stopped")
        self.pause_button.text = "Resume" if resumes else "Pause"
        self.pause_button.tooltip = (
            "Continue the training." if resumes else "Pause after this step; the computer is free meanwhile."
        )
        self.bar.visible = self.running
