"""Units of napari's layers, which may be lengths on one and pixels on the other."""

from __future__ import annotations

import pint


def unit_ratio(own: pint.Unit, requested: pint.Unit) -> float:
    """How many of the wished unit one of a layer's own is; 1 where neither is said in the other.

    Where one is a length and the other counts pixels, napari shows both by their numbers alone.
    """
    if own == requested or not own.is_compatible_with(requested):
        return 1.0
    return float((1 * own).to(requested).magnitude)
