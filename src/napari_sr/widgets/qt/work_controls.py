"""Buttons of long work, its progress bar, and the line about its state: the base of the controls of all panels."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import Container, ProgressBar, PushButton
from magicgui.widgets.bases import Widget

from napari_sr.widgets.qt.rows import show_text, side_by_side
from napari_sr.widgets.qt.text.wrapped_text import WrappedText


class WorkControls(Container[Widget]):
    """Buttons in a row, and a progress bar and a message below them.

    Parameters
    ----------
    buttons : sequence of PushButton
        From left to right.
    bar, message : str
        Tooltips of the progress bar and of the message.
    below : sequence of Widget
        Further lines.
    """

    def __init__(self, buttons: Sequence[PushButton], *, bar: str, message: str, below: Sequence[Widget] = ()) -> None:
        self.bar = ProgressBar(name="bar", min=0, max=1, value=0, tooltip=bar)
        # The line below the bar has the number of pieces or the percentage.
        self.bar.native.setTextVisible(False)
        self.message = WrappedText(name="message", tooltip=message)
        row = side_by_side("buttons", "", buttons)
        self._buttons = tuple(buttons)
        self._can_start = True
        super().__init__(widgets=[row, self.bar, self.message, *below], labels=False)
        self.margins = (0, 0, 0, 0)

    def set_can_start(self, value: bool) -> None:
        """Enable or disable the button that starts the work, for a model and an image that are there or not."""
        self._can_start = value
        self._update()

    def _update(self) -> None:
        """Update the buttons and the bar."""
        raise NotImplementedError

    def _enable(self, *enabled: bool) -> None:
        """Enable or disable the buttons, from left to right.

        The focus of a button that is disabled goes to the first one that is enabled, or waits for one beside the
        buttons. Qt would give it to the next control of the window, such as the button that hides the panel, which a
        second press of the space bar would press.
        """
        heir = next((button for button, on in zip(self._buttons, enabled, strict=True) if on), None)
        if heir is not None:
            heir.enabled = True
        left = [button.native for button, on in zip(self._buttons, enabled, strict=True) if not on]
        if self.native.window().focusWidget() in (*left, *([] if heir is None else [self.native])):
            (self if heir is None else heir).native.setFocus()
        for button, on in zip(self._buttons, enabled, strict=True):
            button.enabled = on

    def show_progress(self, done: int, total: int) -> None:
        """Show the progress; the bar is animated with 0 of 0, for a progress that is not known."""
        self.bar.native.setRange(0, total)
        self.bar.native.setValue(done)

    def show_message(self, text: str) -> None:
        """Show a sentence below the bar; an empty text hides the line."""
        show_text(self.message, text)
