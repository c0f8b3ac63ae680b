"""The size that is wished for: a factor, or a pixel size with its unit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from napari_sr.errors import InputError
from napari_sr.imaging.pixel_size import METERS, unit_name, unit_symbol

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_FACTOR = re.compile(rf"[x×]?\s*({_NUMBER})\s*[x×]?")
_SIZE = re.compile(rf"({_NUMBER})\s*([^\s0-9.].*)")


@dataclass(frozen=True)
class TargetSize:
    """How large a result shall be, whatever the network's own factor.

    Parameters
    ----------
    value : float
        A factor along Y and X, or the size of a pixel of the result.
    unit : str or None
        A key of `METERS` for a pixel size, None for a factor.
    """

    value: float
    unit: str | None = None

    def __str__(self) -> str:
        return f"x{self.value:g}" if self.unit is None else f"{self.value:g} {unit_symbol(self.unit)}"

    def factors(self, pixel_size: Mapping[str, float] | None, unit: str | None) -> tuple[float, float]:
        """Factors along Y and X that lead to this size.

        Parameters
        ----------
        pixel_size : mapping of str to float or None
            The image's, by axis letter.
        unit : str or None
            Its unit; "pixel" is none.

        Returns
        -------
        (float, float)
            For Y and X.

        Raises
        ------
        InputError
            A pixel size is wished for and the image's is not known.
        """
        if self.unit is None:
            return self.value, self.value
        metres = METERS.get(unit_name(unit) or "")
        sizes = dict(pixel_size or {})
        if metres is None or "Y" not in sizes or "X" not in sizes:
            raise InputError(
                f"The image's own pixel size is not known, so it cannot be brought to {self}; "
                "say it first, or wish for a factor."
            )
        requested = self.value * METERS[self.unit]
        return sizes["Y"] * metres / requested, sizes["X"] * metres / requested


def parse_target(target: float | str) -> TargetSize:
    """Read a wish such as 2.5, "x3", "0.05 um" or "50 nm".

    Raises
    ------
    InputError
        If it is neither a factor nor a pixel size with a unit of length, or is not more than 0.
    """
    if isinstance(target, str):
        text = target.strip()
        size = _SIZE.fullmatch(text)
        factor = _FACTOR.fullmatch(text)
        if factor is not None:
            found = TargetSize(float(factor[1]))
        elif size is not None and unit_name(size[2]) in METERS:
            found = TargetSize(float(size[1]), unit_name(size[2]))
        else:
            raise InputError(
                f'The size "{target}" is neither a factor nor a pixel size; write such as 2.5, or 0.05 um.'
            )
    elif isinstance(target, bool) or not isinstance(target, int | float):
        raise InputError(f"The size {target!r} is no number; give a factor such as 2.5, or a text such as 0.05 um.")
    else:
        found = TargetSize(float(target))
    if not (math.isfinite(found.value) and found.value > 0):
        raise InputError(f"The size {found.value:g} makes no image; give a number more than 0.")
    return found
