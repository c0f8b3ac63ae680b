"""Dialect of SRVGGNetCompact in Real-ESRGAN: ``body.N``, alternately a convolution and a PReLU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect, agree_on_scale, shape_of


def _read(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    features, channels = shape_of(tensors, "body.0.weight")[:2]
    if "body.1.weight" not in tensors:
        raise CheckpointError(
            "These SRVGGNetCompact weights do not contain their activation: use weights with PReLU, "
            "as published with Real-ESRGAN."
        )
    layers = [key.split(".")[1] for key in tensors if key.startswith("body.") and key.endswith(".weight")]
    last = max(int(layer) for layer in layers if re.fullmatch(r"[0-9]{1,6}", layer))
    outputs = shape_of(tensors, f"body.{last}.weight")[0]
    factor = isqrt(outputs // channels)
    if factor < 1 or factor**2 * channels != outputs:
        raise CheckpointError(
            f"These SRVGGNetCompact weights have {outputs} outputs for {channels} channels, which fit no factor: "
            "use other weights."
        )
    architecture = Architecture(
        network="SRVGGNetCompact",
        settings={
            "scale": agree_on_scale(scale, (factor,), "SRVGGNetCompact"),
            "in_channels": channels,
            "out_channels": channels,
            "features": features,
            # Convolutions have even numbers; the first and the last are not counted.
            "convs": last // 2 - 1,
            "activation": "prelu",
        },
    )
    return architecture, dict(tensors)


DIALECTS = (Dialect("SRVGGNetCompact", ("body.0.weight",), _read),)
