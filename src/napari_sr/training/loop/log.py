"""The log of a run: curves as CSV, a text log, and optionally a log for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError, disk_remedy
from napari_sr.imaging.atomic import write_file
from napari_sr.old_keys import renamed_curve_row
from napari_sr.training.events import (
    Event,
    LearningRateLowered,
    Paused,
    Prepared,
    Resumed,
    StepDone,
    Validated,
)
from napari_sr.training.recipe import Recipe

CURVES, TEXT = "curves.csv", "train.log"
_FIRST = ("step", "stage", "learning_rate")
_LAST = ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim", "lattice")
#: Largest number of steps in a row of the curves.
_MOST_STEPS = 50


class Log:
    """Writes the events of a training into its folder.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    recipe : Recipe
        The recipe, which determines columns and rows of the curves.
    tensorboard : bool, default False
        Also write the curves for TensorBoard.

    Raises
    ------
    InputError
        If TensorBoard is requested and not installed.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, tensorboard: bool = False) -> None:
        self._curves, self._text = folder / CURVES, folder / TEXT
        names = [name for stage in recipe.stages for name in stage.loss_names]
        extra = ["discriminator"] if any(stage.discriminator for stage in recipe.stages) else []
        self._losses = [*dict.fromkeys(names), *extra, "total"]
        every = recipe.validation.every
        # Rows are counted from the start of a stage, as validations are, so that one ends at each of them.
        self._span = max(n for n in range(1, min(_MOST_STEPS, every) + 1) if every % n == 0)
        self._bounds = (0, *accumulate(stage.steps for stage in recipe.stages))
        self._sums: dict[str, float] = {}
        self._count = 0
        self._board = _board(folder) if tensorboard else None

    def state(self) -> dict[str, Any]:
        """Return the sums of the losses, and the number of steps in them, of the row that is not complete yet."""
        return {"sums": dict(self._sums), "count": self._count}

    def resume_at(self, step: int, state: Mapping[str, Any] | None) -> None:
        """Continue the log at a step: remove later rows, and restore the sums of the incomplete one.

        Parameters
        ----------
        step : int
            Number of completed steps.
        state : mapping or None
            A state that `state` returned at this step; None begins a new log.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        self._sums, self._count = (dict(state["sums"]), int(state["count"])) if state else ({}, 0)
        rows = [row for row in read_curves(self._curves) if state and int(row["step"]) <= step]
        text = io.StringIO()
        writer = csv.DictWriter(text, [*_FIRST, *self._losses, *_LAST], lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        with _os_error_as_input_error(self._curves):
            write_file(self._curves, text.getvalue())

    def __call__(self, event: Event) -> None:
        """Write an event into the log."""
        if isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, Validated):
            figures = {name: getattr(event, name) for name in _LAST}
            self._write_row(event.step, event.stage, {k: v for k, v in figures.items() if v is not None})
            best = " (the best of its stage so far)" if event.best else ""
            self._write(f"step {event.step}, {event.stage}: {event.sentence()}{best}")
        elif isinstance(event, Prepared):
            scenes = "1 validation scene" if event.scenes == 1 else f"{event.scenes} validation scenes"
            self._write(
                f"{event.patches} positions of patches, {scenes}; patches of {event.size} low-resolution pixels, "
                f"{event.batch} in a step, {event.steps} steps"
                + (f"; continued from step {event.resumed_at}" if event.resumed_at else "")
            )
            for sentence in (*event.notes, *event.warnings):
                self._write(sentence)
        elif isinstance(event, LearningRateLowered):
            self._write(
                f"step {event.step}: a loss was not a number; continued from step {event.back_to} with half the "
                "learning rate"
            )
        elif isinstance(event, Paused | Resumed):
            self._write(f"step {event.step}: {'paused' if isinstance(event, Paused) else 'resumed'}")
        elif self._board is not None:
            # The remaining kind of event: a checkpoint was written.
            self._board.flush()

    def _step(self, event: StepDone) -> None:
        for name, value in event.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        # A row has the steps of one stage, since the next one may have other losses.
        start = max(bound for bound in self._bounds if bound < event.step)
        if (event.step - start) % self._span == 0 or event.step in self._bounds:
            means = {name: total / self._count for name, total in self._sums.items()}
            self._write_row(event.step, event.stage, {"learning_rate": event.learning_rate, **means})
            self._sums, self._count = {}, 0

    def _write_row(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        with _os_error_as_input_error(self._curves), self._curves.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*_FIRST, *self._losses, *_LAST], lineterminator="\n", extrasaction="ignore")
            writer.writerow({"step": step, "stage": stage, **{k: f"{v:.8g}" for k, v in values.items()}})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _write(self, sentence: str) -> None:
        with _os_error_as_input_error(self._text), self._text.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().isoformat(sep=' ', timespec='seconds')}  {sentence}\n")


def read_curves(path: Path) -> list[dict[str, str]]:
    """Read the curves of a run, if there is a file; a last row that was not written completely is left out.

    Raises
    ------
    InputError
        If the file is not as a training writes it, such as after a spreadsheet has saved it.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")
        rows = [renamed_curve_row(row) for row in csv.DictReader(whole)]
        for row in rows:
            int(row["step"])
    except (csv.Error, KeyError, ValueError) as error:
        raise InputError(
            f"{path} was changed by another program: move it elsewhere and start the training again; it continues from "
            "its last checkpoint."
        ) from error
    return rows


@contextmanager
def _os_error_as_input_error(path: Path) -> Iterator[None]:
    """Raise an OSError again as an InputError with a hint to free disk space."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}): {disk_remedy(error)} and start the "
            "training again; it continues from its last checkpoint, if there is one."
        ) from error


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "TensorBoard is not installed: install it by `pip install tensorboard`, or train without its log."
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))
