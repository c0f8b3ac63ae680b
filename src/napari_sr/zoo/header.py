"""The card in the header of a model file, read without torch."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Card

#: Key of the card in the metadata of a safetensors file.
CARD_KEY = "napari_sr_card"


def read_card(path: Path) -> Card | None:
    """Read the card of a safetensors file, without its weights.

    Parameters
    ----------
    path : Path
        A .safetensors file.

    Returns
    -------
    Card or None
        None if the file has no card, because another program wrote it.

    Raises
    ------
    CheckpointError
        If the file is missing, cut short or not a safetensors file, or its card cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: give the path of a model file.")
    try:
        # "numpy" is the framework of the tensors, none of which is read.
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(CARD_KEY)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} is cut short or is no safetensors file: get the file again.") from error
    if text is None:
        return None
    try:
        return Card.from_json(text)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
