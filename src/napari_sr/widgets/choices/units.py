"""Conversion between the units of two napari layers."""

from __future__ import annotations

import pint


def unit_ratio(own: pint.Unit, requested: pint.Unit) -> float:
    """Return the size of one unit in another.

    Parameters
    ----------
    own : pint.Unit
        Unit of a layer.
    requested : pint.Unit
        Unit to convert to.

    Returns
    -------
    float
        1 if the units cannot be converted into each other, such as a length and pixels: napari shows both by their
        numbers then.
    """
    if own == requested or not own.is_compatible_with(requested):
        return 1.0
    return float((1 * own).to(requested).magnitude)
