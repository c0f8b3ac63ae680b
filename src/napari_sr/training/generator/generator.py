"""The network that is trained, as it processes patches and as it processes whole images."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from napari_sr.errors import InputError
from napari_sr.inference.channels import check_channels, network_for
from napari_sr.networks.srcnn import SRCNN
from napari_sr.training.data.plane_pairs import PatchColor
from napari_sr.training.generator.patch_networks import Normalized, Unpadded, is_conditioned, patch_network
from napari_sr.training.generator.starting_weights import load_start, new_network
from napari_sr.training.recipe import PatchSettings, Recipe
from napari_sr.zoo.architectures import build_empty
from napari_sr.zoo.card import Architecture, Card, Color
from napari_sr.zoo.loading import FAMILIES
from napari_sr.zoo.model import Model

#: Sides of patches that "auto" chooses from, in low-resolution pixels; those below `_LEAST_FOR_WORK` for small images
#: only.
_SIZES = (48, 32, 24, 16, 12, 8)
_LEAST_FOR_WORK = 16


@dataclass(frozen=True)
class Generator:
    """A network to train, with its card.

    Parameters
    ----------
    network : nn.Module
        The network.
    card : Card
        Its card before the training.
    color : {"gray", "luma", "rgb"}
        Meaning of the channels of the patches.
    """

    network: nn.Module
    card: Card
    color: PatchColor

    @property
    def colors(self) -> int:
        """Number of channels of the patches."""
        return 3 if self.color == "rgb" else 1

    @property
    def conditioned(self) -> bool:
        """Whether the network takes noise and blur as inputs."""
        return is_conditioned(self.network)

    @property
    def margin(self) -> int:
        """Margin that a patch needs, in low-resolution pixels."""
        return Unpadded(self.network).margin if isinstance(self.network, SRCNN) and not self.conditioned else 0

    def for_patches(self) -> nn.Module:
        """Return a module with the same weights for the inputs of a batch, with black at 0 and white at 1."""
        network = patch_network(self.network)
        return network if self.conditioned else self._wrapped(network)

    def for_images(self) -> tuple[nn.Module, nn.Module]:
        """Return a copy of the network for whole images in validation.

        Returns
        -------
        network : nn.Module
            The copy, into which weights can be loaded.
        forward : nn.Module
            A module for images with black at 0 and white at 1, which shares the weights of the copy. That of a
            conditioned network is called with image, noise and blur.
        """
        copy = deepcopy(self.network).eval().requires_grad_(False)
        return copy, Normalized(copy) if self.conditioned else self._wrapped(copy)

    def _wrapped(self, network: nn.Module) -> nn.Module:
        return network_for(network, self.card, self.colors, luma=self.color == "luma")


def scale_of(recipe: Recipe, model: Model | None) -> int:
    """Return the factor of the new network of a recipe, or else of the model to fine-tune.

    Raises
    ------
    InputError
        If there is neither a network nor a model, or the network cannot be trained.
    """
    if recipe.network is None:
        if model is None:
            raise InputError(
                f"The recipe {recipe.name} has no network: give a model to fine-tune, or add the table [network] to it."
            )
        return model.scale
    empty = build_empty(Architecture(network=recipe.network.name, settings=recipe.network.settings))
    if recipe.network.name not in FAMILIES:
        raise InputError(
            f"{recipe.network.name} cannot be trained for super-resolution: choose one of {', '.join(FAMILIES)} as the "
            "network of the recipe."
        )
    return int(getattr(empty, "scale", 0))


def make_generator(recipe: Recipe, model: Model | None, rgb: bool) -> Generator:
    """Make the network of a recipe, or copy that of a model.

    Parameters
    ----------
    recipe : Recipe
        A recipe with a new network, or for fine-tuning.
    model : Model or None
        The model to fine-tune, or the weights with which a new network starts.
    rgb : bool
        Whether any image has colors.

    Raises
    ------
    InputError
        If the model has no network or is not of the recipe's family, or the weights to start with are those of another
        network.
    """
    if recipe.network is None:
        assert model is not None  # as `scale_of` has checked
        if recipe.family is not None and recipe.family != model.card.family:
            raise InputError(
                f"The recipe {recipe.name} is for models of the family {recipe.family}, and {model.name} is of "
                f"{model.card.family}: choose another model or recipe."
            )
        if model.card.family == "classic":
            raise InputError(f"{model.name} is a method without a network and cannot be fine-tuned: choose a network.")
        network, card = deepcopy(model.network).requires_grad_(True), model.card
    else:
        card = _new_card(recipe, rgb)
        network = new_network(recipe.network, card.architecture, recipe.seed)
        if model is not None:
            load_start(network, card.architecture, model)
    check_channels(card)
    if is_conditioned(network) and (card.channels != 1 or card.color != "gray"):
        raise InputError(
            f"{card.name} takes noise or blur as inputs, and is trained on gray planes only: choose one channel, and "
            'the color "gray" in the recipe.'
        )
    if recipe.conditions is not None and not is_conditioned(network):
        raise InputError(
            f"The recipe {recipe.name} has conditions, and {card.name} takes neither noise nor blur as inputs: give "
            "its network a noise_plane or a gate, or leave the conditions out."
        )
    return Generator(network, card, _patch_color(card, rgb))


def _patch_color(card: Card, rgb: bool) -> PatchColor:
    if rgb and card.channels == 3:
        return "rgb"
    # Gray images stay gray for a luminance network too: its wrapper maps them to the range of luminance.
    return "luma" if rgb and card.color == "luma" else "gray"


def _new_card(recipe: Recipe, rgb: bool) -> Card:
    assert recipe.network is not None
    assert recipe.family is not None
    architecture = Architecture(network=recipe.network.name, settings=recipe.network.settings)
    empty = build_empty(architecture)
    scale, channels = int(getattr(empty, "scale", 0)), int(getattr(empty, "in_channels", 0))
    if channels == 3:
        color: Color = "rgb"
    elif recipe.data.color == "luma" or (recipe.data.color == "auto" and rgb and not is_conditioned(empty)):
        color = "luma"
    else:
        color = "gray"
    return Card(
        name=recipe.name,
        family=recipe.family,
        architecture=architecture,
        scale=scale,
        channels=channels,
        color=color,
        domain=recipe.domain,
        license=recipe.license,
    )


def work_per_pixel(card: Card) -> float:
    """Count the multiplications of a forward pass for each low-resolution pixel, in 10^9, without computing it."""
    side = 16
    network = build_empty(card.architecture)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        image = torch.zeros(1, card.channels, side, side, device="meta")
        if is_conditioned(network):
            network(image, image[:, :1], torch.zeros(1, device="meta"))
        else:
            network(image)
    return float(counter.get_total_flops()) / 2 / side**2 / 1e9


def patch_sizes(patches: PatchSettings, card: Card) -> tuple[tuple[int, ...], int]:
    """Choose size and number of the patches of a step.

    Parameters
    ----------
    patches : PatchSettings
        Settings of the recipe. A size of "auto" follows from the network's work for each pixel.
    card : Card
        Card with the architecture of the network.

    Returns
    -------
    sizes : tuple of int
        Sides of a patch in low-resolution pixels, in order of preference; the first for which the images have room is
        used.
    batch : int
        Number of patches of a step.
    """
    if patches.size != "auto":
        return (patches.size,), patches.batch
    pixels = patches.work / work_per_pixel(card)
    batch = patches.batch
    largest = next((n for n in _SIZES if batch * n**2 <= pixels and n >= _LEAST_FOR_WORK), _LEAST_FOR_WORK)
    while batch > 1 and batch * largest**2 > pixels:
        batch //= 2
    return tuple(n for n in _SIZES if n <= largest), batch
