"""The size of a result, as a factor or as a pixel size with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from napari_sr.conversion import quote, read_number
from napari_sr.errors import InputError
from napari_sr.imaging.pixel_size import METERS, unit_name, unit_symbol

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_FACTOR = re.compile(rf"[x×]?\s*({_NUMBER})\s*[x×]?")
_SIZE = re.compile(rf"({_NUMBER})\s*([^\s0-9.].*)")


@dataclass(frozen=True)
class TargetSize:
    """The size of a result, independent of the factor of the network.

    Parameters
    ----------
    value : float
        A factor along Y and X, or the size of a pixel of the result.
    unit : str or None, default None
        Unit of the pixel size, a key of `METERS`; None for a factor.
    """

    value: float
    unit: str | None = None

    def __str__(self) -> str:
        return f"x{self.value:g}" if self.unit is None else f"{self.value:g} {unit_symbol(self.unit)}"

    def factors(self, pixel_size: Mapping[str, float] | None, unit: str | None) -> tuple[float, float]:
        """Return the factors along Y and X from an image to this size.

        Parameters
        ----------
        pixel_size : mapping of str to float or None
            Pixel size of the image by axis letter.
        unit : str or None
            Unit of `pixel_size`; "pixel" is no unit of length.

        Raises
        ------
        InputError
            If the target is a pixel size and the pixel size of the image is not known.
        """
        if self.unit is None:
            return self.value, self.value
        meters = METERS.get(unit_name(unit) or "")
        sizes = dict(pixel_size or {})
        if meters is None or "Y" not in sizes or "X" not in sizes:
            raise InputError(
                f"The image cannot be resized to {self}, because its own pixel size is not known: "
                "set its pixel size, or give a factor."
            )
        target = self.value * METERS[self.unit]
        return sizes["Y"] * meters / target, sizes["X"] * meters / target


def parse_target(target: float | str) -> TargetSize:
    """Read the size of a result.

    Parameters
    ----------
    target : float or str
        A factor such as 2.5 or "x3", or a pixel size such as "0.05 um" or "50 nm".

    Returns
    -------
    TargetSize
        The factor, or the pixel size with its unit.

    Raises
    ------
    InputError
        If it is neither a factor nor a pixel size with a unit of length, or is not more than 0.
    """
    if not isinstance(target, str):
        return _checked(TargetSize(read_number(target, "target")))
    text = target.strip()
    factor, size = _FACTOR.fullmatch(text), _SIZE.fullmatch(text)
    if factor is not None:
        return _checked(TargetSize(float(factor[1])))
    if size is not None and unit_name(size[2]) in METERS:
        return _checked(TargetSize(float(size[1]), unit_name(size[2])))
    raise InputError(f"The target {quote(target)} is neither a factor nor a pixel size: give such as 2.5, or 0.05 um.")


def _checked(size: TargetSize) -> TargetSize:
    # A text such as 1e999 is infinite.
    if not 0 < size.value < float("inf"):
        raise InputError(f"The target {size.value:g} cannot be used: give a number more than 0.")
    return size
