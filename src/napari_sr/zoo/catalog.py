"""The catalog of models: those in the package, those in the user's folder, and those published by others."""

from __future__ import annotations

import os
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sr.conversion import check_no_address, read_scale, shorten
from napari_sr.errors import CheckpointError, InputError, outside_level
from napari_sr.zoo.card import Card, Mixing
from napari_sr.zoo.checkpoint.suffixes import SUFFIXES, stem_of
from napari_sr.zoo.classic import CLASSICS
from napari_sr.zoo.folders import NamedFile, bundled_folder, model_folder, named_files
from napari_sr.zoo.header import read_card
from napari_sr.zoo.model_list import ModelEntry, ModelList
from napari_sr.zoo.names import AUTO, UnknownModelError, is_auto
from napari_sr.zoo.published import PUBLISHED, Published, check_hash, find_published
from napari_sr.zoo.renamed import RENAMED

if TYPE_CHECKING:
    from napari_sr.imaging.resize import Kernel
    from napari_sr.zoo.model import Model

#: Largest number of characters of a path.
_LONGEST_PATH = 4096
#: Refusal of the name that stands for the suggested model.
_AUTO = 'The model "auto" is chosen for an image: take that of napari_sr.suggest or `napari-sr suggest` here.'


def list_models() -> ModelList:
    """List the available models, without importing torch.

    Returns
    -------
    list of ModelEntry
        The models in the package, those for microscopy first, then those in the user's folder, and then those published
        by others, each sorted by name. The list is displayed as a table. A published file in the user's folder is
        listed once, as published, with its path.

    Raises
    ------
    InputError
        If the settings file cannot be read.

    Examples
    --------
    >>> import napari_sr as sr
    >>> entry = next(entry for entry in sr.list_models() if entry.name == "srcnn-x2")
    >>> entry.family, entry.scale, entry.channels, entry.domain
    ('srcnn', 2, 1, 'natural')
    """
    return list_models_with(model_folder())


def list_models_with(folder: Path) -> ModelList:
    """List the available models with those in a folder, as `list_models` does with those in the user's folder.

    Parameters
    ----------
    folder : Path
        A folder of models, which may not exist.

    Returns
    -------
    list of ModelEntry
        As for `list_models`.
    """
    bundled = sorted(map(_entry, _bundled_files()), key=ModelEntry.distance_from_microscopy)
    return ModelList([*bundled, *map(_entry, _user_files(folder)), *_published_entries(folder)])


def reserved_names() -> frozenset[str]:
    """Return the names that no model of the user can have, since others are found by them.

    Returns
    -------
    frozenset of str
        Names of the models in the package and their former ones, of published models, of the methods without a network,
        and "auto".
    """
    bundled = (file.name for file in _bundled_files())
    published = (entry.name for entry in PUBLISHED)
    return frozenset((*bundled, *RENAMED, *published, *CLASSICS, AUTO))


def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    alpha: float | None = None,
    mixing: Mixing | None = None,
    scale: int | None = None,
    upsampling: Kernel | None = None,
) -> Model:
    """Load a model by its name or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `list_models`, the path of a model file or of a checkpoint in a known dialect; or, with a scale, the
        name of a method that is not trained: the interpolations nearest, bilinear, bicubic and lanczos3, or wiener or
        richardson-lucy, which remove blur before a bicubic interpolation.
    alpha : float, optional
        Position between the two weight sets of a model that has two, from 0 to 1. By default that of its card.
    mixing : {"weights", "images"}, optional
        What alpha mixes in a model with two weight sets: the weights (network interpolation) or the results. By default
        that of its card.
    scale : int, optional
        Upsampling factor. It is required for checkpoints from which it cannot be read (SRCNN); for others it is
        compared with theirs.
    upsampling : {"nearest", "bilinear", "bicubic", "lanczos3"}, optional
        Interpolation of the input before the network, only for SRCNN. By default that of its card, or bicubic.

    Returns
    -------
    Model
        The model, with the network on the CPU.

    Raises
    ------
    InputError
        If there is no model with this name, or an argument does not fit the model.
    CheckpointError
        If the file is missing or cannot be used, or the model has another factor.

    Examples
    --------
    >>> import napari_sr as sr
    >>> sr.load_model("srcnn-x2")
    Model('srcnn-x2', SRCNN x2)
    """
    # torch is imported when a model is loaded, not when models are listed.
    from napari_sr.zoo.loading import classic, open_model

    scale = None if scale is None else read_scale(scale, "scale")
    method = next((name for name in CLASSICS if isinstance(name_or_path, str) and name == name_or_path), None)
    if method is not None and scale is not None:
        model = classic(method, scale)
        model = model if alpha is None else model.with_alpha(alpha)
    else:
        path, entry = _find(name_or_path)
        card, license_name = (None, None) if entry is None else (entry.card, entry.license)
        if entry is not None and card is not None and scale not in (None, card.scale):
            raise CheckpointError(_other_scale(entry.name, card, scale))
        model = open_model(path, card=card, alpha=alpha, scale=scale, license=license_name)
    if mixing is not None:
        model = model.with_mixing(mixing)
    return model if upsampling is None else model.with_upsampling(upsampling)


def find_card(name_or_path: str | os.PathLike[str]) -> Card | None:
    """Return the card of a model, of whose file only the header is read.

    Parameters
    ----------
    name_or_path : str or Path
        As for `load_model`.

    Returns
    -------
    Card or None
        None for a file of another program, and for a method that is not trained.

    Raises
    ------
    InputError, CheckpointError
        If there is no such model, or its header cannot be read.
    """
    if isinstance(name_or_path, str) and name_or_path in CLASSICS:
        return None
    path, entry = _find(name_or_path)
    return read_card(path) if entry is None or entry.card is None else entry.card


def as_model(model: Model | str | os.PathLike[str], *, scale: int | None = None) -> Model:
    """Return a model, which is loaded if a name or a path is given.

    Parameters
    ----------
    model : Model, str or Path
        A model, a name from `list_models`, or the path of a model file or checkpoint.
    scale : int, optional
        Upsampling factor of a name or a path, as in `load_model`.

    Raises
    ------
    InputError
        If it is none of these, or there is no model with this name.
    CheckpointError
        If the file cannot be used.
    """
    if is_auto(model):
        raise InputError(_AUTO)
    if isinstance(model, str | os.PathLike):
        return load_model(model, scale=scale)
    from napari_sr.zoo.model import Model

    if isinstance(model, Model):
        return model
    raise InputError(f"{shorten(model)} is not a model: give a model, the name of one, or the path of a file.")


def load_pair(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    alpha: float | None = None,
    *,
    mixing: Mixing = "weights",
    scale: int | None = None,
) -> Model:
    """Load two models of one network as one model, between whose weights alpha interpolates.

    Parameters
    ----------
    first, second : str or Path
        Names or paths of two models of one network, in any dialect: for alpha = 0 (trained for PSNR) and for alpha = 1
        (fine-tuned from it as a GAN).
    alpha : float, optional
        Position between the two, from 0 to 1; by default 0.
    mixing : {"weights", "images"}, default "weights"
        What alpha mixes: the weights (network interpolation), or the results of both networks.
    scale : int, optional
        Upsampling factor, for checkpoints from which it cannot be read.

    Returns
    -------
    Model
        A model with two weight sets, named like the files without their endings.

    Raises
    ------
    InputError
        If there is no model with a name, one has two weight sets already, alpha is not between 0 and 1, or `mixing`
        is another word.
    CheckpointError
        If a file cannot be used, or the two are not weights of one network.

    Examples
    --------
    >>> import napari_sr as sr
    >>> import tempfile
    >>> import torch
    >>> from napari_sr.networks import RRDBNet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("psnr", "gan"):
    ...         torch.save(RRDBNet(features=8, growth=4, blocks=1).state_dict(), f"{folder}/{name}.pth")
    ...     pair = sr.load_pair(f"{folder}/psnr.pth", f"{folder}/gan.pth", alpha=0.8)
    >>> pair.alpha, pair.card.endpoints
    (0.8, ('psnr', 'gan'))
    """
    from napari_sr.zoo.loading import open_pair

    (path, entry), (other_path, other) = _find(first), _find(second)
    licenses = (None if entry is None else entry.license, None if other is None else other.license)
    return open_pair(path, other_path, alpha=alpha, scale=scale, licenses=licenses).with_mixing(mixing)


def _find(name_or_path: str | os.PathLike[str]) -> tuple[Path, ModelEntry | None]:
    """Find a model file, with its entry of the catalog if a name was given. Only its own header is read."""
    if not isinstance(name_or_path, str):
        if isinstance(name_or_path, os.PathLike):
            path = Path(name_or_path)
            if not _exists(path):
                check_no_address(path)
            return path, None
        raise InputError(f"{shorten(name_or_path)} is not a model: give the name of one, or the path of a file.")
    if not name_or_path or len(name_or_path) > _LONGEST_PATH or "\0" in name_or_path:
        raise InputError(f"There is no model called {shorten(name_or_path)}: give a name of the list, or a path.")
    folder = model_folder()
    available = [*_bundled_files(), *_user_files(folder)]
    for file in available:
        if name_or_path == file.name:
            return _usable(_entry(file))
    if name_or_path in RENAMED:
        new = RENAMED[name_or_path]
        warnings.warn(
            f"The model {name_or_path} was replaced by {new}, which measures the noise of images: results differ.",
            FutureWarning,
            stacklevel=outside_level(),
        )
        return _find(new)
    published = find_published(name_or_path)
    if published is not None:
        return _find_published_file(published, folder)
    path = _expanded(name_or_path)
    if not _exists(path):
        for file in available:
            if name_or_path in (file.path.name, stem_of(file.path)):
                return _usable(_entry(file))
        check_no_address(name_or_path)
    if path.suffix.lower() in SUFFIXES or _exists(path) or len(path.parts) > 1:
        return path, None
    if name_or_path in CLASSICS:
        raise InputError(f"{name_or_path} is not trained and has no factor of its own: give a scale, such as 2.")
    if is_auto(name_or_path):
        raise InputError(_AUTO)
    names = [file.name for file in available] + [entry.name for entry in _published_entries(folder)]
    by_lowercase = {name.lower(): name for name in names}
    near = [by_lowercase[name] for name in get_close_matches(name_or_path.lower(), by_lowercase, n=3, cutoff=0.4)]
    remedy = f"did you mean {' or '.join(near)}?" if near else "list_models() and napari-sr models list the names."
    raise UnknownModelError(name_or_path, remedy)


def _expanded(path: str) -> Path:
    """Replace "~" at the beginning by the home folder, if there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    # Such as a name that is too long for the file system.
    except (OSError, ValueError):
        return False


def _usable(entry: ModelEntry) -> tuple[Path, ModelEntry]:
    """Check that the file of an entry can be used."""
    if entry.path is None or entry.problem is not None:
        raise CheckpointError(entry.problem or f"{entry.name} has no file.")
    return entry.path, entry


def _find_published_file(published: Published, folder: Path) -> tuple[Path, ModelEntry]:
    entry = _published_entry(published, folder)
    if entry.path is None:
        raise CheckpointError(
            f"{published.name} is not part of napari-sr: get {published.file} from {published.url} "
            f"and put it into {folder}."
        )
    check_hash(entry.path, published)
    return entry.path, entry


def _bundled_files() -> list[NamedFile]:
    return named_files(bundled_folder(), "bundled")


def _user_files(folder: Path) -> list[NamedFile]:
    """Return the files in the user's folder, without the published ones."""
    published = {entry.file for entry in PUBLISHED}
    # A former name of a bundled model is the file's: it was found by it before the model was renamed.
    named = named_files(folder, "user", reserved_names() - RENAMED.keys())
    return [file for file in named if file.path.name not in published]


def _entry(file: NamedFile) -> ModelEntry:
    name, path, where = file
    if path.suffix.lower() != ".safetensors":
        return ModelEntry(name, where, path=path)
    try:
        card = read_card(path)
    except CheckpointError as error:
        return ModelEntry(name, where, path=path, problem=str(error))
    if card is None:
        return ModelEntry(name, where, path=path)
    return ModelEntry(
        name,
        where,
        # A copied or renamed file: the model is listed, and so loaded and recorded as a base, by the name of its file.
        card if card.name == name else card.model_copy(update={"name": name}),
        path,
        license=card.license,
        family=card.family,
        scale=card.scale,
        channels=card.channels,
        domain=card.domain,
    )


def _published_entries(folder: Path) -> list[ModelEntry]:
    return [_published_entry(published, folder) for published in sorted(PUBLISHED, key=lambda entry: entry.name)]


def _published_entry(published: Published, folder: Path) -> ModelEntry:
    path = folder / published.file
    return ModelEntry(
        published.name,
        "published",
        path=path if path.is_file() else None,
        url=published.url,
        license=published.license,
        family="esrgan",
        scale=published.scale,
        channels=3,
    )


def _other_scale(name: str, card: Card, scale: int | None) -> str:
    """Return the message for a model that has another factor, with the models that have the requested one."""
    others = [entry for entry in list_models() if entry.card is not None and entry.scale == scale]
    same_family = [entry for entry in others if entry.family == card.family]
    names = ", ".join(entry.name for entry in same_family or others)
    remedy = f"for {scale} use {names}" if names else f"there is no model for {scale}"
    return f"{name} upscales by {card.scale}, not by {scale}: {remedy}."
