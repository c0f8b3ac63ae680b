"""What a training ends with: a model whose card tells everything, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from napari_sr.errors import InputError
from napari_sr.training.degradation import describe_degradation
from napari_sr.training.events import Validated
from napari_sr.training.plane_pairs import describe_intensity
from napari_sr.training.recipe import Recipe
from napari_sr.training.training_set import TrainingSet
from napari_sr.zoo.card import Card, Figure, TrainingData
from napari_sr.zoo.catalog import model_folder
from napari_sr.zoo.model import Model
from napari_sr.zoo.modelfile import WEIGHTS, read_model, write_model

Weights = Mapping[str, Tensor]
_NOTE = "model.txt"


def make_model(
    before: Card,
    recipe: Recipe,
    training_set: TrainingSet,
    kept: Mapping[str, Weights],
    *,
    name: str,
    base: Card | None,
    paired: bool,
    pixel_size: tuple[float | None, str | None],
    reached: Mapping[str, Validated],
) -> Model:
    """Make the model of a training.

    Parameters
    ----------
    before : Card
        Of the network before the training.
    recipe : Recipe
        As it was run.
    learned : TrainingSet
        What it was trained on.
    kept : mapping of str to state dict
        Weights by the endpoints' names, or a single set under "weights".
    name : str
        Of the model.
    base : Card or None
        Of the model that it began with.
    paired : bool
        Whether the low-resolution images were given, and not made.
    pixel_size : (float or None, str or None)
        Of a low-resolution pixel, and its unit.
    reached : mapping of str to Validated
        The last or best measurement of each set of weights.
    """
    data = training_set.described
    if base is not None and base.training_data:
        names = {entry.name for entry in data}
        data = (*(entry for entry in base.training_data if entry.name not in names), *data)
    elif base is not None:
        data = (TrainingData(name=f"what {base.name} was trained on", license=base.license), *data)
    endpoints = tuple(stage.endpoint for stage in recipe.stages if stage.endpoint in kept and stage.endpoint)
    adversarial = any(stage.adversarial for stage in recipe.stages)
    card = Card(
        name=name,
        family=before.family,
        architecture=before.architecture,
        scale=before.scale,
        channels=before.channels,
        color=before.color,
        # A fine-tuned model has seen other images than the one before it: of which kind, only the recipe can say.
        domain=recipe.domain,
        base=base.name if base is not None and recipe.network is None else None,
        intensity_range=before.intensity_range,
        output_range=before.output_range,
        intensity=describe_intensity(recipe.data.intensity),
        degradation=None if paired else describe_degradation(training_set.degradation),
        training_noise=None if paired else training_set.degradation.noise is not None,
        paired=paired,
        pixel_size=pixel_size[0],
        pixel_unit=pixel_size[1],
        training_data=data,
        recipe=recipe.to_toml(),
        figures=_figures(reached),
        license=recipe.license or (base.license if base is not None else None),
        endpoints=endpoints,
        notes=_notes(recipe, base, training_set, reached, adversarial),
    )
    weights = kept if endpoints else {WEIGHTS: next(iter(kept.values()))}
    return Model(card, {key: _float32(state) for key, state in weights.items()})


def _float32(state: Weights) -> dict[str, Tensor]:
    return {
        key: t.detach().to("cpu", torch.float32 if t.is_floating_point() else t.dtype).contiguous().clone()
        for key, t in state.items()
    }


def _figures(reached: Mapping[str, Validated]) -> tuple[Figure, ...]:
    figures = []
    protocol = "validation scenes that nothing was learned from, border of the factor left out, black 0 and white 1"
    for name, seen in reached.items():
        where = "validation" if len(reached) == 1 else f"validation, {name}"
        figures += [
            Figure(dataset=where, metric="PSNR", value=round(seen.psnr, 3), protocol=protocol),
            Figure(dataset=where, metric="PSNR of bicubic", value=round(seen.bicubic_psnr, 3), protocol=protocol),
            Figure(dataset=where, metric="SSIM", value=round(seen.ssim, 4), protocol=protocol),
            Figure(dataset=where, metric="SSIM of bicubic", value=round(seen.bicubic_ssim, 4), protocol=protocol),
        ]
    return tuple(figures)


def _notes(
    recipe: Recipe, base: Card | None, training_set: TrainingSet, reached: Mapping[str, Validated], adversarial: bool
) -> str:
    notes = [recipe.description] if recipe.description else []
    if base is not None:
        notes.append(f"Trained on from {base.name}.")
    worse = [name for name, seen in reached.items() if not seen.better_than_bicubic]
    if worse and adversarial:
        notes.append("The PSNR of its adversarial weights is below bicubic interpolation's, as is usual for them.")
    elif worse:
        notes.append("On its validation scenes it is worse than bicubic interpolation.")
    if adversarial:
        notes.append("Adversarial weights invent detail: not for quantification.")
    return " ".join((*notes, *training_set.notes, *training_set.warnings))


def save_model(model: Model, *, folder: Path | None = None, dtype: torch.dtype = torch.float32) -> tuple[Model, Path]:
    """Write a model into the user's folder, under its name or, where that is taken, the next free one.

    Parameters
    ----------
    model : Model
        From a training.
    folder : Path, optional
        Instead of the user's folder of models.
    dtype : torch.dtype
        How the weights are stored.

    Returns
    -------
    model : Model
        With the name that its file has.
    path : Path
        The file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    place = folder or model_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            name = model.name if number == 1 else f"{model.name}-{number}"
            path = place / f"{name}.safetensors"
            if not path.exists():
                break
            number += 1
        card = model.card.model_copy(update={"name": name})
        write_model(path, card, model.endpoints, dtype=dtype)
    except OSError as error:
        raise InputError(f"The model could not be written to {place}: {error.strerror or error}.") from error
    return Model(card, model.endpoints, model.alpha, source=path), path


def save_once(model: Model, run: Path, *, folder: Path | None = None) -> tuple[Model, Path]:
    """Save the model of a run, or find the file that the same run has written before.

    Parameters
    ----------
    model : Model
        Of the finished run.
    run : Path
        The run's folder, which remembers the file.
    folder : Path, optional
        Instead of the user's folder of models.
    """
    note = run / _NOTE
    if note.is_file():
        path = Path(note.read_text(encoding="utf-8").strip())
        if path.is_file():
            card, endpoints = read_model(path)
            same = {key: dict(state) for key, state in model.endpoints.items()}
            if all(torch.equal(endpoints[k][n], t) for k, state in same.items() for n, t in state.items()):
                return Model(card, endpoints, source=path), path
    saved, path = save_model(model, folder=folder)
    note.write_text(f"{path}\n", encoding="utf-8")
    return saved, path
