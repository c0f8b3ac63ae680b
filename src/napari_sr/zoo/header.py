"""The card in the header of a model file, read without torch."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Card

#: Key of the card in the metadata of a safetensors file.
CARD_KEY = "napari_sr_card"


def read_card(path: Path) -> Card | None:
    """Read the card of a safetensors file.

    Parameters
    ----------
    path : Path
        A .safetensors file.

    Returns
    -------
    Card or None
        None if the file has no card: weights that are not of napari-sr's making.

    Raises
    ------
    CheckpointError
        If the file is missing, cut short or no safetensors file, or its card cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: give the path of a model file.")
    try:
        # "numpy" names the framework of tensors that are never asked for here: the header alone is read.
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
