"""Commands without a panel, for napari's menus and command palette."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_sr.errors import InputError, NapariSRError
from napari_sr.widgets.choices.job_plan import load_last_plan
from napari_sr.widgets.choices.layer import is_preview
from napari_sr.widgets.choices.layer_facts import known_axes
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.choices.part import LayerPart
from napari_sr.widgets.qt.errors import notify_error
from napari_sr.widgets.qt.executor import Executor
from napari_sr.widgets.qt.queues import queues_on, shared_queues
from napari_sr.widgets.upscale.run import Upscaling, lazy_sentence
from napari_sr.widgets.window.closing import ask_before_closing

if TYPE_CHECKING:
    from napari_sr.inference import Report


def upscale_active_layer(viewer: Viewer, executor: Executor | None = None) -> None:
    """Upscale the active layer with the model and settings of the last run; napari's activity dock shows the progress.

    Errors are shown as notifications of napari.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer of the layer.
    executor : Executor, optional
        Does the work. By default the work queues that all panels share.
    """
    active = viewer.layers.selection.active
    # napari passes a proxy of the viewer to plugins, and with it proxies of layers; the list has the layers themselves.
    layer = next((candidate for candidate in viewer.layers if candidate == active), None)
    try:
        if not isinstance(layer, Image) or is_preview(layer):
            raise InputError("The active layer is not an image: select one image layer, and call the command again.")
        plan = load_last_plan()
        if plan is None:
            show_info("There is no last run to repeat: run it once from a panel of napari-sr.")
            return
        part = LayerPart(layer, known_axes(layer))
    except NapariSRError as error:
        notify_error(error)
        return
    queues = shared_queues() if executor is None else queues_on(executor)
    upscaling = Upscaling(viewer, part, plan, _loader(), queues, _Notifier())
    window = viewer.window.main_menu.window()
    ask_before_closing(window, upscaling.unfinished)
    window.destroyed.connect(upscaling.abandon)
    upscaling.start()


class _Notifier:
    """Shows the end of a run as a notification of napari; an `UpscalingListener`."""

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Do nothing: the bar in the activity dock shows the progress."""

    def finished(self, upscaling: Upscaling, layer: Image, report: Report | None) -> None:
        """Notify that the result was added."""
        if report is None:
            show_info(" ".join([lazy_sentence(layer), *upscaling.remarks]))
            return
        done = f"Done in {report.seconds:.1f} s: “{layer.name}”."
        show_info(" ".join([done, *upscaling.remarks, *report.remarks()]))

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Notify of the error."""
        notify_error(error)

    def stopped(self, upscaling: Upscaling, reason: str) -> None:
        """Notify that the run was stopped."""
        show_info(reason)


@cache
def _loader() -> ModelLoader:
    """Return one loader for all calls, so that the model stays in its cache."""
    return ModelLoader()
