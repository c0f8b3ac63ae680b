"""Values of the settings of a job: their types, and the conversion of what callers, files and the command line give.

Needs neither torch nor numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from napari_sr.conversion import parse_memory, read_choice, read_device, read_flag, read_number, read_whole, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.intensity.spec import parse_intensity
from napari_sr.imaging.target_size import parse_target

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TilingName = Literal["exact", "overlap", "none"]
TILINGS: tuple[TilingName, ...] = get_args(TilingName)
#: Noise of an image: to be measured, none, or its standard deviation in black and its gain.
NoiseSpec = Literal["auto"] | float | tuple[float, float]
Missing = Literal["refuse", "fill"]
MISSING: tuple[Missing, ...] = get_args(Missing)
#: A value that the settings file can hold.
Scalar = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Overlapping tiles: the outer part of each result is discarded, and neighbors are cross-faded at the seams.

    Parameters
    ----------
    tile : int, default 256
        Side of the square that goes through the network at once, in pixels of the low-resolution image; 1 or more.
    overlap : int, default 32
        Pixels on each inner side of a tile that are computed and discarded; 0 or more. If it is at least the receptive
        radius of the network, the result equals that of the whole image.
    blend : int, default 8
        Width over which two neighbors are cross-faded, in pixels of the low-resolution image, in addition to
        `overlap`; 0 or more.

    Raises
    ------
    InputError
        If a number is not a whole number in its range, or the tile consists of overlap only.

    Examples
    --------
    >>> Overlap(tile=128)
    Overlap(tile=128, overlap=32, blend=8)
    """

    tile: int = 256
    overlap: int = 32
    blend: int = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("tile", 1), ("overlap", 0), ("blend", 0)):
            object.__setattr__(self, name, read_whole(getattr(self, name), name, least))
        least = 2 * self.overlap + 2 * self.blend + 1
        if self.tile < least:
            raise InputError(
                f"A tile of {shorten(self.tile)} pixels leaves nothing after an overlap of {shorten(self.overlap)} on "
                f"each side and a blend of {shorten(self.blend)}: choose a tile of at least {shorten(least)} pixels, "
                "or less overlap."
            )


Tiling = TilingName | Overlap


def read_setting(name: str, value: Any) -> Any:
    """Convert and check the value of one setting.

    Parameters
    ----------
    name : str
        Name of a field of `JobSettings`.
    value : object
        As a caller, a file or the command line gives it.

    Returns
    -------
    object
        The value as `JobSettings` holds it.

    Raises
    ------
    InputError
        If the value cannot be used.
    """
    return _READERS[name](value)


def _read_tiling(value: Any) -> Tiling:
    if isinstance(value, Overlap):
        return value
    for name in TILINGS:
        if isinstance(value, str) and value == name:
            return name
    raise InputError(
        f"The tiling {shorten(value)} does not exist: give one of {', '.join(TILINGS)}, "
        "or Overlap(tile=..., overlap=...)."
    )


def _read_batch(value: Any) -> int | Literal["auto"]:
    if isinstance(value, str):
        text = value.strip()
        if text == "auto":
            return "auto"
        value = int(text) if re.fullmatch(r"\d{1,9}", text) else value
    return read_whole(value, "batch", 1, ' or "auto"')


def _read_target(value: Any) -> float | str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        value = read_number(value, "target")
    # The text itself is stored, because the script and the report show it.
    parse_target(value)
    target: float | str = value
    return target


def _read_noise(value: Any) -> NoiseSpec:
    if isinstance(value, str):
        text = value.strip()
        if text == "auto":
            return "auto"
        value = text.split(",") if "," in text else text
    if isinstance(value, str | int | float) or not hasattr(value, "__len__"):
        if read_number(value, "noise") == 0:
            return 0.0
    elif len(value) == 2:
        deviation, gain = (read_number(entry, "noise") for entry in value)
        if deviation >= 0:
            return deviation, gain
    raise InputError(
        f"The noise {shorten(value)} cannot be used: give auto, 0 for none, or its standard deviation in black (0 or "
        "more) and its gain, such as 2,0.5."
    )


def _read_between(value: Any, name: str, least: float, largest: float) -> float:
    number = read_number(value, name)
    if not least <= number <= largest:
        raise InputError(f"The {name} {number:g} cannot be used: give a number from {least:g} to {largest:g}.")
    return number


_READERS: dict[str, Callable[[Any], Any]] = {
    "device": read_device,
    "precision": lambda value: read_choice(value, "precision", PRECISIONS),
    "tiling": _read_tiling,
    "memory": parse_memory,
    "self_ensemble": lambda value: read_flag(value, "self_ensemble"),
    "batch": _read_batch,
    "intensity": parse_intensity,
    "noise": _read_noise,
    "denoise": lambda value: _read_between(value, "denoise", 0, 2),
    "blur": lambda value: _read_between(value, "blur", 0, 10),
    "missing": lambda value: read_choice(value, "missing", MISSING),
    "target": _read_target,
}
