"""The rows for tiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import FloatSpinBox
from magicgui.widgets.bases import Widget

from napari_sr.conversion import Memory
from napari_sr.settings import Overlap, Tiling
from napari_sr.widgets.choices.settings.fields import named_choices, number_box, setting_list

EXACT, OVERLAP = "exact", "overlap"
_LARGEST_TILE = 8192
_MOST_GIB = 1024
_GIB = 2**30

_TEXTS = {EXACT: "Exact (streamed)", OVERLAP: "Overlapping tiles", "none": "Whole plane at once"}


class TilingRows:
    """The rows for tiling, for the size of tiles, and for the memory of exact tiling.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a row changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.kind = setting_list(
            "tiling",
            named_choices("tiling", _TEXTS),
            "Exact has no seams, and its memory is bounded. Overlapping tiles can leave faint seams. "
            "A whole plane at once has no seams and takes the most memory.",
        )
        self.tile = _pixel_box(
            "tile",
            "Tile size",
            Overlap().tile,
            (16, _LARGEST_TILE),
            32,
            "Side of a tile, in pixels of the source. Smaller tiles take less memory and more time.",
        )
        self.overlap = _pixel_box(
            "overlap",
            "Overlap",
            Overlap().overlap,
            (0, _LARGEST_TILE // 2),
            8,
            "Pixels that are computed and discarded on each side of a tile. More overlap gives fewer seams.",
        )
        self.memory = number_box("memory", "Here in GiB; Automatic (0) measures the free memory.", _MOST_GIB, 0.5, 2)
        self.memory.native.setSuffix(" GiB")
        self.kind.changed.connect(self._kind_changed)
        for widget in (self.tile, self.overlap, self.memory):
            widget.changed.connect(lambda: on_change())

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.kind, self.tile, self.overlap, self.memory)

    @property
    def value(self) -> Tiling:
        """The value for the setting `tiling`.

        Raises
        ------
        InputError
            If the overlap is too large for the tile.
        """
        name: Tiling = self.kind.value
        return Overlap(tile=int(self.tile.value), overlap=int(self.overlap.value)) if name == OVERLAP else name

    @property
    def budget(self) -> Memory:
        """The value for the setting `memory`: bytes or "auto"."""
        gib = self.memory.value if self.kind.value == EXACT else 0
        return int(gib * _GIB) or "auto"

    def show(self, tiling: Tiling) -> None:
        """Show the setting `tiling`."""
        if isinstance(tiling, Overlap):
            self.tile.value, self.overlap.value = tiling.tile, tiling.overlap
            tiling = "overlap"
        self.kind.value = tiling

    def set_budget(self, memory: Memory | str) -> None:
        """Show the setting `memory` in bytes, or "auto"."""
        self.memory.value = memory / _GIB if isinstance(memory, int) else 0.0

    def _kind_changed(self) -> None:
        self.tile.visible = self.overlap.visible = self.kind.value == OVERLAP
        self.memory.visible = self.kind.value == EXACT
        self._on_change()


def _pixel_box(name: str, label: str, value: int, ends: tuple[int, int], step: int, tooltip: str) -> FloatSpinBox:
    """Make a box for a number of pixels; hidden at first."""
    # The box for integers raises each beginning of a number to the smallest one: "5" of "512" would become "16".
    box = FloatSpinBox(
        name=name, label=label, value=value, min=ends[0], max=ends[1], step=step, tooltip=tooltip, visible=False
    )
    box.native.setDecimals(0)
    return box
