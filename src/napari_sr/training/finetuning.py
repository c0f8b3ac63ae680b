"""Fine-tuning in one call: images and a model in, a better model out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from napari_sr.training.controls import Predicate
from napari_sr.training.events import EventListener
from napari_sr.training.recipe import Recipe
from napari_sr.training.result import save_once
from napari_sr.training.training import Training
from napari_sr.zoo.catalog import as_model, model_folder
from napari_sr.zoo.model import Model


def runs_folder() -> Path:
    """Folder of the runs that were started without naming one, beside the user's models."""
    return model_folder().parent / "runs"


def finetune(
    model: Model | str | Path,
    images: Any,
    recipe: Recipe | str | Path = "quick",
    *,
    name: str | None = None,
    axes: str | None = None,
    train_on: Any = None,
    validate_on: Any = None,
    device: str | None = None,
    folder: str | Path | None = None,
    save: bool = True,
    on_event: EventListener | None = None,
    cancel: Predicate | None = None,
) -> Model:
    """Train a model further on images of one's own.

    Parameters
    ----------
    model : Model or str
        A model, or the name or path that `load_model` takes; of a pair, the weights at its alpha.
    images : array, napari layer, file, (low, high) pair, or a list of these
        High-resolution images, whose low-resolution twins the recipe's degradation makes, or pairs with the
        low-resolution one first. Pairs of layers are matched by their places in the world.
    recipe : Recipe, str or Path
        A recipe, "quick", "standard" or "thorough", or a TOML file.
    name : str, optional
        Of the new model; by default the old one's with the recipe's.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the arrays.
    train_on, validate_on : napari Shapes layer, optional
        Where to learn, and where to measure.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    folder : path, optional
        Of the run; a run that is there goes on. By default a new one beside the user's models.
    save : bool
        Write the model into the user's folder, where `list_models` finds it; an existing one is never overwritten.
    listen : callable, optional
        Called with every event of `napari_sr.training.events`.
    cancel : predicate, optional
        Asked between the phases of every step; True ends the work with `Cancelled`.

    Returns
    -------
    Model
        The new one; the one that was given is unchanged.

    Raises
    ------
    InputError
        If images, recipe or model do not fit; the sentence says what to do.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` said yes.

    Examples
    --------
    >>> better = finetune("srcnn-x2", "cells.tif", "quick")  # doctest: +SKIP
    """
    base = as_model(model)
    called = name or f"{base.name}-{recipe.name if isinstance(recipe, Recipe) else Path(recipe).stem}"
    place = Path(folder) if folder is not None else new_run_folder(called)
    training = Training(
        recipe,
        images,
        base,
        folder=place,
        name=called,
        axes=axes,
        train_on=train_on,
        validate_on=validate_on,
        device=device,
        on_event=on_event,
        cancel=cancel,
    )
    outcome = training.run()
    return save_once(outcome.model, place)[0] if save else outcome.model


def new_run_folder(name: str) -> Path:
    """A folder for a run that no other has, named after the model and the time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    root = runs_folder()
    candidate, number = root / f"{name}-{stamp}", 1
    while candidate.exists():
        number += 1
        candidate = root / f"{name}-{stamp}-{number}"
    return candidate
