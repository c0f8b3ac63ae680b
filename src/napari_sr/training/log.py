"""The log of a run: a CSV for curves, a text for people, TensorBoard when asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_sr.errors import InputError
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
_LAST = ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim")
#: At most so many steps make one row.
_MOST = 50


class Log:
    """Writes what a training tells into its folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    recipe : Recipe
        Which losses there are, and how often is validated.
    tensorboard : bool
        Also write the curves for TensorBoard.

    Raises
    ------
    InputError
        If TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, tensorboard: bool = False) -> None:
        self._curves, self._text = folder / CURVES, folder / TEXT
        names = [name for stage in recipe.stages for name in stage.loss_names]
        extra = ["discriminator"] if any(stage.discriminator for stage in recipe.stages) else []
        self._losses = [*dict.fromkeys(names), *extra, "total"]
        every = recipe.validation.every
        # A row never spans a validation, so that a run that goes on from there writes the same rows.
        self._span = max(n for n in range(1, min(_MOST, every) + 1) if every % n == 0)
        self._sums: dict[str, float] = {}
        self._count = 0
        self._board = _board(folder) if tensorboard else None

    def state(self) -> dict[str, Any]:
        """What was told since the last row."""
        return {"sums": dict(self._sums), "count": self._count}

    def go_on(self, step: int, state: Mapping[str, Any] | None) -> None:
        """Drop the rows beyond a step, and take up what was told since the last of the others."""
        self._sums, self._count = (dict(state["sums"]), int(state["count"])) if state else ({}, 0)
        rows = [row for row in read_curves(self._curves) if state and int(row["step"]) <= step]
        text = io.StringIO()
        writer = csv.DictWriter(text, [*_FIRST, *self._losses, *_LAST], lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        fresh = self._curves.with_name(f".{CURVES}.tmp")
        with _told(self._curves):
            fresh.write_text(text.getvalue(), encoding="utf-8")
            fresh.replace(self._curves)

    def __call__(self, event: Event) -> None:
        """Write an event down."""
        if isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, Validated):
            figures = dict(zip(_LAST, (event.psnr, event.ssim, event.bicubic_psnr, event.bicubic_ssim), strict=True))
            self._row(event.step, event.stage, figures)
            best = " (the best so far)" if event.best else ""
            self._say(f"step {event.step}, {event.stage}: {event.sentence()}{best}")
        elif isinstance(event, Prepared):
            self._say(
                f"{event.patches} places to learn from, {event.scenes} scenes to validate on; patches of {event.size} "
                f"low-resolution pixels, {event.batch} a step, {event.steps} steps"
                + (f"; going on from step {event.resumed_at}" if event.resumed_at else "")
            )
            for sentence in (*event.notes, *event.warnings):
                self._say(sentence)
        elif isinstance(event, LearningRateLowered):
            self._say(f"step {event.step}: a loss was not a number; back to step {event.back_to} at half the rate")
        elif isinstance(event, Paused | Resumed):
            self._say(f"step {event.step}: {'paused' if isinstance(event, Paused) else 'resumed'}")
        elif self._board is not None:
            # A checkpoint was written.
            self._board.flush()

    def _step(self, event: StepDone) -> None:
        for name, value in event.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if event.step % self._span == 0 or event.step == event.steps:
            means = {name: total / self._count for name, total in self._sums.items()}
            self._row(event.step, event.stage, {"learning_rate": event.learning_rate, **means})
            self._sums, self._count = {}, 0

    def _row(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        with _told(self._curves), self._curves.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*_FIRST, *self._losses, *_LAST], lineterminator="\n", extrasaction="ignore")
            writer.writerow({"step": step, "stage": stage, **{k: f"{v:.8g}" for k, v in values.items()}})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _say(self, sentence: str) -> None:
        with _told(self._text), self._text.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().isoformat(sep=' ', timespec='seconds')}  {sentence}\n")


def read_curves(path: Path) -> list[dict[str, str]]:
    """Rows of a run's CSV; none where it is not there. A row that was cut off in the middle is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return [renamed_curve_row(row) for row in csv.DictReader(whole)]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn a disk that cannot be written into a sentence."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}): make room and start again; the training goes "
            "on from its last checkpoint."
        ) from error


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("TensorBoard is not installed: pip install tensorboard, or leave it out.") from error
    return SummaryWriter(str(folder / "tensorboard"))
