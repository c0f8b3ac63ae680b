"""A training from the first step to the model: the loop, its controls and its checkpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference.device import choose_device, ieee_float32
from napari_sr.training import recipe as recipes
from napari_sr.training.checkpoint import read_checkpoint, write_checkpoint
from napari_sr.training.events import (
    CheckpointWritten,
    Event,
    Listener,
    Paused,
    Prepared,
    RateLowered,
    Resumed,
    StepDone,
    Validated,
)
from napari_sr.training.generator import Generator, make_generator, patch_size
from napari_sr.training.images import images_in, pixel_size_of, training_images
from napari_sr.training.log import Log
from napari_sr.training.precision import choose_precision, fabric_for
from napari_sr.training.progress import Pace
from napari_sr.training.recipe import Recipe, load_recipe
from napari_sr.training.result import make_model
from napari_sr.training.stage import Diverged, StageWork
from napari_sr.training.training_set import TrainingSet, make_training_set
from napari_sr.training.validation import Score, Validator
from napari_sr.zoo.architectures import build_empty
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.catalogue import load_model
from napari_sr.zoo.model import Model

Predicate = Callable[[], bool]
State = dict[str, Any]
#: Seconds between two looks at the controls during a pause.
_LOOK = 0.05


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


def _never() -> bool:
    return False


def _unheard(event: Event) -> None:
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
        model: Model | str | None = None,
        *,
        folder: Path,
        data: Path | None = None,
        name: str | None = None,
        axes: str | None = None,
        train_on: Any = None,
        validate_on: Any = None,
        device: str = "auto",
        listen: Listener | None = None,
        cancel: Predicate | None = None,
        pause: Predicate | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.recipe = load_recipe(recipe)
        self.device = choose_device(device)
        self.folder, self.name = folder, name or self.recipe.name
        self._base = load_model(model) if isinstance(model, str) else model
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
        self.recipe = _with_files(self.recipe, data)
        self._generator: Generator = make_generator(self.recipe, self._base, rgb)
        self.size, self.batch = patch_size(self.recipe.patches, self._generator.card)
        self._listen, self._cancel, self._pause = listen or _unheard, cancel or _never, pause or _never
        self._tensorboard = tensorboard
        self._paused, self._stopped = threading.Event(), threading.Event()
        self._learnt: TrainingSet | None = None
        self._fabric: Fabric | None = None
        self._kept: dict[str, dict[str, Tensor]] = {}
        self._reached: dict[str, Validated] = {}

    # The controls: from any thread.

    def pause(self) -> None:
        """Wait before the next step, until `resume`."""
        self._paused.set()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused.clear()

    def stop(self) -> None:
        """End after this step, with a checkpoint and the model as it is."""
        self._stopped.set()

    # The work: on one thread.

    def prepare(self) -> TrainingSet:
        """Read the images and make the patches and scenes; `run` does it when it was not done.

        Raises
        ------
        InputError
            If an image cannot be used, or nothing is left to learn from.
        """
        if self._learnt is None:
            card = self._generator.card
            self._learnt = make_training_set(
                self._images,
                self._held,
                self.recipe,
                scale=card.scale,
                size=self.size,
                margin=self._generator.margin,
                colour=self._generator.colour,
            )
        return self._learnt

    def run(self, fabric: Fabric | None = None) -> Outcome:
        """Train to the end of the recipe, or until `stop`.

        Parameters
        ----------
        fabric : Fabric, optional
            Already launched, for several processes.

        Returns
        -------
        Outcome
            On every process the same.

        Raises
        ------
        InputError
            If something cannot be used, a loss is not a number twice, or a checkpoint cannot be written.
        Cancelled
            If `cancel` said yes; the last checkpoint stands.
        """
        self._stopped.clear()
        learnt = self.prepare()
        self._fabric = fabric or fabric_for(self.device, choose_precision(self.recipe.precision, self.device))
        self.check_batch(self._fabric.world_size)
        with ieee_float32():
            return self._run(learnt, self._fabric)

    def _run(self, learnt: TrainingSet, fabric: Fabric) -> Outcome:
        identity = self._identity(learnt, fabric)
        state = self._begin(identity)
        # No process may look for a checkpoint that another has begun to write.
        fabric.barrier()
        self._log = Log(self.folder, self.recipe, tensorboard=self._tensorboard) if fabric.is_global_zero else None
        done = 0 if state is None else int(state["done"])
        if self._log is not None:
            self._log.go_on(done, None if state is None else state["log"])
        self._validator = Validator(learnt.scenes, self._generator.card.scale)
        self._measured, self._judge = self._generator.for_images()
        self._measured.to(fabric.device)
        self._judge.to(fabric.device)
        self._tell(
            Prepared(
                patches=len(learnt.patches),
                scenes=len(learnt.scenes),
                size=self.size,
                batch=self.batch,
                steps=self.recipe.steps,
                resumed_at=done,
                warnings=learnt.warnings,
                notes=learnt.notes,
            )
        )
        self._pace = Pace(done, self.recipe.steps)
        if fabric.is_global_zero:
            # The weights that were begun with, for pictures of before.
            self._validator.measure(self._judge, fabric.device)
        first = 0 if state is None else int(state["stage"])
        for number in range(first, len(self.recipe.stages)):
            done = self._run_stage(number, state if number == first else None, identity, learnt, fabric)
            if self._stopped.is_set() and done < self.recipe.steps:
                break
        return self._outcome(learnt, done)

    def _run_stage(self, number: int, state: State | None, identity: State, learnt: TrainingSet, fabric: Fabric) -> int:
        """Run one stage; give how many steps of the recipe are done."""
        stage = self.recipe.stages[number]
        before = sum(s.steps for s in self.recipe.stages[:number])
        work = StageWork(
            fabric,
            self._generator,
            stage,
            patch=self.size * self._generator.card.scale,
            seed=self.recipe.seed,
            between=self._between,
        )
        run = _StageRun(number, stage, before, work)
        if state is not None:
            self._restore(run, state)
        else:
            self._save(run, identity)
        while run.step < stage.steps:
            if not self._may_go_on(run):
                self._save(run, identity)
                self._keep(run)
                return run.done
            try:
                losses = work.step(run.step, self._drawer(learnt, number, run.step, fabric), run.rate_factor)
            except Diverged:
                self._go_back(run, identity)
                continue
            rate = work.rate(run.step, run.rate_factor)
            run.step += 1
            self._pace.step()
            self._tell(StepDone(run.done, self.recipe.steps, stage.name, losses, rate, self._pace.seconds_left))
            last = run.step == stage.steps
            if run.step % self.recipe.validation.every == 0 or last:
                self._validate(run, fabric)
                if not last:
                    self._save(run, identity)
        self._finish_stage(run, identity)
        return run.done

    def _finish_stage(self, run: _StageRun, identity: State) -> None:
        """Take over the weights that the stage hands on; the next begins with them."""
        self._keep(run)
        weights = run.best["weights"] if run.stage.keeps_best and run.best else run.work.weights()
        self._generator.network.load_state_dict(weights)
        self._share_weights()
        if run.number == len(self.recipe.stages) - 1:
            self._save(run, identity)

    def _share_weights(self) -> None:
        """Give every process the weights of the first, which alone has measured."""
        assert self._fabric is not None
        if self._fabric.world_size > 1:
            for value in self._generator.network.state_dict().values():
                dist.broadcast(value, 0)

    def _keep(self, run: _StageRun) -> None:
        """Note the stage's weights and figures for the model."""
        best = run.best if run.stage.keeps_best else None
        weights = best["weights"] if best else run.work.weights()
        name = run.stage.endpoint or "weights"
        if run.stage.endpoint is None:
            # Weights that are no endpoint only count until there are later ones.
            for other in [key for key in self._kept if key == "weights"]:
                del self._kept[other]
        self._kept[name] = {key: value.detach().cpu().clone() for key, value in weights.items()}
        figures = best["figures"] if best else run.last
        self._reached.pop(name, None)
        if figures is not None:
            self._reached[name] = Validated(**figures)

    def _drawer(
        self, learnt: TrainingSet, number: int, step: int, fabric: Fabric
    ) -> Callable[[int, int], tuple[Tensor, Tensor]]:
        """Give this process's patches of a step: numbers of the whole batch, dealt out in turn."""

        def draw(part: int, parts: int) -> tuple[Tensor, Tensor]:
            own = range(fabric.global_rank, self.batch, fabric.world_size)
            return learnt.patches.batch(number, step, [n for n in own if n // fabric.world_size % parts == part])

        return draw

    def _validate(self, run: _StageRun, fabric: Fabric) -> None:
        if not fabric.is_global_zero:
            return
        self._measured.load_state_dict(run.work.weights())
        score, crops = self._validator.measure(self._judge, fabric.device)
        base: Score = self._validator.baseline
        best = run.best is None or score.psnr > run.best["figures"]["psnr"]
        figures: State = {
            "step": run.done,
            "stage": run.stage.name,
            "psnr": score.psnr,
            "ssim": score.ssim,
            "bicubic_psnr": base.psnr,
            "bicubic_ssim": base.ssim,
            "best": best,
        }
        run.last = figures
        if best:
            run.best = {"figures": figures, "weights": _copied(run.work.weights())}
        self._tell(Validated(**figures, crops=crops))

    # Checkpoints.

    def _identity(self, learnt: TrainingSet, fabric: Fabric) -> State:
        """What a run has to have in common with one that it goes on from."""
        return {
            "recipe": self.recipe.to_toml(),
            "data": learnt.fingerprint,
            "precision": str(fabric.strategy.precision.precision),
        }

    def _begin(self, identity: State) -> State | None:
        """Make the run's folder, or find the state that is there."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            state = read_checkpoint(self.folder)
            if state is None:
                (self.folder / "recipe.toml").write_text(identity["recipe"], encoding="utf-8")
        except OSError as error:
            raise InputError(f"The run cannot be kept in {self.folder}: {error.strerror or error}.") from error
        if state is not None:
            for key, what in (("recipe", "recipe"), ("data", "images"), ("precision", "precision")):
                if state["identity"][key] != identity[key]:
                    raise InputError(
                        f"{self.folder} holds a training with another {what}: choose another folder, or remove it."
                    )
        return state

    def _save(self, run: _StageRun, identity: State) -> None:
        assert self._fabric is not None
        if self._fabric.is_global_zero:
            write_checkpoint(
                self.folder,
                {
                    "identity": identity,
                    "stage": run.number,
                    "step": run.step,
                    "done": run.done,
                    "rate_factor": run.rate_factor,
                    "work": run.work.state(),
                    "best": run.best,
                    "last": run.last,
                    "kept": self._kept,
                    "reached": {key: _figures(value) for key, value in self._reached.items()},
                    "log": self._log.state() if self._log is not None else None,
                },
            )
        self._fabric.barrier()
        self._tell(CheckpointWritten(run.done))

    def _restore(self, run: _StageRun, state: State) -> None:
        run.work.restore(state["work"])
        run.step, run.rate_factor = int(state["step"]), float(state["rate_factor"])
        run.best, run.last = state["best"], state["last"]
        self._kept = dict(state["kept"])
        self._reached = {key: Validated(**figures) for key, figures in state["reached"].items()}

    def _go_back(self, run: _StageRun, identity: State) -> None:
        """After a loss that is not a number: the last good state again, at half the rate; once."""
        assert self._fabric is not None
        at = run.done + 1
        if run.rate_factor < 1:
            raise InputError(
                f"The loss is not a number at step {at}, and was not after the rate had been halved either: "
                f'choose a lower rate for the stage "{run.stage.name}", or precision float32.'
            )
        state = read_checkpoint(self.folder)
        assert state is not None
        self._restore(run, state)
        run.rate_factor = 0.5
        if self._log is not None:
            self._log.go_on(run.done, state["log"])
        self._pace = Pace(run.done, self.recipe.steps)
        self._fabric.barrier()
        self._save(run, identity)
        self._tell(RateLowered(at, run.done))

    # Controls, as the loop asks them.

    def _between(self, phase: str) -> None:
        if self._cancel():
            raise Cancelled("The training was cancelled; its last checkpoint stands.")

    def _may_go_on(self, run: _StageRun) -> bool:
        """Wait through a pause; whether there is to be another step."""
        self._between("step")
        if self._paused.is_set() or self._pause():
            self._tell(Paused(run.done))
            with self._pace.stopped():
                while (self._paused.is_set() or self._pause()) and not self._stopped.is_set():
                    self._between("pause")
                    time.sleep(_LOOK)
            self._tell(Resumed(run.done))
        return not self._stopped.is_set()

    def _tell(self, event: Event) -> None:
        assert self._fabric is not None
        if not self._fabric.is_global_zero:
            return
        if self._log is not None:
            self._log(event)
        self._listen(event)

    def check_batch(self, processes: int) -> None:
        """Raise `InputError` unless the batch can be dealt out evenly to so many processes."""
        for stage in self.recipe.stages:
            if self.batch % (processes * stage.accumulate):
                raise InputError(
                    f"A batch of {self.batch} patches cannot be dealt out evenly to {processes} processes and "
                    f"{stage.accumulate} parts: choose a multiple of {processes * stage.accumulate}."
                )

    def _outcome(self, learnt: TrainingSet, done: int) -> Outcome:
        scale = self._generator.card.scale
        kept = self._kept
        wanted = [stage.endpoint for stage in self.recipe.stages if stage.endpoint is not None]
        recipe = self.recipe
        if wanted and set(wanted) - set(kept):
            # Stopped before the second endpoint: what is there is a model of one weight set.
            kept = {"weights": next(reversed(kept.values()))}
            recipe = recipe.model_copy(
                update={"stages": tuple(s.model_copy(update={"endpoint": None}) for s in recipe.stages)}
            )
        reached = {key: value for key, value in self._reached.items() if key in self._kept}
        model = make_model(
            self._generator.card,
            recipe,
            learnt,
            kept,
            name=self.name,
            base=None if self._base is None else self._base.name,
            paired=all(image.low is not None for image in self._images),
            pixel_size=pixel_size_of(self._images, scale),
            reached=reached,
        )
        return Outcome(model, done, self.recipe.steps, reached)


@dataclass
class _StageRun:
    """Where a stage stands."""

    number: int
    stage: recipes.Stage
    before: int
    work: StageWork
    step: int = 0
    rate_factor: float = 1.0
    best: State | None = None
    last: State | None = None

    @property
    def done(self) -> int:
        """Steps of the whole recipe that are done."""
        return self.before + self.step


def _figures(seen: Validated) -> State:
    return {
        "step": seen.step,
        "stage": seen.stage,
        "psnr": seen.psnr,
        "ssim": seen.ssim,
        "bicubic_psnr": seen.bicubic_psnr,
        "bicubic_ssim": seen.bicubic_ssim,
        "best": seen.best,
    }


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in weights.items()}


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
