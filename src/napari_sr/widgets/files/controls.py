"""Start and Stop of a run over files, the progress bar, and the line about its state."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import PushButton

from napari_sr.widgets.qt.work_controls import WorkControls


class FilesControls(WorkControls):
    """The buttons, the progress bar and the message.

    Parameters
    ----------
    on_start, on_stop : callable
        Called without arguments when the button is pressed.
    """

    def __init__(self, on_start: Callable[[], None], on_stop: Callable[[], None]) -> None:
        self.start_button = PushButton(name="start", text="Start")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="Stop now. Finished results stay, and Start continues with the others."
        )
        super().__init__(
            [self.start_button, self.stop_button], bar="Progress of all images.", message="State of the run."
        )
        self.start_button.changed.connect(lambda: on_start())
        self.stop_button.changed.connect(lambda: on_stop())
        self._running = self._stopping = self._can_continue = False
        self.show_message("")
        self._update()

    @property
    def running(self) -> bool:
        """Whether a run has not ended."""
        return self._running

    def begin(self, message: str) -> None:
        """Show that a run has begun, whose progress is not known yet."""
        self._running, self._stopping = True, False
        self.show_progress(0, 0)
        self.show_message(message)
        self._update()

    def stopping(self) -> None:
        """Show that the run stops as soon as it can."""
        self._stopping = True
        self.show_message("Stopping…")
        self._update()

    def end(self, message: str, *, can_continue: bool) -> None:
        """Show how the run ended, and whether images are left for the next one."""
        self._running, self._can_continue = False, can_continue
        self.show_message(message)
        self._update()

    def choice_changed(self) -> None:
        """Show that the next run is another one than the one that was stopped."""
        self._can_continue = False
        self._update()

    def _update(self) -> None:
        self._enable(self._can_start and not self._running, self._running and not self._stopping)
        self.start_button.text = "Continue" if self._can_continue and not self._running else "Start"
        self.start_button.tooltip = "Upscale all images that are not finished."
        self.bar.visible = self._running
