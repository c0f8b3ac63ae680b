"""Run and Cancel, the progress bar, and the line about the state of the run."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import PushButton
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QKeyEvent

from napari_sr.widgets.qt.text.warning_text import WarningText
from napari_sr.widgets.qt.work_controls import WorkControls

_RUN = "Run"
_RUN_TOO = "Run this too"


class RunControls(WorkControls):
    """The buttons, the progress bar, the message and the warnings of a panel.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the colors of its theme.
    on_run, on_cancel : callable
        Called without arguments when the button is pressed.
    """

    def __init__(self, viewer: Viewer, on_run: Callable[[], None], on_cancel: Callable[[], None]) -> None:
        self.run_button = PushButton(name="run", text=_RUN)
        self.run_button.native.installEventFilter(_RepeatedPress(self.run_button.native))
        self.cancel_button = PushButton(
            name="cancel",
            text="Cancel",
            tooltip="Stop the runs of this panel. Nothing is added or changed.",
        )
        self.warnings = WarningText(viewer, "warnings", "Properties of the layer that may spoil the result.")
        """The warnings of the last run."""
        super().__init__(
            [self.run_button, self.cancel_button],
            bar="Progress of the run.",
            message="State of the last run.",
            below=[self.warnings.label],
        )
        self.run_button.changed.connect(lambda: on_run())
        self.cancel_button.changed.connect(lambda: on_cancel())
        self._running = False
        self.show_message("")
        self._update()

    @property
    def running(self) -> bool:
        """Whether a run is in progress."""
        return self._running

    def begin(self, message: str) -> None:
        """Show that a run has begun, whose progress is not known yet."""
        self._running = True
        self.show_progress(0, 0, message)
        self._update()

    def show_progress(self, done: int, total: int, message: str = "") -> None:
        """Show the progress of the run, 0 of 0 if it is not known, and a message; ignored if there is no run."""
        if self._running:
            super().show_progress(done, total)
            self.show_message(message)

    def end(self, message: str, warnings: str = "") -> None:
        """Show how the run ended, and warnings in the line below that."""
        self._running = False
        self.show_message(message)
        self.warnings.show(warnings)
        self._update()

    def show_message(self, text: str) -> None:
        """Show a sentence under the buttons; the warnings of the last run are removed."""
        super().show_message(text)
        self.warnings.show("")

    def _update(self) -> None:
        self._enable(self._can_start, self._running)
        self.run_button.text = _RUN_TOO if self._running else _RUN
        self.run_button.tooltip = (
            "Add another run with the present choices; it begins when the runs before it have ended."
            if self._running
            else "Upscale the layer. The result is a new layer."
        )
        self.bar.visible = self._running


class _RepeatedPress(QObject):
    """Ignores the second click of a double click and the repeated keys of one that is held.

    Each would start the same run again.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._released = 0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Consume the press: without one, the release that follows does nothing."""
        if isinstance(event, QKeyEvent) and event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            return event.isAutoRepeat() or self._is_repeated(event)
        return event is not None and event.type() == QEvent.Type.MouseButtonDblClick

    def _is_repeated(self, event: QKeyEvent) -> bool:
        # A busy window of X11 takes some repeated keys for released and pressed ones, at the same millisecond.
        released, time = self._released, event.timestamp()
        self._released = time if event.type() == QEvent.Type.KeyRelease else 0
        return event.type() == QEvent.Type.KeyPress and 0 < time == released
