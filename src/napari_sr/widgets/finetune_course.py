"""The course of a training in its panel: its buttons, its curves, its scenes, and what it has come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.theme import get_theme
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_sr.inference.formatting import format_seconds
from napari_sr.training.events import Event, LearningRateLowered, Paused, Prepared, Resumed, StepDone, Validated
from napari_sr.widgets.error_notice import notify_of
from napari_sr.widgets.finetune_controls import ControlsState, TrainingControls
from napari_sr.widgets.finetune_crops import CropLayers
from napari_sr.widgets.finetune_curves import Curves
from napari_sr.widgets.finetune_outcome import OutcomeView
from napari_sr.widgets.finetuning import FinetunePlan, Finetuning, Trained
from napari_sr.widgets.model_loading import ModelLoader
from napari_sr.widgets.queues import WorkQueues
from napari_sr.widgets.rows import stop

UNTOUCHED = "your models and images are untouched"
"""What is so whatever has gone wrong."""
# A network can be corrected many times a second; nobody reads that.
_MOMENT_MS = 200


class TrainingCourse:
    """One training after another, and what is shown of it.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the validation scenes are shown.
    lanes : Lanes
        Where a training waits for its turn.
    loader : ModelLoader
        Gives the model that is begun with.
    on_start : callable
        Called when Start is pressed.
    on_use : callable
        Called with what was trained, when "Use it now" is pressed.
    on_pairs : callable
        Takes what is to be said of pairs.
    on_end : callable
        Told when there is a new model.
    """

    def __init__(
        self,
        viewer: Viewer,
        queues: WorkQueues,
        loader: ModelLoader,
        *,
        on_start: Callable[[], None],
        on_use: Callable[[Trained], None],
        on_pairs: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        self._viewer, self._queues, self._loader = viewer, queues, loader
        self._on_pairs, self._on_end = on_pairs, on_end
        self.training: Finetuning | None = None
        self._stopped: tuple[FinetunePlan, Path] | None = None
        self._latest: StepDone | None = None
        self.controls = TrainingControls(on_start, self.pause, self.resume, self.stop)
        self.curves = Curves()
        self.curve_box: Container[Widget] = Container(labels=False)
        self.curve_box.native.layout().addWidget(self.curves)
        self.curve_box.margins = (0, 0, 0, 0)
        self.curve_box.visible = False
        self.crops = CropLayers(viewer)
        self.outcome = OutcomeView(on_use)
        self._moment = QTimer()
        self._moment.setSingleShot(True)
        self._moment.setInterval(_MOMENT_MS)
        self._moment.timeout.connect(self._show_step)

    @property
    def going(self) -> bool:
        """Whether a training has not ended."""
        return self.training is not None

    def begin(self, plan: FinetunePlan, beside: Image) -> None:
        """Begin a training, and show its scenes beside an image."""
        self.curves.clear()
        self.crops.begin(beside)
        self._begin(plan, None)

    def pause(self) -> None:
        """Wait after this step: what Pause does."""
        if self.training is not None:
            self.training.pause()
            self.controls.set_state("paused")
            self.controls.say("Pausing after this step…")

    def resume(self) -> None:
        """Go on, after a pause or with a training that was stopped: what Resume does."""
        if self.training is not None:
            self.training.resume()
            self.controls.set_state("running")
        elif self._stopped is not None:
            self._begin(*self._stopped)

    def stop(self) -> None:
        """End after this step, and keep the model: what Stop does."""
        if self.training is not None:
            self.controls.set_state("stopping")
            self.controls.say("Stopping after this step…")
            self.training.stop()

    def happened(self, event: Event) -> None:
        """Show an event of the training."""
        if isinstance(event, StepDone):
            self._latest = event
            self.curves.add_step(event)
            if not self._moment.isActive():
                self._moment.start()
        elif isinstance(event, Validated):
            self.curves.add_measurement(event)
            self.crops.show(event.crops)
            self.controls.judge(event.sentence(), None if event.better_than_bicubic else self._warning_color())
        elif isinstance(event, Prepared):
            self.controls.progress(event.resumed_at, event.steps)
            self.controls.say(_prepared(event))
            self._on_pairs(" ".join((*event.notes, *event.warnings)))
        elif isinstance(event, Paused):
            self.controls.say(f"Paused after step {event.step}.")
        elif isinstance(event, Resumed):
            self.controls.say(f"Going on with step {event.step + 1}…")
        elif isinstance(event, LearningRateLowered):
            self.controls.say(
                f"The loss was not a number at step {event.step}: going on from step {event.back_to}, half as fast."
            )

    def finished(self, trained: Trained) -> None:
        """Show the new model, and offer it everywhere."""
        plan = self.training.plan if self.training is not None else None
        done = trained.outcome.finished
        self._stopped = None if done or plan is None else (plan, trained.folder)
        self._end("idle" if done else "stopped", "" if done else "Stopped. Resume goes on from here.")
        self.curves.draw()
        self.outcome.show_trained(trained)
        self.controls.judge("")
        self._on_end()

    def failed(self, error: Exception) -> None:
        """Show why there is no model."""
        self._end("idle", notify_of(error, UNTOUCHED))

    def cancelled(self) -> None:
        """Say that there is no model."""
        begun = self._latest is not None
        self._end("idle", f"Ended {'early' if begun else 'before the first step'}: there is no new model.")

    def leave(self) -> None:
        """End the training within a step, and show nothing any more."""
        stop(self._moment)
        training, self.training = self.training, None
        if training is not None:
            self._queues.trainings.forget(self._show_place)
            training.abandon()
        self.crops.remove()

    def _begin(self, plan: FinetunePlan, folder: Path | None) -> None:
        self._stopped, self._latest = None, None
        self.outcome.forget()
        self.controls.judge("")
        self.controls.progress(0, 0)
        self.controls.set_state("running")
        self.curve_box.visible = True
        training = Finetuning(plan, self._loader, self._queues, self, folder)
        self.training = training
        self.controls.say("Preparing the images…")
        self._queues.trainings.on_event(self._show_place)
        training.start()
        self._show_place()

    def _end(self, state: ControlsState, message: str) -> None:
        self.training = None
        self._queues.trainings.forget(self._show_place)
        stop(self._moment)
        self.controls.set_state(state)
        self.controls.say(message)

    def _show_place(self) -> None:
        if self.training is not None and self.training.ahead:
            self.controls.say("Waiting for another training to end…")

    def _show_step(self) -> None:
        step = self._latest
        if step is None or self.controls.state != "running":
            return
        self.controls.progress(step.step, step.steps)
        left = f", {format_seconds(step.seconds_left)} left" if step.step < step.steps else ""
        self.controls.say(f"Step {step.step} of {step.steps}{left}.")

    def _warning_color(self) -> str:
        return str(get_theme(str(self._viewer.theme)).warning.as_hex())


def _prepared(event: Prepared) -> str:
    place = "place" if event.patches == 1 else "places"
    parts = f"{event.scenes} validation part{'s' if event.scenes != 1 else ''}"
    begin = "Learning" if not event.resumed_at else f"Going on after step {event.resumed_at}, learning"
    return f"{begin} from patches of {event.size} pixels at {event.patches} {place}; {parts}."
