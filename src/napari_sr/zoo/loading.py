"""Loading of models from files; a checkpoint without a card gets one with the known facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sr.errors import CheckpointError, InputError
from napari_sr.torch_state import own_torch_state
from napari_sr.zoo.architectures import build_empty, complete
from napari_sr.zoo.card import Architecture, Card, Classic, Color, Conditioning, Family
from napari_sr.zoo.checkpoint import WeightFile, open_weights
from napari_sr.zoo.checkpoint.suffixes import stem_of
from napari_sr.zoo.checkpoint.weight_sets import WeightSet
from napari_sr.zoo.classic import classic_card
from napari_sr.zoo.dialects import detect_architecture, find_dialect
from napari_sr.zoo.header import read_card
from napari_sr.zoo.mixing import check_same
from napari_sr.zoo.model import Model
from napari_sr.zoo.modelfile import WEIGHTS, read_endpoints
from napari_sr.zoo.names import as_name, shown

#: Keys of a card that belong together.
_PIXEL_SIZE = ("pixel_size", "pixel_unit")
#: Networks that are trained for super-resolution, and the families of their models.
FAMILIES: dict[str, Family] = {
    "SRCNN": "srcnn",
    "SRResNet": "srgan",
    "MSRResNet": "srgan",
    "RRDBNet": "esrgan",
    "SRVGGNetCompact": "esrgan",
}


@own_torch_state()
def open_model(
    path: Path,
    *,
    card: Card | None = None,
    alpha: float | None = None,
    scale: int | None = None,
    license: str | None = None,
) -> Model:
    """Load a model from a file: a model file, or a checkpoint in any dialect.

    Parameters
    ----------
    path : Path
        The file.
    card : Card, optional
        Card of a model file, if it has been read already.
    alpha : float, optional
        Position between two weight sets, from 0 to 1.
    scale : int, optional
        Upsampling factor, for weights from which it cannot be read.
    license : str, optional
        License of the weights, for the card of a checkpoint.

    Returns
    -------
    Model
        The model, with the network on the CPU.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is not a super-resolution network, or has another factor.
    InputError
        If alpha does not fit the model.
    """
    if card is None and path.suffix.lower() == ".safetensors":
        card = read_card(path)
    if card is None:
        return _open_checkpoint(path, alpha, scale, license)
    if scale not in (None, card.scale):
        raise CheckpointError(f"{path.name} upscales by {card.scale}, not by {scale}: choose a model for {scale}.")
    endpoints = read_endpoints(path, card)
    try:
        return Model(card, endpoints, alpha, source=path)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error


@own_torch_state()
def open_pair(
    first: Path,
    second: Path,
    *,
    alpha: float | None = None,
    scale: int | None = None,
    licenses: tuple[str | None, str | None] = (None, None),
) -> Model:
    """Load one model from two files, between whose weights alpha interpolates.

    Parameters
    ----------
    first, second : Path
        Two files of one network, in any dialect: for alpha = 0 and for alpha = 1.
    alpha : float, optional
        Position between the two, from 0 to 1; by default 0.
    scale : int, optional
        Upsampling factor, for weights from which it cannot be read.
    licenses : (str or None, str or None), optional
        Licenses of the two, for files without a card; None if it is not known.

    Returns
    -------
    Model
        A model with two weight sets, named like the files without their endings. Facts that both cards have in common,
        such as the license, are on its card.

    Raises
    ------
    CheckpointError
        If a file cannot be read, or the two are not weights of one network.
    InputError
        If a file has two weight sets already, or alpha is not between 0 and 1.
    """
    models = []
    for path, license_name in zip((first, second), licenses, strict=True):
        models.append(open_model(path, scale=scale, license=license_name))
        if models[-1].card.endpoints:
            raise InputError(f"{path.name} has two weight sets already: choose two files with one each.")
    weights = [model.endpoints[WEIGHTS] for model in models]
    cards = [model.card for model in models]
    if cards[0].scale != cards[1].scale:
        raise CheckpointError(
            f"{first.name} and {second.name} cannot be mixed, because they upscale by {cards[0].scale} and by "
            f"{cards[1].scale}: choose two files of the same network."
        )
    check_same(*weights)
    if complete(cards[0].architecture) != complete(cards[1].architecture):
        raise CheckpointError(
            f"{first.name} and {second.name} cannot be mixed, because their networks have other settings: "
            "choose two files of the same network."
        )
    for name in ("color", "intensity_range", "output_range"):
        if getattr(cards[0], name) != getattr(cards[1], name):
            raise CheckpointError(
                f"{first.name} and {second.name} cannot be mixed, because they differ in {name}: "
                "choose two files with the same cards."
            )
    names = (as_name(stem_of(first)), as_name(stem_of(second)))
    if names[0] == names[1]:
        names = (names[0], as_name(f"{names[0][:100]} (2)"))
    card = Card(
        name=as_name(f"{names[0]} + {names[1]}"),
        family=cards[0].family,
        architecture=cards[0].architecture,
        scale=cards[0].scale,
        channels=cards[0].channels,
        color=cards[0].color,
        intensity_range=cards[0].intensity_range,
        output_range=cards[0].output_range,
        conditioning=_common_conditioning(cards, f"{first.name} and {second.name}"),
        endpoints=names,
        notes=f"Mixed from two files. {cards[0].notes} {cards[1].notes}".strip(),
        **_common_facts(cards),
    )
    return Model(card, dict(zip(names, weights, strict=True)), alpha, source=(first, second))


def _common_conditioning(cards: list[Card], files: str) -> Conditioning | None:
    """Return the conditions that both trainings covered, for the mixture of two networks."""
    one, two = (card.conditioning for card in cards)
    if one is None and two is None:
        return None
    try:
        if one is None or two is None:
            raise ValueError("only one of the cards has conditions")
        return one.overlap(two)
    except ValueError as error:
        raise CheckpointError(
            f"{files} cannot be mixed, because they were trained for other noise or another blur: choose two files "
            "with the same conditions."
        ) from error


def _common_facts(cards: list[Card]) -> dict[str, Any]:
    """Return the facts about the trainings that the cards of two models have in common."""
    facts: dict[str, Any] = {}
    for names in (("domain",), ("license",), ("intensity",), ("degradation",), ("training_noise",), _PIXEL_SIZE):
        values = [[getattr(card, name) for name in names] for card in cards]
        if values[0] == values[1]:
            facts |= dict(zip(names, values[0], strict=True))
    return facts


def _open_checkpoint(path: Path, alpha: float | None, scale: int | None, license: str | None) -> Model:
    with open_weights(path) as file:
        chosen, architecture = _choose_set(file, scale)
        loaded = file.load(chosen.tensors)
    _, tensors = detect_architecture(loaded, scale=scale)
    others = f" ({', '.join(map(shown, chosen.others))} not used)" if chosen.others else ""
    wrapped = f", weight set {shown(chosen.name)}{others}" if chosen.name else ""
    notes = f"Read from {path.name}{wrapped}; its training is not known."
    values = find_dialect(loaded).intensity_range
    card = card_of(architecture, path, notes=notes, license=license, intensity_range=values)
    return Model(card, {WEIGHTS: tensors}, alpha, source=path)


def _choose_set(file: WeightFile, scale: int | None) -> tuple[WeightSet, Architecture]:
    """Return the preferred set of weights that a network fits, by names and sizes alone, and the network."""
    first: CheckpointError | None = None
    found: list[tuple[WeightSet, Architecture]] = []
    for candidate in file.sets():
        if found and found[0][0].rank < candidate.rank:
            break
        try:
            sizes = {key: tensor.without_values() for key, tensor in candidate.tensors.items()}
            found.append((candidate, detect_architecture(sizes, scale=scale)[0]))
        except CheckpointError as error:
            first = first or error
    if not found:
        raise CheckpointError(f"{file.name}: {first}") from first
    chosen = found[0]
    if len(found) > 1 and chosen[0].rank > 2:
        names = ", ".join(shown(one.name or "") for one, _ in found)
        raise CheckpointError(f"{file.name} has several sets of weights ({names}): save the one to use alone.")
    file.check(chosen[0].tensors)
    return chosen


def card_of(
    architecture: Architecture,
    path: Path,
    *,
    notes: str,
    license: str | None = None,
    intensity_range: tuple[float, float] = (0.0, 1.0),
) -> Card:
    """Make the card of a checkpoint: sizes from its network, everything else unknown.

    Parameters
    ----------
    architecture : Architecture
        The network.
    path : Path
        The file, whose name without ending becomes the name of the model (`napari_sr.zoo.names.as_name`).
    notes : str
        Notes for users.
    license : str, optional
        License of the weights.
    intensity_range : (float, float), default (0.0, 1.0)
        Values of the network's input for black and white.

    Raises
    ------
    CheckpointError
        If it is not a super-resolution network.
    """
    network = architecture.network
    if network not in FAMILIES:
        raise CheckpointError(
            f"{path.name} is a {network}, a network for perceptual losses that upscales nothing: "
            "choose a super-resolution model."
        )
    # From the network, which also has the default factor and channels.
    empty = build_empty(architecture)
    scale, channels = int(getattr(empty, "scale", 0)), int(getattr(empty, "in_channels", 0))
    color: Color = "rgb" if channels == 3 else "gray"
    if network == "SRCNN" and channels == 1:
        # The default of the paper: luma alone.
        color = "luma"
    return Card(
        name=as_name(stem_of(path)),
        family=FAMILIES[network],
        architecture=architecture,
        scale=scale,
        channels=channels,
        color=color,
        intensity_range=intensity_range,
        license=license,
        notes=notes,
    )


@own_torch_state()
def classic(name: Classic, scale: int) -> Model:
    """Return a method that is not trained as a model, which has no weights.

    Parameters
    ----------
    name : {"nearest", "bilinear", "bicubic", "lanczos3", "wiener", "richardson-lucy"}
        Interpolation kernel or deconvolution; also the name of the model.
    scale : int
        Factor along Y and X, 1 or more.
    """
    return Model(classic_card(name, scale), {WEIGHTS: {}}, source=name)
