"""The rows for the noise of the layer, and for how much of it is removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import Container, FloatSlider, FloatSpinBox
from magicgui.widgets.bases import Widget

from napari_sr.settings import NoiseSpec, describe_setting
from napari_sr.widgets.choices.settings.fields import LARGEST_VALUE, setting_list
from napari_sr.widgets.qt.rows import side_by_side, typed_number
from napari_sr.widgets.qt.sliders import complete_slider, shown_value

AUTOMATIC, NONE, VALUES = "auto", "none", "values"
MOST_DENOISE = 2.0
"""Upper end of the slider."""

_DIGITS, _DIGITS_OF_FLOATS = 3, 6
_LINE = "Variance of the noise: (deviation in black)² + gain × (value - black), in values of the layer."


class NoiseRows:
    """The rows for the settings `noise` and `denoise`.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._entered = False
        self.kind = setting_list(
            "noise",
            [("Automatic (measured)", AUTOMATIC), ("None", NONE), ("Two values", VALUES)],
            "Noise that is stated too high removes fine detail.",
        )
        self.in_black = _value_box(
            "noise_in_black", "In black", 0.0, f"Standard deviation of the noise in black. {_LINE}"
        )
        self.gain = _value_box(
            "noise_gain", "Gain", -LARGEST_VALUE, f"Growth of the noise with the brightness. {_LINE}"
        )
        self.values: Container[FloatSpinBox] = side_by_side(
            "noise_values", "In black, gain", [self.in_black, self.gain]
        )
        denoise = describe_setting("denoise")
        self.denoise = complete_slider(
            FloatSlider(
                name=denoise.name,
                label="Noise to remove",
                value=denoise.default,
                min=0.0,
                max=MOST_DENOISE,
                step=0.05,
                tooltip=f"{denoise.help} It has no effect without noise.",
            ),
            " ×",
        )
        self.kind.changed.connect(self._kind_changed)
        for box in (self.in_black, self.gain):
            box.changed.connect(self._value_entered)
        self.denoise.changed.connect(lambda: on_change())
        self.show_rows(True)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.values, self.denoise)

    @property
    def noise(self) -> NoiseSpec:
        """The value for the setting `noise`."""
        if self.kind.value == VALUES:
            return float(self.in_black.value), float(self.gain.value)
        return 0.0 if self.kind.value == NONE else "auto"

    @property
    def fraction(self) -> float:
        """The value for the setting `denoise`."""
        return shown_value(self.denoise)

    def show(self, noise: NoiseSpec, denoise: float) -> None:
        """Show the settings `noise` and `denoise`."""
        if isinstance(noise, tuple):
            self.in_black.value, self.gain.value = noise
        self.kind.value = VALUES if isinstance(noise, tuple) else AUTOMATIC if noise == "auto" else NONE
        self.denoise.value = denoise

    def forget_values(self) -> None:
        """Return from two values, which are those of one layer, to the measured noise."""
        if self.kind.value == VALUES:
            self.kind.value = AUTOMATIC
        with self.in_black.changed.blocked(), self.gain.changed.blocked():
            self.in_black.value = self.gain.value = 0.0
        self._entered = False

    def show_measured(self, in_black: float, gain: float) -> None:
        """Show measured noise in the two boxes, for the time when the user chooses them; not after they were changed.

        Both are in values of the layer: standard deviation in black, and growth of the variance with the brightness.
        """
        if self._entered or self.kind.value == VALUES:
            return
        with self.in_black.changed.blocked(), self.gain.changed.blocked():
            self.in_black.value = min(in_black, LARGEST_VALUE)
            self.gain.value = min(max(gain, -LARGEST_VALUE), LARGEST_VALUE)

    def show_digits(self, *, of_floats: bool) -> None:
        """Show as many decimal places as a layer needs, of which floats may be far below 1."""
        decimals = _DIGITS_OF_FLOATS if of_floats else _DIGITS
        for box in (self.in_black, self.gain):
            # Qt writes the text again even for the same count, also in the middle of a number that is being typed.
            if box.native.decimals() != decimals:
                box.native.setDecimals(decimals)

    def show_rows(self, shown: bool) -> None:
        """Show the rows for a model that takes the noise, or hide them."""
        self._shown = shown
        self.kind.visible = self.denoise.visible = shown
        self.values.visible = shown and self.kind.value == VALUES

    def _kind_changed(self) -> None:
        self.show_rows(self._shown)
        self.denoise.enabled = self.kind.value != NONE
        self._on_change()

    def _value_entered(self) -> None:
        self._entered = True
        self._on_change()


def _value_box(name: str, label: str, least: float, tooltip: str) -> FloatSpinBox:
    return typed_number(name, 0.0, least, LARGEST_VALUE, 0.1, _DIGITS, tooltip, label)
