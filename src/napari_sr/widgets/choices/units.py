"""Conversion between the units of two napari layers."""

from __future__ import annotations

import pint


def unit_ratio(own: pint.Unit, requested: pint.Unit) -> float:
    """Return the size of one unit in another; 1 for a length and pixels, which cannot be converted.

    napari shows both by their numbers then.
    """
    if own == requested or not own.is_compatible_with(requested):
        return 1.0
    return float((1 * own).to(requested).magnitude)
