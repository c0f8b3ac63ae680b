"""Rows for the settings of a job under "More": brightness, device, precision, batch, tiling, self-ensemble.

Labels and help are those of `JobSettings`; the name of a row is the name of its field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, SpinBox
from magicgui.widgets.bases import Widget

from napari_sr.conversion import Memory
from napari_sr.imaging.intensity_spec import PERCENTILES, IntensitySpec, Percentiles
from napari_sr.settings import JobSettings, Overlap, Tiling, describe_setting
from napari_sr.widgets.qt.rows import hide_step_buttons, show_automatic, shrinkable, side_by_side

EXACT, OVERLAP = "exact", "overlap"
PERCENTILE, BOUNDS = "percentile", "bounds"
_LARGEST_TILE = 8192
_MOST_GIB = 1024
_MOST_PLANES = 4096
_LARGEST_VALUE = 1e12
_GIB = 2**30

_DEVICE_TEXTS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card", "mps": "Apple graphics"}
_PRECISION_TEXTS = {
    "auto": "Automatic",
    "float32": "32 bit, exact",
    "bfloat16": "16 bit, wide range (bfloat16)",
    "float16": "16 bit, fine steps (float16)",
}
_TILING_TEXTS = {EXACT: "Exact (streamed)", OVERLAP: "Overlapping tiles", "none": "Whole plane at once"}
_INTENSITY_TEXTS = {
    "auto": "Automatic",
    "dtype": "Full range of the data type",
    PERCENTILE: "Percentiles",
    "contrast": "The layer's contrast limits",
    BOUNDS: "Between two values",
}


class DeviceChoice:
    """The list of devices, which is complete when torch has been imported.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._default = "auto"
        self.known = False
        """Whether the devices of this computer are listed."""
        self.widget = _setting_list(
            "device",
            [(format_device(name), name) for name in ("auto", "cpu")],
            "Automatic uses a graphics card if there is one.",
        )
        self.widget.changed.connect(lambda: on_change())

    @property
    def value(self) -> str:
        """The chosen device, as the setting `device`."""
        value: str = self.widget.value
        return value

    def offer(self, names: Sequence[str]) -> None:
        """List the devices of this computer.

        Parameters
        ----------
        names : sequence of str
            From `napari_sr.inference.available_devices`. The choice stays if it is among them.
        """
        self.known = True
        chosen = self._default if self.value == "auto" else self.value
        with self.widget.changed.blocked():
            self.widget.choices = [(format_device(name), name) for name in names]
            self.widget.value = chosen if chosen in names else names[0]

    def set_default(self, name: str) -> None:
        """Choose a device; one that is not listed yet is chosen by `offer`.

        Parameters
        ----------
        name : str
            A device, as the setting `device`.
        """
        self._default = name
        if name in self.widget.choices:
            self.widget.value = name


class TilingRows:
    """The rows for tiling, for the size of tiles, and for the memory of exact tiling.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.kind = _setting_list(
            "tiling",
            _named("tiling", _TILING_TEXTS),
            "Exact has no seams, and its memory is bounded. Overlapping tiles can leave faint seams. "
            "A whole plane at once has no seams and takes the most memory.",
        )
        self.tile = SpinBox(
            name="tile",
            label="Tile size",
            value=Overlap().tile,
            min=16,
            max=_LARGEST_TILE,
            step=32,
            tooltip="Side of a tile, in pixels of the source. Smaller tiles take less memory and more time.",
            visible=False,
        )
        self.overlap = SpinBox(
            name="overlap",
            label="Overlap",
            value=Overlap().overlap,
            min=0,
            max=_LARGEST_TILE // 2,
            step=8,
            tooltip="Pixels that are computed and discarded on each side of a tile. More overlap gives fewer seams.",
            visible=False,
        )
        self.memory = _number_box("memory", "Here in GiB; Automatic (0) measures the free memory.", _MOST_GIB, 0.5, 2)
        self.memory.native.setSuffix(" GiB")
        self.kind.changed.connect(self._kind_changed)
        for widget in (self.tile, self.overlap, self.memory):
            widget.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.tile, self.overlap, self.memory)

    @property
    def value(self) -> Tiling:
        """The value for the setting `tiling`.

        Raises
        ------
        InputError
            If the overlap is too large for the tile.
        """
        name: Tiling = self.kind.value
        return Overlap(tile=self.tile.value, overlap=self.overlap.value) if name == OVERLAP else name

    @property
    def budget(self) -> Memory:
        """The value for the setting `memory`: bytes or "auto"."""
        gib = self.memory.value if self.kind.value == EXACT else 0
        return int(gib * _GIB) or "auto"

    def set_budget(self, memory: Memory) -> None:
        """Show a memory budget.

        Parameters
        ----------
        memory : int or "auto"
            Bytes.
        """
        self.memory.value = 0.0 if memory == "auto" else memory / _GIB

    def _kind_changed(self) -> None:
        self.tile.visible = self.overlap.visible = self.kind.value == OVERLAP
        self.memory.visible = self.kind.value == EXACT
        self._on_change()


class IntensityRows:
    """The rows for the values that are black and white for the model.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.kind = _setting_list(
            "intensity",
            [*_named("intensity", _INTENSITY_TEXTS), (_INTENSITY_TEXTS[BOUNDS], BOUNDS)],
            "The result has the values of the layer again.",
        )
        self.percentiles = _two_numbers("percentiles", "Percentiles", PERCENTILES, (0.0, 100.0), 0.1, "% of the pixels")
        self.bounds = _two_numbers(
            "bounds", "Values", (0.0, 255.0), (-_LARGEST_VALUE, _LARGEST_VALUE), 1.0, "values of the layer"
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
        """The value for the setting `intensity`.

        Raises
        ------
        InputError
            If the percentiles are not in order.
        """
        name: Any = self.kind.value
        if name == BOUNDS:
            return float(self.bounds[0].value), float(self.bounds[1].value)
        if name == PERCENTILE:
            low, high = float(self.percentiles[0].value), float(self.percentiles[1].value)
            return Percentiles(low, high) if (low, high) != PERCENTILES else "percentile"
        spec: IntensitySpec = name
        return spec

    def _kind_changed(self) -> None:
        self.percentiles.visible = self.kind.value == PERCENTILE
        self.bounds.visible = self.kind.value == BOUNDS
        self._on_change()


class SettingsRows:
    """The rows for all settings of a job except `target`, which is a `SizeChoice`.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.intensity = IntensityRows(on_change)
        self.device = DeviceChoice(on_change)
        self.precision = _setting_list(
            "precision", _named("precision", _PRECISION_TEXTS), "16 bit can change gray values slightly."
        )
        self.batch = _number_box("batch", "More planes take more memory.", _MOST_PLANES, 1, 0)
        self.tiling = TilingRows(on_change)
        ensemble = describe_setting("self_ensemble")
        self.self_ensemble = CheckBox(
            name=ensemble.name,
            text=f"{ensemble.label} (8 times the work)",
            value=ensemble.default,
            tooltip=f"{ensemble.help} It treats all directions alike.",
        )
        for widget in (self.precision, self.batch, self.self_ensemble):
            widget.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        device = (self.device.widget, self.precision, self.batch)
        return (*self.intensity.widgets, *device, *self.tiling.widgets, self.self_ensemble)

    def settings(self, target: float | str | None = None) -> JobSettings:
        """Return the settings that the rows show.

        Parameters
        ----------
        target : float or str, optional
            The setting `target`.

        Returns
        -------
        JobSettings
            The settings.

        Raises
        ------
        InputError
            If the numbers do not fit together, such as more overlap than tile.
        """
        return JobSettings(
            device=self.device.value,
            precision=self.precision.value,
            tiling=self.tiling.value,
            memory=self.tiling.budget,
            self_ensemble=self.self_ensemble.value,
            batch=int(self.batch.value) or "auto",
            intensity=self.intensity.value,
            target=target,
        )

    def set_defaults(self, settings: JobSettings) -> None:
        """Show the settings that the settings file shares.

        Parameters
        ----------
        settings : JobSettings
            From `napari_sr.config.load_settings`.
        """
        self.device.set_default(settings.device)
        self.precision.value = settings.precision
        self.tiling.set_budget(settings.memory)


def _number_box(name: str, details: str, most: float, step: float, decimals: int) -> FloatSpinBox:
    """Make the number box of a setting, which shows 0 as "Automatic"; `details` follow the help in the tooltip."""
    setting = describe_setting(name)
    tooltip = f"{setting.help} {details}"
    box = FloatSpinBox(name=name, label=setting.label, value=0.0, min=0.0, max=most, step=step, tooltip=tooltip)
    return show_automatic(box, decimals)


def _two_numbers(
    name: str, label: str, values: tuple[float, float], ends: tuple[float, float], step: float, unit: str
) -> Container[FloatSpinBox]:
    """Make a row of two boxes, for black and for white; hidden at first."""
    boxes = [
        FloatSpinBox(
            name=f"{name}_{end}",
            label=text,
            value=value,
            min=ends[0],
            max=ends[1],
            step=step,
            tooltip=f"{text} for the model, in {unit}.",
        )
        for end, text, value in (("low", "Black", values[0]), ("high", "White", values[1]))
    ]
    for box in boxes:
        hide_step_buttons(box, 2)
    row = side_by_side(name, label, boxes)
    row.visible = False
    return row


def _setting_list(name: str, choices: Sequence[tuple[str, str]], details: str) -> ComboBox:
    """Make the list of a setting, with its label and help; `details` follow the help in the tooltip."""
    setting = describe_setting(name)
    tooltip = f"{setting.help} {details}"
    return shrinkable(ComboBox(name=name, label=setting.label, choices=list(choices), tooltip=tooltip))


def _named(name: str, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the choices of a setting with their texts in the window."""
    return [(texts.get(choice, choice), choice) for choice in describe_setting(name).choices]


def format_device(name: str) -> str:
    """Return the name of a device for the window.

    Parameters
    ----------
    name : str
        As the setting `device`: "cuda:1".

    Returns
    -------
    str
        "Graphics card 1".
    """
    kind, _, number = name.partition(":")
    text = _DEVICE_TEXTS.get(kind, kind)
    return f"{text} {number}" if number else text


def format_intensity(name: str) -> str:
    """Return the name of a kind of intensity range for the window.

    Parameters
    ----------
    name : str
        As the setting `intensity`: "dtype".

    Returns
    -------
    str
        "Full range of the data type".
    """
    return _INTENSITY_TEXTS[name]
