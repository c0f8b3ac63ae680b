"""The line that suggests a model and settings for the chosen layer."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import Container, Label, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.theme import get_theme
from napari.viewer import Viewer

from napari_sr.imaging.axes import Axes
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.rows import show_text, wrapped
from napari_sr.widgets.upscale.suggestion import LayerSuggestion, Suggest, Suggestion

_ABOUT = "Suggestion for this layer."


class SuggestionLine(Container[Widget]):
    """A sentence with the suggestion, and a button that uses it; hidden while there is none.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the colors of its theme.
    background : Executor
        Computes suggestions.
    suggest : callable or None
        Computes a suggestion, on any thread; None if there are none.
    on_use : callable
        Called with the suggestion when the button is pressed.
    is_used : callable
        Called with the suggestion; returns whether the panel shows its model and settings already.
    """

    def __init__(
        self,
        viewer: Viewer,
        background: Executor,
        suggest: Suggest | None,
        on_use: Callable[[Suggestion], None],
        is_used: Callable[[Suggestion], bool],
    ) -> None:
        self._viewer, self._on_use, self._is_used = viewer, on_use, is_used
        self.suggestion: Suggestion | None = None
        """The suggestion that is shown; None if there is none."""
        self.text = wrapped(Label(name="suggestion_text", label="Suggestion", tooltip=_ABOUT))
        self.use_button = PushButton(
            name="use_suggestion", text="Use it", tooltip="Choose this model and these settings."
        )
        super().__init__(name="suggestion_line", widgets=[self.text, self.use_button], labels=False)
        self.margins = (0, 0, 0, 0)
        self.computation = LayerSuggestion(background, self.show_suggestion, suggest)
        """The computation in the background."""
        self.use_button.changed.connect(self._use)
        viewer.events.theme.connect(self._color)
        self.show_suggestion(None)

    def request(self, layer: Image | None, axes: Axes | None, scale: int | None) -> None:
        """Request a suggestion, and enable the button if the panel does not show the present one.

        Parameters
        ----------
        layer : napari.layers.Image or None
            The chosen layer; None if no image is open.
        axes : Axes or None
            The layer's; None if they are not known.
        scale : int or None
            The chosen factor; None if it is not known.
        """
        self.computation.request(layer, axes, scale)
        self._enable()

    def show_suggestion(self, suggestion: Suggestion | None) -> None:
        """Show a suggestion.

        Parameters
        ----------
        suggestion : Suggestion or None
            None hides the line.
        """
        self.suggestion = suggestion
        show_text(self.text, "" if suggestion is None else format_suggestion(suggestion))
        self.visible = self.use_button.visible = suggestion is not None
        self.text.tooltip = "\n".join([_ABOUT, *(suggestion.reasons if suggestion is not None else ())])
        self._color()
        self._enable()

    def disconnect(self) -> None:
        """Disconnect from the viewer, and stop the computation."""
        self._viewer.events.theme.disconnect(self._color)
        self.computation.stop()

    def _color(self, event: object = None) -> None:
        outside = self.suggestion is not None and self.suggestion.outside
        warning = get_theme(str(self._viewer.theme)).warning.as_hex()
        self.text.native.setStyleSheet(f"color: {warning};" if outside else "")

    def _enable(self) -> None:
        self.use_button.enabled = self.suggestion is not None and not self._is_used(self.suggestion)

    def _use(self) -> None:
        if self.suggestion is not None:
            self._on_use(self.suggestion)


def format_suggestion(suggestion: Suggestion) -> str:
    """Format a suggestion as one sentence.

    Parameters
    ----------
    suggestion : Suggestion
        The suggestion.

    Returns
    -------
    str
        Such as "Suggested: esrgan-microscopy-x2, because the layer is gray and noisy."
    """
    reasons = "; ".join(reason.rstrip(".") for reason in suggestion.reasons)
    begin = "Unlike the training images. Suggested" if suggestion.outside else "Suggested"
    return f"{begin}: {suggestion.model}" + (f", because {reasons}." if reasons else ".")
