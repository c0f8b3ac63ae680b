"""Axes and pixel size of a layer: from the layer, or from the user where the layer does not define them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from math import floor, log10

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox
from magicgui.widgets.bases import Widget
from napari.layers import Image

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes
from napari_sr.imaging.napari_layer import finest_level, labeled_axes, layer_axes, layer_pixel_size
from napari_sr.imaging.pixel_size import unit_symbol
from napari_sr.widgets.choices.events import Following, layer_events
from napari_sr.widgets.choices.size import UNITS
from napari_sr.widgets.choices.view import unit_ratio
from napari_sr.widgets.qt.rows import refresh_choices, shrinkable, side_by_side, typed_number

UNKNOWN = "pixel"
"""Unit of a layer whose pixel size is not known."""

_UNITS = (("pixels", UNKNOWN), *UNITS)
_NO_AXES = ""
_LARGEST = 1e9
# A size below 0.1 has more decimal places.
_DECIMALS, _DIGITS, _MOST_DECIMALS = 4, 4, 12


class LayerFacts:
    """The rows for the axes and the pixel size of the chosen layer.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the user changes a row.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._layer: Image | None = None
        self._edits = Following(self._layer_edited)
        self._shown = (1.0, 1.0)
        self.axes = shrinkable(
            ComboBox(
                name="axes",
                label="Axes",
                choices=self._choices,
                tooltip=(
                    "Meaning of the layer's axes, in their order: time (T), channel (C), depth (Z), rows (Y), "
                    "columns (X). Y and X are upscaled, and each channel has its own brightness range. A change sets "
                    "the layer's axis labels."
                ),
            )
        )
        self.size = _size_box("pixel_size", "Pixel size", "Pixel size along X. A change scales Y and the layer too.")
        self.unit = shrinkable(
            ComboBox(
                name="unit",
                label="Unit",
                choices=list(_UNITS),
                tooltip="Unit of the pixel size. A change sets the layer's units.",
            ),
            least=5,
        )
        self.depth = _size_box(
            "depth", "Z step", "Distance between the planes of the stack, in the same unit. A change scales the layer."
        )
        self.depth.visible = False
        self.size_row = side_by_side("pixel_size_row", "Pixel size", [self.size, self.unit])
        self.axes.changed.connect(self._axes_chosen)
        for widget in (self.size, self.unit, self.depth):
            widget.changed.connect(self._size_chosen)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.size_row, self.depth, self.axes)

    @property
    def present_axes(self) -> Axes | None:
        """Axes of the chosen layer; None if no image is open or they are not known."""
        try:
            return None if self._layer is None else known_axes(self._layer)
        except InputError:
            return None

    def show(self, layer: Image | None) -> None:
        """Show the axes and the pixel size of a layer, and follow its changes; None if no image is open."""
        self._layer = layer
        self._edits.follow([] if layer is None else layer_events([layer]))
        self._refresh()

    def disconnect(self) -> None:
        """Disconnect from the events of the layer."""
        self._layer = None
        self._edits.end()

    def _layer_edited(self, event: object = None) -> None:
        self._refresh()
        self._on_change()

    def _refresh(self) -> None:
        axes = self.present_axes
        refresh_choices(self.axes, axes.letters if axes is not None else _NO_AXES)
        for widget in (self.axes, self.size, self.unit, self.depth):
            widget.enabled = axes is not None
        if axes is None or self._layer is None:
            return
        sizes, unit = layer_pixel_size(self._layer, axes)
        known = [value for _, value in _UNITS]
        with self.size.changed.blocked(), self.unit.changed.blocked(), self.depth.changed.blocked():
            _show_size(self.size, sizes["X"])
            self.unit.choices = [*_UNITS, *([] if unit in (*known, None) else [(unit, unit)])]
            self.unit.value = unit or UNKNOWN
            self.depth.visible = "Z" in sizes
            _show_size(self.depth, sizes.get("Z", 1.0))
        # The boxes round and limit the sizes: what they show is no size to be set.
        self._shown = self._entered

    def _choices(self, widget: object = None) -> list[tuple[str, str]]:
        axes = self.present_axes
        if axes is None:
            return [("–", _NO_AXES)]
        orders = list(dict.fromkeys([axes.letters, *_orders(axes)]))
        return [(_format_axes(letters), letters) for letters in orders]

    def _axes_chosen(self, letters: str) -> None:
        if self._layer is not None and letters:
            # The event of the labels updates this panel and all others.
            self._layer.axis_labels = tuple(letters[: self._layer.ndim].lower())

    @property
    def _entered(self) -> tuple[float, float]:
        """The numbers in the boxes: pixel size and Z step."""
        return float(self.size.value), float(self.depth.value)

    def _size_chosen(self) -> None:
        layer, axes = self._layer, self.present_axes
        if layer is None or axes is None:
            return
        sizes, _ = layer_pixel_size(layer, axes)
        ratio, units = np.ones(layer.ndim), [str(unit) for unit in layer.units]
        for letter in ("Z", "Y", "X") if "Z" in sizes else ("Y", "X"):
            axis = axes.letters.index(letter)
            # The boxes show all sizes in the unit of X.
            ratio[axis] = unit_ratio(layer.units[axis], layer.units[axes.x])
            units[axis] = self.unit.value
        (size, depth), shown = self._entered, self._shown
        if size != shown[0]:
            ratio[[axes.y, axes.x]] *= size / sizes["X"]
        if "Z" in sizes and depth != shown[1]:
            ratio[axes.letters.index("Z")] *= depth / sizes["Z"]
        self._shown = (size, depth)
        events, edited = layer.events, self._layer_edited
        with events.scale.blocker(edited), events.translate.blocker(edited), events.units.blocker(edited):
            # The translation is in the same unit as the scale.
            layer.scale, layer.translate = np.asarray(layer.scale) * ratio, np.asarray(layer.translate) * ratio
            layer.units = tuple(units)
        self._on_change()


def known_axes(layer: Image) -> Axes:
    """Return a layer's axes: those of its axis labels, else by its shape.

    Parameters
    ----------
    layer : napari.layers.Image
        Any image layer.

    Raises
    ------
    InputError
        If the letters do not fit, or the layer has too few or too many dimensions.
    """
    letters = labeled_axes(layer.axis_labels, finest_level(layer).shape)
    if letters and layer.rgb:
        # C is the colors here. Channels are planes of another letter: T at first, which states no pixel size.
        free = next((letter for letter in "TZ" if letter not in letters), None)
        letters = None if "C" in letters and free is None else f"{letters.replace('C', free or '')}C"
    return layer_axes(layer, letters)


def _orders(axes: Axes) -> list[str]:
    """Return common orders of the axes: Y and X last, or first, before RGB."""
    colors = "C" if axes.rgb else ""
    others = [letter for letter in LETTERS if letter not in "YX" + colors]
    planes = ["".join(order) for order in permutations(others, axes.ndim - 2 - len(colors))]
    ends = ["YX", "XY"] if planes == [""] else ["YX"]
    orders = [plane + end + colors for plane in planes for end in ends]
    if planes != [""]:
        orders += ["YX" + plane + colors for plane in planes]
    # A last C of length 3 or 4 would mean RGB, which this layer is not.
    return [order for order in orders if axes.rgb or not (order[-1] == "C" and axes.shape[-1] in (3, 4))]


def _size_box(name: str, label: str, tooltip: str) -> FloatSpinBox:
    return typed_number(name, 1.0, 10.0**-_DECIMALS, _LARGEST, 0.01, _DECIMALS, tooltip, label)


def _format_axes(letters: str) -> str:
    return f"{letters[:-1]} + colors" if letters.endswith("YXC") or letters.endswith("XYC") else letters


def _show_size(box: FloatSpinBox, value: float) -> None:
    """Show a size with four digits at least, as far as the box has decimal places."""
    decimals = _DECIMALS
    if 0 < value < 1:
        decimals = min(max(_DIGITS - 1 - floor(log10(value)), _DECIMALS), _MOST_DECIMALS)
    if box.native.decimals() != decimals:
        box.native.setDecimals(decimals)
    box.min = 10.0**-decimals
    box.value = min(max(value, box.min), box.max)


def format_pixel_size(layer: Image, axes: Axes, factor: tuple[float, float] = (1.0, 1.0)) -> str:
    """Format the pixel size of a layer or of its result: "0.1 µm", "0.2 × 0.1 µm".

    Parameters
    ----------
    layer : napari.layers.Image
        Any image layer.
    axes : Axes
        The layer's.
    factor : (float, float), default (1.0, 1.0)
        Factor of the result along Y and X.

    Returns
    -------
    str
        Empty if the pixel size is not known.

    Raises
    ------
    InputError
        As `layer_axes`.
    """
    sizes, unit = layer_pixel_size(layer, axes)
    if unit in (None, UNKNOWN):
        return ""
    y, x = sizes["Y"] / factor[0], sizes["X"] / factor[1]
    # Pixel sizes are not calibrated to more than three digits.
    number = f"{x:.3g}" if abs(x - y) < 1e-3 * x else f"{y:.3g} × {x:.3g}"
    return f"{number} {unit_symbol(str(unit))}"


def format_size(layer: Image, shape: Sequence[int]) -> str:
    """Format the shape of a layer or of its result: "2048 × 2048"; "color" stands for the axis of RGB."""
    lengths = shape[:-1] if layer.rgb else shape
    return " × ".join(str(length) for length in lengths) + (" color" if layer.rgb else "")
