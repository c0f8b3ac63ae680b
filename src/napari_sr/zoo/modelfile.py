"""Model files: safetensors files with the card in the header, written atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from napari_sr.conversion import check_folder
from napari_sr.errors import CheckpointError, InputError
from napari_sr.imaging.atomic import write_file
from napari_sr.zoo.architectures import build_empty, check_depth, check_tensors
from napari_sr.zoo.card import Card
from napari_sr.zoo.checkpoint import open_weights
from napari_sr.zoo.header import CARD_KEY, read_card
from napari_sr.zoo.names import check_name, shown

#: Name of the weight set of a model that has only one.
WEIGHTS = "weights"


def write_model(
    path: str | Path,
    card: Card,
    endpoints: Mapping[str, Mapping[str, Tensor]],
    *,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> Path:
    """Write a model file atomically.

    Parameters
    ----------
    path : str or Path
        The file, ending in .safetensors, in an existing folder.
    card : Card
        Card of the model.
    endpoints : mapping of str to state dict
        The weight sets by the names of `card.endpoints`, or a single one as "weights".
    dtype : torch.dtype, default torch.float32
        Type in which floats are stored: float32, float16 or bfloat16. They are converted to float32 when they are read.
    overwrite : bool, default False
        Whether an existing file is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the ending, the folder, the dtype or the name on the card is wrong, or the file exists and `overwrite` is
        False.
    CheckpointError
        If the weights are not those of the network on the card, or are not finite in `dtype`.
    """
    path = Path(path)
    # A copy of a card with another name is not checked by pydantic, and the file could not be read.
    check_name(card.name)
    _check_target(path, overwrite)
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise InputError(f"Weights cannot be stored as {dtype}: choose torch.float32, torch.float16 or torch.bfloat16.")
    check_endpoints(card, endpoints)
    tensors = {}
    for name, state in endpoints.items():
        for key, tensor in state.items():
            stored = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
            if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
                raise CheckpointError(f"{path.name} was not written ({key} is not finite as {dtype}): use float32.")
            # safetensors does not write tensors that share memory.
            tensors[f"{name}/{key}" if card.endpoints else key] = stored.contiguous().clone()
    try:
        # Not save_file, whose files only their owner can read; models are shared in a facility.
        content = save(tensors, metadata={CARD_KEY: card.to_json(), "format": "pt"})
        write_file(path, content, overwrite=overwrite)
    except FileExistsError as error:
        raise InputError(f"{path.name} exists already: choose another name or allow overwriting.") from error
    return path


def read_model(path: str | Path) -> tuple[Card, dict[str, dict[str, Tensor]]]:
    """Read a model file and check its weights.

    Parameters
    ----------
    path : str or Path
        A file that `write_model` wrote.

    Returns
    -------
    card : Card
        Card of the model.
    endpoints : dict of str to state dict
        The weight sets by name, with floats in float32; a single one is called "weights".

    Raises
    ------
    CheckpointError
        If the file cannot be read, has no card, or its weights are not those of the network on the card.
    """
    path = Path(path)
    card = read_card(path)
    if card is None:
        raise CheckpointError(f"{path.name} has no card, so it is no model file of napari-sr: use read_checkpoint.")
    endpoints = read_endpoints(path, card)
    try:
        check_endpoints(card, endpoints)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    return card, endpoints


def read_endpoints(path: Path, card: Card) -> dict[str, dict[str, Tensor]]:
    """Read the weight sets of a model file, if their names and sizes are those of the network on its card.

    Returns
    -------
    dict of str to state dict
        The weight sets by name, with floats in float32; a single one is called "weights".

    Raises
    ------
    CheckpointError
        If the file cannot be read, a tensor belongs to no weight set of the card, or its size is not that of the
        network.
    """
    with open_weights(path) as file:
        # Names and sizes are compared with the network before any values are read.
        stored = file.tensors()
        names = card.endpoints or (WEIGHTS,)
        parts: dict[str, dict[str, str]] = {name: {} for name in names}
        for key in stored:
            name, slash, rest = key.partition("/") if card.endpoints else (WEIGHTS, "/", key)
            if not slash or name not in parts:
                raise CheckpointError(f"{path.name} cannot be used: {shown(key)} belongs to no weight set of its card.")
            parts[name][rest] = key
        sizes = file.check(stored)
        try:
            for part in parts.values():
                check_sizes(card, {rest: sizes[key] for rest, key in part.items()})
        except CheckpointError as error:
            raise CheckpointError(f"{path.name}: {error}") from error
        loaded = file.load(stored)
    return {name: {rest: loaded[key] for rest, key in part.items()} for name, part in parts.items()}


def check_endpoints(card: Card, endpoints: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Check that weight sets, by name, and network are those of the card.

    Raises `CheckpointError` if names of weight sets, factor, channels, keys or shapes differ; the message names the
    first difference.
    """
    names = card.endpoints or (WEIGHTS,)
    if set(endpoints) != set(names):
        raise CheckpointError(
            f"The card of {card.name} is for the weight sets {', '.join(names)}, not {', '.join(endpoints) or 'none'}."
        )
    for state in endpoints.values():
        check_sizes(card, state)


def check_sizes(card: Card, state: Mapping[str, Tensor]) -> None:
    """Check that the tensors of a weight set have the names and sizes of the network on a card.

    Its values are not used. Raises `CheckpointError` if factor, channels, keys or shapes differ; the message names the
    first difference.
    """
    check_depth(card.architecture, state)
    network = build_empty(card.architecture)
    for value, attribute in ((card.scale, "scale"), (card.channels, "in_channels")):
        actual = getattr(network, attribute, None)
        if actual != value:
            raise CheckpointError(f"The card of {card.name} has {attribute} {value}, but its network has {actual}.")
    check_tensors(network, state)


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".safetensors":
        raise InputError(f"{path.name} does not end in .safetensors: give a model file that ending.")
    check_folder(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path.name} exists already: choose another name or allow overwriting.")
