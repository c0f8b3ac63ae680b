"""Model files: safetensors with the card inside, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from napari_sr.errors import CheckpointError, InputError
from napari_sr.imaging.atomic import write_file
from napari_sr.zoo.architectures import build_empty, check_tensors
from napari_sr.zoo.card import Card
from napari_sr.zoo.checkpoint import read_checkpoint
from napari_sr.zoo.header import CARD_KEY, read_card

#: Name of the one weight set of a model without endpoints.
WEIGHTS = "weights"


def write_model(
    path: str | Path,
    card: Card,
    endpoints: Mapping[str, Mapping[str, Tensor]],
    *,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> Path:
    """Write a model file: to a temporary name beside it, then renamed, so that no half of one is ever seen.

    Parameters
    ----------
    path : str or Path
        Ending in .safetensors, in a folder that is there.
    card : Card
        What the file says of itself.
    endpoints : mapping of str to state dict
        The weight sets under `card.endpoints`' names, or a single one under "weights".
    dtype : torch.dtype
        How floats are stored: float32, float16 or bfloat16. Reading widens them to float32.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the name, the folder or the dtype does not fit, or the file is there and `overwrite` is not set.
    CheckpointError
        If the weights are not those of the card's network, or are not finite as stored.
    """
    path = Path(path)
    _check_target(path, overwrite)
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise InputError(f"Weights are stored as float32, float16 or bfloat16, not as {dtype}.")
    check_endpoints(card, endpoints)
    tensors = {}
    for name, state in endpoints.items():
        for key, tensor in state.items():
            stored = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
            if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
                raise CheckpointError(f"{path.name} was not written: {key} is not finite as {dtype}.")
            # safetensors refuses tensors that share memory.
            tensors[f"{name}/{key}" if card.endpoints else key] = stored.contiguous().clone()
    try:
        # Not save_file, whose files only their owner can read: a facility shares its models.
        content = save(tensors, metadata={CARD_KEY: card.to_json(), "format": "pt"})
        write_file(path, content, overwrite=overwrite)
    except FileExistsError as error:
        raise InputError(f"{path.name} exists already: choose another name or allow overwriting.") from error
    return path


def read_model(path: str | Path) -> tuple[Card, dict[str, dict[str, Tensor]]]:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        A file that `write_model` wrote.

    Returns
    -------
    card : Card
    endpoints : dict of str to state dict
        Weight sets by name, floats in float32; a single one is called "weights".

    Raises
    ------
    CheckpointError
        If the file cannot be read, has no card, or its weights are not those of the card's network.
    """
    path = Path(path)
    card = read_card(path)
    if card is None:
        raise CheckpointError(f"{path.name} has no card: it is not a model file of napari-sr.")
    tensors = read_checkpoint(path).tensors
    endpoints: dict[str, dict[str, Tensor]] = {name: {} for name in card.endpoints or (WEIGHTS,)}
    for key, tensor in tensors.items():
        name, slash, rest = key.partition("/") if card.endpoints else (WEIGHTS, "/", key)
        if not slash or name not in endpoints:
            raise CheckpointError(f"{path.name} cannot be used: {key} belongs to no endpoint of its card.")
        endpoints[name][rest] = tensor
    try:
        check_endpoints(card, endpoints)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    return card, endpoints


def check_endpoints(card: Card, endpoints: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Raise `CheckpointError` unless the weight sets and the network are what the card promises."""
    promised = card.endpoints or (WEIGHTS,)
    if set(endpoints) != set(promised):
        raise CheckpointError(
            f"The card of {card.name} promises the weight sets {', '.join(promised)}, "
            f"not {', '.join(endpoints) or 'none'}."
        )
    network = build_empty(card.architecture)
    for value, attribute in ((card.scale, "scale"), (card.channels, "in_channels")):
        own = getattr(network, attribute, None)
        if own != value:
            raise CheckpointError(f"The card of {card.name} says {attribute} {value}, and its network has {own}.")
    for state in endpoints.values():
        check_tensors(network, state)


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".safetensors":
        raise InputError(f"A model file ends in .safetensors, and {path.name} does not.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} into: make it first.")
    if path.exists() and not overwrite:
        raise InputError(f"{path.name} is there already: choose another name or allow overwriting.")
