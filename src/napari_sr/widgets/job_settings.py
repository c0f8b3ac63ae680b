"""How a run is done: device, precision, tiles, brightness. The rows under "More"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, SpinBox
from magicgui.widgets.bases import Widget

from napari_sr.imaging.intensity import PERCENTILES, SPECS
from napari_sr.inference.settings import PRECISIONS, TILINGS, Overlap, Tiling
from napari_sr.widgets.rows import shrinkable

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.zoo import Model

OVERLAP = "overlap"
_LARGEST_TILE = 8192

_DEVICE_WORDS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card", "mps": "Apple graphics"}
_PRECISION_WORDS = {
    "auto": "Automatic",
    "float32": "32 bit, exact",
    "bfloat16": "16 bit, wide range (bfloat16)",
    "float16": "16 bit, fine steps (float16)",
}
_TILING_WORDS = {OVERLAP: "Overlapping tiles", "none": "Whole image at once", "exact": "Exact, in strips"}
_INTENSITY_WORDS = {
    "auto": "Automatic",
    "dtype": "Full range of the data type",
    "percentile": f"{PERCENTILES[0]:g} to {PERCENTILES[1]:g} % of the values",
    "contrast": "The layer's contrast limits",
}


class JobSettings:
    """The rows that say how a job is done, and the job that they make."""

    def __init__(self) -> None:
        self.device = _choice(
            "device",
            "Device",
            # The others are known once torch is there: see `offer_devices`.
            [("Automatic", "auto"), ("Processor (CPU)", "cpu")],
            "Where the work is done. Automatic takes a graphics card when there is one.",
        )
        self.precision = _choice(
            "precision",
            "Precision",
            [(_PRECISION_WORDS.get(name, name), name) for name in PRECISIONS],
            "32 bit is exact; 16 bit is faster on graphics cards and can shift grey values a little.",
        )
        self.tiling = _choice(
            "tiling",
            "Tiles",
            [(_TILING_WORDS.get(name, name), name) for name in TILINGS],
            "Large images go through in tiles, to fit in memory. Whole, they have no seams but need the most memory.",
        )
        self.tile = SpinBox(
            name="tile",
            label="Tile size",
            value=Overlap().tile,
            min=16,
            max=_LARGEST_TILE,
            step=32,
            tooltip="Side of a tile, in pixels of the source. Smaller tiles need less memory and take longer.",
        )
        self.overlap = SpinBox(
            name="overlap",
            label="Overlap",
            value=Overlap().overlap,
            min=0,
            max=_LARGEST_TILE // 2,
            step=8,
            tooltip="How many pixels neighbouring tiles share on each side. More overlap, fewer visible seams.",
        )
        self.intensity = _choice(
            "intensity",
            "Brightness",
            [(_INTENSITY_WORDS.get(name, name), name) for name in SPECS],
            "Which values count as black and white for the model. The result comes back in the layer's own values.",
        )
        self.tiling.changed.connect(self._tiling_changed)
        self._tiling_changed()

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        return (self.device, self.precision, self.tiling, self.tile, self.overlap, self.intensity)

    def offer_devices(self, names: Sequence[str]) -> None:
        """List the devices of this computer; the chosen one stays if it is there."""
        chosen = self.device.value
        self.device.choices = [(_device_words(name), name) for name in names]
        self.device.value = chosen if chosen in names else names[0]

    def job(self, model: Model) -> Job:
        """Make the job that the rows describe.

        Raises
        ------
        InputError
            If they do not go together: more overlap than tile, say.
        """
        from napari_sr.inference import Job

        return Job(
            model=model,
            device=self.device.value,
            precision=self.precision.value,
            tiling=self._tiling(),
            intensity=self.intensity.value,
        )

    def _tiling(self) -> Tiling:
        name: Tiling = self.tiling.value
        return Overlap(tile=self.tile.value, overlap=self.overlap.value) if name == OVERLAP else name

    def _tiling_changed(self) -> None:
        for row in (self.tile, self.overlap):
            row.enabled = self.tiling.value == OVERLAP


def _choice(name: str, label: str, choices: Sequence[tuple[str, str]], tooltip: str) -> ComboBox:
    return shrinkable(ComboBox(name=name, label=label, choices=list(choices), tooltip=tooltip))


def _device_words(name: str) -> str:
    kind, _, number = name.partition(":")
    words = _DEVICE_WORDS.get(kind, kind)
    return f"{words} {number}" if number else words
