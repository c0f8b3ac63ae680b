"""Trainings of the window that ended without a model, because napari was closed or killed, and their offer.

A training writes its choices into its run folder, beside the checkpoint; they are deleted when it has a model. A later
panel finds the folders that have both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, PushButton
from magicgui.widgets.bases import Widget
from napari.layers import Image, Layer, Shapes

from napari_sr.errors import InputError
from napari_sr.imaging.atomic import write_file
from napari_sr.owner import read_owner
from napari_sr.training.recipe import Recipe
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.finetune.layer_snapshot import copy_image, copy_shapes
from napari_sr.widgets.finetune.run import FinetunePlan
from napari_sr.widgets.qt.rows import show_text, side_by_side
from napari_sr.widgets.qt.text.wrapped_text import WrappedText

#: File of a run folder with the choices of the panel.
CHOICES = "choices.json"
#: Files of a run folder, from `training.loop.checkpoint.run_state` and `training.run_lock`, which import torch.
_CHECKPOINT, _LOCK = "last.pt", "lock.json"


@dataclass(frozen=True)
class UnfinishedTraining:
    """A training that ended without a model.

    Parameters
    ----------
    folder : Path
        Its run folder.
    name : str
        Name that the new model was to get.
    base : str
        Name of the model that it began with.
    request : ModelRequest
        The model that it began with.
    recipe : Recipe
        The training.
    pairs : tuple of (str or None, str)
        Names of the layers of each image: of the low-resolution one, if there was one, and of the high-resolution one.
    train_on, validate_on : str or None
        Names of the shapes layers of the regions.
    device : str
        Device of the training.
    when : datetime
        Time of the last checkpoint.
    """

    folder: Path
    name: str
    base: str
    request: ModelRequest
    recipe: Recipe
    pairs: tuple[tuple[str | None, str], ...]
    train_on: str | None
    validate_on: str | None
    device: str
    when: datetime

    @property
    def images(self) -> list[str]:
        """Names of all image layers, each once."""
        return list(dict.fromkeys(name for pair in self.pairs for name in pair if name is not None))

    def describe(self) -> str:
        """Return a sentence that names the new model, the time of the last checkpoint, and the images."""
        when = f"{self.when.day} {self.when:%b at %H:%M}"
        return f"The training of “{self.name}” was interrupted on {when}. It uses the images: {', '.join(self.images)}."

    def plan(self, layers: Mapping[str, Layer]) -> FinetunePlan:
        """Return the choices with the layers of the viewer, by name; to be called on the main thread.

        The plan is for the run folder. Raises `InputError` if a layer is not open.
        """
        high = _layer(layers, self.pairs[0][1], Image, self.name)
        units = tuple(high.units)

        def shapes(name: str | None) -> Any:
            return None if name is None else copy_shapes(_layer(layers, name, Shapes, self.name), units)

        return FinetunePlan(
            request=self.request,
            base=self.base,
            recipe=self.recipe,
            pairs=tuple(
                (
                    None if low is None else copy_image(_layer(layers, low, Image, self.name), units),
                    copy_image(_layer(layers, high_name, Image, self.name), units),
                )
                for low, high_name in self.pairs
            ),
            train_on=shapes(self.train_on),
            validate_on=shapes(self.validate_on),
            name=self.name,
            device=self.device,
        )


class UnfinishedOffer(Container[Widget]):
    """A sentence about the last unfinished training, with the buttons Continue and Forget; hidden without one.

    Parameters
    ----------
    on_continue : callable
        Called with the training when Continue is pressed.
    """

    def __init__(self, on_continue: Callable[[UnfinishedTraining], None]) -> None:
        self._trainings: list[UnfinishedTraining] = []
        self._on_continue = on_continue
        self.text = WrappedText(name="unfinished", tooltip="A training that ended before it had a model.")
        self.continue_button = PushButton(
            name="continue", text="Continue", tooltip="Continue from the last checkpoint, on the same images."
        )
        self.forget_button = PushButton(
            name="forget", text="Forget", tooltip="Offer this training no more. The files of its run are kept."
        )
        buttons = side_by_side("unfinished_buttons", "", [self.continue_button, self.forget_button])
        super().__init__(widgets=[self.text, buttons], labels=False)
        self.margins = (0, 0, 0, 0)
        self.continue_button.changed.connect(lambda: self._continue())
        self.forget_button.changed.connect(lambda: self._forget())
        self.visible = False

    @property
    def training(self) -> UnfinishedTraining | None:
        """The training that is offered."""
        return self._trainings[0] if self._trainings else None

    def offer(self, trainings: Sequence[UnfinishedTraining]) -> None:
        """Offer the first of some trainings, the latest first; without any, the rows are hidden."""
        self._trainings = list(trainings)
        training = self.training
        self.visible = training is not None
        show_text(self.text, "" if training is None else training.describe())
        self.text.tooltip = "" if training is None else str(training.folder)

    def _continue(self) -> None:
        if self.training is not None:
            self._on_continue(self.training)

    def _forget(self) -> None:
        if self.training is not None:
            # The choices of one that another window continues are still needed.
            if is_unfinished(self.training.folder):
                forget(self.training.folder)
            self.offer(self._trainings[1:])


def write_choices(folder: Path, plan: FinetunePlan) -> None:
    """Write the choices of a training into its run folder, which exists; may be called on any thread.

    Raises OSError if the file cannot be written.
    """
    request = plan.request
    source = request.source
    content = {
        "name": plan.name,
        "base": plan.base,
        "model": str(source.absolute()) if isinstance(source, Path) else source,
        "is_file": isinstance(source, Path),
        "scale": request.scale,
        "recipe": plan.recipe.to_toml(),
        "pairs": [[None if low is None else low.name, high.name] for low, high in plan.pairs],
        "train_on": None if plan.train_on is None else plan.train_on.name,
        "validate_on": None if plan.validate_on is None else plan.validate_on.name,
        "device": plan.device,
    }
    write_file(folder / CHOICES, json.dumps(content, indent=1))


def forget(folder: Path) -> None:
    """Delete the choices of a run folder, so that its training is offered no more; its other files are kept."""
    (folder / CHOICES).unlink(missing_ok=True)


def is_unfinished(folder: Path) -> bool:
    """Return whether a run folder has a training of the window that ended without a model; False while it runs."""
    if not ((folder / CHOICES).is_file() and (folder / _CHECKPOINT).is_file()):
        return False
    owner = read_owner(folder / _LOCK)
    return owner is None or owner.is_gone


def unfinished_trainings(root: Path) -> list[UnfinishedTraining]:
    """Find the trainings of the window that ended without a model, the latest first; may be called on any thread.

    The folder of run folders need not exist. Trainings that still run, and folders whose choices cannot be read, are
    left out.
    """
    paths = [path for path in root.glob(f"*/{CHOICES}") if is_unfinished(path.parent)]
    found = [training for path in paths if (training := _read(path)) is not None]
    return sorted(found, key=lambda training: training.when, reverse=True)


def _read(path: Path) -> UnfinishedTraining | None:
    """Read the choices of a run folder; None if they were written by another version, or changed by hand."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        source = Path(content["model"]) if content["is_file"] else str(content["model"])
        pairs = tuple((None if low is None else str(low), str(high)) for low, high in content["pairs"])
        if not pairs:
            return None
        return UnfinishedTraining(
            folder=path.parent,
            name=str(content["name"]),
            base=str(content["base"]),
            request=ModelRequest(source, scale=content["scale"]),
            recipe=Recipe.from_toml(content["recipe"]),
            pairs=pairs,
            train_on=content["train_on"],
            validate_on=content["validate_on"],
            device=str(content["device"]),
            when=datetime.fromtimestamp((path.parent / _CHECKPOINT).stat().st_mtime),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError):
        return None


def _layer(layers: Mapping[str, Layer], name: str, kind: type[Any], training: str) -> Any:
    layer = layers.get(name)
    if not isinstance(layer, kind):
        noun = "image" if kind is Image else "shapes layer"
        raise InputError(f"“{training}” was trained with the {noun} “{name}”, which is not open: open it first.")
    return layer
