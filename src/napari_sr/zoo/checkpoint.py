"""Reading any supported weight file without running code from it."""

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

#: Names under which trainers wrap a state dict, the best first: an average of the weights before the weights.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")
#: What trainers put before every key.
_WHOLE_PREFIXES = ("module.", "net.")
#: What they put before the generator's keys, with those of a discriminator beside them.
_GENERATOR_PREFIXES = ("netG.", "generator.")
#: Wrappers inside wrappers that are looked into; a pickle can hold a dict that contains itself.
_DEPTH = 3
#: torch.load(weights_only=True) could be fooled before: CVE-2025-32434 (fixed in 2.6), CVE-2026-24747 (in 2.10).
SAFE_TORCH = "2.10"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a weight file.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        In the file's own names less wrapper and prefix; floats widened (or narrowed) to float32, on the CPU.
    wrapper : str or None
        Name of the wrapped set that was taken; None if the file is a bare state dict.
    path : Path
        The file.
    others : tuple of str
        Wrapped sets that were left aside.
    """

    tensors: Mapping[str, Tensor]
    wrapper: str | None
    path: Path
    others: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weight file: .safetensors, a torch checkpoint, or SRCNN's MATLAB file.

    Parameters
    ----------
    path : str or Path
        Ending in .safetensors, .pth, .pt, .pkl, .ckpt, .bin or .mat.

    Returns
    -------
    Checkpoint
        Of the wrapped sets, the first of `WRAPPERS` that is there.

    Raises
    ------
    CheckpointError
        If the file is missing, empty, cut short, of another kind, or would run code; if it holds no weights, or
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
        raise CheckpointError(f"{path.name} is not a weight file by its ending: the endings known are {known}.")
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
    # A damaged pickle can fail in any way at all (KeyError, struct.error, ...); each is told in one sentence.
    except Exception as error:
        raise CheckpointError(why_not_pickle(path)) from error


def check_torch(version: str, path: Path) -> None:
    """Raise `CheckpointError` if this torch reads pickles with a known hole."""
    if TorchVersion(version) < TorchVersion(SAFE_TORCH):
        raise CheckpointError(
            f"{path.name} is a pickle, and torch {version} can be made to run code by one: "
            "update torch to 2.10 or newer, or convert the file to safetensors."
        )


def _unwrap(content: object, path: Path) -> tuple[dict[str, Tensor], str | None, tuple[str, ...]]:
    """Take the best set of tensors in a file: the set, its name, the names of the others."""
    sets = _tensor_sets(content)
    for name in WRAPPERS:
        if name in sets:
            return sets[name], name, tuple(other for other in sets if other not in (name, None))
    if None in sets:
        return sets[None], None, ()
    raise CheckpointError(f"{path.name} holds no weights: pick the file of a trained network.")


def _tensor_sets(content: object, depth: int = _DEPTH) -> dict[str | None, dict[str, Tensor]]:
    """All sets of tensors that a file holds, by the name that wraps them (None for bare ones)."""
    if not isinstance(content, Mapping) or depth == 0:
        return {}
    bare = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    sets: dict[str | None, dict[str, Tensor]] = {None: bare} if bare else {}
    for name in WRAPPERS:
        for inner, tensors in _tensor_sets(content.get(name), depth - 1).items():
            # A wrapper inside a wrapper goes by the inner name, unless that one was met outside.
            sets.setdefault(inner or name, tensors)
    return sets


def _strip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the prefixes off; of several networks in one set, keep the generator."""
    for prefix in (*_WHOLE_PREFIXES, *_GENERATOR_PREFIXES):
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if own and (prefix in _GENERATOR_PREFIXES or len(own) == len(tensors)):
            return _strip(own)
    return tensors


def _finished(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Dense float32 tensors, all of them finite."""
    result = {}
    for key, tensor in tensors.items():
        if not _is_plain(tensor):
            raise CheckpointError(f"{path.name} holds {key} in a form no network here has: save it as plain floats.")
        plain = tensor.detach().to(torch.float32) if tensor.is_floating_point() else tensor.detach()
        if plain.is_floating_point() and not bool(torch.isfinite(plain).all()):
            raise CheckpointError(f"{path.name} holds NaN or infinite weights in {key}: its training went wrong.")
        result[key] = plain.contiguous()
    return result


def _is_plain(tensor: Tensor) -> bool:
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized:
        return False
    # A tensor of repeated numbers (stride 0) can claim any size, whatever the file's.
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
