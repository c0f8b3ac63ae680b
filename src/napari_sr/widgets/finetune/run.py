"""One training from the window: off the main thread, with its events delivered on the main thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # qtpy's way of exporting

from napari_sr.errors import InputError
from napari_sr.progress import Cancel, Progress
from napari_sr.training.events import Event, Prepared
from napari_sr.training.recipe import Recipe
from napari_sr.widgets.choices.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.finetune.layer_snapshot import ImageCopy, ShapesCopy
from napari_sr.widgets.qt.activity import ActivityBar
from napari_sr.widgets.qt.queues import WorkQueues
from napari_sr.widgets.qt.run import Run
from napari_sr.zoo.names import numbered

if TYPE_CHECKING:
    from napari_sr.training.data.images import TrainingImage
    from napari_sr.training.training import Outcome, Training
    from napari_sr.zoo import Model

LayerPair = tuple[ImageCopy | None, ImageCopy]
"""The low-resolution image, if there is one, and the high-resolution image."""

#: Number of rows that are read at a time to find content.
_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class FinetunePlan:
    """The choices of the panel at one moment.

    Parameters
    ----------
    request : ModelRequest
        The model to begin with.
    base : str
        Its name.
    recipe : Recipe
        The training.
    pairs : tuple of (ImageCopy or None, ImageCopy)
        The images.
    train_on, validate_on : ShapesCopy, optional
        Regions for training and for validation.
    name : str
        Name of the new model. If there is such a model already, a number is appended.
    device : str, default "auto"
        Device of the training.
    """

    request: ModelRequest
    base: str
    recipe: Recipe
    pairs: tuple[LayerPair, ...]
    train_on: ShapesCopy | None = None
    validate_on: ShapesCopy | None = None
    name: str
    device: str = "auto"


@dataclass(frozen=True)
class Trained:
    """A training that has ended with a model.

    Parameters
    ----------
    model : Model
        The new model, with the name of its file.
    path : Path
        The file.
    outcome : Outcome
        Steps and measurements.
    folder : Path
        The run folder with recipe, curves and checkpoint.
    """

    model: Model
    path: Path
    outcome: Outcome
    folder: Path


class TrainingListener(Protocol):
    """Callbacks of a training, on the main thread. Exactly one of the last three is called, once."""

    def happened(self, event: Event) -> None:
        """Receive an event."""

    def finished(self, trained: Trained) -> None:
        """Receive the new model."""

    def failed(self, error: Exception) -> None:
        """Receive the error, of any type, that ended the training."""

    def cancelled(self) -> None:
        """Receive that the training was ended without a model."""


class EventQueue(QObject):
    """Delivers events from the thread of a training to the main thread, in order.

    Parameters
    ----------
    listener : callable
        Called with each event, on the main thread.
    """

    _posted = Signal()

    def __init__(self, listener: Callable[[Event], None]) -> None:
        super().__init__()
        self._listener = listener
        self._events: deque[Event] = deque()
        self._lock, self._signaled = Lock(), False
        self._posted.connect(self.deliver)

    def post(self, event: Event) -> None:
        """Add an event, on any thread; one signal is sent for all events that the main thread has not yet received."""
        with self._lock:
            self._events.append(event)
            signaled, self._signaled = self._signaled, True
        if not signaled:
            self._posted.emit()

    def deliver(self) -> None:
        """Call the listener with all events so far; on the main thread."""
        with self._lock:
            self._signaled = False
        while self._events:
            self._listener(self._events.popleft())


class Finetuning:
    """One training.

    Parameters
    ----------
    plan : FinetunePlan
        Model, recipe and images.
    loader : ModelLoader
        Loads the model to begin with.
    queues : WorkQueues
        The training waits in the queue for trainings.
    listener : TrainingListener
        Its methods are called.
    folder : Path, optional
        Run folder of a training to resume. By default a new one is made.
    on_folder : callable
        Called on the thread of the training with its run folder, when the folder is locked and before the first step.
    """

    def __init__(
        self,
        plan: FinetunePlan,
        loader: ModelLoader,
        queues: WorkQueues,
        listener: TrainingListener,
        folder: Path | None = None,
        *,
        on_folder: Callable[[Path], None],
    ) -> None:
        self.plan, self._loader, self._queue, self._folder = plan, loader, queues.trainings, folder
        self._on_folder = on_folder
        self._listener: TrainingListener | None = listener
        self._events = EventQueue(self._received)
        self._pause = Flag()
        self._training: Training | None = None
        self._prepared = False
        self._bar = ActivityBar(self.description, self.stop)
        self._run: Run[Trained] = Run(
            self.description,
            self._work,
            returned=self._returned,
            errored=self._errored,
            cancelled=self._cancelled,
        )

    @property
    def description(self) -> str:
        """The model to begin with: "fine-tuning srcnn-x2"."""
        return f"fine-tuning {self.plan.base}"

    @property
    def ahead(self) -> int:
        """Number of trainings that have to end before this one starts."""
        return self._queue.ahead(self._run)

    def start(self) -> None:
        """Start the training, or wait in the queue."""
        self._bar.open()
        self._queue.submit(self._run)

    def pause(self) -> None:
        """Pause before the next step."""
        self._pause.set()

    def resume(self) -> None:
        """Continue after a pause."""
        self._pause.clear()

    def stop(self) -> None:
        """End after this step with the present model; before the first step, without a model."""
        if self._prepared and self._training is not None:
            self._training.stop()
        else:
            self._queue.cancel(self._run)

    def abandon(self) -> None:
        """End within a step without a model, and call the listener no more: the panel is closed."""
        self._queue.abandon(self._run)
        # Before the last events are delivered: the widgets of the listener may be deleted already.
        self._listener = None
        self._end()

    def _work(self, progress: Progress, cancel: Cancel) -> Trained:
        """Train, on the thread of the queue."""
        # Imports at the top would import torch before the panel is drawn.
        from napari_sr.training.finetuning import new_run_folder
        from napari_sr.training.result import save_once
        from napari_sr.training.training import Training

        plan = self.plan
        model = self._loader.load(plan.request)
        images = read_training_images(plan, model.scale)
        folder = self._folder or new_run_folder(plan.name)

        def on_event(event: Event) -> None:
            if isinstance(event, Prepared):
                self._on_folder(folder)
            self._events.post(event)

        training = Training(
            plan.recipe,
            images,
            model,
            folder=folder,
            name=free_name(plan.name),
            device=plan.device,
            on_event=on_event,
            cancel=cancel,
            pause=self._pause.is_set,
        )
        self._training = training
        outcome = training.run()
        saved, path = save_once(outcome.model, folder)
        return Trained(saved, path, outcome, folder)

    def _received(self, event: Event) -> None:
        if isinstance(event, Prepared):
            self._prepared = True
        step, steps = getattr(event, "step", None), getattr(event, "steps", None)
        if self._listener is not None:
            self._listener.happened(event)
        # Last: napari's bar handles events, among them the end of this training.
        if step is not None and steps is not None:
            self._bar.show(step, steps)

    def _returned(self, trained: Trained) -> None:
        if (listener := self._end()) is not None:
            listener.finished(trained)

    def _errored(self, error: Exception) -> None:
        if (listener := self._end()) is not None:
            listener.failed(error)

    def _cancelled(self) -> None:
        if (listener := self._end()) is not None:
            listener.cancelled()

    def _end(self) -> TrainingListener | None:
        """Deliver the last events and close the bar; return the listener if it was not called with the end yet."""
        self._events.deliver()
        listener, self._listener = self._listener, None
        self._training = None
        self._bar.close()
        return listener


def read_training_images(plan: FinetunePlan, scale: int) -> list[TrainingImage]:
    """Match the pairs of a plan and rasterize its regions; may be called on any thread.

    There is one training image for each pair. Raises `InputError` if an image cannot be used, a pair does not fit
    together at the factor, or the regions do not lie on an image.
    """
    from napari_sr.training.data.images import training_images

    images: list[TrainingImage] = []
    for low, high in plan.pairs:
        if low is not None and low.letters != high.letters:
            raise InputError(
                f"{low.name} has the axes {low.letters} and {high.name} {high.letters}: choose images with equal axes."
            )
        # One by one: the rows of the table may have different axes.
        images += training_images(
            [high if low is None else (low, high)],
            scale,
            axes=high.letters,
            train_on=plan.train_on,
            validate_on=plan.validate_on,
        )
    for image in images:
        _check_content(image)
    return images


def _check_content(image: TrainingImage) -> None:
    """Refuse a constant image; without this, the error would be about its intensity range."""
    height = image.axes.shape[image.axes.y]
    for index in image.axes.plane_indices():
        extremes: list[float] = []
        # By rows, since a plane may be larger than memory.
        for top in range(0, height, _ROWS):
            rows = slice(top, min(top + _ROWS, height))
            part = image.axes.plane(image.high, image.axes.part(index, rows, slice(None)))
            extremes += [part.min().item(), part.max().item()]
            if len(set(extremes)) > 1:
                return
    raise InputError(f"{image.name} is constant: choose an image with content.")


def free_name(name: str) -> str:
    """Return a name that no model has, bundled and published ones included: with a number if it is taken."""
    from napari_sr.zoo import list_models

    taken = {entry.name for entry in list_models()}
    return next(free for number in count(1) if (free := numbered(name, number)) not in taken)
