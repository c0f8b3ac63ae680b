"""Commands that need no panel: they stand in the menus and in the command palette."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer

from napari_sr.config import load_config, remember
from napari_sr.errors import NapariSRError
from napari_sr.widgets.executor import Executor
from napari_sr.widgets.job_plan import JobPlan, plan_as_scalars, plan_from_scalars
from napari_sr.widgets.layer_choice import is_preview
from napari_sr.widgets.layer_facts import known_axes
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.place_choice import Place
from napari_sr.widgets.queues import queues_on, shared_queues
from napari_sr.widgets.upscaling import Upscaling

if TYPE_CHECKING:
    from napari_sr.inference import Report

_RECENT = "recent"


def keep_last(family: str, plan: JobPlan) -> None:
    """Keep what a panel has just run, for the next time and for the command.

    Raises
    ------
    InputError
        If the settings file cannot be written.
    """
    remember(family, plan_as_scalars(plan))
    remember(_RECENT, {"panel": family})


def last_plan() -> JobPlan | None:
    """Give what was run last from any panel; None when nothing was.

    Raises
    ------
    InputError
        If the settings file cannot be read.
    """
    last = load_config().last
    found = last.get(str(last.get(_RECENT, {}).get("panel", "")))
    return None if not found else plan_from_scalars(found)


def upscale_active_layer(viewer: Viewer, executor: Executor | None = None) -> None:
    """Upscale the active layer as the last run from a panel did; progress is in the activity dock.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose active layer.
    executor : Executor, optional
        Where the work is done; by default in the lanes that all panels share.
    """
    active = viewer.layers.selection.active
    # napari hands plugins a viewer whose objects are wrapped; the list holds the layers themselves.
    layer = next((one for one in viewer.layers if one == active), None)
    if not isinstance(layer, Image) or is_preview(layer):
        show_error("The active layer is no image: select one image layer, and call the command again.")
        return
    try:
        plan = last_plan()
        if plan is None:
            show_info("Nothing was upscaled yet: run it once from a panel of napari-sr, and this repeats it.")
            return
        place = Place(layer, known_axes(layer))
    except NapariSRError as error:
        show_error(str(error))
        return
    queues = shared_queues() if executor is None else queues_on(executor)
    Upscaling(viewer, place, plan, _loader(), queues, _Notifier()).start()


class _Notifier:
    """Says with napari's notifications how it went."""

    def progressed(self, upscaling: Upscaling, done: int, total: int) -> None:
        """Say nothing: the bar in the activity dock does."""

    def finished(self, upscaling: Upscaling, layer: Image, report: Report) -> None:
        """Say that the result is there."""
        show_info(f"Done in {report.seconds:.1f} s: “{layer.name}”.")

    def failed(self, upscaling: Upscaling, error: Exception) -> None:
        """Say why not."""
        if isinstance(error, NapariSRError):
            show_error(str(error))
        else:
            show_error(f"Something unexpected went wrong ({type(error).__name__}: {error}); nothing was changed.")

    def stopped(self, upscaling: Upscaling, why: str) -> None:
        """Say that it was stopped."""
        show_info(why)


@cache
def _loader() -> ModelLoader:
    """Keep the model between two calls."""
    return ModelLoader()
