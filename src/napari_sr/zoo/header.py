"""The card in the header of a model file, read without torch."""

from __future__ import annotations

from pathlib import Path

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Card
from napari_sr.zoo.checkpoint.safetensors_header import read_header

#: Key of the card in the metadata of a safetensors file.
CARD_KEY = "napari_sr_card"


def read_card(path: Path) -> Card | None:
    """Read the card of a weight file, without its weights.

    Returns
    -------
    Card or None
        None if the file has no card, because another program wrote it. Only .safetensors files have one.

    Raises
    ------
    CheckpointError
        If the file is missing, cut short or not a safetensors file, or its card cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: give the path of a weight file.")
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        with path.open("rb") as file:
            text = read_header(file, path.name).metadata.get(CARD_KEY)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror or error}): check the file.") from error
    if text is None:
        return None
    try:
        return Card.from_json(text)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
