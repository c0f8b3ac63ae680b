"""SqueezeNet 1.1's dialect: the convolutional part; the classifier is left in the file."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect


def _read(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    if scale is not None:
        raise CheckpointError("SqueezeNet weights serve perceptual losses and upscale by nothing: give no scale.")
    features = {key: tensor for key, tensor in tensors.items() if not key.startswith("classifier.")}
    return Architecture(network="SqueezeNetFeatures"), features


DIALECTS = (Dialect("SqueezeNetFeatures", ("features.3.squeeze.weight",), _read),)
