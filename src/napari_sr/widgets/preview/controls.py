"""The switch of the preview, its comparison, and its message."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider
from magicgui.widgets.bases import Widget
from napari.viewer import Viewer

from napari_sr.widgets.preview.comparison import Against
from napari_sr.widgets.qt.help import HelpButton, with_help
from napari_sr.widgets.qt.rows import rows, show_text, shrinkable
from napari_sr.widgets.qt.sliders import complete_slider, shown_value
from napari_sr.widgets.qt.text.warning_text import WarningText
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

NOTHING, SPLIT, BLINK = "nothing", "split", "blink"


class PreviewControls(Container[Widget]):
    """The switch, and the rows that are shown while it is on.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer, for the colors of its theme.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.switch = CheckBox(
            name="preview",
            text="Preview in the view",
            value=False,
            tooltip=(
                "Upscale the part in view into a layer on top of the source. The preview follows the view, the sliders "
                "and all choices, and is removed when it is switched off."
            ),
        )
        self.compare = shrinkable(
            ComboBox(
                name="compare",
                label="Compare",
                choices=[("Only the result", NOTHING), ("Split", SPLIT), ("Blink", BLINK)],
                tooltip=(
                    "Show the result alone (Alt+1), or another image left of a line that can be dragged (Alt+2), or "
                    "both in turns (Alt+3)."
                ),
            )
        )
        self.against = shrinkable(
            ComboBox(
                name="against",
                label="With",
                choices=[("the source", "source"), ("bicubic", "bicubic")],
                tooltip="The pixels of the source, or the source enlarged by bicubic interpolation (Alt+4 changes it).",
            )
        )
        self.line = complete_slider(
            FloatSlider(
                name="line",
                label="Split",
                value=0.5,
                min=0.0,
                max=1.0,
                step=0.01,
                tooltip=(
                    "Position of the line between the other image (left) and the result (right). Drag the line in the "
                    "view, or press Alt+Left and Alt+Right."
                ),
            )
        )
        self.message = WrappedText(name="preview_message", tooltip="State of the preview.")
        self.warnings = WarningText(viewer, "preview_warnings", "Settings and values that may spoil the result.")
        """The warnings about the preview."""
        self.comparison_rows = rows([self.compare, self.against, self.line])
        switch = with_help(self.switch, HelpButton("Preview and comparison", "window/#preview-and-comparison"))
        super().__init__(widgets=[switch, self.comparison_rows, self.message, self.warnings.label], labels=False)
        self.margins = (0, 0, 0, 0)
        for widget in (self.switch, self.compare):
            widget.changed.connect(self._update)
        self.show_message("")
        self._update()

    @property
    def kind(self) -> str:
        """Kind of comparison: "nothing", "split" or "blink"."""
        kind: str = self.compare.value
        return kind

    @property
    def position(self) -> float:
        """Position of the line, 0 (all the result) to 1 (all the other image)."""
        return shown_value(self.line)

    @property
    def counterpart(self) -> Against | None:
        """The image to compare with, "source" or "bicubic"; None for no comparison."""
        against: Against = self.against.value
        return None if self.kind == NOTHING else against

    @property
    def counterpart_text(self) -> str:
        """Name of the image to compare with."""
        return str(self.against.current_choice)

    def show_comparison(self, kind: str, against: str) -> None:
        """Show a comparison, in the middle of the image; unknown values are left out, as those of another version."""
        for widget, value in ((self.compare, kind), (self.against, against)):
            if value in widget.choices:
                widget.value = value
        self.line.value = 0.5

    def show_kind(self, kind: str) -> None:
        """Choose a kind of comparison, as a key does; the result alone if it is chosen already."""
        self.compare.value = NOTHING if kind == self.kind else kind

    def change_counterpart(self) -> None:
        """Choose the other image to compare with, as a key does."""
        self.against.value = "bicubic" if self.against.value == "source" else "source"

    def move_line(self, position: float) -> None:
        """Move the line to a position, which is limited to 0 and 1."""
        self.line.value = min(max(round(position, 2), 0.0), 1.0)

    def show_message(self, text: str, warnings: str = "") -> None:
        """Show a sentence under the switch, and warnings below it; an empty text hides its line."""
        show_text(self.message, text)
        self.warnings.show(warnings)

    def _update(self) -> None:
        on = bool(self.switch.value)
        self.comparison_rows.visible = on
        self.against.visible = on and self.kind != NOTHING
        self.line.visible = on and self.kind == SPLIT
