"""Colors of a viewer's theme, and colors that can be read on its background, with contrast ratios of WCAG 2."""

from __future__ import annotations

from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtGui import QColor

LEAST = 4.5
"""Smallest contrast of text, of WCAG 2 at level AA."""

_STEPS = 20


def theme_colors(viewer: Viewer, *names: str) -> list[str]:
    """Return colors of the theme of a viewer, such as "#e3b617", by their names in it: "warning", "background"."""
    theme = get_theme(str(viewer.theme))
    return [QColor(getattr(theme, name).as_hex()).name() for name in names]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors such as "#e3b617": 1 (equal) to 21 (black and white)."""
    dark, light = sorted((_luminance(QColor(one)), _luminance(QColor(other))))
    return (light + 0.05) / (dark + 0.05)


def readable(color: str, background: str) -> str:
    """Return a color of the same hue that can be read on a background, both such as "#e3b617".

    It is the color itself, or the first of its mixtures with black or white, whichever differs more from the
    background, that has a contrast of 4.5.
    """
    end = max(("#000000", "#ffffff"), key=lambda extreme: contrast(extreme, background))
    mixtures = (_mixed(color, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((mixture for mixture in mixtures if contrast(mixture, background) >= LEAST), end)


def _mixed(color: str, end: str, fraction: float) -> str:
    first, last = QColor(color), QColor(end)
    pairs = zip((first.red(), first.green(), first.blue()), (last.red(), last.green(), last.blue()), strict=True)
    return QColor(*(round(one + fraction * (other - one)) for one, other in pairs)).name()


def _luminance(color: QColor) -> float:
    parts = (color.redF(), color.greenF(), color.blueF())
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
