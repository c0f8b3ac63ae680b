"""`napari-sr train`: training by a recipe, with a progress bar, continued after an interruption."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sr.cli.options import DeviceOption, Quiet
from napari_sr.cli.signals import Ended, signals
from napari_sr.errors import InputError

if TYPE_CHECKING:
    from napari_sr.training import Outcome, Recipe
    from napari_sr.training.events import Event


def train(
    recipe: Annotated[
        str, typer.Argument(help="A TOML file, or srcnn, srgan, esrgan, quick, standard or thorough.", metavar="RECIPE")
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IMAGES", help="High-resolution files, Zarr stores or folders, in place of those of the recipe."
        ),
    ] = None,
    low: Annotated[
        list[Path] | None,
        typer.Option(
            help="Low-resolution partners of IMAGES, in the same order: files, or folders with the same names."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Model to fine-tune, or to start from.")] = None,
    scale: Annotated[
        int | None, typer.Option(help="Factor of the model, for weight files that do not contain it.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder to which the paths of the recipe are relative.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default runs/NAME. An existing run is continued.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new model; by default that of the recipe, after that of the model.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder for the model file; by default that of `napari-sr models`.")
    ] = None,
    length: Annotated[float, typer.Option(help="Fraction of the steps of the recipe: 0.01 for a trial.")] = 1.0,
    device: DeviceOption = None,
    devices: Annotated[int, typer.Option(min=1, help="Number of GPUs, or of processes on the CPU.")] = 1,
    num_nodes: Annotated[
        int,
        typer.Option(
            "--num-nodes", min=1, help="Number of machines, each with --devices; start the command on each by torchrun."
        ),
    ] = 1,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write logs for TensorBoard.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by a recipe. After an interruption the same command continues the training.

    The folder of the run contains recipe.toml, curves.csv, train.log and the checkpoint. The model is written to the
    folder of `napari-sr models`; other models are not overwritten.
    """
    from napari_sr.training import load_recipe
    from napari_sr.training.processes import ProcessSettings, train_in_processes, train_on_nodes
    from napari_sr.training.result import save_once
    from napari_sr.zoo.catalog import as_model
    from napari_sr.zoo.names import as_name, check_name

    chosen = _with_images(load_recipe(recipe).at_length(length), images or [], low or [])
    if scale is not None and model is None:
        raise InputError("--scale is the factor of the weight file to start from: give it with --model.")
    start = None if model is None else as_model(model, scale=scale)
    if name:
        model_name = check_name(name)
    else:
        # As in `finetune`.
        model_name = chosen.name if start is None else as_name(f"{start.name}-{chosen.name}")
    run = out or Path("runs") / model_name
    settings = ProcessSettings(
        recipe=chosen,
        folder=run,
        data=data,
        model=start,
        name=model_name,
        device=device,
        tensorboard=tensorboard,
    )
    bar = Bar(quiet)
    with _resumable(run):
        if num_nodes > 1:
            first = train_on_nodes(settings, devices, num_nodes, bar)
            if first is None:
                # The first process of the first machine writes the model.
                return
            outcome = first
        elif devices > 1:
            outcome = train_in_processes(settings, devices, bar)
        else:
            training = settings.training(on_event=bar)
            # The training ends after its present step, with a checkpoint.
            with signals.deferred(training.stop):
                outcome = training.run()
    bar.close()
    if not outcome.finished:
        ended = Ended(signals.received or signal.SIGINT)
        ended.sentence = f"Stopped at step {outcome.step} of {outcome.steps}: the same command continues from there."
        raise ended
    _, path = save_once(outcome.model, run, folder=models)
    if not quiet:
        typer.echo("\n".join(f"{path}: {line}" for line in _reached(outcome)))


class Bar:
    """Progress bar on standard error, with each validation above it; created in the training process.

    Parameters
    ----------
    quiet : bool
        Whether nothing is printed.
    """

    def __init__(self, quiet: bool) -> None:
        # Standard error is None if the program was started with it closed.
        self._quiet = quiet or sys.stderr is None
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        from napari_sr.training.events import LearningRateLowered, Prepared, StepDone, Validated

        if self._quiet:
            return
        if isinstance(event, Prepared):
            self._open(event.steps, event.resumed_at)
            for sentence in (*event.notes, *event.warnings):
                self._bar.write(sentence, file=sys.stderr)
        elif isinstance(event, StepDone):
            self._bar.update(event.step - self._bar.n)
            self._bar.set_postfix(loss=f"{event.losses['total']:.3g}", refresh=False)
        elif isinstance(event, Validated):
            self._bar.write(f"step {event.step}, {event.stage}: {event.sentence()}", file=sys.stderr)
        elif isinstance(event, LearningRateLowered):
            sentence = f"step {event.step}: a loss was not a number; back to step {event.back_to} at half the rate"
            self._bar.write(sentence, file=sys.stderr)

    def _open(self, steps: int, done: int) -> None:
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(total=steps, initial=done, unit="step", leave=False, disable=None, file=sys.stderr)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def _with_images(recipe: Recipe, images: list[Path], low: list[Path]) -> Recipe:
    """Replace the images of the recipe by those of the command line, if there are any."""
    from napari_sr.training.recipe import ImageSet

    if low and len(low) != len(images):
        raise InputError(f"--low has {len(low)} partners for {len(images)} images: give one for each.")
    if not images:
        return recipe
    partners: list[str | None] = [str(path.absolute()) for path in low]
    partners = partners or [None] * len(images)
    sets = tuple(
        ImageSet(path=str(path.absolute()), low=partner, name=path.name)
        for path, partner in zip(images, partners, strict=True)
    )
    data = recipe.data.model_copy(update={"images": sets})
    validation = recipe.validation.model_copy(update={"images": ()})
    return recipe.model_copy(update={"data": data, "validation": validation})


@contextmanager
def _resumable(run: Path) -> Iterator[None]:
    """Name the checkpoint from which a training continues that is ended at once."""
    from napari_sr.training.loop.checkpoint.run_state import NAME

    try:
        yield
    except Ended as ended:
        if (run / NAME).is_file():
            ended.sentence = f"Stopped: the same command continues from the last checkpoint in {run}."
        raise


def _reached(outcome: Outcome) -> list[str]:
    if not outcome.reached:
        return [f"{outcome.steps} steps."]
    single = len(outcome.reached) == 1
    return [seen.sentence() if single else f"{name}: {seen.sentence()}" for name, seen in outcome.reached.items()]
