"""What SRGAN and ESRGAN have in common: weights trained for fidelity and for sharpness, and a slider between them."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets.bases import Widget

from napari_sr.widgets.mixing_choice import MixingChoice
from napari_sr.widgets.model_loading import ModelRequest
from napari_sr.widgets.model_offers import ModelOffer
from napari_sr.widgets.panel import UpscalePanel


class MixingPanel(UpscalePanel):
    """A panel with the slider between two sets of weights."""

    def _family_rows(self) -> Sequence[Widget]:
        self.mixing = MixingChoice(self._changed)
        return self.mixing.widgets

    def _family_model_changed(self) -> None:
        self.mixing.model_changed(self.models.model, self.models.offers)

    def _request(self, model: ModelOffer) -> ModelRequest:
        return ModelRequest(
            model.source, self.mixing.second, self.models.scale, self.mixing.value, mixing=self.mixing.kind
        )
