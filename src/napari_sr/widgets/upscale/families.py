"""The panels of the three families of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget

from napari_sr.imaging.resize import Kernel
from napari_sr.widgets.choices.mixing import MixingChoice
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.choices.model_offers import ModelOffer
from napari_sr.widgets.qt.rows import shrinkable
from napari_sr.widgets.upscale.panel import UpscalePanel

_KERNEL_TEXTS = {
    "nearest": "Nearest neighbor",
    "bilinear": "Bilinear",
    "bicubic": "Bicubic (as trained)",
    "lanczos3": "Lanczos 3",
}


class SRCNNPanel(UpscalePanel):
    """Upscale a layer with SRCNN: the image is interpolated first, and then sharpened by the network."""

    family = "srcnn"

    def _family_rows(self) -> Sequence[Widget]:
        self.kernel = shrinkable(
            ComboBox(
                name="kernel",
                label="Enlarge with",
                choices=[(_KERNEL_TEXTS.get(name, name), name) for name in get_args(Kernel)],
                value="bicubic",
                tooltip=(
                    "Interpolation by which the image is enlarged before the network sharpens it. SRCNN is trained on "
                    "bicubic; the others show how much the result depends on it."
                ),
            )
        )
        self.kernel.changed.connect(lambda: self._changed())
        return (self.kernel,)

    def _request(self, model: ModelOffer) -> ModelRequest:
        return ModelRequest(model.source, scale=self.models.scale, upsampling=self.kernel.value)


class MixingPanel(UpscalePanel):
    """A panel with a slider between two sets of weights."""

    def _family_rows(self) -> Sequence[Widget]:
        self.mixing = MixingChoice(self._changed)
        return self.mixing.widgets

    def _family_model_changed(self) -> None:
        self.mixing.model_changed(self.models.model, self.models.offers)

    def _request(self, model: ModelOffer) -> ModelRequest:
        return ModelRequest(
            model.source, self.mixing.second, self.models.scale, self.mixing.value, mixing=self.mixing.kind
        )


class SRGANPanel(MixingPanel):
    """Upscale a layer with SRGAN, from faithful to sharp."""

    family = "srgan"


class ESRGANPanel(MixingPanel):
    """Upscale a layer with ESRGAN, from faithful to sharp."""

    family = "esrgan"


PANELS: dict[str, type[UpscalePanel]] = {"srcnn": SRCNNPanel, "srgan": SRGANPanel, "esrgan": ESRGANPanel}
"""The panel of each family."""
