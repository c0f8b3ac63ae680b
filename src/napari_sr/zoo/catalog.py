"""The models at hand: bundled with the package, in the user's folder, or published by others."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from platformdirs import user_data_dir

from napari_sr.config import load_config
from napari_sr.errors import CheckpointError, InputError
from napari_sr.zoo.card import Card, Family, Mixing
from napari_sr.zoo.header import read_card
from napari_sr.zoo.published import PUBLISHED, Published, check_hash, find_published
from napari_sr.zoo.weightfiles import SUFFIXES

if TYPE_CHECKING:
    from napari_sr.imaging.resize import Kernel
    from napari_sr.zoo.model import Model

#: Environment variable that moves the user's folder.
FOLDER_VARIABLE = "NAPARI_SR_MODELS"


@dataclass(frozen=True)
class ModelEntry:
    """One line of the catalog.

    Parameters
    ----------
    name : str
        What `load_model` takes.
    where : {"bundled", "user", "published"}
        In the package, in the user's folder, or published by others.
    card : Card or None
        Of a model file of ours; None for checkpoints, which are read when they are loaded.
    path : Path or None
        The file; None for a published one that is not in the user's folder.
    url : str or None
        Address of a published one.
    license : str or None
        Terms of the weights, where they are known.
    family : {"srcnn", "srgan", "esrgan"} or None
        Where it is known without reading the weights.
    scale : int or None
        Factor, where it is known without reading the weights.
    problem : str or None
        Why the file cannot be used: a sentence.
    """

    name: str
    where: Literal["bundled", "user", "published"]
    card: Card | None = None
    path: Path | None = None
    url: str | None = None
    license: str | None = None
    family: Family | None = None
    scale: int | None = None
    problem: str | None = None


def model_folder() -> Path:
    """Folder of the user's own and downloaded models: by NAPARI_SR_MODELS, the shared settings, or the default.

    It need not exist.
    """
    moved = os.environ.get(FOLDER_VARIABLE) or load_config().model_folder
    return Path(moved).expanduser() if moved else Path(user_data_dir("napari-sr", appauthor=False)) / "models"


def bundled_folder() -> Path:
    """Folder of the models that come with the package."""
    return Path(str(files("napari_sr.zoo").joinpath("bundled")))


def list_models() -> list[ModelEntry]:
    """List the models at hand, without importing torch.

    Returns
    -------
    list of ModelEntry
        Bundled ones, those for microscopy first, then those in the user's folder, then published ones; by name within
        each. A published file that is in the user's folder is listed once, as published, with its path.
    """
    bundled = sorted(_entries(bundled_folder(), "bundled"), key=_far_from_microscopy)
    return [*bundled, *_user_entries(), *_published_entries()]


def load_model(
    name_or_path: str | Path,
    *,
    alpha: float | None = None,
    mixing: Mixing | None = None,
    scale: int | None = None,
    upsampling: Kernel | None = None,
) -> Model:
    """Load a model by name or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `list_models`, or the path of a model file or of a checkpoint in any known dialect.
    alpha : float, optional
        For a model of two endpoints: where between them, 0 to 1.
    mixing : {"weights", "images"}, optional
        For a model of two endpoints: what alpha mixes; by default the weights (network interpolation).
    scale : int, optional
        Factor, for checkpoints that do not tell (SRCNN's); for others it has to be theirs.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, optional
        For SRCNN: the kernel that interpolates its input.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If no model has this name, or alpha or upsampling do not fit the model.
    CheckpointError
        If the file is missing or cannot be used, or the model has another factor.
    """
    # torch is imported when a model is loaded, not when models are listed.
    from napari_sr.zoo.loading import open_model

    path, entry = _find(name_or_path)
    if entry is not None and entry.card is not None and scale not in (None, entry.card.scale):
        raise CheckpointError(_other_scale(entry, entry.card, scale))
    model = open_model(path, alpha=alpha, scale=scale, license=entry.license if entry else None)
    if mixing is not None:
        model = model.with_mixing(mixing)
    return model if upsampling is None else model.with_upsampling(upsampling)


def as_model(model: Model | str | os.PathLike[str]) -> Model:
    """Return a model, loading it if it is a name or a path.

    Parameters
    ----------
    model : Model, str or Path
        A model, a name from `list_models`, or the path of a model file or checkpoint.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If it is none of these, or no model has this name.
    CheckpointError
        If the file cannot be used.
    """
    if isinstance(model, str):
        return load_model(model)
    if isinstance(model, os.PathLike):
        return load_model(Path(model))
    if hasattr(model, "card") and hasattr(model, "network"):
        return model
    raise InputError(f"A {type(model).__name__} is not a model: give a model, the name of one, or the path of a file.")


def load_pair(
    first: str | Path,
    second: str | Path,
    alpha: float | None = None,
    *,
    mixing: Mixing = "weights",
    scale: int | None = None,
) -> Model:
    """Make one model of two, between which alpha mixes.

    Parameters
    ----------
    first, second : str or Path
        Names or paths of two models of one network, in any dialect: at alpha = 0 (trained for PSNR) and at
        alpha = 1 (fine-tuned from it as a GAN).
    alpha : float, optional
        0 to 1; by default 0.
    mixing : {"weights", "images"}
        What alpha mixes: the weights (network interpolation), or the images that the two make.
    scale : int, optional
        Factor, for checkpoints that do not tell.

    Returns
    -------
    Model
        Its endpoints bear the names of the files, without their endings.

    Raises
    ------
    InputError
        If there is no such model, one is already a pair, or alpha is not in [0, 1].
    CheckpointError
        If a file cannot be used, or the two are not weights of one network.
    """
    from napari_sr.zoo.loading import open_pair

    pair = open_pair(_find(first)[0], _find(second)[0], alpha=alpha, scale=scale)
    return pair.with_mixing(mixing)


def _find(name_or_path: str | Path) -> tuple[Path, ModelEntry | None]:
    """Find the file, and the catalog's entry if it was asked for by name."""
    if isinstance(name_or_path, Path):
        return name_or_path, None
    entries = list_models()
    for entry in entries:
        if name_or_path == entry.name and entry.path is not None:
            return _checked(entry), entry
    published = find_published(name_or_path)
    if published is not None:
        return _published_path(published)
    path = Path(name_or_path).expanduser()
    in_folder = [entry for entry in entries if entry.path is not None and entry.path.name == name_or_path]
    if in_folder and not path.exists():
        return _checked(in_folder[0]), in_folder[0]
    if path.suffix.lower() in SUFFIXES or path.exists() or len(path.parts) > 1:
        return path, None
    names = [entry.name for entry in entries]
    near = get_close_matches(name_or_path, names, n=3, cutoff=0.4) or names
    raise InputError(f"There is no model called {name_or_path}: did you mean {' or '.join(near)}?")


def _checked(entry: ModelEntry) -> Path:
    """Give the file of an entry, after its hash if that is known and a sentence if it cannot be used."""
    if entry.path is None or entry.problem is not None:
        raise CheckpointError(entry.problem or f"{entry.name} has no file.")
    published = find_published(entry.name) if entry.where == "published" else None
    if published is not None:
        check_hash(entry.path, published)
    return entry.path


def _published_path(published: Published) -> tuple[Path, ModelEntry | None]:
    entry = next(entry for entry in _published_entries() if entry.name == published.name)
    if entry.path is None:
        raise CheckpointError(
            f"{published.name} does not come with napari-sr: get {published.file} from {published.url} "
            f"and put it into {model_folder()}."
        )
    return _checked(entry), entry


def _entries(folder: Path, where: Literal["bundled", "user"]) -> list[ModelEntry]:
    if not folder.is_dir():
        return []
    # By the names that are shown: "x3" before "x3-915", which the suffixes would turn round.
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
    paths = sorted(files, key=lambda path: (path.stem, path.suffix))
    # Hidden files are those of writers that have not finished.
    paths = [path for path in paths if not path.name.startswith(".")]
    stems = Counter(path.stem for path in paths)
    return [_entry(path, path.stem if stems[path.stem] == 1 else path.name, where) for path in paths]


def _far_from_microscopy(entry: ModelEntry) -> int:
    domain = None if entry.card is None else entry.card.domain
    return {"fluorescence": 0, "electron": 1}.get(domain or "", 2)


def _entry(path: Path, name: str, where: Literal["bundled", "user"]) -> ModelEntry:
    if path.suffix.lower() != ".safetensors":
        return ModelEntry(name, where, path=path)
    try:
        card = read_card(path)
    except CheckpointError as error:
        return ModelEntry(name, where, path=path, problem=str(error))
    if card is None:
        return ModelEntry(name, where, path=path)
    return ModelEntry(name, where, card, path, license=card.license, family=card.family, scale=card.scale)


def _user_entries() -> list[ModelEntry]:
    published = {entry.file for entry in PUBLISHED}
    return [entry for entry in _entries(model_folder(), "user") if entry.path and entry.path.name not in published]


def _published_entries() -> list[ModelEntry]:
    entries = []
    for published in sorted(PUBLISHED, key=lambda one: one.name):
        path = model_folder() / published.file
        there = path if path.is_file() else None
        entries.append(
            ModelEntry(
                published.name,
                "published",
                path=there,
                url=published.url,
                license=published.license,
                family=published.family,
                scale=published.scale,
            )
        )
    return entries


def _other_scale(entry: ModelEntry, card: Card, scale: int | None) -> str:
    """Say which factor a model has, and which model has the one that was wanted."""
    others = [other for other in list_models() if other.card is not None and other.scale == scale]
    same = [other for other in others if other.family == card.family]
    remedy = ", ".join(other.name for other in same or others) or "none at hand"
    return f"{entry.name} upscales by {card.scale}, not by {scale}; models that upscale by {scale}: {remedy}."
