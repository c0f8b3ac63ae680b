"""What a job can be told: tiling and precision, in words. Needs no torch, so that a window can offer them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from napari_sr.errors import InputError

#: Called as ``progress(done, total)``.
Progress = Callable[[int, int], None]
#: Asked whether to stop.
Cancel = Callable[[], bool]

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

TilingName = Literal["exact", "overlap", "none"]
TILINGS: tuple[TilingName, ...] = get_args(TilingName)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Tiles that overlap, the outer part of each thrown away and the seams cross-faded.

    Parameters
    ----------
    tile : int
        Side of the square that goes through the network at once, in pixels of the low-resolution image.
    overlap : int
        Pixels on each inner side of a tile that are computed and thrown away. From the network's receptive radius
        on, the result is that of the whole image.
    blend : int
        Width over which two neighbors are cross-faded, in pixels of the low-resolution image; it comes on top.

    Raises
    ------
    InputError
        If a number is negative, or the tile too small to leave anything but overlap.
    """

    tile: int = 256
    overlap: int = 32
    blend: int = 8

    def __post_init__(self) -> None:
        """Refuse a tile that would be nothing but overlap."""
        if min(self.tile, self.overlap + 1, self.blend + 1) < 1:
            raise InputError(
                "Tile, overlap and blend are numbers of pixels: give a tile of 1 or more and the others 0 or more."
            )
        least = 2 * self.overlap + 2 * self.blend + 1
        if self.tile < least:
            raise InputError(
                f"A tile of {self.tile} pixels has nothing left after an overlap of {self.overlap} on each side and "
                f"a blend of {self.blend}: choose a tile of at least {least} pixels, or less overlap."
            )


Tiling = TilingName | Overlap


def check_tiling(tiling: object) -> Tiling:
    """Give back a tiling that is one of `TILINGS` or an `Overlap`.

    Raises
    ------
    InputError
        If it is neither.
    """
    if isinstance(tiling, Overlap):
        return tiling
    for name in TILINGS:
        if tiling == name:
            return name
    raise InputError(
        f"There is no tiling {tiling!r}: choose one of {', '.join(TILINGS)}, or Overlap(tile=..., overlap=...)."
    )
