"""The ESRGAN panel."""

from __future__ import annotations

from napari_sr.widgets.mixing_panel import MixingPanel


class ESRGANPanel(MixingPanel):
    """Upscale a layer with ESRGAN, from faithful to sharp."""

    family = "esrgan"
