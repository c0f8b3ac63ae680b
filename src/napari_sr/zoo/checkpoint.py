"""Reading of weight files of all supported formats, without running code from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.torch_version import TorchVersion

from napari_sr.errors import CheckpointError
from napari_sr.zoo.matlab import read_matlab
from napari_sr.zoo.refusals import refuse_program, why_not_pickle
from napari_sr.zoo.weightfiles import SUFFIXES

#: Keys under which training programs store a state dict, in order of preference: averaged weights first.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")
#: Prefixes of all keys.
_WHOLE_PREFIXES = ("module.", "net.")
#: Prefixes of the keys of the generator, in files that also contain a discriminator.
_GENERATOR_PREFIXES = ("netG.", "generator.")
#: Largest depth of nested dicts that are searched, because a dict in a pickle can contain itself.
_DEPTH = 3
#: First version whose torch.load(weights_only=True) has neither CVE-2025-32434 (fixed in 2.6) nor CVE-2026-24747.
SAFE_TORCH = "2.10"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a weight file.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The weights by the names of the file without wrapper and prefix, on the CPU, with floats in float32.
    wrapper : str or None
        Key of the weight set; None if the file is a state dict itself.
    path : Path
        The file.
    others : tuple of str
        Keys of the weight sets that were not used.
    """

    tensors: Mapping[str, Tensor]
    wrapper: str | None
    path: Path
    others: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weight file: a safetensors file, a torch checkpoint, or the MATLAB file of SRCNN.

    Parameters
    ----------
    path : str or Path
        The file, ending in .safetensors, .pth, .pt, .pkl, .ckpt, .bin or .mat.

    Returns
    -------
    Checkpoint
        The weight set under the first key of `WRAPPERS` in the file.

    Raises
    ------
    CheckpointError
        If the file is missing, empty, cut short, of another kind, or would run code; or if it has no weights, or
        weights that are not finite.
    """
    path = Path(path)
    _check_file(path)
    suffix = path.suffix.lower()
    content: object
    if suffix == ".mat":
        content = read_matlab(path)
    elif suffix == ".safetensors":
        content = _load_safetensors(path)
    else:
        content = _load_pickle(path)
    tensors, wrapper, others = _unwrap(content, path)
    return Checkpoint(MappingProxyType(_finished(_strip(tensors), path)), wrapper, path, others)


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise CheckpointError(f"{path.name} is not a weight file by its ending: the known endings are {known}.")
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: give the path of a weight file.")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path.name} is empty: get the file again.")


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} is cut short or is no safetensors file: get the file again.") from error


def _load_pickle(path: Path) -> object:
    check_torch(torch.__version__, path)
    refuse_program(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged pickle can raise any exception (KeyError, struct.error, ...).
    except Exception as error:
        raise CheckpointError(why_not_pickle(path)) from error


def check_torch(version: str, path: Path) -> None:
    """Check that torch reads pickles without a known vulnerability.

    Parameters
    ----------
    version : str
        Version of torch.
    path : Path
        The file, for the error message.

    Raises
    ------
    CheckpointError
        If this version can be made to run code.
    """
    if TorchVersion(version) < TorchVersion(SAFE_TORCH):
        raise CheckpointError(
            f"{path.name} is a pickle, and torch {version} can be made to run code by one: "
            "update torch to 2.10 or newer, or convert the file to safetensors."
        )


def _unwrap(content: object, path: Path) -> tuple[dict[str, Tensor], str | None, tuple[str, ...]]:
    """Return the preferred weight set of a file, its key, and the keys of the others."""
    sets = _tensor_sets(content)
    for name in WRAPPERS:
        if name in sets:
            return sets[name], name, tuple(other for other in sets if other not in (name, None))
    if None in sets:
        return sets[None], None, ()
    raise CheckpointError(f"{path.name} has no weights: choose the file of a trained network.")


def _tensor_sets(content: object, depth: int = _DEPTH) -> dict[str | None, dict[str, Tensor]]:
    """Return all weight sets of a file by key; None is the key of tensors at the top."""
    if not isinstance(content, Mapping) or depth == 0:
        return {}
    bare = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    sets: dict[str | None, dict[str, Tensor]] = {None: bare} if bare else {}
    for name in WRAPPERS:
        for inner, tensors in _tensor_sets(content.get(name), depth - 1).items():
            # A nested set has its inner key, unless an outer set has the same key.
            sets.setdefault(inner or name, tensors)
    return sets


def _strip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove prefixes of keys; from a set with several networks, select the generator."""
    for prefix in (*_WHOLE_PREFIXES, *_GENERATOR_PREFIXES):
        stripped = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if stripped and (prefix in _GENERATOR_PREFIXES or len(stripped) == len(tensors)):
            return _strip(stripped)
    return tensors


def _finished(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Convert to dense float32 tensors and check that they are finite."""
    result = {}
    for key, tensor in tensors.items():
        if not _is_plain(tensor):
            raise CheckpointError(f"{path.name} has {key} in a format that cannot be used: save it as plain floats.")
        plain = tensor.detach().to(torch.float32) if tensor.is_floating_point() else tensor.detach()
        if plain.is_floating_point() and not bool(torch.isfinite(plain).all()):
            raise CheckpointError(f"{path.name} has NaN or infinite weights in {key}: choose an earlier checkpoint.")
        result[key] = plain.contiguous()
    return result


def _is_plain(tensor: Tensor) -> bool:
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized:
        return False
    # A tensor of repeated numbers (stride 0) can have any size, independent of the size of the file.
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
