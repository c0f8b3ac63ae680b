"""The loop: stage after stage, step after step, with measurements and checkpoints on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.training.checkpoint import read_run_state, write_run_state
from napari_sr.training.controls import Controls
from napari_sr.training.events import (
    CheckpointWritten,
    Event,
    EventListener,
    LearningRateLowered,
    Paused,
    Prepared,
    Resumed,
    StepDone,
    Validated,
)
from napari_sr.training.generator import Generator
from napari_sr.training.log import Log
from napari_sr.training.progress import Pace
from napari_sr.training.recipe import Recipe, Stage
from napari_sr.training.stage import Diverged, StageWork
from napari_sr.training.training_set import TrainingSet
from napari_sr.training.validation import Validator

RunState = dict[str, Any]
Weights = dict[str, Tensor]
#: Name of the weights of a recipe without endpoints.
ONLY = "weights"
#: Batches by whose patches it is measured what a first layer reads.
_EXAMPLES = 32


@dataclass
class StageRun:
    """Where a stage stands.

    Parameters
    ----------
    number : int
        Of the stage.
    stage : Stage
        From the recipe.
    before : int
        Steps of the stages before.
    work : StageWork
        Its networks.
    step : int
        Steps of it that are done.
    learning_rate_factor : float
        1, or 0.5 after a loss that was not a number.
    best, last : dict or None
        The best measurement with its weights, and the last one.
    """

    number: int
    stage: Stage
    before: int
    work: StageWork
    step: int = 0
    learning_rate_factor: float = 1.0
    best: RunState | None = None
    last: RunState | None = None

    @property
    def done(self) -> int:
        """Steps of the whole recipe that are done."""
        return self.before + self.step


@dataclass
class Kept:
    """What the stages have handed on: weights and measurements by the endpoints' names."""

    weights: dict[str, Weights] = field(default_factory=dict)
    reached: dict[str, Validated] = field(default_factory=dict)

    def take(self, run: StageRun) -> Mapping[str, Tensor]:
        """Take the weights that a stage hands on; those that are no endpoint count only until there are later ones."""
        best = run.best if run.stage.keeps_best else None
        weights = best["weights"] if best else run.work.weights()
        figures = best["figures"] if best else run.last
        name = run.stage.endpoint or ONLY
        for old in {name, ONLY} & self.weights.keys():
            del self.weights[old]
        for old in {name, ONLY} & self.reached.keys():
            del self.reached[old]
        self.weights[name] = _copied(weights)
        if figures is not None:
            self.reached[name] = Validated(**figures)
        return self.weights[name]


class Loop:
    """A training at work on one device of one process.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    generator : Generator
        Whose network is trained in place.
    learned : TrainingSet
        From what.
    fabric : Fabric
        Device, precision and processes.
    folder : Path
        Of the run.
    size, batch : int
        Side of a patch in low-resolution pixels, patches a step over all processes.
    controls : Controls
        Asked between steps and phases.
    listen : callable
        Called with every event, in the first process.
    identity : str
        The recipe's text, by which a run is known again wherever its files lie.
    tensorboard : bool
        Also log for TensorBoard.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: Generator,
        training_set: TrainingSet,
        fabric: Fabric,
        folder: Path,
        *,
        size: int,
        batch: int,
        controls: Controls,
        on_event: EventListener,
        identity: str,
        tensorboard: bool = False,
    ) -> None:
        self._identified = identity
        self._recipe, self._generator, self._training_set, self._fabric = recipe, generator, training_set, fabric
        self._folder, self._size, self._batch = folder, size, batch
        self._controls, self._on_event, self._tensorboard = controls, on_event, tensorboard
        self.kept = Kept()
        self._log: Log | None = None

    def run(self) -> int:
        """Run to the recipe's end or to a stop; give how many steps are done.

        Raises
        ------
        InputError
            If the folder holds another training, a loss is not a number twice, or a checkpoint cannot be written.
        Cancelled
            If the controls say so.
        """
        state = self._begin()
        done = 0 if state is None else int(state["done"])
        if self._fabric.is_global_zero:
            self._log = Log(self._folder, self._recipe, tensorboard=self._tensorboard)
            self._log.go_on(done, None if state is None else state["log"])
            self._prepare_measuring()
        self._tell(
            Prepared(
                patches=len(self._training_set.patches),
                scenes=len(self._training_set.scenes),
                size=self._size,
                batch=self._batch,
                steps=self._recipe.steps,
                resumed_at=done,
                warnings=self._training_set.warnings,
                notes=self._training_set.notes,
            )
        )
        self._pace = Pace(done, self._recipe.steps)
        first = 0 if state is None else int(state["stage"])
        for number in range(first, len(self._recipe.stages)):
            done = self._run_stage(number, state if number == first else None)
            if self._controls.stopped and done < self._recipe.steps:
                break
        return done

    def _run_stage(self, number: int, state: RunState | None) -> int:
        stage = self._recipe.stages[number]
        work = StageWork(
            self._fabric,
            self._generator,
            stage,
            patch=self._size * self._generator.card.scale,
            seed=self._recipe.seed,
            examples=(
                self._training_set.patches.batch(number, step, range(self._batch))[0] for step in range(_EXAMPLES)
            ),
            between=self._controls.check,
        )
        run = StageRun(number, stage, sum(s.steps for s in self._recipe.stages[:number]), work)
        if not stage.steps:
            self._measure(run)
        elif state is None:
            self._save(run)
        else:
            self._restore(run, state)
        while run.step < stage.steps:
            if not self._may_go_on(run):
                self._save(run)
                self.kept.take(run)
                return run.done
            try:
                losses = work.step(run.step, self._drawer(number, run.step), run.learning_rate_factor)
            except Diverged:
                self._go_back(run)
                continue
            self._count(run, losses)
        self._keep_stage_weights(run)
        return run.done

    def _count(self, run: StageRun, losses: Mapping[str, float]) -> None:
        """Note a step that is done, and measure when it is time."""
        learning_rate = run.work.learning_rate(run.step, run.learning_rate_factor)
        run.step += 1
        self._pace.step()
        self._tell(
            StepDone(run.done, self._recipe.steps, run.stage.name, losses, learning_rate, self._pace.seconds_left)
        )
        last = run.step == run.stage.steps
        if run.step % self._recipe.validation.every == 0 or last:
            self._measure(run)
            if not last:
                self._save(run)

    def _keep_stage_weights(self, run: StageRun) -> None:
        """Take over the weights of a finished stage; the next begins with them."""
        self._generator.network.load_state_dict(self.kept.take(run))
        if self._fabric.world_size > 1:
            # Only the first process has measured and knows the best.
            for value in self._generator.network.state_dict().values():
                dist.broadcast(value, 0)
        if run.number == len(self._recipe.stages) - 1:
            self._save(run)

    def _drawer(self, stage: int, step: int) -> Callable[[int, int], tuple[Tensor, Tensor]]:
        """Give this process's patches of a step: numbers of the whole batch, dealt out in turn."""
        processes = self._fabric.world_size
        own = range(self._fabric.global_rank, self._batch, processes)

        def draw(part: int, parts: int) -> tuple[Tensor, Tensor]:
            # The same patches make a part, however many processes share it.
            return self._training_set.patches.batch(stage, step, [n for n in own if n * parts // self._batch == part])

        return draw

    # Measuring: the first process alone.

    def _prepare_measuring(self) -> None:
        self._validator = Validator(self._training_set.scenes, self._generator.card.scale)
        self._measured, self._judge = self._generator.for_images()
        self._judge.to(self._fabric.device)
        # The weights that are begun with, for pictures of before.
        self._validator.measure(self._judge, self._fabric.device)

    def _measure(self, run: StageRun) -> None:
        if not self._fabric.is_global_zero:
            return
        self._measured.load_state_dict(run.work.weights())
        score, crops = self._validator.measure(self._judge, self._fabric.device)
        base = self._validator.baseline
        seen = Validated(
            step=run.done,
            stage=run.stage.name,
            psnr=score.psnr,
            ssim=score.ssim,
            bicubic_psnr=base.psnr,
            bicubic_ssim=base.ssim,
            best=run.best is None or score.psnr > run.best["figures"]["psnr"],
            crops=crops,
        )
        run.last = _figures(seen)
        if seen.best:
            run.best = {"figures": run.last, "weights": _copied(run.work.weights())}
        self._tell(seen)

    # Checkpoints.

    def _identity(self) -> RunState:
        """What a run has to have in common with one that it goes on from."""
        return {
            "recipe": self._identified,
            "images": self._training_set.fingerprint,
            "precision": str(self._fabric.strategy.precision.precision),
        }

    def _begin(self) -> RunState | None:
        """Make the run's folder, or find the state that is there."""
        identity = self._identity()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            state = read_run_state(self._folder)
            # No process may look for a checkpoint that another has begun to write.
            self._fabric.barrier()
            if state is None and self._fabric.is_global_zero:
                (self._folder / "recipe.toml").write_text(identity["recipe"], encoding="utf-8")
        except OSError as error:
            raise InputError(f"The run cannot be kept in {self._folder}: {error.strerror or error}.") from error
        for what in identity if state is not None else ():
            if state is not None and state["identity"][what] != identity[what]:
                article = "other" if what == "images" else "another"
                raise InputError(
                    f"{self._folder} holds a training with {article} {what}: choose another folder, or remove it."
                )
        return state

    def _save(self, run: StageRun) -> None:
        if self._fabric.is_global_zero:
            assert self._log is not None
            state = {
                "identity": self._identity(),
                "stage": run.number,
                "step": run.step,
                "done": run.done,
                "learning_rate_factor": run.learning_rate_factor,
                "work": run.work.state(),
                "best": run.best,
                "last": run.last,
                "kept": self.kept.weights,
                "reached": {name: _figures(seen) for name, seen in self.kept.reached.items()},
                "log": self._log.state(),
            }
            write_run_state(self._folder, state)
        self._fabric.barrier()
        self._tell(CheckpointWritten(run.done))

    def _restore(self, run: StageRun, state: RunState) -> None:
        run.work.restore(state["work"])
        run.step, run.learning_rate_factor = int(state["step"]), float(state["learning_rate_factor"])
        run.best, run.last = state["best"], state["last"]
        self.kept = Kept(
            dict(state["kept"]), {name: Validated(**figures) for name, figures in state["reached"].items()}
        )

    def _go_back(self, run: StageRun) -> None:
        """After a loss that is not a number: the last good state again, at half the rate; once in a stage."""
        at = run.done + 1
        if run.learning_rate_factor < 1:
            raise InputError(
                f"The loss is not a number at step {at}, though the rate had been halved before: "
                f'choose a lower rate for the stage "{run.stage.name}", or precision float32.'
            )
        state = read_run_state(self._folder)
        assert state is not None
        self._restore(run, state)
        run.learning_rate_factor = 0.5
        if self._log is not None:
            self._log.go_on(run.done, state["log"])
        self._pace = Pace(run.done, self._recipe.steps)
        self._fabric.barrier()
        self._save(run)
        self._tell(LearningRateLowered(at, run.done))

    # Controls and events.

    def _may_go_on(self, run: StageRun) -> bool:
        """Wait through a pause; whether there is to be another step."""
        self._controls.check()
        if self._controls.paused:
            self._tell(Paused(run.done))
            with self._pace.stopped():
                self._controls.wait()
            self._tell(Resumed(run.done))
        return not self._controls.stopped

    def _tell(self, event: Event) -> None:
        if self._fabric.is_global_zero:
            if self._log is not None:
                self._log(event)
            self._on_event(event)


def _figures(seen: Validated) -> RunState:
    """A measurement as plain numbers, without its pictures."""
    return {key: value for key, value in vars(seen).items() if key != "crops"}


def _copied(weights: Mapping[str, Tensor]) -> Weights:
    return {key: value.detach().cpu().clone() for key, value in weights.items()}
