"""The training loop over stages and steps, with measurements and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch.distributed as dist
from lightning_fabric import Fabric

from napari_sr.errors import InputError
from napari_sr.imaging.atomic import write_file
from napari_sr.training.controls import Controls
from napari_sr.training.data.training_set import TrainingSet
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
from napari_sr.training.generator.generator import Generator
from napari_sr.training.loop.checkpoint.identity import difference
from napari_sr.training.loop.checkpoint.run_state import read_run_state, write_run_state
from napari_sr.training.loop.drawing import Drawing
from napari_sr.training.loop.log import Log
from napari_sr.training.loop.precision import replaced_precision
from napari_sr.training.loop.progress import Pace
from napari_sr.training.loop.stage import Diverged, StageWork
from napari_sr.training.loop.stage_run import RunState, StageRun, TrainedWeights, on_cpu
from napari_sr.training.loop.validation import Validator
from napari_sr.training.recipe import Recipe

#: Number of batches by whose patches the whitening of a first layer is measured.
_EXAMPLES = 32


class Loop:
    """The training loop of one process on one device.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    generator : Generator
        The generator, whose network is trained in place.
    training_set : TrainingSet
        Patches and validation scenes.
    fabric : Fabric
        Device, precision and processes.
    folder : Path
        Folder of the run.
    batch : int
        Number of patches of a step, over all processes.
    controls : Controls
        Requests to pause, stop and cancel.
    on_event : callable
        Called with every event, in the first process.
    identity : mapping of str to str
        What a checkpoint must have in common with this run (`checkpoint.identity`).
    tensorboard : bool, default False
        Also write a log for TensorBoard.

    Attributes
    ----------
    trained : TrainedWeights
        Weights and measurements of the stages that have ended.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: Generator,
        training_set: TrainingSet,
        fabric: Fabric,
        folder: Path,
        *,
        batch: int,
        controls: Controls,
        on_event: EventListener,
        identity: Mapping[str, str],
        tensorboard: bool = False,
    ) -> None:
        self._recipe, self._generator, self._training_set, self._fabric = recipe, generator, training_set, fabric
        self._identity, self._folder, self._batch = identity, folder, batch
        self._controls, self._on_event, self._tensorboard = controls, on_event, tensorboard
        self.trained = TrainedWeights()
        self._log: Log | None = None

    def run(self) -> int:
        """Train to the end of the recipe, or until the controls stop it; return the number of completed steps.

        Raises
        ------
        InputError
            If the folder holds another training, a loss is not a number a second time, or a checkpoint cannot be
            written.
        Cancelled
            If the controls cancel the training.
        """
        state = self._begin()
        done = 0 if state is None else int(state["done"])
        if self._fabric.is_global_zero:
            self._log = Log(self._folder, self._recipe, tensorboard=self._tensorboard)
            self._log.resume_at(done, None if state is None else state["log"])
            self._prepare_validation()
        self._send(
            Prepared(
                patches=len(self._training_set.patches),
                scenes=len(self._training_set.scenes),
                size=self._training_set.patches.size,
                batch=self._batch,
                steps=self._recipe.steps,
                resumed_at=done,
                warnings=(
                    *self._training_set.warnings,
                    *replaced_precision(
                        self._recipe.precision, self._fabric, None if state is None else state["identity"]["precision"]
                    ),
                ),
                notes=self._training_set.notes,
            )
        )
        self._pace = Pace(done, self._recipe.steps)
        first = 0 if state is None else int(state["stage"])
        with Drawing(
            self._training_set.patches,
            self._batch,
            processes=self._fabric.world_size,
            rank=self._fabric.global_rank,
            ahead=self._fabric.device.type != "cpu",
        ) as drawing:
            for number in range(first, len(self._recipe.stages)):
                done = self._run_stage(number, state if number == first else None, drawing)
                if self._controls.stopped and done < self._recipe.steps:
                    break
        return done

    def _run_stage(self, number: int, state: RunState | None, drawing: Drawing) -> int:
        stage = self._recipe.stages[number]
        if state is not None:
            self.trained = TrainedWeights(
                dict(state["kept"]), {name: Validated(**figures) for name, figures in state["reached"].items()}
            )
        work = StageWork(
            self._fabric,
            self._generator,
            stage,
            patch=self._training_set.patches.size * self._generator.card.scale,
            seed=self._recipe.seed,
            reference=None if stage.reference is None else self.trained.weights[stage.reference],
            examples=(self._training_set.patches.batch(number, step, range(self._batch)) for step in range(_EXAMPLES)),
            on_phase=self._controls.check,
        )
        run = StageRun(number, stage, sum(s.steps for s in self._recipe.stages[:number]), work)
        if not stage.steps:
            self._validate(run)
        elif state is None:
            self._save(run)
        else:
            self._restore(run, state)
        while run.step < stage.steps:
            if not self._may_continue(run):
                self._save(run)
                self.trained.take(run)
                return run.done
            try:
                losses = work.step(run.step, partial(drawing.part, number, run.step), run.learning_rate_factor)
            except Diverged:
                self._go_back(run)
                continue
            self._count(run, losses)
        self._keep_stage_weights(run)
        return run.done

    def _count(self, run: StageRun, losses: Mapping[str, float]) -> None:
        """Report a completed step, and validate if it is due."""
        learning_rate = run.work.learning_rate(run.step, run.learning_rate_factor)
        run.step += 1
        self._pace.step()
        self._send(
            StepDone(run.done, self._recipe.steps, run.stage.name, losses, learning_rate, self._pace.seconds_left)
        )
        last = run.step == run.stage.steps
        if run.step % self._recipe.validation.every == 0 or last:
            self._validate(run)
            if not last:
                self._save(run)

    def _keep_stage_weights(self, run: StageRun) -> None:
        """Store the weights of a completed stage, with which the next one starts."""
        self._generator.network.load_state_dict(self.trained.take(run))
        if self._fabric.world_size > 1:
            # Only the first process validates, and so has the best weights.
            for value in self._generator.network.state_dict().values():
                dist.broadcast(value, 0)
        # Otherwise the next stage begins with a checkpoint.
        if self._controls.stopped or run.number == len(self._recipe.stages) - 1:
            self._save(run)

    # Validation, in the first process only

    def _prepare_validation(self) -> None:
        self._validator = Validator(self._training_set.scenes, self._generator.card.scale)
        self._validated_network, self._validated_forward = self._generator.for_images()
        self._validated_forward.to(self._fabric.device)
        # The first measurement gives the results of the initial weights for the crops.
        self._validator.measure(self._validated_forward, self._fabric.device)

    def _validate(self, run: StageRun) -> None:
        if not self._fabric.is_global_zero:
            return
        self._validated_network.load_state_dict(run.work.weights())
        score, crops = self._validator.measure(self._validated_forward, self._fabric.device)
        base = self._validator.baseline
        measured = Validated(
            step=run.done,
            stage=run.stage.name,
            psnr=score.psnr,
            ssim=score.ssim,
            bicubic_psnr=base.psnr,
            bicubic_ssim=base.ssim,
            best=run.best is None or score.psnr > run.best["figures"]["psnr"],
            start_psnr=None if self._validator.start is None else self._validator.start.psnr,
            lattice=score.lattice,
            crops=crops,
        )
        run.last = _figures(measured)
        if measured.best:
            run.best = {"figures": run.last, "weights": on_cpu(run.work.weights())}
        self._send(measured)

    # Checkpoints

    def _begin(self) -> RunState | None:
        """Make the folder of the run, or read the checkpoint in it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            state = read_run_state(self._folder)
            # All processes look for a checkpoint before one of them writes the first.
            self._fabric.barrier()
            if state is None and self._fabric.is_global_zero:
                write_file(self._folder / "recipe.toml", self._identity["recipe"])
        except OSError as error:
            raise InputError(
                f"The folder {self._folder} cannot be used for the run ({error.strerror or error}): choose another one."
            ) from error
        different = None if state is None else difference(state["identity"], self._identity)
        if different is not None:
            raise InputError(
                f"{self._folder} holds a training with {different}: choose another folder (on the command line by "
                "--out or --name), or remove it."
            )
        return state

    def _save(self, run: StageRun) -> None:
        if self._fabric.is_global_zero:
            assert self._log is not None
            state = {
                # The recipe's number format can be another one on another device, on which the training continues.
                "identity": {**self._identity, "precision": str(self._fabric.strategy.precision.precision)},
                "stage": run.number,
                "step": run.step,
                "done": run.done,
                "learning_rate_factor": run.learning_rate_factor,
                "work": run.work.state(),
                "best": run.best,
                "last": run.last,
                "kept": self.trained.weights,
                "reached": {name: _figures(measured) for name, measured in self.trained.measurements.items()},
                "log": self._log.state(),
            }
            write_run_state(self._folder, state)
        self._fabric.barrier()
        self._send(CheckpointWritten(run.done))

    def _restore(self, run: StageRun, state: RunState) -> None:
        run.work.restore(state["work"])
        run.step, run.learning_rate_factor = int(state["step"]), float(state["learning_rate_factor"])
        run.best, run.last = state["best"], state["last"]

    def _go_back(self, run: StageRun) -> None:
        """Restore the last checkpoint at half the learning rate, once in a stage."""
        at = run.done + 1
        if run.learning_rate_factor < 1:
            raise InputError(
                f"The loss is not a number at step {at}, although the learning rate was halved before: choose a lower "
                f'learning rate for the stage "{run.stage.name}", or precision float32.'
            )
        state = read_run_state(self._folder)
        assert state is not None
        self._restore(run, state)
        run.learning_rate_factor = 0.5
        if self._log is not None:
            self._log.resume_at(run.done, state["log"])
        self._pace = Pace(run.done, self._recipe.steps)
        self._fabric.barrier()
        self._save(run)
        self._send(LearningRateLowered(at, run.done))

    # Controls and events

    def _may_continue(self, run: StageRun) -> bool:
        """Wait during a pause; return whether there is another step."""
        self._controls.check()
        if self._controls.paused:
            self._send(Paused(run.done))
            with self._pace.stopped():
                self._controls.wait()
            self._send(Resumed(run.done))
        return not self._controls.stopped

    def _send(self, event: Event) -> None:
        if self._fabric.is_global_zero:
            if self._log is not None:
                self._log(event)
            self._on_event(event)


def _figures(measured: Validated) -> RunState:
    """Return a measurement as plain numbers, without its crops."""
    return {key: value for key, value in vars(measured).items() if key != "crops"}
