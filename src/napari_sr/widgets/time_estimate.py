"""How long a run will take: asked in the background when nothing has changed for a moment, and measured if need be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_sr.errors import Cancelled, NapariSRError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.geometry import finest_level, layer_pixel_size
from napari_sr.imaging.part import Part
from napari_sr.progress import Cancel
from napari_sr.widgets.executor import Run
from napari_sr.widgets.job_plan import JobPlan
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.place_choice import Place
from napari_sr.widgets.queues import WorkQueues
from napari_sr.widgets.rows import stop

REST_MS = 600

_log = logging.getLogger(__name__)
_Facts = tuple[Axes, Any, Part | None, dict[str, float], str | None]


class TimeEstimate:
    """Seconds that a run of a panel will take.

    Parameters
    ----------
    loader : ModelLoader
        The panel's, which so has read the model when the run or a preview needs it.
    lanes : Lanes
        It works in the background, and measures nothing while a preview or a job does.
    on_known : callable
        Told that there is another answer.
    """

    def __init__(self, loader: ModelLoader, queues: WorkQueues, on_known: Callable[[], None]) -> None:
        self._loader, self._queues, self._on_known = loader, queues, on_known
        self._wanted: tuple[JobPlan, list[_Facts]] | None = None
        self._answered: object = None
        self._run: Run[Any] | None = None
        self.seconds: float | None = None
        self.device = ""
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.ask_now)

    def want(self, plan: JobPlan, places: Sequence[Place]) -> None:
        """Ask for the answer to other settings; it comes later, unless it is the one that is there."""
        wanted = plan, [_facts(place.layer, place) for place in places]
        if _key(wanted) == self._answered:
            return
        self.forget()
        self._wanted = wanted
        self._rest.start()

    def forget(self) -> None:
        """Want no answer any more."""
        stop(self._rest)
        self._wanted, self._answered, self.seconds = None, None, None
        run, self._run = self._run, None
        if run is not None:
            run.abandon()

    def ask_now(self) -> None:
        """Ask without waiting for a rest."""
        self._rest.stop()
        wanted = self._wanted
        if wanted is None or self._run is not None:
            return
        if self._queues.previews.busy or self._queues.jobs.busy:
            self._rest.start()
            return
        plan, facts = wanted

        def work(progress: object, cancel: Cancel) -> tuple[float | None, str]:
            return _estimate(self._loader, plan, facts, lambda: cancel() or self._queues.previews.busy)

        def returned(answer: tuple[float | None, str]) -> None:
            self._run = None
            self.seconds, self.device = answer
            self._answered = _key(wanted)
            self._on_known()

        self._run = Run(
            "estimating the time",
            work,
            returned=returned,
            errored=self._unknown,
            cancelled=self._again,
            announced=False,
        )
        self._queues.background.submit(self._run)

    def _unknown(self, error: Exception) -> None:
        # What does not go together is said when it is run; here only the time stays unknown.
        self._run = None
        if not isinstance(error, NapariSRError):
            _log.error("The time could not be estimated.", exc_info=error)

    def _again(self) -> None:
        self._run = None
        self._rest.start()


def _facts(layer: Image, place: Place) -> _Facts:
    size, unit = layer_pixel_size(layer, place.axes)
    return place.axes, finest_level(layer).dtype, place.part, size, unit


def _key(wanted: tuple[JobPlan, list[_Facts]]) -> object:
    # Where on the layer a part lies makes no difference to its time, but its size does.
    plan, facts = wanted
    return plan, tuple((axes, str(dtype), _shape(axes, part), unit) for axes, dtype, part, _, unit in facts)


def _shape(axes: Axes, part: Part | None) -> tuple[int, ...]:
    return tuple(stop - start for start, stop in (part or Part()).ranges(axes))


def _estimate(loader: ModelLoader, plan: JobPlan, facts: Sequence[_Facts], cancel: Cancel) -> tuple[float | None, str]:
    """Add up the seconds of several runs, and say on what kind of device; may be called on any thread."""
    from napari_sr.inference import estimate_region, measure_speed

    job = plan.job(loader.load(plan.request))
    total: float | None = 0.0
    device = ""
    for axes, dtype, part, size, unit in facts:
        region = job.region(axes, part, pixel_size=size, unit=unit)
        estimate = estimate_region(job, region, dtype)
        if estimate.seconds is None:
            measure_speed(job, dtype, axes.rgb, cancel=cancel)
            estimate = estimate_region(job, region, dtype)
        total = None if total is None or estimate.seconds is None else total + estimate.seconds
        device = estimate.device
    if cancel():
        raise Cancelled("Something more urgent came between.")
    return total, "this CPU" if device == "cpu" else "this GPU"
