"""Dialect of SqueezeNet 1.1, of which the convolutional part is read."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect


def _read(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    if scale is not None:
        raise CheckpointError("SqueezeNet is a network for perceptual losses and has no factor: leave scale out.")
    features = {key: tensor for key, tensor in tensors.items() if not key.startswith("classifier.")}
    return Architecture(network="SqueezeNetFeatures"), features


DIALECTS = (Dialect("SqueezeNetFeatures", ("features.3.squeeze.weight",), _read),)
