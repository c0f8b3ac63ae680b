"""`napari-sr demo` with a display: the sample, its super-resolved layer lying on it, and the panel that made it."""

from __future__ import annotations

from pathlib import Path

import napari
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_sr.errors import InputError
from napari_sr.samples import load_sample
from napari_sr.widgets.esrgan_panel import ESRGANPanel
from napari_sr.widgets.panel import UpscalePanel
from napari_sr.widgets.sample_data import high_layer, low_layer
from napari_sr.widgets.srcnn_panel import SRCNNPanel
from napari_sr.widgets.srgan_panel import SRGANPanel
from napari_sr.zoo.catalog import list_models

PANELS: dict[str, type[UpscalePanel]] = {"srcnn": SRCNNPanel, "srgan": SRGANPanel, "esrgan": ESRGANPanel}

_WINDOW = (1400, 900)
# Qt draws when its event loop comes round, napari's canvas a little after that.
_DRAWING_MS = 1000


def open_demo(
    sample_name: str = "fluorescence",
    model_name: str = "esrgan-compact-x4",
    *,
    screenshot: str | Path | None = None,
    block: bool = True,
) -> napari.Viewer:
    """Open napari with a sample, and upscale it with the panel of a model's family.

    Parameters
    ----------
    sample_name : {"fluorescence", "electron"}
        Which sample.
    model_name : str
        Which model of the catalog.
    screenshot : str or Path, optional
        A PNG of the window to write, once the result is there.
    block : bool
        Whether to stay until the window is closed. Otherwise the viewer comes back when the result is there.

    Returns
    -------
    napari.Viewer
        With three layers: what was measured at high resolution (hidden), the sample, and the result.

    Raises
    ------
    InputError
        If there is no such sample or model at hand, or the run did not come to a result.
    """
    panel_class = _panel_of(model_name)
    sample = load_sample(sample_name)
    viewer = napari.Viewer(title=f"napari-sr: {sample.title}")
    viewer.window.resize(*_fitting(_WINDOW))
    truth = viewer.add_layer(Layer.create(*high_layer(sample)))
    truth.visible = False
    source = viewer.add_layer(Layer.create(*low_layer(sample)))
    source.name = sample.name
    panel = panel_class(viewer)
    viewer.window.add_dock_widget(panel, name=panel.family.upper(), area="right")
    panel.layer_choice.select(source)
    panel.models.select(model_name)
    _run(panel)
    if len(viewer.layers) != 3:
        raise InputError(f"The demo came to no result: {panel.controls.message.value}")
    # The canvas has its final size, which the view fits into, only when the panel has been drawn.
    _wait(_DRAWING_MS)
    viewer.reset_view()
    if screenshot is not None:
        _wait(_DRAWING_MS)
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
    if block:
        napari.run()
    return viewer


def _panel_of(model_name: str) -> type[UpscalePanel]:
    for entry in list_models():
        if entry.name == model_name and entry.card is not None:
            return PANELS[entry.card.family]
    raise InputError(f"There is no model {model_name} at hand: `napari-sr models` lists those there are.")


def _run(panel: UpscalePanel) -> None:
    """Press Run, and let the window live until the run has ended."""
    panel.controls.run_button.native.click()
    while panel.running:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Make a size no larger than the screen leaves room for."""
    screen = QApplication.primaryScreen()
    if screen is None:
        return size
    room = screen.availableGeometry()
    return min(size[0], room.width()), min(size[1], room.height())


def _wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
