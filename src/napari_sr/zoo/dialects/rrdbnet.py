"""Dialects of RRDBNet: ESRGAN old and new, BasicSR and Real-ESRGAN, ESRGAN+."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect, agree_on_scale, count, rename, shape_of

#: Largest number of upsampling steps, each by 2.
_MOST_STEPS = 3


def _read_basicsr(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    features, first_channels = shape_of(tensors, "conv_first.weight")[:2]
    out_channels = shape_of(tensors, "conv_last.weight")[0]
    ups = count(tensors, r"conv_up(\d+)\.weight", first=1)
    if ups > _MOST_STEPS:
        raise CheckpointError(f"These RRDBNet weights have {ups} upsampling steps: use weights with at most 3.")
    unshuffle = _unshuffle_of(first_channels, out_channels, 2**ups)
    # A step by 3 has tensors of the same shapes as a step by 2.
    possible = (2, 3) if ups == 1 and unshuffle == 1 else (2**ups // unshuffle,)
    architecture = Architecture(
        network="RRDBNet",
        settings={
            "scale": agree_on_scale(scale, possible, "RRDBNet"),
            "in_channels": first_channels // unshuffle**2,
            "out_channels": out_channels,
            "features": features,
            "growth": shape_of(tensors, "body.0.rdb1.conv1.weight")[0],
            "blocks": count(tensors, r"body\.(\d+)\.rdb1\.conv1\.weight"),
            "unshuffle": unshuffle,
            "skip": "none",
            "plus": "body.0.rdb1.conv1x1.weight" in tensors,
        },
    )
    return architecture, dict(tensors)


def _unshuffle_of(first_channels: int, out_channels: int, upsampling: int) -> int:
    """Return the factor of the pixel unshuffle, after which Real-ESRGAN x2 has 4 times the channels and x1 16 times."""
    for factor in (2, 4):
        if first_channels == out_channels * factor**2 and upsampling % factor == 0:
            return factor
    return 1


def _read_new(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read weights with the second keys of ESRGAN, which RealSR and BSRGAN share."""
    rules = [
        (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
        (r"trunk_conv\.", "conv_body."),
        (r"upconv(\d+)\.", r"conv_up\1."),
        (r"HRconv\.", "conv_hr."),
    ]
    return _read_basicsr(rename(tensors, rules), scale)


def _read_old(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read weights with the first keys of ESRGAN: numbered layers, including upsampling and activations.

    With n upsampling steps the convolutions at the end are 3, 6, ... 3n, then 3n + 2 and 3n + 4. ESRGAN+ has the same
    keys and one more convolution in each dense block.
    """
    outputs, features = shape_of(tensors, "model.2.weight")[:2] if "model.2.weight" in tensors else (1, 1)
    if outputs > features:
        raise CheckpointError(
            "These ESRGAN weights upsample by pixel shuffles (model.2), which is not supported, because RRDBNet "
            "upsamples by interpolation: use weights without pixel shuffles, as those published with ESRGAN."
        )
    blocks = count(tensors, r"model\.1\.sub\.(\d+)\.RDB1\.conv1\.0\.weight")
    layers = [int(match[1]) for key in tensors if (match := re.fullmatch(r"model\.(\d{1,2})\.weight", key))]
    ups = max(layers, default=0) // 3 - 1
    if ups > _MOST_STEPS:
        raise CheckpointError(f"These RRDBNet weights have {ups} upsampling steps: use weights with at most 3.")
    rules = [
        (r"model\.0\.", "conv_first."),
        (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
        (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv1x1\.", r"body.\1.rdb\2.conv1x1."),
        (rf"model\.1\.sub\.{blocks}\.", "conv_body."),
        *((rf"model\.{3 * n}\.", f"conv_up{n}.") for n in range(1, ups + 1)),
        (rf"model\.{3 * ups + 2}\.", "conv_hr."),
        (rf"model\.{3 * ups + 4}\.", "conv_last."),
    ]
    return _read_basicsr(rename(tensors, rules), scale)


DIALECTS = (
    Dialect("RRDBNet", ("body.0.rdb1.conv1.weight",), _read_basicsr),
    Dialect("RRDBNet", ("RRDB_trunk.0.RDB1.conv1.weight",), _read_new),
    Dialect("RRDBNet", ("model.1.sub.0.RDB1.conv1.0.weight",), _read_old),
)
