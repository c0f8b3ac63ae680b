"""The switch for the preview, what it is compared with, and the line that says what it shows."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, Label
from magicgui.widgets.bases import Widget

from napari_sr.widgets.preview.comparison import Against
from napari_sr.widgets.qt.rows import narrow_readout, rows, show_text, shrinkable, wrapped

NOTHING, SPLIT, BLINK = "nothing", "split", "blink"


class PreviewControls(Container[Widget]):
    """The switch, and what shows once it is on.

    Parameters
    ----------
    on_switch : callable
        Told whether the preview is to be on.
    on_compare : callable
        Told when the comparison has changed.
    """

    def __init__(self, on_switch: Callable[[bool], None], on_compare: Callable[[], None]) -> None:
        self.switch = CheckBox(
            name="preview",
            text="Preview in the view",
            value=False,
            tooltip=(
                "Upscale what the view shows now, at once, into a layer that lies on the source. "
                "It follows the view, the sliders and all settings, and goes away when this is switched off."
            ),
        )
        self.compare = shrinkable(
            ComboBox(
                name="compare",
                label="Compare",
                choices=[("Only the result", NOTHING), ("Side by side", SPLIT), ("Blinking", BLINK)],
                tooltip="Show the preview alone, split with something else, or in turns with it.",
            )
        )
        self.against = shrinkable(
            ComboBox(
                name="against",
                label="With",
                choices=[("the source", "source"), ("bicubic", "bicubic")],
                tooltip="The pixels of the source as they are, or enlarged by plain bicubic interpolation.",
            )
        )
        self.line = narrow_readout(
            FloatSlider(
                name="line",
                label="Line",
                value=0.5,
                min=0.0,
                max=1.0,
                step=0.01,
                tooltip="Where the line is: the other image to its left, the upscaled one to its right.",
            )
        )
        self.says = wrapped(Label(name="preview_says", tooltip="What the preview shows."))
        self.comparison_rows = rows([self.compare, self.against, self.line])
        super().__init__(widgets=[self.switch, self.comparison_rows, self.says], labels=False)
        self.margins = (0, 0, 0, 0)
        self.switch.changed.connect(self._switched)
        self.compare.changed.connect(self._compared)
        for widget in (self.against, self.line):
            widget.changed.connect(lambda: on_compare())
        self._on_switch, self._on_compare = on_switch, on_compare
        self.say("")
        self._show()

    @property
    def kind(self) -> str:
        """How it is compared: "nothing", "split" or "blink"."""
        kind: str = self.compare.value
        return kind

    @property
    def counterpart(self) -> Against | None:
        """What it is compared with; None for nothing."""
        against: Against = self.against.value
        return None if self.kind == NOTHING else against

    @property
    def counterpart_words(self) -> str:
        """What it is compared with, in words."""
        return str(self.against.current_choice)

    def turn(self, on: bool) -> None:
        """Show the switch on or off without telling."""
        with self.switch.changed.blocked():
            self.switch.value = on
        self._show()

    def say(self, text: str) -> None:
        """Show a sentence, or none."""
        show_text(self.says, text)

    def _switched(self, on: bool) -> None:
        self._show()
        self._on_switch(on)

    def _compared(self, kind: str) -> None:
        self._show()
        self._on_compare()

    def _show(self) -> None:
        on = bool(self.switch.value)
        self.comparison_rows.visible = on
        self.against.visible = on and self.kind != NOTHING
        self.line.visible = on and self.kind == SPLIT
