"""How a run is done: device, precision, tiles, memory, brightness. The rows under "More"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, SpinBox
from magicgui.widgets.bases import Widget
from qtpy.QtWidgets import QDoubleSpinBox

from napari_sr.imaging.intensity import PERCENTILES, SPECS
from napari_sr.inference.settings import PRECISIONS, TILINGS, Overlap, Tiling
from napari_sr.widgets.rows import shrinkable

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.inference.memory import Memory
    from napari_sr.zoo import Model

EXACT, OVERLAP = "exact", "overlap"
_LARGEST_TILE = 8192
_MOST_GIB = 1024

_DEVICE_WORDS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card", "mps": "Apple graphics"}
_PRECISION_WORDS = {
    "auto": "Automatic",
    "float32": "32 bit, exact",
    "bfloat16": "16 bit, wide range (bfloat16)",
    "float16": "16 bit, fine steps (float16)",
}
_TILING_WORDS = {EXACT: "Exact (streamed)", OVERLAP: "Overlapping tiles", "none": "Whole plane at once"}
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
            "Tiling",
            [(_TILING_WORDS.get(name, name), name) for name in TILINGS],
            "Exact gives what the whole image in one piece would give: no seams, and memory stays bounded however "
            "large the image is. Overlapping tiles can leave faint seams. A whole plane at once has none either, but "
            "needs the most memory.",
        )
        self.tile = SpinBox(
            name="tile",
            label="Tile size",
            value=Overlap().tile,
            min=16,
            max=_LARGEST_TILE,
            step=32,
            tooltip="Side of a tile, in pixels of the source. Smaller tiles need less memory and take longer.",
            visible=False,
        )
        self.overlap = SpinBox(
            name="overlap",
            label="Overlap",
            value=Overlap().overlap,
            min=0,
            max=_LARGEST_TILE // 2,
            step=8,
            tooltip="How many pixels neighbouring tiles share on each side. More overlap, fewer visible seams.",
            visible=False,
        )
        self.memory = _memory_limit()
        self.intensity = _choice(
            "intensity",
            "Brightness",
            [(_INTENSITY_WORDS.get(name, name), name) for name in SPECS],
            "Which values count as black and white for the model. The result comes back in the layer's own values.",
        )
        self.self_ensemble = CheckBox(
            name="self_ensemble",
            text="Self-ensemble (8 times the work)",
            value=False,
            tooltip=(
                "Upscales the image flipped and turned in 8 ways and averages the results: a little closer to the "
                "truth, and no direction is favoured. Takes 8 times as long."
            ),
        )
        self.tiling.changed.connect(self._tiling_changed)

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows, in order."""
        tiling = (self.tiling, self.tile, self.overlap, self.memory)
        return (self.device, self.precision, *tiling, self.intensity, self.self_ensemble)

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
            memory=self._memory(),
            self_ensemble=self.self_ensemble.value,
            intensity=self.intensity.value,
        )

    def _tiling(self) -> Tiling:
        name: Tiling = self.tiling.value
        return Overlap(tile=self.tile.value, overlap=self.overlap.value) if name == OVERLAP else name

    def _memory(self) -> Memory:
        gib = self.memory.value if self.tiling.value == EXACT else 0
        return int(gib * 2**30) or "auto"

    def _tiling_changed(self) -> None:
        """Show the rows that the tiling goes by."""
        self.tile.visible = self.overlap.visible = self.tiling.value == OVERLAP
        self.memory.visible = self.tiling.value == EXACT


def _memory_limit() -> FloatSpinBox:
    """A number of GiB, of which 0 reads "Automatic"."""
    limit = FloatSpinBox(
        name="memory",
        label="Memory",
        value=0.0,
        min=0.0,
        max=_MOST_GIB,
        step=0.5,
        tooltip=(
            "The most memory, in GiB, that the work may take on the device, beside the image and its result. "
            "Automatic (0) measures what is free."
        ),
    )
    native: QDoubleSpinBox = limit.native
    native.setSpecialValueText("Automatic")
    native.setSuffix(" GiB")
    return limit


def _choice(name: str, label: str, choices: Sequence[tuple[str, str]], tooltip: str) -> ComboBox:
    return shrinkable(ComboBox(name=name, label=label, choices=list(choices), tooltip=tooltip))


def _device_words(name: str) -> str:
    kind, _, number = name.partition(":")
    words = _DEVICE_WORDS.get(kind, kind)
    return f"{words} {number}" if number else words
