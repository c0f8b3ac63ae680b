"""Panels of a viewer: those that are open, and one to be opened."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget

from napari_sr.widgets.choices.model_offers import FAMILY_TITLES
from napari_sr.widgets.upscale.families import PANELS
from napari_sr.widgets.upscale.panel import UpscalePanel


def open_panels(viewer: Viewer) -> list[UpscalePanel]:
    """Give the upscaling panels that are docked in a viewer's window."""
    return [widget for widget in viewer.window.dock_widgets.values() if isinstance(widget, UpscalePanel)]


def show_panel(viewer: Viewer, family: str) -> UpscalePanel:
    """Bring the panel of a family to the front, and open it first where it is not.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    family : {"srcnn", "srgan", "esrgan"}
        Whose.
    """
    panel = next((panel for panel in open_panels(viewer) if panel.family == family), None)
    if panel is None:
        panel = PANELS[family](viewer)
        # The name that napari's own menu would give it, so that the menu finds it again.
        viewer.window.add_dock_widget(panel, name=f"{FAMILY_TITLES[family]} (napari-sr)", tabify=True)
    dock = panel.native.parent()
    if isinstance(dock, QDockWidget):
        dock.show()
        dock.raise_()
    return panel
