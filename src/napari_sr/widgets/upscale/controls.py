"""Run, Cancel, the progress bar and the line that says how it goes."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import Container, Label, ProgressBar, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.widgets.qt.rows import beside, show_text, wrapped

_RUN = "Run"
_RUN_TOO = "Run this too"


class RunControls(Container[Widget]):
    """The buttons and what they show; what they do is the panel's.

    Parameters
    ----------
    on_run, on_cancel : callable
        Called when a button is pressed.
    """

    def __init__(self, on_run: Callable[[], None], on_cancel: Callable[[], None]) -> None:
        self.run_button = PushButton(name="run", text=_RUN)
        self.cancel_button = PushButton(
            name="cancel",
            text="Cancel",
            tooltip="Stop what this panel has started. Nothing is added, nothing is changed.",
        )
        self.bar = ProgressBar(name="bar", min=0, max=1, value=0, tooltip="How much of the layer is done.")
        # The line below the bar says how much, and more.
        self.bar.native.setTextVisible(False)
        self.message = wrapped(Label(name="message", tooltip="How the last run went."))
        buttons = beside("buttons", "", [self.run_button, self.cancel_button])
        super().__init__(widgets=[buttons, self.bar, self.message], labels=False)
        self.margins = (0, 0, 0, 0)
        self.run_button.changed.connect(lambda: on_run())
        self.cancel_button.changed.connect(lambda: on_cancel())
        self._running = False
        self._can_run = True
        self.show_message("")
        self._update()

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self._running

    def set_can_run(self, value: bool) -> None:
        """Say whether there is a layer and a model to run."""
        self._can_run = value
        self._update()

    def begin(self, message: str) -> None:
        """Show that a run has begun, and how far it is not known yet."""
        self._running = True
        # A bar from 0 to 0 moves without saying how far.
        self._set_bar(0, 0)
        self.show_message(message)
        self._update()

    def progress(self, done: int, total: int, message: str) -> None:
        """Show how far the run is."""
        if self._running:
            self._set_bar(done, total)
            self.show_message(message)

    def end(self, message: str) -> None:
        """Show how the run ended."""
        self._running = False
        self.show_message(message)
        self._update()

    def show_message(self, text: str) -> None:
        """Show a sentence under the buttons, or none."""
        show_text(self.message, text)

    def _set_bar(self, done: int, total: int) -> None:
        self.bar.native.setRange(0, total)
        self.bar.native.setValue(done)

    def _update(self) -> None:
        self.run_button.enabled = self._can_run
        self.run_button.text = _RUN_TOO if self._running else _RUN
        self.run_button.tooltip = (
            "Start another run with what is chosen now; it begins when those before it have ended."
            if self._running
            else "Upscale the layer. The result is a new layer."
        )
        self.cancel_button.enabled = self._running
        self.bar.visible = self._running
