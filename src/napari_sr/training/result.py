"""The result of a training: a model with its card, and its file."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from napari_sr.conversion import read_path
from napari_sr.errors import CheckpointError, InputError, disk_remedy
from napari_sr.imaging.intensity.spec import IntensitySpec, Percentiles
from napari_sr.training.data.conditions.description import describe_conditions
from napari_sr.training.data.degradation import describe_degradation
from napari_sr.training.data.training_set import TrainingSet
from napari_sr.training.events import Validated
from napari_sr.training.recipe import Recipe
from napari_sr.zoo.card import Card, Conditioning, Figure, TrainingData
from napari_sr.zoo.catalog import as_model, reserved_names
from napari_sr.zoo.folders import model_folder
from napari_sr.zoo.model import Endpoints, Model
from napari_sr.zoo.modelfile import WEIGHTS, read_model, write_model
from napari_sr.zoo.names import check_name, numbered

_log = logging.getLogger(__name__)

Weights = Mapping[str, Tensor]
#: File of a run folder that holds the path of the run's model file.
_MODEL_PATH = "model.txt"


def make_model(
    initial: Card,
    recipe: Recipe,
    training_set: TrainingSet,
    weights: Mapping[str, Weights],
    *,
    name: str,
    base: Card | None,
    paired: bool,
    pixel_size: tuple[float | None, str | None],
    conditioning: Conditioning | None,
    measurements: Mapping[str, Validated],
) -> Model:
    """Make the model of a training, with its card.

    Parameters
    ----------
    initial : Card
        Card of the network before the training.
    recipe : Recipe
        Recipe of the training.
    training_set : TrainingSet
        Images of the training.
    weights : mapping of str to state dict
        Weights by the names of the endpoints, or one set under any name.
    name : str
        Name of the model.
    base : Card or None
        Card of the model that the training started with.
    paired : bool
        Whether the low-resolution images were given instead of computed.
    pixel_size : (float or None, str or None)
        Size of a low-resolution pixel, and its unit.
    conditioning : Conditioning or None
        Conditions that the network takes beside the image, with the ranges that the training covers.
    measurements : mapping of str to Validated
        The measurement of each set of weights.

    Returns
    -------
    Model
        A model in float32 on the CPU.
    """
    data = training_set.described
    if base is not None and base.training_data:
        # By the hash too: arrays have the same names in every training.
        same = {(entry.name, entry.sha256) for entry in data}
        data = (*(entry for entry in base.training_data if (entry.name, entry.sha256) not in same), *data)
    elif base is not None:
        data = (TrainingData(name=f"training data of {base.name}", license=base.license), *data)
    endpoints = tuple(stage.endpoint for stage in recipe.stages if stage.endpoint in weights and stage.endpoint)
    adversarial = any(stage.adversarial for stage in recipe.stages)
    card = Card(
        name=name,
        family=initial.family,
        architecture=initial.architecture,
        scale=initial.scale,
        channels=initial.channels,
        color=initial.color,
        # Not the base model's: the images of a fine-tuning may be of another kind, which only the recipe states.
        domain=recipe.domain,
        base=base.name if base is not None and recipe.network is None else None,
        intensity_range=initial.intensity_range,
        output_range=initial.output_range,
        intensity=_intensity(recipe.data.intensity),
        degradation=None if paired else _degradation(recipe, training_set),
        training_noise=None if paired else recipe.conditions is not None or training_set.degradation.noise is not None,
        paired=paired,
        conditioning=conditioning,
        pixel_size=pixel_size[0],
        pixel_unit=pixel_size[1],
        training_data=data,
        recipe=recipe.to_toml(),
        figures=_figures(measurements),
        license=recipe.license or (base.license if base is not None else None),
        endpoints=endpoints,
        notes=_notes(recipe, base, training_set, measurements, adversarial),
    )
    states = weights if endpoints else {WEIGHTS: next(iter(weights.values()))}
    return Model(card, {key: _float32(state) for key, state in states.items()})


def _intensity(spec: IntensitySpec) -> str:
    """Describe in words which values stand for black and white."""
    if isinstance(spec, Percentiles):
        return f"percentiles {spec.low:g} and {spec.high:g}"
    return f"{spec[0]:g} to {spec[1]:g}" if isinstance(spec, tuple) else spec


def _degradation(recipe: Recipe, training_set: TrainingSet) -> str:
    if recipe.conditions is not None:
        return describe_conditions(recipe.conditions)
    return describe_degradation(training_set.degradation)


def _float32(state: Weights) -> dict[str, Tensor]:
    return {
        key: t.detach().to("cpu", torch.float32 if t.is_floating_point() else t.dtype).contiguous().clone()
        for key, t in state.items()
    }


def _figures(measurements: Mapping[str, Validated]) -> tuple[Figure, ...]:
    figures = []
    protocol = "validation scenes not used for training, border as wide as the factor cropped, black 0 and white 1"
    for name, measured in measurements.items():
        dataset = "validation" if len(measurements) == 1 else f"validation, {name}"
        for metric, value, digits in (
            ("PSNR", measured.psnr, 3),
            ("PSNR of bicubic", measured.bicubic_psnr, 3),
            ("SSIM", measured.ssim, 4),
            ("SSIM of bicubic", measured.bicubic_ssim, 4),
        ):
            figures.append(Figure(dataset=dataset, metric=metric, value=round(value, digits), protocol=protocol))
    return tuple(figures)


def _notes(
    recipe: Recipe,
    base: Card | None,
    training_set: TrainingSet,
    measurements: Mapping[str, Validated],
    adversarial: bool,
) -> str:
    notes = [recipe.description] if recipe.description else []
    if base is not None:
        notes.append(f"Trained on from {base.name}.")
    worse = [name for name, measured in measurements.items() if measured.worse_than_bicubic]
    if worse and adversarial:
        notes.append("The PSNR of its adversarial weights is below bicubic interpolation's, as is usual for them.")
    elif worse:
        notes.append("On its validation scenes it is worse than bicubic interpolation.")
    if adversarial:
        notes.append("Adversarial weights invent detail: not for quantification.")
    return " ".join((*notes, *training_set.notes, *training_set.warnings))


def save_model(
    model: Model | str | os.PathLike[str],
    *,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Model, Path]:
    """Write a model with its card into a file of its own.

    Parameters
    ----------
    model : Model, str or Path
        A model, the name of one (see `list_models`), or the path of a model file or checkpoint. The file keeps its
        alpha as the default.
    name : str, optional
        Name of the model and of its file; by default the present one. If a file has it, "-2", "-3" and so on is added,
        and in the user's folder also if a model of the package has it: no file is overwritten.
    folder : str or Path, optional
        Folder of the file, which is made if it does not exist; by default the user's folder of models, where
        `list_models` finds it.
    dtype : torch.dtype, default torch.float32
        Number format of the weights in the file: float32, float16 or bfloat16.

    Returns
    -------
    model : Model
        The model with the name of its file.
    path : Path
        The file, which holds all that `load_model` needs.

    Raises
    ------
    InputError
        If there is no such model, the name cannot be that of a file, the dtype is another one, or the file cannot be
        written.
    CheckpointError
        If the model cannot be loaded, or its weights are not finite in `dtype`.

    Examples
    --------
    >>> import napari_sr as sr
    >>> softer = sr.load_model("esrgan-compact-x4", alpha=0.5)
    >>> saved, path = sr.save_model(softer, name="photos", folder="for-a-colleague")
    >>> path.name, sr.load_model(path).alpha
    ('photos.safetensors', 0.5)
    """
    model = as_model(model)
    target = model_folder() if folder is None else read_path(folder, "folder")
    reserved = reserved_names() if target == model_folder() else frozenset()
    own = check_name(model.name if name is None else name)
    names = (numbered(own, number) for number in count(1))
    # Without a value, the default is 0.
    card = model.card.model_copy(update={"default_alpha": model.alpha or None})
    cards = (card.model_copy(update={"name": free}) for free in names if free not in reserved)
    try:
        target.mkdir(parents=True, exist_ok=True)
        card = next(card for card in cards if _is_written(_path_of(card, target), card, model.endpoints, dtype))
    except OSError as error:
        raise InputError(
            f"The model {model.name} could not be written to {target} ({error.strerror or error}): "
            f"{disk_remedy(error)}, or choose another folder."
        ) from error
    path = _path_of(card, target)
    return Model(card, model.endpoints, source=path), path


def _path_of(card: Card, folder: Path) -> Path:
    return folder / f"{card.name}.safetensors"


def _is_written(path: Path, card: Card, endpoints: Endpoints, dtype: torch.dtype) -> bool:
    """Write a model file, unless there is a file of this name or another call writes one meanwhile."""
    if path.exists():
        return False
    try:
        write_model(path, card, endpoints, dtype=dtype)
    except InputError:
        if path.exists():
            return False
        raise
    return True


def save_once(model: Model, run: Path, *, folder: Path | None = None) -> tuple[Model, Path]:
    """Write the model of a run, unless the same run has written it there under this name before.

    Parameters
    ----------
    model : Model
        The model of a finished run. A number at the end of its name does not make it another name.
    run : Path
        The run's folder, in which the path of the model file is noted.
    folder : Path, optional
        Folder of the model file; by default the user's folder of models.

    Returns
    -------
    model : Model
        The model with the name of its file.
    path : Path
        The file that was written now or before.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    note, target = run / _MODEL_PATH, folder or model_folder()
    if note.is_file():
        noted = Path(note.read_text(encoding="utf-8").strip())
        path = target / noted.name
        if path.is_file() and noted.parent.resolve() == target.resolve():
            # The file may have been replaced by any other one.
            with suppress(CheckpointError):
                card, endpoints = read_model(path)
                if _differ_by_number(model.name, card.name) and _equal(model.endpoints, endpoints):
                    return Model(card, endpoints, source=path), path
    saved, path = save_model(model, folder=folder)
    try:
        # Absolute, since the next call may have another working directory.
        note.write_text(f"{path.absolute()}\n", encoding="utf-8")
    except OSError as error:
        # The model of a long training is there, and only another call would write it again.
        _log.warning("%s cannot be written (%s): the run writes its model anew next time.", note, error.strerror)
    return saved, path


def _differ_by_number(name: str, other: str) -> bool:
    """Whether two names are equal, but for the number that is added to a name that is taken."""
    (root, number), (other_root, other_number) = _parts(name), _parts(other)
    # From both sides, since `numbered` shortens a long name; and with the number as a part of the name.
    return (
        name == other
        or other in (numbered(root, other_number), numbered(name, other_number))
        or name in (numbered(other_root, number), numbered(other, number))
    )


def _parts(name: str) -> tuple[str, int]:
    """Split a name into its root and its number, which is 1 without one."""
    found = re.fullmatch(r"(.+)-([1-9][0-9]{0,8})", name)
    return (found[1], int(found[2])) if found else (name, 1)


def _equal(one: Mapping[str, Weights], other: Mapping[str, Weights]) -> bool:
    """Whether two models have the same weights under the same keys."""
    return one.keys() == other.keys() and all(
        state.keys() == other[name].keys() and all(torch.equal(other[name][key], t) for key, t in state.items())
        for name, state in one.items()
    )
