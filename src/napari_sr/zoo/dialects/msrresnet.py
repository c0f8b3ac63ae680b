"""Dialects of MSRResNet: BasicSR, and KAIR v0.1."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect, agree_on_scale, count, factor_of_shuffles, rename, shape_of


def _read_basicsr(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    features, in_channels = shape_of(tensors, "conv_first.weight")[:2]
    number = count(tensors, r"upconv(\d+)\.weight", first=1)
    ups = [shape_of(tensors, f"upconv{n + 1}.weight")[0] for n in range(number)]
    factor = factor_of_shuffles(ups, features, "MSRResNet")
    architecture = Architecture(
        network="MSRResNet",
        settings={
            "scale": agree_on_scale(scale, (factor,), "MSRResNet"),
            "in_channels": in_channels,
            "out_channels": shape_of(tensors, "conv_last.weight")[0],
            "features": features,
            "blocks": count(tensors, r"body\.(\d+)\.conv1\.weight"),
            "skip": "bilinear",
            "last_bias": "conv_last.bias" in tensors,
        },
    )
    return architecture, dict(tensors)


def _read_kair(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read weights of KAIR v0.1 and mmsr, the same network with older keys."""
    return _read_basicsr(rename(tensors, [(r"recon_trunk\.", "body."), (r"HRconv\.", "conv_hr.")]), scale)


def _refuse_kair_0(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Refuse weights of KAIR v0.0, another network with nearest-neighbor upsampling and a trunk convolution."""
    raise CheckpointError(
        "These are weights of the first MSRResNet of KAIR (model.1.sub.0.res), an unknown network: "
        "use those of its MSRResNet v0.1, or an SRResNet."
    )


DIALECTS = (
    Dialect("MSRResNet", ("body.0.conv1.weight",), _read_basicsr),
    Dialect("MSRResNet", ("recon_trunk.0.conv1.weight",), _read_kair),
    Dialect("MSRResNet", ("model.1.sub.0.res.0.weight",), _refuse_kair_0),
)
