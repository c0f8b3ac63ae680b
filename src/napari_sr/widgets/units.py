"""Units of napari's layers, which may be lengths on one and pixels on the other."""

from __future__ import annotations

import pint


def unit_ratio(own: pint.Unit, wished: pint.Unit) -> float:
    """How many of the wished unit one of a layer's own is; 1 where neither is said in the other.

    Where one is a length and the other counts pixels, napari shows both by their numbers alone.
    """
    if own == wished or not own.is_compatible_with(wished):
        return 1.0
    return float((1 * own).to(wished).magnitude)
