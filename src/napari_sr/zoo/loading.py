"""From files to models: any weight file gets a card that says what is known of it, and no more."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from napari_sr.errors import CheckpointError, InputError
from napari_sr.zoo.architectures import build_empty, complete
from napari_sr.zoo.card import Architecture, Card, Color, Family
from napari_sr.zoo.checkpoint import read_checkpoint
from napari_sr.zoo.dialects import detect_architecture
from napari_sr.zoo.header import read_card
from napari_sr.zoo.mixing import check_same
from napari_sr.zoo.model import Model
from napari_sr.zoo.modelfile import WEIGHTS, read_model

_FAMILIES: dict[str, Family] = {
    "SRCNN": "srcnn",
    "SRResNet": "srgan",
    "MSRResNet": "srgan",
    "RRDBNet": "esrgan",
    "SRVGGNetCompact": "esrgan",
}


def open_model(
    path: Path, *, alpha: float | None = None, scale: int | None = None, license: str | None = None
) -> Model:
    """Make a model of a file: one of ours, or a checkpoint in any dialect.

    Parameters
    ----------
    path : Path
        The file.
    alpha : float, optional
        Where between two endpoints, 0 to 1.
    scale : int, optional
        Factor, for weights that do not tell.
    license : str, optional
        Terms to write on the card of a checkpoint that has none.

    Returns
    -------
    Model

    Raises
    ------
    CheckpointError
        If the file cannot be read, is no super-resolution network, or has another factor.
    InputError
        If alpha does not fit the model.
    """
    card, endpoints = _read(path, scale, license)
    return Model(card, endpoints, alpha, source=path)


def open_pair(first: Path, second: Path, *, alpha: float | None = None, scale: int | None = None) -> Model:
    """Make one model of two files whose weights alpha mixes.

    Parameters
    ----------
    first, second : Path
        Two files of one network, each in any dialect: at alpha = 0 and at alpha = 1.
    alpha : float, optional
        0 to 1; by default 0.
    scale : int, optional
        Factor, for weights that do not tell.

    Returns
    -------
    Model
        Its endpoints bear the names of the files, without their endings.

    Raises
    ------
    CheckpointError
        If a file cannot be read, or the two are not weights of one network.
    InputError
        If a file is already a pair, or alpha is not in [0, 1].
    """
    cards, weights = [], []
    for path in (first, second):
        card, endpoints = _read(path, scale, None)
        if card.endpoints:
            raise InputError(f"{path.name} holds two weight sets already: pick two files with one each.")
        cards.append(card)
        weights.append(endpoints[WEIGHTS])
    check_same(*weights)
    if complete(cards[0].architecture) != complete(cards[1].architecture):
        raise CheckpointError(f"{first.name} and {second.name} cannot be mixed: their networks have other settings.")
    for what in ("color", "intensity_range", "output_range"):
        if getattr(cards[0], what) != getattr(cards[1], what):
            raise CheckpointError(f"{first.name} and {second.name} cannot be mixed: they differ in {what}.")
    names = (first.stem, second.stem if second.stem != first.stem else f"{second.stem} (2)")
    card = Card(
        name=f"{names[0]} + {names[1]}",
        family=cards[0].family,
        architecture=cards[0].architecture,
        scale=cards[0].scale,
        channels=cards[0].channels,
        color=cards[0].color,
        domain=cards[0].domain if cards[0].domain == cards[1].domain else None,
        intensity_range=cards[0].intensity_range,
        output_range=cards[0].output_range,
        license=cards[0].license if cards[0].license == cards[1].license else None,
        endpoints=names,
        notes=f"Mixed from two files. {cards[0].notes} {cards[1].notes}".strip(),
    )
    return Model(card, dict(zip(names, weights, strict=True)), alpha, source=(first, second))


def _read(path: Path, scale: int | None, license: str | None) -> tuple[Card, dict[str, dict[str, Tensor]]]:
    if path.suffix.lower() == ".safetensors" and read_card(path) is not None:
        card, endpoints = read_model(path)
        if scale not in (None, card.scale):
            raise CheckpointError(f"{path.name} upscales by {card.scale}, not by {scale}: pick a model for {scale}.")
        return card, endpoints
    checkpoint = read_checkpoint(path)
    try:
        architecture, tensors = detect_architecture(checkpoint.tensors, scale=scale)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    others = f" ({', '.join(checkpoint.others)} left aside)" if checkpoint.others else ""
    wrapped = f", weight set {checkpoint.wrapper}{others}" if checkpoint.wrapper else ""
    notes = f"Read from {path.name}{wrapped}; its training is not known."
    return card_of(architecture, path, notes=notes, license=license), {WEIGHTS: tensors}


def card_of(architecture: Architecture, path: Path, *, notes: str, license: str | None = None) -> Card:
    """Write the card of a checkpoint that has none: sizes from its network, everything else unknown.

    Raises
    ------
    CheckpointError
        If the network is not one for super-resolution.
    """
    network = architecture.network
    if network not in _FAMILIES:
        raise CheckpointError(
            f"{path.name} holds {network}, which serves perceptual losses and upscales nothing: "
            "pick a super-resolution model."
        )
    # The network knows its own factor and channels, defaults included.
    empty = build_empty(architecture)
    scale, channels = int(getattr(empty, "scale", 0)), int(getattr(empty, "in_channels", 0))
    color: Color = "rgb" if channels == 3 else "gray"
    if network == "SRCNN" and channels == 1:
        # The paper's default: the luminance channel alone.
        color = "luma"
    return Card(
        name=path.stem,
        family=_FAMILIES[network],
        architecture=architecture,
        scale=scale,
        channels=channels,
        color=color,
        license=license,
        notes=notes,
    )
