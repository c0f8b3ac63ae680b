"""Conditions of a job: noise and blur settings, applied to networks that take them."""

from __future__ import annotations

from torch import nn

from napari_sr.errors import InputError
from napari_sr.networks.conditioning import NoiseLevels, WithNoise, folded
from napari_sr.settings import JobSettings
from napari_sr.zoo.card import Card
from napari_sr.zoo.model import Model


def check_conditions(card: Card, settings: JobSettings) -> None:
    """Check that the noise and blur settings fit a model.

    Raises
    ------
    InputError
        If the model does not take a condition that is set, or the blur is beyond the range of its training.
    """
    conditioning = card.conditioning
    if conditioning is None or conditioning.noise is None:
        for name, value, default in (("noise", settings.noise, "auto"), ("denoise", settings.denoise, 1.0)):
            if value != default:
                raise InputError(
                    f"The model {card.name} does not take the noise of an image: leave {name} out, or choose a model "
                    "that does, such as esrgan-microscopy-x2."
                )
    limit = 0.0 if conditioning is None or conditioning.blur is None else conditioning.blur[1]
    if settings.blur > limit:
        remedy = f"give 0 to {limit:g} pixels" if limit else "leave it at 0, or choose a model that does"
        takes = f"removes blur of at most {limit:g} pixels" if limit else "does not remove blur"
        raise InputError(f"The model {card.name} {takes}, and blur is {settings.blur:g}: {remedy}.")


def conditioned(model: Model, settings: JobSettings, noise: NoiseLevels) -> nn.Module:
    """Return the network of a model for the conditions of a job, as a network of one input.

    Parameters
    ----------
    model : Model
        The model.
    settings : JobSettings
        Settings of the job.
    noise : NoiseLevels
        Noise of the planes, to be set for each batch.

    Returns
    -------
    nn.Module
        The network itself if it takes no conditions; else one with the blur folded into its weights and a noise plane
        that is computed from the image.
    """
    conditioning = model.card.conditioning
    if conditioning is None:
        return model.network
    network = folded(model.network, settings.blur)
    return network if conditioning.noise is None else WithNoise(network, noise).eval()
