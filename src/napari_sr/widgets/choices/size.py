"""Rows for the size of the result: the model's own factor, another factor, or a pixel size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import ComboBox, Container, FloatSpinBox
from magicgui.widgets.bases import Widget

from napari_sr.settings import describe_setting
from napari_sr.widgets.qt.rows import shrinkable, side_by_side, typed_number

AS_MODEL, FACTOR, PIXEL = "model", "factor", "pixel"
UNITS = (("nm", "nanometer"), ("µm", "micrometer"), ("mm", "millimeter"))
_RESIZED = "The model upscales by its own factor, and its result is resized; it is smoothed where it shrinks."


class SizeChoice:
    """The list of kinds of size, and the number below it.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        setting = describe_setting("target")
        self.kind = shrinkable(
            ComboBox(
                name=setting.name,
                label=setting.label,
                choices=[
                    ("The model's own size", AS_MODEL),
                    ("By another factor", FACTOR),
                    ("Of a pixel size", PIXEL),
                ],
                tooltip=f"{setting.help} {_RESIZED}",
            )
        )
        self.factor = FloatSpinBox(
            name="target_factor",
            label="Times",
            value=2.0,
            min=0.05,
            max=64.0,
            step=0.5,
            tooltip=f"Factor in each direction; it need not be a whole number. {_RESIZED}",
            visible=False,
        )
        tooltip = f"Pixel size of the result. The pixel size of the layer must be known. {_RESIZED}"
        self.pixel = typed_number("target_pixel", 0.05, 0.0001, 1e6, 0.01, 4, tooltip, "Pixel")
        self.unit = shrinkable(
            ComboBox(
                name="target_unit",
                label="Unit",
                choices=list(UNITS),
                value="micrometer",
                tooltip="Unit of the pixel size.",
            ),
            least=5,
        )
        self.pixel_row: Container[Widget] = side_by_side("target_pixel_row", "Pixel size", [self.pixel, self.unit])
        self.pixel_row.visible = False
        self.kind.changed.connect(self._changed)
        for widget in (self.factor, self.pixel, self.unit):
            widget.changed.connect(lambda: self._on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.factor, self.pixel_row)

    @property
    def target(self) -> float | str | None:
        """The value for the setting `target`; None for the model's own factor."""
        if self.kind.value == FACTOR:
            return float(self.factor.value)
        if self.kind.value == PIXEL:
            return f"{self.pixel.value:g} {self.unit.value}"
        return None

    def show(self, target: float | str | None) -> None:
        """Show the setting `target`: a factor, or a pixel size as `target` returns it."""
        if isinstance(target, str):
            size, _, unit = target.partition(" ")
            self.pixel.value, self.unit.value = float(size), unit
        elif target is not None:
            self.factor.value = target
        self.kind.value = AS_MODEL if target is None else PIXEL if isinstance(target, str) else FACTOR

    def _changed(self, value: object) -> None:
        self.factor.visible = value == FACTOR
        self.pixel_row.visible = value == PIXEL
        self._on_change()
