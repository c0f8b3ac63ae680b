"""Lists and number boxes for settings of a job, with the label and the help of `JobSettings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from magicgui.widgets import ComboBox, Container, FloatSpinBox

from napari_sr.settings import describe_setting
from napari_sr.widgets.qt.rows import show_automatic, shrinkable, side_by_side, typed_number

LARGEST_VALUE = 1e12
"""Largest value of an image that can be entered."""


def number_box(name: str, details: str, most: float, step: float, decimals: int) -> FloatSpinBox:
    """Make the number box of a setting, which shows 0 as "Automatic"; `details` follow the help in the tooltip."""
    setting = describe_setting(name)
    tooltip = f"{setting.help} {details}"
    box = FloatSpinBox(name=name, label=setting.label, value=0.0, min=0.0, max=most, step=step, tooltip=tooltip)
    return show_automatic(box, decimals)


def two_numbers(
    name: str, label: str, values: tuple[float, float], ends: tuple[float, float], step: float, unit: str
) -> Container[FloatSpinBox]:
    """Make a row of two boxes, for black and for white; hidden at first."""
    boxes = [
        typed_number(f"{name}_{end}", value, *ends, step, 2, f"{text} for the model, in {unit}.", text)
        for end, text, value in (("low", "Black", values[0]), ("high", "White", values[1]))
    ]
    row = side_by_side(name, label, boxes)
    row.visible = False
    return row


def setting_list(name: str, choices: Sequence[tuple[str, str]], details: str) -> ComboBox:
    """Make the list of a setting, with its label and help; `details` follow the help in the tooltip."""
    setting = describe_setting(name)
    tooltip = f"{setting.help} {details}"
    return shrinkable(ComboBox(name=name, label=setting.label, choices=list(choices), tooltip=tooltip))


def named_choices(name: str, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the choices of a setting with their texts in the window."""
    return [(texts.get(choice, choice), choice) for choice in describe_setting(name).choices]
