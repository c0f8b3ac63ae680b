"""A training: from images and a recipe to a model. Window, scripts and command line share this object."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from lightning_fabric import Fabric

from napari_sr.config import load_settings
from napari_sr.conversion import read_callable, read_path
from napari_sr.errors import InputError
from napari_sr.inference.compute.device import choose_device
from napari_sr.inference.compute.too_little_memory import sentence_for_too_little_memory
from napari_sr.progress import Cancel, never
from napari_sr.torch_state import ieee_float32, own_torch_state
from napari_sr.training.conditioning import covered_conditions
from napari_sr.training.controls import Controls
from napari_sr.training.data.conditions.preparation import make_conditioned_set
from napari_sr.training.data.fields import describe_part, describe_planes, used_part
from napari_sr.training.data.images import images_in, pixel_size_of, training_images
from napari_sr.training.data.training_set import TrainingSet, make_training_set
from napari_sr.training.events import EventListener, Validated
from napari_sr.training.generator.generator import make_generator, patch_sizes, scale_of
from napari_sr.training.loop.checkpoint.identity import model_hash
from napari_sr.training.loop.checkpoint.run_state import begun_precision
from napari_sr.training.loop.loop import Loop
from napari_sr.training.loop.other_accelerators import load_accelerators
from napari_sr.training.loop.precision import choose_training_precision, fabric_for
from napari_sr.training.loop.stage_run import ONLY, TrainedWeights
from napari_sr.training.recipe import Recipe, load_recipe
from napari_sr.training.recipe.table import RecipeTable
from napari_sr.training.result import make_model
from napari_sr.training.run_lock import locked_folder
from napari_sr.zoo.catalog import as_model, load_model
from napari_sr.zoo.model import Model
from napari_sr.zoo.names import check_name

_Table = TypeVar("_Table")
#: The note of a training with other images than those of its recipe.
_OWN_VALIDATION = (
    "Images were given in place of those of the recipe, so that its images for validation are not used either: parts "
    "of the given images are kept for validation."
)


@dataclass(frozen=True)
class Outcome:
    """The result of a training.

    Parameters
    ----------
    model : Model
        The model with its card; it is not written to a file yet.
    step : int
        Number of completed steps.
    steps : int
        Number of steps of the recipe.
    reached : mapping of str to Validated
        The measurement of each set of weights in the model, by its name.
    """

    model: Model
    step: int
    steps: int
    reached: Mapping[str, Validated]

    @property
    def finished(self) -> bool:
        """Whether all steps of the recipe are completed; if not, another run continues the training."""
        return self.step == self.steps


class Training:
    """A training from images and a recipe to a model.

    Make it on the thread that owns the napari layers, usually the main thread. All its methods may be called from any
    thread. A training writes checkpoints into its folder and continues from the last one: on a CPU with the same number
    of threads, the weights are then bit-identical to those of an uninterrupted run.

    Parameters
    ----------
    recipe : Recipe, str or Path
        A recipe, the name of a preset ("srcnn", "srgan", "esrgan", "quick", "standard", "thorough"), or the path of a
        TOML file.
    images : array, napari layer, path, (low, high) pair, or list of these, optional
        High-resolution images, from which the recipe's degradation computes low-resolution ones; or pairs, each a tuple
        with the low-resolution image first. Arrays are numpy, dask or zarr arrays, which may be larger than memory.
        Layers of a pair are matched by their positions in the world. Blocks of the images are kept for validation, also
        if the recipe names images for it. By default the files that the recipe names for training and for validation.
    model : Model, str or Path, optional
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint: the model to fine-tune,
        or, if the recipe has a new network, the weights to start with. By default that of the recipe's `start`.
    folder : str or Path
        Folder of the run, with its recipe, curves, log and checkpoint; a run that is in it continues.
    data : str or Path, optional
        Folder at which relative paths in the recipe start; by default the working directory.
    name : str, optional
        Name of the new model; by default that of the recipe.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the arrays and layers; by default from their shapes, as in
        `upscale`.
    train_on : napari Shapes layer, optional
        Rectangles, ellipses and polygons that limit the patches for training; by default whole images are used.
    validate_on : napari Shapes layer, optional
        Rectangles, ellipses and polygons that are kept for validation instead of blocks of the images.
    device : str, optional
        Device that computes: auto, cpu or one listed by napari-sr check. By default that of the settings file, or else
        "auto", which takes a GPU where there is one.
    on_event : callable, optional
        Called with every event of `napari_sr.training.events`, on the thread of the training.
    cancel : callable, optional
        Called without arguments between the phases of every step; returning True ends the run with `Cancelled`.
    pause : callable, optional
        Called without arguments before every step; the training waits as long as it returns True.
    tensorboard : bool, default False
        Also write a log for TensorBoard, which has to be installed.

    Attributes
    ----------
    recipe : Recipe
        The recipe.
    folder : Path
        Folder of the run.
    name : str
        Name of the new model.
    device : torch.device
        Device that computes.
    batch : int
        Number of patches of a step.

    Raises
    ------
    InputError
        If recipe, images, model or device cannot be used.
    CheckpointError
        If the model cannot be loaded.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> image = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    >>> recipe = sr.Recipe.from_toml("stages = [{ steps = 3, losses = [{ kind = 'l1' }] }]")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcome = sr.Training(recipe, image, "srcnn-x2", folder=folder, device="cpu").run()
    >>> outcome.step, outcome.finished
    (3, True)
    """

    @own_torch_state()
    def __init__(
        self,
        recipe: Recipe | str | os.PathLike[str],
        images: Any = None,
        model: Model | str | os.PathLike[str] | None = None,
        *,
        folder: str | os.PathLike[str],
        data: str | os.PathLike[str] | None = None,
        name: str | None = None,
        axes: str | None = None,
        train_on: Any = None,
        validate_on: Any = None,
        device: str | None = None,
        on_event: EventListener | None = None,
        cancel: Cancel | None = None,
        pause: Callable[[], bool] | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.recipe = load_recipe(recipe)
        load_accelerators()
        self.device = choose_device(load_settings(device=device).device)
        self.folder, self.name = read_path(folder, "folder"), check_name(self.recipe.name if name is None else name)
        self._data = None if data is None else read_path(data, "folder of the data")
        self._base = None if model is None else as_model(model)
        if self._base is None and self.recipe.start is not None:
            self._base = load_model(self.recipe.start)
        scale = scale_of(self.recipe, self._base)
        if images is None:
            if not self.recipe.data.images:
                raise InputError("There are no images to train on: give some, or name them in the recipe's data.")
            self._images = images_in(self.recipe.data.images, self._data, scale)
            self._validation_images = images_in(self.recipe.validation.images, self._data, scale)
        else:
            self._images = training_images(images, scale, axes=axes, train_on=train_on, validate_on=validate_on)
            self._validation_images = []
        rgb = any(image.axes.rgb for image in self._images)
        self._generator = make_generator(self.recipe, self._base, rgb)
        self._sizes, self.batch = patch_sizes(self.recipe.patches, self._generator.card)
        self._on_event = read_callable(on_event, "on_event") or (lambda event: None)
        self._controls = Controls(read_callable(cancel, "cancel") or never, read_callable(pause, "pause") or never)
        self._tensorboard = tensorboard
        self._training_set: TrainingSet | None = None

    def pause(self) -> None:
        """Make the training wait before its next step, until `resume` is called."""
        self._controls.pause()

    def resume(self) -> None:
        """End a pause that `pause` began."""
        self._controls.resume()

    def stop(self) -> None:
        """End the training after its present step, with a checkpoint and the model so far.

        Before `run`, it ends the next run before its first step.
        """
        self._controls.stop()

    @own_torch_state()
    def prepare(self) -> TrainingSet:
        """Read the images and prepare patches and validation scenes; `run` does this if it was not done before.

        Returns
        -------
        TrainingSet
            Patches, validation scenes, and the description of the images for the card.

        Raises
        ------
        InputError
            If an image cannot be used, or no patch is left for training.
        """
        if self._training_set is None:
            self._training_set = self._prepared()
        return self._training_set

    def _prepared(self) -> TrainingSet:
        scale, sizes, recipe = self._generator.card.scale, self._sizes, self.recipe
        images, held = (
            [used_part(image, scale, recipe, number) for number, image in enumerate(given)]
            for given in (self._images, self._validation_images)
        )
        if recipe.conditions is not None:
            training_set = make_conditioned_set(images, held, recipe, scale=scale, sizes=sizes)
        else:
            training_set = make_training_set(
                images,
                held,
                recipe,
                scale=scale,
                sizes=sizes,
                margin=self._generator.margin,
                color=self._generator.color,
                conditioned=self._generator.conditioned,
            )
        pairs = zip((*self._images, *self._validation_images), (*images, *held), strict=True)
        parts = [text for whole, used in pairs if (text := describe_part(whole, used)) is not None]
        planes = (describe_planes(image, recipe.data.planes) for image in (*images, *held))
        parts += [text for text in planes if text is not None]
        if recipe.validation.images and not self._validation_images:
            parts.append(_OWN_VALIDATION)
        return replace(training_set, notes=(*training_set.notes, *parts))

    @property
    def precision(self) -> str:
        """Number format of the networks: "float32", "bfloat16" or "float16". A run that continues keeps its own."""
        network, begun = self._generator.network, begun_precision(self.folder)
        return choose_training_precision(self.recipe.precision, self.device, network, begun)

    def check_batch(self, processes: int) -> None:
        """Check that the batch can be divided evenly among processes.

        Parameters
        ----------
        processes : int
            Number of processes, 1 or more.

        Raises
        ------
        InputError
            If the batch is not a multiple of the number of processes times `Stage.accumulate`.
        """
        for stage in self.recipe.stages:
            if self.batch % (processes * stage.accumulate):
                raise InputError(
                    f"A batch of {self.batch} patches cannot be divided evenly among {processes} "
                    f"{'process' if processes == 1 else 'processes'} in {stage.accumulate} parts: choose a multiple of "
                    f"{processes * stage.accumulate}."
                )

    @own_torch_state(gradients=True)
    def run(self, fabric: Fabric | None = None) -> Outcome:
        """Train to the end of the recipe, or until `stop` is called.

        Parameters
        ----------
        fabric : Fabric, optional
            A launched fabric of several processes; by default this process trains alone.

        Returns
        -------
        Outcome
            The model, and the number of completed steps.

        Raises
        ------
        InputError
            If an image cannot be used, the folder holds another training or is used by one that runs, a loss is not a
            number a second time, a checkpoint cannot be written, or there is too little memory.
        Cancelled
            If `cancel` returned True; the last checkpoint is kept.
        """
        training_set = self.prepare()
        alone = fabric is None
        fabric = fabric or fabric_for(self.device, self.precision)
        self.check_batch(fabric.world_size)
        # Copied, so that another run starts with the given weights and not with those of this run.
        generator = replace(self._generator, network=deepcopy(self._generator.network))
        loop = Loop(
            _with_files(self.recipe, self._data),
            generator,
            training_set,
            fabric,
            self.folder,
            batch=self.batch,
            controls=self._controls,
            on_event=self._on_event,
            identity={
                "recipe": self.recipe.to_toml(),
                "model": "" if self._base is None else model_hash(self._base),
                "images": training_set.fingerprint,
            },
            tensorboard=self._tensorboard,
        )
        # Several processes train for one that has the lock.
        lock = locked_folder(self.folder, training_set.fingerprint) if alone else nullcontext()
        size = training_set.patches.size
        too_little_memory = sentence_for_too_little_memory(
            f"There is too little memory to train on {fabric.device} with {self.batch} patches of {size} x {size} "
            "low-resolution pixels in a step: choose smaller patches, a smaller batch or a larger accumulate in the "
            "recipe, or another device."
        )
        with self._controls.followed(), lock, ieee_float32(), too_little_memory:
            step = loop.run()
        return self._outcome(training_set, loop.trained, step)

    def _outcome(self, training_set: TrainingSet, trained: TrainedWeights, step: int) -> Outcome:
        weights, measurements, recipe = trained.weights, trained.measurements, self.recipe
        endpoints = {stage.endpoint for stage in recipe.stages if stage.endpoint is not None}
        if endpoints - weights.keys():
            # Stopped before the second endpoint: the model has the latest weights only.
            latest = next(reversed(weights))
            weights = {ONLY: weights[latest]}
            measurements = {ONLY: measurements[latest]} if latest in measurements else {}
        model = make_model(
            self._generator.card,
            recipe,
            training_set,
            weights,
            name=self.name,
            base=None if self._base is None else self._base.card,
            paired=all(image.low is not None for image in self._images),
            pixel_size=pixel_size_of(self._images, self._generator.card.scale),
            conditioning=covered_conditions(self._generator, training_set.patches),
            measurements=measurements,
        )
        return Outcome(model, step, recipe.steps, measurements)


def _with_files(recipe: Recipe, data: Path | None) -> Recipe:
    """Return the recipe with paths in the data folder for the weights of trained networks, if they are there."""
    if data is None:
        return recipe
    stages = [
        stage.model_copy(
            update={
                "losses": tuple(_with_file(loss, data) for loss in stage.losses),
                "discriminator": _with_file(stage.discriminator, data),
            }
        )
        for stage in recipe.stages
    ]
    return recipe.model_copy(update={"stages": tuple(stages)})


def _with_file(table: _Table, data: Path) -> _Table:
    """Return a table of a recipe with the path of its weights in the data folder, if they are there."""
    file = getattr(table, "weights", None)
    if not isinstance(table, RecipeTable) or file is None or Path(file).is_file() or not (data / file).is_file():
        return table
    return table.model_copy(update={"weights": str(data / file)})
