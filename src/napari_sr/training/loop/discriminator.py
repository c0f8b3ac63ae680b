"""The discriminator of an adversarial stage."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import nn

from napari_sr.accelerators import synchronizes_batch_norm
from napari_sr.errors import InputError
from napari_sr.networks.discriminators import (
    Discriminator,
    ESRGANDiscriminator,
    ProjectedDiscriminator,
    SRGANDiscriminator,
    UNetDiscriminator,
)
from napari_sr.training import recipe
from napari_sr.training.loop.discriminator_inputs import input_channels
from napari_sr.training.losses.frozen_features import FrozenFeatures


def make_discriminator(
    settings: recipe.Discriminator, colors: int, patch: int, seed: int, fabric: Fabric, *, conditioned: bool
) -> Discriminator:
    """Make a discriminator for patches of one size.

    Parameters
    ----------
    settings : recipe.Discriminator
        Kind and size of the discriminator.
    colors : int
        Number of channels of the images.
    patch : int
        Side of its input in pixels.
    seed : int
        Seed of the recipe, from which the initial weights follow.
    fabric : Fabric
        Device and processes.
    conditioned : bool
        Whether the generator takes noise and blur, which are shown to a conditional discriminator.

    Raises
    ------
    InputError
        If the patch is too small for the discriminator, the weights of the network of a projected one cannot be loaded,
        or batch normalization cannot be synchronized on this device.
    """
    network: Discriminator
    channels = input_channels(colors, conditional=settings.conditional, conditioned=conditioned)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        try:
            if settings.kind == "projected":
                frozen = FrozenFeatures(settings.network, settings.layers, weights=settings.weights)
                network = ProjectedDiscriminator(
                    frozen,
                    {name: frozen.channels[name] for name in settings.layers},
                    colors=colors,
                    conditional=settings.conditional,
                    planes=channels - (1 + settings.conditional) * colors,
                    features=settings.features,
                )
            elif settings.kind == "unet":
                network = UNetDiscriminator(channels=channels, features=settings.features)
            elif settings.kind == "srgan":
                network = SRGANDiscriminator(channels=channels, patch=patch, features=settings.features)
            else:
                network = ESRGANDiscriminator(channels=channels, patch=patch, features=settings.features)
        except ValueError as error:
            raise InputError(
                f"High-resolution patches of {patch} pixels are too small for the {settings.kind} discriminator: "
                "choose larger patches, or the kind unet."
            ) from error
    if settings.synchronize and fabric.world_size > 1:
        if not synchronizes_batch_norm(fabric.device):
            raise InputError(
                "Batch normalization can be synchronized on NVIDIA and AMD GPUs only: leave synchronize out of the "
                "discriminator in the recipe."
            )
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network
