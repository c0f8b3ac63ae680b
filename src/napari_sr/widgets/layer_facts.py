"""What a layer means: which axis is what, and how large a pixel is.

Said by the layer, or by the user where it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from weakref import WeakKeyDictionary

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox
from magicgui.widgets.bases import Widget
from napari.layers import Image

from napari_sr.errors import InputError
from napari_sr.imaging.axes import LETTERS, Axes
from napari_sr.imaging.geometry import finest_level, layer_axes, layer_pixel_size
from napari_sr.widgets.rows import beside, list_anew, plain_number, shrinkable

UNKNOWN = "pixel"
_UNITS = (("pixels", UNKNOWN), ("nm", "nanometer"), ("µm", "micrometer"), ("mm", "millimeter"))
SYMBOLS = {"nanometer": "nm", "micrometer": "µm", "millimeter": "mm", UNKNOWN: "pixel"}
_MEANINGS = {"t": "T", "time": "T", "c": "C", "ch": "C", "channel": "C", "z": "Z", "y": "Y", "x": "X"}
_NO_AXES = ""
_LEAST, _LARGEST = 1e-4, 1e9


class LayerFacts:
    """The rows for axes and pixel size, which go with the chosen layer.

    Parameters
    ----------
    on_change : callable
        Told when the user has said something else.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._layer: Image | None = None
        self._said: WeakKeyDictionary[Image, str] = WeakKeyDictionary()
        self.axes = shrinkable(
            ComboBox(
                name="axes",
                label="Axes",
                choices=self._choices,
                tooltip=(
                    "What the axes of the layer are, in its own order: time, channel, depth, rows, columns. "
                    "Channels have a brightness of their own each; Y and X are upscaled."
                ),
            )
        )
        self.size = FloatSpinBox(
            name="pixel_size",
            label="Pixel size",
            value=1.0,
            tooltip="Size of the layer's pixels along X; Y goes with it. Changing it changes the layer's scale.",
            min=_LEAST,
            max=_LARGEST,
            step=0.01,
        )
        self.unit = shrinkable(
            ComboBox(
                name="unit",
                label="Unit",
                choices=list(_UNITS),
                tooltip="Unit of the pixel size. Changes the layer's units.",
            ),
            least=5,
        )
        self.depth = FloatSpinBox(
            name="depth",
            label="Z step",
            value=1.0,
            tooltip="Distance between the planes of the stack, in the same unit. Changes the layer's scale.",
            visible=False,
            min=_LEAST,
            max=_LARGEST,
            step=0.01,
        )
        for box in (self.size, self.depth):
            plain_number(box, 4)
        self.size_row = beside("pixel_size_row", "Pixel size", [self.size, self.unit])
        self.axes.changed.connect(self._axes_chosen)
        for widget in (self.size, self.unit, self.depth):
            widget.changed.connect(self._size_chosen)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.size_row, self.depth, self.axes)

    def axes_of(self, layer: Image) -> Axes:
        """Give a layer's axes: as the user said, or as its axis labels say, or as its shape suggests.

        Raises
        ------
        InputError
            If the layer has too few or too many dimensions.
        """
        return known_axes(layer, self._said.get(layer))

    def show(self, layer: Image | None) -> None:
        """Show what is known of another layer, or of the same anew."""
        if layer is not self._layer:
            self.leave()
            if layer is not None:
                for name in ("scale", "units"):
                    getattr(layer.events, name).connect(self._refresh)
            self._layer = layer
        self._refresh()

    def leave(self) -> None:
        """Listen to the layer no more."""
        layer, self._layer = self._layer, None
        if layer is not None:
            for name in ("scale", "units"):
                getattr(layer.events, name).disconnect(self._refresh)

    def _refresh(self, event: object = None) -> None:
        axes = self._axes()
        list_anew(self.axes, axes.letters if axes is not None else _NO_AXES)
        for widget in (self.axes, self.size, self.unit, self.depth):
            widget.enabled = axes is not None
        if axes is None or self._layer is None:
            return
        sizes, unit = layer_pixel_size(self._layer, axes)
        known = [value for _, value in _UNITS]
        with self.size.changed.blocked(), self.unit.changed.blocked(), self.depth.changed.blocked():
            self.size.value = _fitting(self.size, sizes["X"])
            self.unit.choices = [*_UNITS, *([] if unit in (*known, None) else [(unit, unit)])]
            self.unit.value = unit or UNKNOWN
            self.depth.visible = "Z" in sizes
            self.depth.value = _fitting(self.depth, sizes.get("Z", 1.0))

    def _axes(self) -> Axes | None:
        try:
            return None if self._layer is None else self.axes_of(self._layer)
        except InputError:
            return None

    def _choices(self, widget: object = None) -> list[tuple[str, str]]:
        axes = self._axes()
        if axes is None:
            return [("–", _NO_AXES)]
        found = list(dict.fromkeys([axes.letters, *_orders(axes)]))
        return [(_in_words(letters), letters) for letters in found]

    def _axes_chosen(self, letters: str) -> None:
        if self._layer is not None and letters:
            self._said[self._layer] = letters
            self._refresh()
            self._on_change()

    def _size_chosen(self) -> None:
        layer, axes = self._layer, self._axes()
        if layer is None or axes is None:
            return
        sizes, _ = layer_pixel_size(layer, axes)
        ratio = np.ones(layer.ndim)
        ratio[[axes.y, axes.x]] = float(self.size.value) / sizes["X"]
        units = [str(unit) for unit in layer.units]
        units[axes.y] = units[axes.x] = self.unit.value
        if "Z" in sizes:
            z = axes.letters.index("Z")
            ratio[z], units[z] = float(self.depth.value) / sizes["Z"], self.unit.value
        with layer.events.scale.blocker(self._refresh), layer.events.units.blocker(self._refresh):
            # Where the layer lies is said in the same unit as how large its pixels are.
            layer.scale, layer.translate = np.asarray(layer.scale) * ratio, np.asarray(layer.translate) * ratio
            layer.units = tuple(units)
        self._on_change()


def known_axes(layer: Image, said: str | None = None) -> Axes:
    """Give a layer's axes: as somebody said, or as its axis labels say, or as its shape suggests.

    Raises
    ------
    InputError
        If the letters do not fit, or the layer has too few or too many dimensions.
    """
    return layer_axes(layer, said or _labeled(layer))


def _labeled(layer: Image) -> str | None:
    """Letters of a layer's axis labels, where they are letters or names of axes."""
    letters = "".join(_MEANINGS.get(str(label).lower(), "?") for label in layer.axis_labels)
    if "?" in letters or len(set(letters)) != len(letters) or not {"Y", "X"} <= set(letters):
        return None
    # A last C would read as colors, and colors are not among the labels.
    if letters.endswith("C") or (layer.rgb and "C" in letters):
        return None
    return letters + ("C" if layer.rgb else "")


def _orders(axes: Axes) -> list[str]:
    """Orders that are met with: Y and X last, or first, but for colors."""
    colors = "C" if axes.rgb else ""
    others = [letter for letter in LETTERS if letter not in "YX" + colors]
    planes = ["".join(order) for order in permutations(others, axes.ndim - 2 - len(colors))]
    ends = ["YX", "XY"] if planes == [""] else ["YX"]
    orders = [plane + end + colors for plane in planes for end in ends]
    if planes != [""]:
        orders += ["YX" + plane + colors for plane in planes]
    # A last C of 3 or 4 would read as colors, which the layer says it has not.
    return [order for order in orders if axes.rgb or not (order[-1] == "C" and axes.shape[-1] in (3, 4))]


def _in_words(letters: str) -> str:
    return f"{letters[:-1]} + colors" if letters.endswith("YXC") or letters.endswith("XYC") else letters


def _fitting(box: FloatSpinBox, value: float) -> float:
    return min(max(value, box.min), box.max)


def format_pixel_size(layer: Image, axes: Axes, factor: tuple[float, float] = (1.0, 1.0)) -> str:
    """Say how large a layer's pixels are, or will be: "0.1 µm", "0.2 x 0.1 µm"; empty where nobody knows.

    Raises
    ------
    InputError
        As `layer_axes` does.
    """
    sizes, unit = layer_pixel_size(layer, axes)
    if unit in (None, UNKNOWN):
        return ""
    y, x = sizes["Y"] / factor[0], sizes["X"] / factor[1]
    # Three figures are more than a stage is calibrated to.
    number = f"{x:.3g}" if abs(x - y) < 1e-3 * x else f"{y:.3g} × {x:.3g}"
    return f"{number} {SYMBOLS.get(str(unit), str(unit))}"


def format_size(layer: Image, shape: Sequence[int]) -> str:
    """Say a shape: "2048 × 2048", without the colors of RGB."""
    lengths = shape[:-1] if layer.rgb else shape
    return " × ".join(str(length) for length in lengths) + (" color" if layer.rgb else "")


def format_dtype(layer: Image) -> str:
    """Name the type of a layer's values."""
    return str(np.dtype(finest_level(layer).dtype))
