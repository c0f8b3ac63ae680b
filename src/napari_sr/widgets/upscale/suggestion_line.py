"""The line that suggests a model and settings for the chosen layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import Container, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.imaging.axes import Axes
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.rows import show_text
from napari_sr.widgets.qt.text.warning_text import WarningText
from napari_sr.widgets.qt.text.wrapped_text import WrappedText
from napari_sr.widgets.upscale.suggestion import LayerSuggestion, Suggest

if TYPE_CHECKING:
    from napari_sr.inference.suggest import SuggestedFamily, Suggestion

_ABOUT = "Suggestion for this layer."
_WORKING = "Looking at the layer…"
# Warnings that are shown; the tooltip has all.
_MOST_WARNINGS = 2


class SuggestionLine(Container[Widget]):
    """The suggestion, its warnings, and a button that uses it; hidden while there is none.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the colors of its theme.
    background : Executor
        Computes suggestions.
    family : {"srcnn", "srgan", "esrgan"}
        Family of the panel.
    suggest : callable or None
        Computes a suggestion, on any thread; None if there are none.
    on_known : callable
        Called with each new suggestion, or with None when it is discarded.
    on_use : callable
        Called with the suggestion when the button is pressed.
    is_used : callable
        Called with the suggestion; returns whether the panel shows its model and settings already.
    """

    def __init__(
        self,
        viewer: Viewer,
        background: Executor,
        family: SuggestedFamily,
        suggest: Suggest | None,
        *,
        on_known: Callable[[Suggestion | None], None],
        on_use: Callable[[Suggestion], None],
        is_used: Callable[[Suggestion], bool],
    ) -> None:
        self._on_known, self._on_use, self._is_used = on_known, on_use, is_used
        self.suggestion: Suggestion | None = None
        """The suggestion that is shown; None if there is none."""
        self.text = WrappedText(name="suggestion_text", label="Suggestion", tooltip=_ABOUT)
        self.warnings = WarningText(viewer, "suggestion_warnings", "")
        """The line of warnings."""
        self.use_button = PushButton(
            name="use_suggestion", text="Use it", tooltip="Choose this model and these settings."
        )
        super().__init__(
            name="suggestion_line", widgets=[self.text, self.warnings.label, self.use_button], labels=False
        )
        self.margins = (0, 0, 0, 0)
        self.computation = LayerSuggestion(background, family, self.show_suggestion, suggest)
        """The computation in the background."""
        self.use_button.changed.connect(self._use)
        self._show(None)

    def request(self, layer: Image | None, axes: Axes | None, scale: int | None) -> None:
        """Request a suggestion as `LayerSuggestion.request`, and enable the button if the present one is not shown."""
        self.computation.request(layer, axes, scale)
        if self.suggestion is None and self.computation.busy:
            # In the place of the suggestion, so that the rows below move less when it is known.
            show_text(self.text, _WORKING)
            self.visible = True
        self._enable()

    def show_suggestion(self, suggestion: Suggestion | None) -> None:
        """Show a suggestion, or hide the line with None, and call `on_known` with it."""
        self._show(suggestion)
        self._on_known(suggestion)
        self._enable()

    def disconnect(self) -> None:
        """Disconnect from the viewer, and stop the computation."""
        self.warnings.disconnect()
        self.computation.stop()

    def _show(self, suggestion: Suggestion | None) -> None:
        self.suggestion = suggestion
        known = suggestion is not None
        show_text(self.text, "" if suggestion is None else format_suggestion(suggestion))
        self.warnings.show("" if suggestion is None else format_warnings(suggestion))
        self.visible = known
        details = (*suggestion.warnings, *suggestion.reasons) if suggestion is not None else ()
        self.text.tooltip = self.warnings.label.tooltip = "\n".join([_ABOUT, *details])
        self._enable()

    def _enable(self) -> None:
        self.use_button.visible = self.suggestion is not None and not self._is_used(self.suggestion)

    def _use(self) -> None:
        if self.suggestion is not None:
            self._on_use(self.suggestion)


def format_suggestion(suggestion: Suggestion) -> str:
    """Format a suggestion in one line, with its first reason; the others are for the tooltip."""
    return " ".join([f"Suggested: {suggestion.model}.", *suggestion.reasons[:1]])


def format_warnings(suggestion: Suggestion) -> str:
    """Format the first warnings of a suggestion, and the number of the others; empty without any."""
    more = len(suggestion.warnings) - _MOST_WARNINGS
    rest = [f"And {more} more warning{'s' if more > 1 else ''}."] if more > 0 else []
    return " ".join([*suggestion.warnings[:_MOST_WARNINGS], *rest])
