"""Fine-tuning in one call: images and a model go in, a model that is adapted to the images comes out."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from napari_sr.conversion import read_path
from napari_sr.progress import Cancel
from napari_sr.training.events import EventListener
from napari_sr.training.recipe import Recipe, load_recipe
from napari_sr.training.result import save_once
from napari_sr.training.training import Training
from napari_sr.zoo.catalog import as_model
from napari_sr.zoo.folders import model_folder
from napari_sr.zoo.model import Model
from napari_sr.zoo.names import as_name, check_name


def runs_folder() -> Path:
    """Return the folder of runs that were started without a folder: "runs", beside the user's folder of models.

    Returns
    -------
    Path
        The folder, which need not exist.
    """
    return model_folder().parent / "runs"


def finetune(
    model: Model | str | os.PathLike[str],
    images: Any,
    recipe: Recipe | str | os.PathLike[str] = "quick",
    *,
    name: str | None = None,
    axes: str | None = None,
    train_on: Any = None,
    validate_on: Any = None,
    device: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    save: bool = True,
    on_event: EventListener | None = None,
    cancel: Cancel | None = None,
) -> Model:
    """Train a model further on images of your own.

    Parameters
    ----------
    model : Model, str or Path
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint. Of a model with two
        endpoints, the weights at its alpha are trained.
    images : array, napari layer, path, (low, high) pair, or list of these
        High-resolution images, from which the recipe's degradation computes low-resolution ones; or pairs, each a tuple
        with the low-resolution image first. Arrays are numpy, dask or zarr arrays, which may be larger than memory.
        Layers of a pair are matched by their positions in the world. Blocks of the images are kept for validation, also
        if the recipe names images for it.
    recipe : Recipe, str or Path, default "quick"
        A recipe, "quick" (400 steps), "standard" (3000) or "thorough" (20000), or the path of a TOML file.
    name : str, optional
        Name of the new model; by default that of the model and that of the recipe, joined by a hyphen.
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
    folder : str or Path, optional
        Folder of the run, with its recipe, curves, log and checkpoint; a run that is in it continues. By default a new
        folder beside the user's models.
    save : bool, default True
        Write the model into the user's folder of models, where `list_models` finds it. Existing files are not
        overwritten: if the name is taken, the model gets "-2" and so on.
    on_event : callable, optional
        Called with every event of `napari_sr.training.events`.
    cancel : callable, optional
        Called without arguments between the phases of every step; returning True ends the work with `Cancelled`.

    Returns
    -------
    Model
        The new model; the one that was given is unchanged.

    Raises
    ------
    InputError
        If images, recipe, model or device cannot be used.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> from napari_sr.training import load_recipe
    >>> image = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    >>> trial = load_recipe("quick").at_length(0.01)
    >>> sr.finetune("srcnn-x2", image, trial, name="my-cells", device="cpu").name
    'my-cells'
    """
    base = as_model(model)
    chosen = load_recipe(recipe)
    new_name = check_name(name) if name is not None else as_name(f"{base.name}-{chosen.name}")
    run = read_path(folder, "folder") if folder is not None else new_run_folder(new_name)
    training = Training(
        chosen,
        images,
        base,
        folder=run,
        name=new_name,
        axes=axes,
        train_on=train_on,
        validate_on=validate_on,
        device=device,
        on_event=on_event,
        cancel=cancel,
    )
    outcome = training.run()
    return save_once(outcome.model, run)[0] if save else outcome.model


def new_run_folder(name: str) -> Path:
    """Return a folder in `runs_folder` that no other run has, also of those that start at the same moment.

    Parameters
    ----------
    name : str
        Name of the model, with which the folder's name begins; the time and eight random digits follow.

    Returns
    -------
    Path
        The folder, which is not made.

    Raises
    ------
    InputError
        If the name cannot be that of a folder on every system.
    """
    check_name(name)
    return runs_folder() / f"{name}-{datetime.now():%Y%m%d-%H%M%S}-{token_hex(4)}"
