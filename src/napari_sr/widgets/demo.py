"""`napari-sr demo` with a display: a sample, its upscaled layer on top of it, and the panel that made it."""

from __future__ import annotations

import napari
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_sr.errors import InputError
from napari_sr.inference.suggest import AUTO, suggest
from napari_sr.samples import load_sample
from napari_sr.widgets.plugin.sample_data import high_layer, low_layer
from napari_sr.widgets.upscale.families import PANELS
from napari_sr.widgets.upscale.panel import UpscalePanel
from napari_sr.zoo.catalog import list_models

_WINDOW = (1400, 900)
# Time in which Qt lays out the window and napari draws the canvas.
_DRAWING_MS = 1000


def open_demo(
    sample_name: str = "fluorescence",
    model_name: str = AUTO,
    *,
    block: bool = True,
) -> napari.Viewer:
    """Open napari with a sample, and upscale it with the panel of a model's family.

    Parameters
    ----------
    sample_name : {"fluorescence", "electron"}, default "fluorescence"
        The sample.
    model_name : str, default "auto"
        A model of the catalog, or "auto" for the suggested one.
    block : bool, default True
        Whether to return when the window is closed, rather than when the result is there.

    Returns
    -------
    napari.Viewer
        With three layers: the high-resolution image (hidden), the sample, and the result.

    Raises
    ------
    InputError
        If there is no such sample or model, or the run failed.
    """
    sample = load_sample(sample_name)
    if model_name == AUTO:
        model_name = suggest(sample.low, sample.axes, scale=sample.factor).model
    panel_class = _panel_of(model_name)
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
        raise InputError(f"The demo has no result: {panel.controls.message.value}")
    # The canvas has its final size, to which the view is fitted, only after the panel has been drawn.
    _wait(_DRAWING_MS)
    viewer.reset_view()
    if block:
        napari.run()
    return viewer


def _panel_of(model_name: str) -> type[UpscalePanel]:
    for entry in list_models():
        if entry.name == model_name and entry.card is not None:
            return PANELS[entry.card.family]
    raise InputError(f"There is no model {model_name} on this computer: `napari-sr models` lists those there are.")


def _run(panel: UpscalePanel) -> None:
    """Press Run, and process events until the run has ended."""
    panel.controls.run_button.native.click()
    while panel.running:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Limit a size to that of the screen."""
    screen = QApplication.primaryScreen()
    if screen is None:
        return size
    available = screen.availableGeometry()
    return min(size[0], available.width()), min(size[1], available.height())


def _wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
