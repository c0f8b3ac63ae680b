"""A training from images and a recipe to a model: what a window, a script and the command line hold."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from napari_sr.config import load_settings
from napari_sr.errors import InputError
from napari_sr.inference.device import choose_device, ieee_float32
from napari_sr.training.controls import Controls, Predicate, never
from napari_sr.training.events import Event, EventListener, Validated
from napari_sr.training.generator import make_generator, patch_sizes
from napari_sr.training.images import images_in, pixel_size_of, training_images
from napari_sr.training.loop import ONLY, Kept, Loop
from napari_sr.training.precision import choose_training_precision, fabric_for
from napari_sr.training.recipe import Recipe, load_recipe
from napari_sr.training.result import make_model
from napari_sr.training.training_set import TrainingSet, make_training_set
from napari_sr.zoo.architectures import build_empty
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.catalog import as_model, load_model
from napari_sr.zoo.model import Model


@dataclass(frozen=True)
class Outcome:
    """What a training has come to.

    Parameters
    ----------
    model : Model
        With its card; not written to any file yet.
    step, steps : int
        How many steps were done, how many the recipe has.
    reached : mapping of str to Validated
        The measurement of each set of weights in the model.
    """

    model: Model
    step: int
    steps: int
    reached: Mapping[str, Validated]

    @property
    def finished(self) -> bool:
        """Whether the recipe was run to its end; if not, running again goes on."""
        return self.step == self.steps


def _ignore_event(event: Event) -> None:
    pass


class Training:
    """One training; made on the thread that owns the layers, run on any.

    Parameters
    ----------
    recipe : Recipe, str or Path
        A recipe, a preset's name or a TOML file.
    images : as `training_images` takes them, optional
        What to learn from; left out, the files that the recipe names.
    model : Model or str, optional
        To fine-tune, or to begin a new network with.
    folder : Path
        Of the run: recipe, checkpoint, log. A run that is there goes on.
    data : Path, optional
        Where the paths in the recipe start.
    name : str, optional
        Of the model that is made; by default the recipe's.
    axes, train_on, validate_on
        As `training_images` takes them.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    listen : callable, optional
        Called with every event (`napari_sr.training.events`), on the training's thread.
    cancel, pause : callable, optional
        Predicates. `cancel` is asked between the phases of a step and ends the run with `Cancelled`; while `pause` says
        yes, the run waits before the next step.
    tensorboard : bool
        Also log for TensorBoard.

    Raises
    ------
    InputError
        If recipe, images or model do not fit.
    CheckpointError
        If the model cannot be loaded.
    """

    def __init__(
        self,
        recipe: Recipe | str | Path,
        images: Any = None,
        model: Model | str | Path | None = None,
        *,
        folder: Path,
        data: Path | None = None,
        name: str | None = None,
        axes: str | None = None,
        train_on: Any = None,
        validate_on: Any = None,
        device: str | None = None,
        on_event: EventListener | None = None,
        cancel: Predicate | None = None,
        pause: Predicate | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.recipe = load_recipe(recipe)
        self.device = choose_device(load_settings(device=device).device)
        self.folder, self.name = folder, name or self.recipe.name
        self._base = None if model is None else as_model(model)
        if self._base is None and self.recipe.start is not None:
            self._base = load_model(self.recipe.start)
        scale = _scale(self.recipe, self._base)
        if images is None:
            if not self.recipe.data.images:
                raise InputError("There are no images to train on: give some, or name them in the recipe's data.")
            self._images = images_in(self.recipe.data.images, data, scale)
        else:
            self._images = training_images(images, scale, axes=axes, train_on=train_on, validate_on=validate_on)
        held = self.recipe.validation.images if images is None else ()
        self._held = images_in(held, data, scale)
        rgb = any(image.axes.rgb for image in self._images)
        self._data = data
        self._generator = make_generator(self.recipe, self._base, rgb)
        self._sizes, self.batch = patch_sizes(self.recipe.patches, self._generator.card)
        self._on_event = on_event or _ignore_event
        self._controls = Controls(cancel or never, pause or never)
        self._tensorboard = tensorboard
        self._training_set: TrainingSet | None = None

    def pause(self) -> None:
        """Wait before the next step, until `resume`; from any thread."""
        self._controls.pause()

    def resume(self) -> None:
        """Go on after `pause`; from any thread."""
        self._controls.resume()

    def stop(self) -> None:
        """End after this step, with a checkpoint and the model as it is; from any thread."""
        self._controls.stop()

    def prepare(self) -> TrainingSet:
        """Read the images and make the patches and scenes; `run` does it when it was not done.

        Raises
        ------
        InputError
            If an image cannot be used, or nothing is left to learn from.
        """
        if self._training_set is None:
            card = self._generator.card
            self._training_set = make_training_set(
                self._images,
                self._held,
                self.recipe,
                scale=card.scale,
                sizes=self._sizes,
                margin=self._generator.margin,
                color=self._generator.color,
            )
        return self._training_set

    @property
    def precision(self) -> str:
        """What the networks compute in: the recipe's, with "auto" settled."""
        return choose_training_precision(self.recipe.precision, self.device, self._generator.network)

    def check_batch(self, processes: int) -> None:
        """Raise `InputError` unless the batch can be dealt out evenly to so many processes."""
        for stage in self.recipe.stages:
            if self.batch % (processes * stage.accumulate):
                raise InputError(
                    f"A batch of {self.batch} patches cannot be dealt out evenly to {processes} processes and "
                    f"{stage.accumulate} parts: choose a multiple of {processes * stage.accumulate}."
                )

    def run(self, fabric: Fabric | None = None) -> Outcome:
        """Train to the end of the recipe, or until `stop`.

        Parameters
        ----------
        fabric : Fabric, optional
            Already launched, for several processes.

        Returns
        -------
        Outcome
            The model, and how far it has come.

        Raises
        ------
        InputError
            If something cannot be used, a loss is not a number twice, or a checkpoint cannot be written.
        Cancelled
            If `cancel` said yes; the last checkpoint stands.
        """
        self._controls.start()
        training_set = self.prepare()
        fabric = fabric or fabric_for(self.device, self.precision)
        self.check_batch(fabric.world_size)
        # A run begins with the weights that it was given, and not with those of the run before.
        generator = replace(self._generator, network=deepcopy(self._generator.network))
        loop = Loop(
            _with_files(self.recipe, self._data),
            generator,
            training_set,
            fabric,
            self.folder,
            size=training_set.patches.size,
            batch=self.batch,
            controls=self._controls,
            on_event=self._on_event,
            identity=self.recipe.to_toml(),
            tensorboard=self._tensorboard,
        )
        with ieee_float32():
            done = loop.run()
        return self._outcome(training_set, loop.kept, done)

    def _outcome(self, training_set: TrainingSet, kept: Kept, done: int) -> Outcome:
        weights, reached, recipe = kept.weights, kept.reached, self.recipe
        wanted = {stage.endpoint for stage in recipe.stages if stage.endpoint is not None}
        if wanted - weights.keys():
            # Stopped before the second endpoint: what is there is a model of one weight set.
            latest = next(reversed(weights))
            weights = {ONLY: weights[latest]}
            reached = {ONLY: reached[latest]} if latest in reached else {}
        model = make_model(
            self._generator.card,
            recipe,
            training_set,
            weights,
            name=self.name,
            base=None if self._base is None else self._base.card,
            paired=all(image.low is not None for image in self._images),
            pixel_size=pixel_size_of(self._images, self._generator.card.scale),
            reached=reached,
        )
        return Outcome(model, done, recipe.steps, reached)


def _scale(recipe: Recipe, model: Model | None) -> int:
    if recipe.network is not None:
        empty = build_empty(Architecture(network=recipe.network.name, settings=recipe.network.settings))
        return int(getattr(empty, "scale", 0))
    if model is None:
        raise InputError("The recipe names no network: give a model to fine-tune, or add a table [network].")
    return model.scale


def _with_files(recipe: Recipe, data: Path | None) -> Recipe:
    """The recipe with the weights of its perceptual losses looked for in the data folder too."""
    if data is None:
        return recipe
    stages = []
    for stage in recipe.stages:
        losses = []
        for loss in stage.losses:
            file = getattr(loss, "weights", None)
            if file is not None and not Path(file).is_file() and (data / file).is_file():
                loss = loss.model_copy(update={"weights": str(data / file)})
            losses.append(loss)
        stages.append(stage.model_copy(update={"losses": tuple(losses)}))
    return recipe.model_copy(update={"stages": tuple(stages)})
