"""The rows for the values that are black and white for the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets.bases import Widget

from napari_sr.imaging.intensity.spec import PERCENTILES, IntensitySpec, Percentiles
from napari_sr.widgets.choices.settings.fields import LARGEST_VALUE, named_choices, setting_list, two_numbers

PERCENTILE, BOUNDS = "percentile", "bounds"

_TEXTS = {
    "auto": "Automatic",
    "dtype": "Full range of the data type",
    PERCENTILE: "Percentiles",
    "contrast": "The layer's contrast limits",
    BOUNDS: "Between two values",
}


class IntensityRows:
    """The rows for the values that are black and white for the model.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    of_layers : bool, default True
        Whether the images are layers, which have contrast limits.
    """

    def __init__(self, on_change: Callable[[], None], *, of_layers: bool = True) -> None:
        self._on_change = on_change
        names = [choice for choice in named_choices("intensity", _TEXTS) if of_layers or choice[1] != "contrast"]
        self.kind = setting_list(
            "intensity",
            [*names, (_TEXTS[BOUNDS], BOUNDS)],
            "The result has the values of the layer again.",
        )
        self.percentiles = two_numbers("percentiles", "Percentiles", PERCENTILES, (0.0, 100.0), 0.1, "% of the pixels")
        self.bounds = two_numbers(
            "bounds", "Values", (0.0, 255.0), (-LARGEST_VALUE, LARGEST_VALUE), 1.0, "values of the layer"
        )
        self.kind.changed.connect(self._kind_changed)
        for widget in (*self.percentiles, *self.bounds):
            widget.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.percentiles, self.bounds)

    @property
    def value(self) -> IntensitySpec:
        """The value for the setting `intensity`; raises `InputError` if the percentiles are not in order."""
        name: Any = self.kind.value
        if name == BOUNDS:
            return float(self.bounds[0].value), float(self.bounds[1].value)
        if name == PERCENTILE:
            low, high = float(self.percentiles[0].value), float(self.percentiles[1].value)
            return Percentiles(low, high) if (low, high) != PERCENTILES else "percentile"
        spec: IntensitySpec = name
        return spec

    def show(self, spec: IntensitySpec) -> None:
        """Show a value of the setting `intensity`."""
        if spec == PERCENTILE:
            spec = Percentiles()
        if isinstance(spec, str):
            self.kind.value = spec
        elif isinstance(spec, Percentiles):
            self.percentiles[0].value, self.percentiles[1].value = spec.low, spec.high
            self.kind.value = PERCENTILE
        else:
            self.bounds[0].value, self.bounds[1].value = spec
            self.kind.value = BOUNDS

    def _kind_changed(self) -> None:
        self.percentiles.visible = self.kind.value == PERCENTILE
        self.bounds.visible = self.kind.value == BOUNDS
        self._on_change()


def format_intensity(name: str) -> str:
    """Return the text of a kind of intensity range: "Full range of the data type" for "dtype"."""
    return _TEXTS[name]
