"""One training from the window: off the main thread, with its events told on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # qtpy's way of exporting

from napari_sr.errors import InputError
from napari_sr.progress import Cancel, Progress
from napari_sr.training.events import Event, Prepared
from napari_sr.training.recipe import Recipe
from napari_sr.widgets.activity import ActivityBar
from napari_sr.widgets.executor import Run
from napari_sr.widgets.finetune_layers import ImageCopy, ShapesCopy
from napari_sr.widgets.model_loading import ModelLoader, ModelRequest
from napari_sr.widgets.queues import WorkQueues

if TYPE_CHECKING:
    from napari_sr.training.images import TrainingImage
    from napari_sr.training.training import Outcome, Training
    from napari_sr.zoo import Model

LayerPair = tuple[ImageCopy | None, ImageCopy]
"""The low-resolution image, where there is one, and the high-resolution one."""


@dataclass(frozen=True, kw_only=True)
class FinetunePlan:
    """What was chosen at one moment.

    Parameters
    ----------
    request : ModelRequest
        The model that is begun with.
    base : str
        What it is called.
    recipe : Recipe
        How it is trained.
    pairs : tuple of (ImageCopy or None, ImageCopy)
        What it learns from.
    train_on, validate_on : ShapesCopy, optional
        Where.
    name : str
        Of the new model; where there is such a model already, the next free name is taken.
    device : str
        Where it is worked on.
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
    """A training that has ended, and the model file that it has written.

    Parameters
    ----------
    model : Model
        With the name that its file has.
    path : Path
        The file.
    outcome : Outcome
        How far it has come.
    folder : Path
        Of the run: recipe, curves, checkpoint.
    """

    model: Model
    path: Path
    outcome: Outcome
    folder: Path


class TrainingListener(Protocol):
    """Hears how a training goes, on the main thread; one of the last three is called, once."""

    def happened(self, event: Event) -> None:
        """Hear of an event."""

    def finished(self, trained: Trained) -> None:
        """Hear that there is a model."""

    def failed(self, error: Exception) -> None:
        """Hear why there is none."""

    def cancelled(self) -> None:
        """Hear that it was ended before it had learned anything."""


class Mailbox(QObject):
    """Brings events from the training's thread to the main thread, in order, as often as it comes round.

    Parameters
    ----------
    listener : callable
        Hears each.
    """

    _posted = Signal()

    def __init__(self, listener: Any) -> None:
        super().__init__()
        self._listener = listener
        self._events: deque[Event] = deque()
        self._lock, self._called = Lock(), False
        self._posted.connect(self.empty)

    def post(self, event: Event) -> None:
        """Take an event, on any thread; the main thread is called once for all that have come meanwhile."""
        with self._lock:
            self._events.append(event)
            called, self._called = self._called, True
        if not called:
            self._posted.emit()

    def empty(self) -> None:
        """Tell all events that have come. On the main thread."""
        with self._lock:
            self._called = False
        while self._events:
            self._listener(self._events.popleft())


class Finetuning:
    """A training.

    Parameters
    ----------
    plan : Plan
        What is trained on what.
    loader : ModelLoader
        Gives the model that is begun with.
    lanes : Lanes
        Where it waits for its turn.
    listener : Listener
        Who hears of it.
    folder : Path, optional
        Of a run that goes on; by default a new one.
    """

    def __init__(
        self,
        plan: FinetunePlan,
        loader: ModelLoader,
        queues: WorkQueues,
        listener: TrainingListener,
        folder: Path | None = None,
    ) -> None:
        self.plan, self._loader, self._queue, self._folder = plan, loader, queues.trainings, folder
        self._listener: TrainingListener | None = listener
        self._mailbox = Mailbox(self._heard)
        self._pause = Flag()
        self._training: Training | None = None
        self._learning = False
        self._bar: ActivityBar | None = None
        self._run: Run[Trained] = Run(
            f"fine-tuning {plan.base}",
            self._work,
            returned=self._returned,
            errored=self._errored,
            cancelled=self._cancelled,
        )

    @property
    def paused(self) -> bool:
        """Whether it is to wait."""
        return self._pause.is_set()

    @property
    def ahead(self) -> int:
        """Trainings that have to end before this one starts."""
        return self._queue.ahead(self._run)

    def start(self) -> None:
        """Begin, or take one's place in the lane."""
        self._bar = ActivityBar(f"fine-tuning {self.plan.base}", self.stop)
        self._queue.submit(self._run)

    def pause(self) -> None:
        """Wait before the next step."""
        self._pause.set()

    def resume(self) -> None:
        """Go on."""
        self._pause.clear()

    def stop(self) -> None:
        """End after this step with the model as it is; before the first step, without one."""
        if self._learning and self._training is not None:
            self._training.stop()
        else:
            self._queue.cancel(self._run)

    def abandon(self) -> None:
        """End within a step, write no model, and tell nobody: the window it was for is gone."""
        self._run.abandon()
        self._end()

    def _work(self, progress: Progress, cancel: Cancel) -> Trained:
        """Train, on the lane's thread."""
        # Here and not above: it imports torch, which must not hold up the drawing of a panel.
        from napari_sr.training.finetuning import new_run_folder
        from napari_sr.training.result import save_once
        from napari_sr.training.training import Training

        plan = self.plan
        model = self._loader.load(plan.request)
        images = take_images(plan, model.scale)
        folder = self._folder or new_run_folder(plan.name)
        training = Training(
            plan.recipe,
            images,
            model,
            folder=folder,
            name=free_name(plan.name),
            device=plan.device,
            on_event=self._mailbox.post,
            cancel=cancel,
            pause=self._pause.is_set,
        )
        self._training = training
        outcome = training.run()
        saved, path = save_once(outcome.model, folder)
        return Trained(saved, path, outcome, folder)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Prepared):
            self._learning = True
        step, steps = getattr(event, "step", None), getattr(event, "steps", None)
        if self._bar is not None and step is not None and steps is not None:
            self._bar.show(step, steps)
        if self._listener is not None:
            self._listener.happened(event)

    def _returned(self, trained: Trained) -> None:
        listener = self._end()
        if listener is not None:
            listener.finished(trained)

    def _errored(self, error: Exception) -> None:
        listener = self._end()
        if listener is not None:
            listener.failed(error)

    def _cancelled(self) -> None:
        listener = self._end()
        if listener is not None:
            listener.cancelled()

    def _end(self) -> TrainingListener | None:
        # What was posted last must be heard before the end is.
        self._mailbox.empty()
        listener, self._listener = self._listener, None
        self._training = None
        if self._bar is not None:
            self._bar.close()
        return listener


def take_images(plan: FinetunePlan, scale: int) -> list[TrainingImage]:
    """Take what a plan learns from, row by row: each has axes of its own. On any thread.

    Raises
    ------
    InputError
        If something is no image, a pair does not fit together, or the regions do not lie on an image.
    """
    from napari_sr.training.images import training_images

    taken: list[TrainingImage] = []
    for low, high in plan.pairs:
        if low is not None and low.letters != high.letters:
            raise InputError(
                f"{low.name} has the axes {low.letters} and {high.name} {high.letters}: give images with the same axes."
            )
        taken += training_images(
            [high if low is None else (low, high)],
            scale,
            axes=high.letters,
            train_on=plan.train_on,
            validate_on=plan.validate_on,
        )
    for image in taken:
        _check_content(image)
    return taken


def _check_content(image: TrainingImage) -> None:
    """Refuse a constant image before its brightness is looked at, which would end with a stranger sentence."""
    for index in image.axes.plane_indices():
        plane = np.asarray(image.axes.plane(image.high, index))
        if plane.size and plane.min() != plane.max():
            return
    raise InputError(f"{image.name} is constant: give an image with something in it.")


def free_name(name: str) -> str:
    """A name that no model has, bundled and published ones included: it, or it with a number."""
    from napari_sr.zoo import list_models

    taken = {entry.name for entry in list_models()}
    return next(candidate for candidate in _numbered(name, len(taken) + 1) if candidate not in taken)


def _numbered(name: str, most: int) -> Sequence[str]:
    return [name, *(f"{name}-{number}" for number in range(2, most + 2))]
