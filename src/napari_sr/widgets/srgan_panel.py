"""The SRGAN panel."""

from __future__ import annotations

from napari_sr.widgets.mixing_panel import MixingPanel


class SRGANPanel(MixingPanel):
    """Upscale a layer with SRGAN, from faithful to sharp."""

    family = "srgan"
