"""A picture of images side by side in the same gray scale, each with a label and an enlarged inset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from napari_sr.errors import InputError

_GAP = 8
_LABEL = 26
_TEXT = 16
_WHITE, _FRAME = 255, (255, 200, 0)


@dataclass(frozen=True)
class Panel:
    """An image of the picture and its label.

    Parameters
    ----------
    label : str
        Text above the image, not wider than it.
    image : array, shape (Y, X)
        Gray values, in the same units in all panels.
    """

    label: str
    image: npt.NDArray[Any]


def side_by_side(
    panels: Sequence[Panel], *, contrast: tuple[float, float], inset: tuple[int, int, int], zoom: int = 4
) -> npt.NDArray[np.uint8]:
    """Draw panels in a row, with an enlarged part below each.

    Parameters
    ----------
    panels : sequence of Panel
        At least one panel, all of the same shape (Y, X).
    contrast : (float, float)
        Gray values that are black and white in all panels.
    inset : (int, int, int)
        Top row, left column and side in pixels of the square that is enlarged.
    zoom : int, default 4
        Side of an enlarged pixel of the inset, 1 or more. The inset is not interpolated.

    Returns
    -------
    uint8 array, shape (rows, columns, 3)
        The picture in RGB.

    Raises
    ------
    InputError
        If the panels differ in shape, the contrast is empty, or the inset is outside the image.
    """
    shapes = {panel.image.shape for panel in panels}
    if len(shapes) != 1 or any(len(shape) != 2 for shape in shapes):
        raise InputError(f"The panels have the shapes {sorted(shapes)}: give images (Y, X) of one shape.")
    (shape,) = shapes
    low, high = contrast
    if not low < high:
        raise InputError(f"The contrast from {low:g} to {high:g} is empty: give a low value less than the high one.")
    top, left, side = inset
    if min(top, left) < 0 or side < 1 or top + side > shape[0] or left + side > shape[1] or zoom < 1:
        raise InputError(
            f"The inset at {(top, left)} of {side} pixels is not in an image of {shape[0]} x {shape[1]} pixels: "
            "choose another."
        )
    return np.concatenate([_column(panel, contrast, inset, zoom) for panel in panels], axis=1)


def _column(
    panel: Panel, contrast: tuple[float, float], inset: tuple[int, int, int], zoom: int
) -> npt.NDArray[np.uint8]:
    low, high = contrast
    top, left, side = inset
    gray = np.clip((panel.image.astype(np.float64) - low) / (high - low), 0, 1)
    shown = np.rint(255 * gray).astype(np.uint8)
    part = shown[top : top + side, left : left + side].repeat(zoom, 0).repeat(zoom, 1)
    rows, columns = shown.shape
    width = max(columns, side * zoom)
    picture = Image.new("RGB", (width + _GAP, _LABEL + rows + _GAP + side * zoom), (_WHITE,) * 3)
    picture.paste(Image.fromarray(shown), (0, _LABEL))
    picture.paste(Image.fromarray(part), (0, _LABEL + rows + _GAP))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, _LABEL + top, left + side - 1, _LABEL + top + side - 1), outline=_FRAME)
    bottom = _LABEL + rows + _GAP
    draw.rectangle((0, bottom, side * zoom - 1, bottom + side * zoom - 1), outline=_FRAME)
    draw.text((2, 4), panel.label, fill=(0, 0, 0), font=ImageFont.load_default(_TEXT))
    return np.array(picture)
