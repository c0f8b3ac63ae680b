"""How a run is done: device, precision, tiles, memory, brightness. The rows under "More", and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, SpinBox
from magicgui.widgets.bases import Widget
from qtpy.QtWidgets import QDoubleSpinBox

from napari_sr.imaging.intensity import PERCENTILES, IntensitySpec, Percentiles
from napari_sr.settings import JobSettings, Memory, Overlap, Tiling, describe_setting
from napari_sr.widgets.rows import beside, plain_number, shrinkable

EXACT, OVERLAP = "exact", "overlap"
PERCENTILE, BOUNDS = "percentile", "bounds"
_LARGEST_TILE = 8192
_MOST_GIB = 1024
_LARGEST_VALUE = 1e12

_DEVICE_WORDS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card", "mps": "Apple graphics"}
_PRECISION_WORDS = {
    "auto": "Automatic",
    "float32": "32 bit, exact",
    "bfloat16": "16 bit, wide range (bfloat16)",
    "float16": "16 bit, fine steps (float16)",
}
_TILING_WORDS = {EXACT: "Exact (streamed)", OVERLAP: "Overlapping tiles", "none": "Whole plane at once"}
_INTENSITY_WORDS = {
    "auto": "Automatic",
    "dtype": "Full range of the data type",
    PERCENTILE: "Percentiles",
    "contrast": "The layer's contrast limits",
    BOUNDS: "Between two values",
}


class SettingsRows:
    """The rows that say how a job is done.

    Parameters
    ----------
    on_change : callable
        Told when one of them says something else.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._wanted_device = "auto"
        self.known = False
        # The other devices are known once torch is there: see `offer_devices`.
        self.device = _choice(
            "device",
            [("Automatic", "auto"), ("Processor (CPU)", "cpu")],
            "Automatic takes a graphics card where there is one.",
        )
        self.precision = _choice("precision", _named("precision", _PRECISION_WORDS), "16 bit can shift gray values.")
        self.tiling = _choice(
            "tiling",
            _named("tiling", _TILING_WORDS),
            "Exact gives the pixels of the whole image in one piece: no seams, and memory stays bounded however large "
            "the image is. Overlapping tiles can leave faint seams. A whole plane at once has none either, but needs "
            "the most memory.",
        )
        self.tile = SpinBox(
            name="tile",
            label="Tile size",
            value=Overlap().tile,
            min=16,
            max=_LARGEST_TILE,
            step=32,
            tooltip="Side of a tile, in pixels of the source. Smaller tiles need less memory and take longer.",
            visible=False,
        )
        self.overlap = SpinBox(
            name="overlap",
            label="Overlap",
            value=Overlap().overlap,
            min=0,
            max=_LARGEST_TILE // 2,
            step=8,
            tooltip="How many pixels neighboring tiles share on each side. More overlap, fewer visible seams.",
            visible=False,
        )
        self.memory = _memory_limit()
        self.intensity = _choice(
            "intensity",
            [*_named("intensity", _INTENSITY_WORDS), (_INTENSITY_WORDS[BOUNDS], BOUNDS)],
            "The result comes back in the layer's own values.",
        )
        self.percentiles = _pair("percentiles", "Percentiles", PERCENTILES, (0.0, 100.0), 0.1, "% of the values")
        self.bounds = _pair("bounds", "Values", (0.0, 255.0), (-_LARGEST_VALUE, _LARGEST_VALUE), 1.0, "")
        self.self_ensemble = CheckBox(
            name="self_ensemble",
            text=f"{describe_setting('self_ensemble').label} (8 times the work)",
            value=False,
            tooltip=f"{describe_setting('self_ensemble').help} No direction is preferred then.",
        )
        self.tiling.changed.connect(self._tiling_changed)
        self.intensity.changed.connect(self._intensity_changed)
        rest = (self.device, self.precision, self.tile, self.overlap, self.memory, self.self_ensemble)
        for widget in (*rest, *self.percentiles, *self.bounds):
            widget.changed.connect(lambda: self._on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        tiling = (self.tiling, self.tile, self.overlap, self.memory)
        intensity = (self.intensity, self.percentiles, self.bounds)
        return (*intensity, self.device, self.precision, *tiling, self.self_ensemble)

    def offer_devices(self, names: Sequence[str]) -> None:
        """List the devices of this computer; the chosen one stays if it is there."""
        self.known = True
        chosen = self._wanted_device if self.device.value == "auto" else self.device.value
        with self.device.changed.blocked():
            self.device.choices = [(format_device(name), name) for name in names]
            self.device.value = chosen if chosen in names else names[0]

    def settings(self, target: float | str | None = None) -> JobSettings:
        """Note down what the rows say, and the size that is wished for.

        Raises
        ------
        InputError
            If the numbers do not go together: more overlap than tile, say.
        """
        return JobSettings(
            device=self.device.value,
            precision=self.precision.value,
            tiling=self._tiling(),
            memory=self._memory(),
            self_ensemble=self.self_ensemble.value,
            intensity=self._intensity(),
            target=target,
        )

    def take_defaults(self, device: str, precision: str, memory: Memory) -> None:
        """Show what the shared settings say; a device that is not known yet is shown once it is."""
        self._wanted_device = device
        if device in self.device.choices:
            self.device.value = device
        self.precision.value = precision
        self.memory.value = 0.0 if memory == "auto" else memory / 2**30

    def _tiling(self) -> Tiling:
        name: Tiling = self.tiling.value
        return Overlap(tile=self.tile.value, overlap=self.overlap.value) if name == OVERLAP else name

    def _memory(self) -> Memory:
        gib = self.memory.value if self.tiling.value == EXACT else 0
        return int(gib * 2**30) or "auto"

    def _intensity(self) -> IntensitySpec:
        name: Any = self.intensity.value
        if name == BOUNDS:
            return float(self.bounds[0].value), float(self.bounds[1].value)
        if name == PERCENTILE:
            low, high = float(self.percentiles[0].value), float(self.percentiles[1].value)
            return Percentiles(low, high) if (low, high) != PERCENTILES else "percentile"
        spec: IntensitySpec = name
        return spec

    def _tiling_changed(self) -> None:
        """Show the rows that the tiling goes by."""
        self.tile.visible = self.overlap.visible = self.tiling.value == OVERLAP
        self.memory.visible = self.tiling.value == EXACT
        self._on_change()

    def _intensity_changed(self) -> None:
        """Show the numbers that the brightness goes by."""
        self.percentiles.visible = self.intensity.value == PERCENTILE
        self.bounds.visible = self.intensity.value == BOUNDS
        self._on_change()


def _memory_limit() -> FloatSpinBox:
    """A number of GiB, of which 0 reads "Automatic"."""
    limit = FloatSpinBox(
        name="memory",
        label=describe_setting("memory").label,
        value=0.0,
        min=0.0,
        max=_MOST_GIB,
        step=0.5,
        tooltip=f"{describe_setting('memory').help} Here in GiB; Automatic (0) measures the free memory.",
    )
    native: QDoubleSpinBox = limit.native
    native.setSpecialValueText("Automatic")
    native.setSuffix(" GiB")
    return limit


def _pair(
    name: str, label: str, values: tuple[float, float], ends: tuple[float, float], step: float, unit: str
) -> Container[FloatSpinBox]:
    """Two numbers beside one another, for black and for white."""
    both = [
        FloatSpinBox(
            name=f"{name}_{end}",
            label=words,
            value=value,
            min=ends[0],
            max=ends[1],
            step=step,
            tooltip=f"{words} for the model{f', in {unit}' if unit else ', in values of the layer'}.",
        )
        for end, words, value in (("low", "Black", values[0]), ("high", "White", values[1]))
    ]
    for box in both:
        plain_number(box, 2)
    row = beside(name, label, both)
    row.visible = False
    return row


def _choice(name: str, choices: Sequence[tuple[str, str]], details: str) -> ComboBox:
    """Make the list of a setting, with its label and help; `details` are added to its tooltip."""
    about = describe_setting(name)
    return shrinkable(ComboBox(name=name, label=about.label, choices=list(choices), tooltip=f"{about.help} {details}"))


def _named(name: str, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the choices of a setting, with their texts in the window."""
    return [(texts.get(choice, choice), choice) for choice in describe_setting(name).choices]


def format_device(name: str) -> str:
    """Name a device: "Graphics card 1"."""
    kind, _, number = name.partition(":")
    words = _DEVICE_WORDS.get(kind, kind)
    return f"{words} {number}" if number else words


def format_intensity(name: str) -> str:
    """Name a way of choosing black and white."""
    return _INTENSITY_WORDS[name]
