"""Estimate of the time that a run will take, made in the background; the speed is measured if it is not known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from napari_sr.errors import Cancelled, NapariSRError
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.napari_layer import finest_level, layer_pixel_size
from napari_sr.imaging.part import Part
from napari_sr.progress import Cancel
from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.choices.part import LayerPart
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.widgets.qt.timers import delayed, stop_timer

DELAY_MS = 600
"""Time without a change after which the estimate is made."""

_log = logging.getLogger(__name__)
_Facts = tuple[Axes, Any, Part | None, dict[str, float], str | None]
_Request = tuple[JobPlan, list[_Facts]]


class TimeEstimate:
    """The time that a run of a panel will take.

    Parameters
    ----------
    loader : ModelLoader
        The panel's; the model is then in its cache for the run or a preview.
    queues : WorkQueues
        The estimate is made in the background. Nothing is measured while a preview or a job is in progress.
    on_known : callable
        Called without arguments when `seconds` has a new value.
    """

    def __init__(self, loader: ModelLoader, queues: WorkQueues, on_known: Callable[[], None]) -> None:
        self._loader, self._queues, self._on_known = loader, queues, on_known
        self._request: _Request | None = None
        self._known: object = None
        self._run: Run[Any] | None = None
        self.seconds: float | None = None
        """Seconds; None if they are not known yet."""
        self.device = ""
        """Device on which the speed was measured: "this CPU" or "this GPU"."""
        self._timer = delayed(self.estimate_now, DELAY_MS)

    def request(self, plan: JobPlan, parts: Sequence[LayerPart]) -> None:
        """Request an estimate for parts; nothing is done if the present one is for the same work."""
        request = plan, [_facts(part) for part in parts]
        if _key(request) == self._known:
            return
        self.clear()
        self._request = request
        self._timer.start()

    def clear(self) -> None:
        """Discard the estimate, and stop making one."""
        stop_timer(self._timer)
        self._request, self._known, self.seconds = None, None, None
        run, self._run = self._run, None
        if run is not None:
            run.abandon()

    def estimate_now(self) -> None:
        """Make the requested estimate without a delay."""
        self._timer.stop()
        request = self._request
        if request is None or self._run is not None:
            return
        if self._queues.previews.busy or self._queues.jobs.busy:
            self._timer.start()
            return
        plan, facts = request

        def work(progress: object, cancel: Cancel) -> tuple[float | None, str]:
            return _estimate(self._loader, plan, facts, lambda: cancel() or self._queues.previews.busy)

        def returned(estimate: tuple[float | None, str]) -> None:
            self._run = None
            self.seconds, self.device = estimate
            self._known = _key(request)
            self._on_known()

        self._run = Run(
            "estimating the time",
            work,
            returned=returned,
            errored=self._failed,
            cancelled=self._retry,
        )
        self._queues.background.submit(self._run)

    def _failed(self, error: Exception) -> None:
        # The run shows errors of the input; here the time is left out.
        self._run = None
        if not isinstance(error, NapariSRError):
            _log.error("The time could not be estimated.", exc_info=error)

    def _retry(self) -> None:
        self._run = None
        self._timer.start()


def _facts(part: LayerPart) -> _Facts:
    """Return the facts of a layer that the time depends on; other threads must not use the layer itself."""
    size, unit = layer_pixel_size(part.layer, part.axes)
    return part.axes, finest_level(part.layer).dtype, part.part, size, unit


def _key(request: _Request) -> object:
    # The time depends on the size of a part, not on its position.
    plan, facts = request
    return plan, tuple((axes, str(dtype), _shape(axes, part), unit) for axes, dtype, part, _, unit in facts)


def _shape(axes: Axes, part: Part | None) -> tuple[int, ...]:
    return tuple(stop - start for start, stop in (part or Part()).ranges(axes))


def _estimate(loader: ModelLoader, plan: JobPlan, facts: Sequence[_Facts], cancel: Cancel) -> tuple[float | None, str]:
    """Return the seconds of all parts together, and the kind of device; may be called on any thread."""
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
        raise Cancelled("The measurement was interrupted by a preview.")
    return total, "this CPU" if device == "cpu" else "this GPU"
