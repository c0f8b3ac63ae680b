"""The network of a job: that of the model with the layers around it."""

from __future__ import annotations

import torch
from torch import nn

from napari_sr.imaging.axes import Axes
from napari_sr.inference.channels import network_for, separate_colors
from napari_sr.inference.compute.conditions import conditioned
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.settings import JobSettings, Overlap
from napari_sr.zoo.model import Model


def network_of(model: Model, settings: JobSettings, axes: Axes, noise: NoiseLevels) -> nn.Module:
    """Return the network for the planes of an image, with the layers for the conditions and the colors.

    Parameters
    ----------
    model : Model
        The model.
    settings : JobSettings
        The settings.
    axes : Axes
        Axes of the image.
    noise : NoiseLevels
        Noise of the planes, to be set for each batch.

    Returns
    -------
    nn.Module
        A network of one input: gray values, one color, or three colors together. A layer for values far beyond black
        and white is not included.
    """
    colors = 3 if axes.rgb and not separate_colors(model.card) else 1
    return network_for(conditioned(model, settings, noise), model.card, colors)


def not_exact_because(model: Model, settings: JobSettings, axes: Axes) -> str | None:
    """Return why a part of an image would not be computed as it is in the whole image.

    Parameters
    ----------
    model : Model
        The model.
    settings : JobSettings
        The settings.
    axes : Axes
        Axes of the image.

    Returns
    -------
    str or None
        Such as "tiles overlap"; None where the tiling is exact, or none.
    """
    if settings.tiling == "overlap" or isinstance(settings.tiling, Overlap):
        return "tiles overlap"
    network = network_of(model, settings, axes, NoiseLevels())
    return PlaneRunner(network, torch.device("cpu"), tiling=settings.tiling).not_exact_because
