"""SRVGGNetCompact's dialect, Real-ESRGAN's own: ``body.N``, a convolution and a PReLU in turn."""

from __future__ import annotations

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
            "These SRVGGNetCompact weights do not say which activation they need: use weights with PReLU, "
            "as Real-ESRGAN publishes them."
        )
    layers = [key.split(".")[1] for key in tensors if key.startswith("body.") and key.endswith(".weight")]
    last = max(int(layer) for layer in layers if layer.isdigit())
    outputs = shape_of(tensors, f"body.{last}.weight")[0]
    factor = isqrt(outputs // channels)
    if factor**2 * channels != outputs:
        raise CheckpointError(
            f"These SRVGGNetCompact weights give {outputs} values for {channels} channels: no factor fits."
        )
    architecture = Architecture(
        network="SRVGGNetCompact",
        settings={
            "scale": agree_on_scale(scale, (factor,), "SRVGGNetCompact"),
            "in_channels": channels,
            "out_channels": channels,
            "features": features,
            # Convolutions sit at even numbers: the first, the middle ones that are counted here, the last.
            "convs": last // 2 - 1,
            "activation": "prelu",
        },
    )
    return architecture, dict(tensors)


DIALECTS = (Dialect("SRVGGNetCompact", ("body.0.weight",), _read),)
