"""The panels of the three families of models, and opening them in a viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from magicgui.widgets import ComboBox
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget

from napari_sr.imaging.resize import Kernel
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.mixing import MixingChoice
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.choices.model_offers import FAMILY_TITLES, ModelOffer, catalog_offers
from napari_sr.widgets.qt.rows import shrinkable
from napari_sr.widgets.upscale.panel import UpscalePanel

_KERNEL_TEXTS = {
    "nearest": "Nearest neighbor",
    "bilinear": "Bilinear",
    "bicubic": "Bicubic (as trained)",
    "lanczos3": "Lanczos 3",
}


class FamilyPanel(UpscalePanel):
    """A panel that opens those of the other families for their models."""

    def _panel_of(self, model: str, layer: Image) -> UpscalePanel | None:
        return panel_that_offers(self._viewer, model, layer)


class SRCNNPanel(FamilyPanel):
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
        # Methods without a network interpolate by themselves.
        kernel = None if model.is_classic else self.kernel.value
        return ModelRequest(model.source, scale=self.models.scale, upsampling=kernel)

    def _family_model_changed(self) -> None:
        model = self.models.model
        self.kernel.visible = model is None or not model.is_classic

    def _show_plan(self, plan: JobPlan | None) -> None:
        self.kernel.value = (None if plan is None else plan.request.upsampling) or "bicubic"


class MixingPanel(FamilyPanel):
    """A panel with a slider between two sets of weights."""

    def _family_rows(self) -> Sequence[Widget]:
        self.mixing = MixingChoice(self._changed, self._load_pair)
        return self.mixing.widgets

    def _changed(self) -> None:
        super()._changed()
        if self._completed:
            self.mixing.check_pair(self.models.scale)

    def _load_pair(self, pair: ModelRequest, refuse: Callable[[str], None]) -> None:
        self._check_in_background("reading two models", lambda: self.loader.load(pair), refuse)

    def _family_model_changed(self) -> None:
        self.mixing.model_changed(self.models.model, self.models.offers)

    def refresh_models(self) -> None:
        """Read the catalog of models again."""
        super().refresh_models()
        self.mixing.offers_changed(self.models.offers)

    def _show_plan(self, plan: JobPlan | None) -> None:
        if plan is None:
            self.mixing.show("", None, "weights")
        else:
            self.mixing.show(plan.request.second, plan.request.alpha, plan.request.mixing)

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


def open_panels(viewer: Viewer) -> list[UpscalePanel]:
    """Return the upscaling panels in the window of a viewer, in the order in which they were docked."""
    return [widget for widget in viewer.window.dock_widgets.values() if isinstance(widget, UpscalePanel)]


def panel_that_offers(viewer: Viewer, model: str, layer: Image) -> UpscalePanel | None:
    """Bring the panel of a model to the front, and choose a layer in it; None if no such model can be used."""
    cards = [offer.card for offer in catalog_offers(None) if offer.source == model and offer.usable]
    if not cards or cards[0] is None:
        return None
    panel = show_panel(viewer, cards[0].family)
    panel.layer_choice.select(layer)
    return panel


def show_panel(viewer: Viewer, family: str) -> UpscalePanel:
    """Bring the panel of a family to the front and return it; it is opened first if it is not open."""
    panel = next((panel for panel in open_panels(viewer) if panel.family == family), None)
    if panel is None:
        panel = PANELS[family](viewer)
        # The name that napari's menu gives it, so that the menu finds the panel again.
        viewer.window.add_dock_widget(panel, name=f"{FAMILY_TITLES[family]} (napari-sr)", tabify=True)
    dock = panel.native.parent()
    if isinstance(dock, QDockWidget):
        dock.show()
        dock.raise_()
    return panel
