"""Progress of a training in its panel: buttons, messages, curves, validation scenes and the new model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.viewer import Viewer

from napari_sr.inference.formatting import format_seconds
from napari_sr.training.events import Event, LearningRateLowered, Paused, Prepared, Resumed, StepDone, Validated
from napari_sr.widgets.choices.model_loading import ModelLoader
from napari_sr.widgets.finetune.controls import TrainingControls
from napari_sr.widgets.finetune.curves import Curves
from napari_sr.widgets.finetune.outcome import OutcomeView
from napari_sr.widgets.finetune.run import FinetunePlan, Finetuning, Trained
from napari_sr.widgets.finetune.unfinished import forget, write_choices
from napari_sr.widgets.finetune.validation_layers import ValidationLayers
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.timers import delayed, stop_timer

# There may be many steps a second, and the message should be readable.
_MESSAGE_MS = 200
_STOPPED = "Stopped. Resume continues from here."


class TrainingProgress:
    """The last training, and the widgets that show it; a `TrainingListener`.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer to which the validation scenes are added.
    queues : WorkQueues
        The training waits in them.
    loader : ModelLoader
        Loads the model to begin with.
    on_start : callable
        Called without arguments when Start is pressed.
    on_use : callable
        Called with the `Trained` when "Use it now" is pressed.
    on_pairs : callable
        Called with sentences about the shift of the pairs.
    on_end : callable
        Called without arguments when a training has ended.
    notify : callable
        Called with an exception: shows it as a notification and returns its sentence.
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
        notify: Callable[[Exception], str],
    ) -> None:
        self._queues, self._loader = queues, loader
        self._on_pairs, self._on_end, self._notify = on_pairs, on_end, notify
        self.training: Finetuning | None = None
        """The training in progress."""
        self._stopped: tuple[FinetunePlan, Path] | None = None
        self._latest: StepDone | None = None
        self.controls = TrainingControls(viewer, on_start, self.pause, self.resume, self.stop)
        self.curves = Curves()
        self.curve_box: Container[Widget] = Container(labels=False)
        self.curve_box.native.layout().addWidget(self.curves)
        self.curve_box.margins = (0, 0, 0, 0)
        self.curve_box.visible = False
        self.validation_layers = ValidationLayers(viewer)
        self.outcome = OutcomeView(on_use)
        self._message_timer = delayed(self._show_step, _MESSAGE_MS)

    @property
    def running(self) -> bool:
        """Whether a training has not ended; it may be paused."""
        return self.training is not None

    @property
    def unfinished(self) -> Sequence[str]:
        """Description of the training in progress, if there is one: "fine-tuning srcnn-x2"."""
        return () if self.training is None else (self.training.description,)

    def begin(self, plan: FinetunePlan, source: Image, folder: Path | None = None) -> None:
        """Begin a training, or continue one of an earlier session.

        Parameters
        ----------
        plan : FinetunePlan
            Model, recipe and images.
        source : napari.layers.Image
            The validation scenes are shown to the right of this layer.
        folder : Path, optional
            Run folder of the training to continue; by default a new one is made.
        """
        self._stopped = None
        self.outcome.clear()
        self.curves.clear()
        self.validation_layers.begin(source)
        self._begin(plan, folder)

    def pause(self) -> None:
        """Pause after this step, as the Pause button does."""
        if self.training is not None:
            self.training.pause()
            self.controls.set_state("paused")
            self.controls.show_message("Pausing after this step…")

    def resume(self) -> None:
        """Continue after a pause, or resume a training that was stopped, as the Resume button does."""
        if self.training is not None:
            self.training.resume()
            self.controls.set_state("running")
        elif self._stopped is not None:
            self._begin(*self._stopped)

    def stop(self) -> None:
        """End after this step and keep the model, as the Stop button does."""
        if self.training is not None:
            self.controls.set_state("stopping")
            self.controls.show_message("Stopping after this step…")
            self.training.stop()

    def happened(self, event: Event) -> None:
        """Show an event of the training."""
        if isinstance(event, StepDone):
            if self._latest is None:
                # From here on, a resumed training that ends without a model is offered by its run folder.
                self._stopped = None
                self.outcome.clear()
            self._latest = event
            self.curves.add_step(event)
            if not self._message_timer.isActive():
                self._message_timer.start()
        elif isinstance(event, Validated):
            self.curves.add_measurement(event)
            self.validation_layers.show(event.crops)
            self.controls.show_measurement(event.sentence(), warns=event.worse_than_bicubic)
        elif isinstance(event, Prepared):
            self.controls.show_progress(event.resumed_at, event.steps)
            self.controls.show_message(_format_prepared(event))
            notes = " ".join((*event.notes, *event.warnings))
            self._on_pairs(notes)
            # The images are folded away while the model is trained.
            self.controls.show_notes(notes)
        elif isinstance(event, Paused):
            self.controls.show_message(f"Paused after step {event.step}.")
        elif isinstance(event, Resumed):
            self.controls.show_message(f"Continuing with step {event.step + 1}…")
        elif isinstance(event, LearningRateLowered):
            self.controls.show_message(
                f"The loss was not a number at step {event.step}: continuing from step {event.back_to} with half the "
                "learning rate."
            )

    def finished(self, trained: Trained) -> None:
        """Show the new model."""
        forget(trained.folder)
        plan = self.training.plan if self.training is not None else None
        done = trained.outcome.finished
        self._stopped = None if done or plan is None else (plan, trained.folder)
        self._end("" if done else _STOPPED)
        self.curves.draw()
        self.outcome.show_trained(trained)
        self.controls.show_measurement("")
        self._on_end()

    def failed(self, error: Exception) -> None:
        """Show the error that ended the training."""
        self._end(self._notify(error))
        self._on_end()

    def cancelled(self) -> None:
        """Show that the training was ended without a model."""
        begun = self._latest is not None
        ended = f"Ended {'early' if begun else 'before the first step'}: there is no new model."
        self._end(ended if self._stopped is None else _STOPPED)
        self._on_end()

    def abandon(self) -> None:
        """End the training within a step, and show nothing any more: the panel is closed."""
        training, self.training = self.training, None
        if training is not None:
            self._queues.trainings.remove_listener(self._show_waiting)
            training.abandon()
        stop_timer(self._message_timer)
        self.validation_layers.remove_later()
        self.controls.warnings.disconnect()

    def _begin(self, plan: FinetunePlan, folder: Path | None) -> None:
        self._latest = None
        self.controls.show_measurement("")
        self.controls.show_notes("")
        self.controls.show_progress(0, 0)
        self.controls.set_state("running")
        self.curve_box.visible = True
        training = Finetuning(
            plan,
            self._loader,
            self._queues,
            self,
            folder,
            on_folder=lambda folder: write_choices(folder, plan),
        )
        self.training = training
        self.controls.show_message("Preparing the images…")
        self._queues.trainings.add_listener(self._show_waiting)
        training.start()
        self._show_waiting()

    def _end(self, message: str) -> None:
        self.training = None
        self._queues.trainings.remove_listener(self._show_waiting)
        stop_timer(self._message_timer)
        if self._stopped is not None:
            # Resume offers it, so its folder need not.
            forget(self._stopped[1])
        self.controls.set_state("idle" if self._stopped is None else "stopped")
        self.controls.show_message(message)

    def _show_waiting(self) -> None:
        if self.training is not None and self.training.ahead:
            self.controls.show_message("Waiting for another training to end…")

    def _show_step(self) -> None:
        step = self._latest
        if step is None or self.controls.state != "running":
            return
        self.controls.show_progress(step.step, step.steps)
        seconds = step.seconds_left if step.step < step.steps else None
        left = "" if seconds is None else f", {format_seconds(seconds)} left"
        self.controls.show_message(f"Step {step.step} of {step.steps}{left}.")


def _format_prepared(event: Prepared) -> str:
    positions = "position" if event.patches == 1 else "positions"
    scenes = f"{event.scenes} validation part{'s' if event.scenes != 1 else ''}"
    begin = "Training" if not event.resumed_at else f"Continuing after step {event.resumed_at}, training"
    return f"{begin} on patches of {event.size} pixels at {event.patches} {positions}; {scenes}."
