"""The SRCNN panel: with the kernel that enlarges the image before the network sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget

from napari_sr.imaging.resize import Kernel
from napari_sr.widgets.model_loading import ModelRequest
from napari_sr.widgets.model_offers import ModelOffer
from napari_sr.widgets.panel import UpscalePanel
from napari_sr.widgets.rows import shrinkable

_WORDS = {
    "nearest": "Nearest neighbor",
    "bilinear": "Bilinear",
    "bicubic": "Bicubic (as trained)",
    "lanczos3": "Lanczos 3",
}


class SRCNNPanel(UpscalePanel):
    """Upscale a layer with SRCNN: the image is enlarged first, then sharpened by three layers of the network."""

    family = "srcnn"

    def _family_rows(self) -> Sequence[Widget]:
        self.kernel = shrinkable(
            ComboBox(
                name="kernel",
                label="Enlarge with",
                choices=[(_WORDS.get(name, name), name) for name in get_args(Kernel)],
                value="bicubic",
                tooltip=(
                    "How the image is enlarged before the network sharpens it. SRCNN is trained on bicubic; "
                    "the others show how much the result depends on it."
                ),
            )
        )
        self.kernel.changed.connect(lambda: self._changed())
        return (self.kernel,)

    def _request(self, model: ModelOffer) -> ModelRequest:
        return ModelRequest(model.source, scale=self.models.scale, upsampling=self.kernel.value)
