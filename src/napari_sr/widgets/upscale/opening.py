"""Find the upscaling panels of a viewer, and open one."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget

from napari_sr.widgets.choices.model_offers import FAMILY_TITLES
from napari_sr.widgets.upscale.families import PANELS
from napari_sr.widgets.upscale.panel import UpscalePanel


def open_panels(viewer: Viewer) -> list[UpscalePanel]:
    """Return the upscaling panels that are docked in the window of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.

    Returns
    -------
    list of UpscalePanel
        The panels, in the order in which they were docked.
    """
    return [widget for widget in viewer.window.dock_widgets.values() if isinstance(widget, UpscalePanel)]


def show_panel(viewer: Viewer, family: str) -> UpscalePanel:
    """Bring the panel of a family to the front; it is opened first if it is not open.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    family : {"srcnn", "srgan", "esrgan"}
        Family of the panel.

    Returns
    -------
    UpscalePanel
        The panel.
    """
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
