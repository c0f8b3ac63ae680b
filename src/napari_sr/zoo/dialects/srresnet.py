"""Dialects of SRResNet, the generator of SRGAN, with batch normalization."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture, Setting
from napari_sr.zoo.dialects.dialect import Dialect, agree_on_scale, count, factor_of_shuffles, rename, shape_of


def _architecture(tensors: Mapping[str, Tensor], scale: int | None, **others: Setting) -> Architecture:
    """Read the sizes from weights with the keys of the network; `others` are settings that do not follow from them."""
    features, in_channels = shape_of(tensors, "conv_in.weight")[:2]
    ups = [shape_of(tensors, f"up.{n}.conv.weight")[0] for n in range(count(tensors, r"up\.(\d+)\.conv\.weight"))]
    factor = factor_of_shuffles(ups, features, "SRResNet")
    return Architecture(
        network="SRResNet",
        settings={
            "scale": agree_on_scale(scale, (factor,), "SRResNet"),
            "in_channels": in_channels,
            "out_channels": shape_of(tensors, "conv_out.weight")[0],
            "features": features,
            "blocks": count(tensors, r"body\.(\d+)\.conv1\.weight"),
            "shared_prelu": shape_of(tensors, "prelu_in.weight", 1)[0] == 1,
            "middle": "batch_norm" if "bn_mid.weight" in tensors else "prelu",
            **others,
        },
    )


def _with_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the batch counters that torch before 0.4.1 did not write; they have no effect in evaluation."""
    full = dict(tensors)
    for key in tensors:
        if key.endswith(".running_mean"):
            full.setdefault(
                key.removesuffix("running_mean") + "num_batches_tracked", torch.zeros((), dtype=torch.int64)
            )
    return full


def _with_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add a bias of zero to convolutions without bias, which precede batch normalization in some files."""
    full = dict(tensors)
    for key, tensor in tensors.items():
        if key.endswith(".weight") and tensor.ndim == 4:
            full.setdefault(key.removesuffix("weight") + "bias", torch.zeros(tensor.shape[0]))
    return full


def _read_krasserm(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read converted weights of Keras, with the keys of the network: epsilon 1e-3, output in [-1, 1]."""
    full = _with_counters(tensors)
    return _architecture(full, scale, batch_norm_eps=1e-3, output="tanh"), full


def _read_leftthomas(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read ``block1`` for the input, residual blocks from ``block2`` on, a block before the skip, and the output."""
    blocks = count(tensors, r"block(\d+)\.conv1\.weight", first=2)
    middle, tail = rf"block{blocks + 2}\.", rf"block{blocks + 3}\."
    after = "bn_mid" if f"block{blocks + 2}.1.running_mean" in tensors else "prelu_mid"
    renamed = rename(
        tensors,
        [
            (r"block1\.0\.", "conv_in."),
            (r"block1\.1\.", "prelu_in."),
            (middle + r"0\.", "conv_mid."),
            (middle + r"1\.", after + "."),
            (tail + r"(\d+)\.(conv|prelu)\.", r"up.\1.\2."),
            (tail + r"\d+\.", "conv_out."),
            (r"block(\d{1,6})\.(conv|bn)[12]\.|block(\d{1,6})\.prelu\.", _body),
        ],
    )
    full = _with_counters(renamed)
    return _architecture(full, scale, batch_norm_eps=1e-5, output="tanh"), full


def _body(match: re.Match[str]) -> str:
    """Return the key of a residual block, whose number is 2 more in the file."""
    block, _, layer = match[0].partition(".")
    return f"body.{int(block.removeprefix('block')) - 2}.{layer}"


def _read_trunk(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read ``conv1``, ``trunk.N.rcb``, ``conv2``, ``upsampling``, ``conv3`` (SRGAN-PyTorch by Lornatang).

    Its earlier versions have ``conv_block1`` to ``conv_block3``, some with all layers of the upsampling in one chain.
    The final clamp to [0, 1] is left out, because a job clips at the ends of the dtype.
    """
    block, conv = r"trunk\.(\d+)\.rcb\.", r"conv(?:_block)?"
    renamed = rename(
        tensors,
        [
            (conv + r"1\.0\.", "conv_in."),
            (conv + r"1\.1\.", "prelu_in."),
            (block + r"0\.", r"body.\1.conv1."),
            (block + r"1\.", r"body.\1.bn1."),
            (block + r"2\.", r"body.\1.prelu."),
            (block + r"3\.", r"body.\1.conv2."),
            (block + r"4\.", r"body.\1.bn2."),
            (conv + r"2\.0\.", "conv_mid."),
            (conv + r"2\.1\.", "bn_mid."),
            (r"upsampling\.(\d+)\.upsample_block\.0\.", r"up.\1.conv."),
            (r"upsampling\.(\d+)\.upsample_block\.2\.", r"up.\1.prelu."),
            *(
                (rf"upsampling\.{3 * step + layer}\.", f"up.{step}.{name}.")
                for step in range(3)
                for layer, name in ((0, "conv"), (2, "prelu"))
            ),
            (conv + r"3\.", "conv_out."),
        ],
    )
    full = _with_counters(_with_biases(renamed))
    return _architecture(full, scale, batch_norm_eps=1e-5, output="linear"), full


def _read_dongheehand(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read ``conv01``, ``body``, ``conv02``, ``tail``, ``last_conv`` (SRGAN-PyTorch by dongheehand).

    Input and output are in [-1, 1]. The last kernel, 3 x 3 in place of 9 x 9, gets zeros around it.
    """
    block = r"body\.(\d+)\.body\."
    renamed = rename(
        tensors,
        [
            (r"conv01\.body\.0\.", "conv_in."),
            (r"conv01\.body\.1\.", "prelu_in."),
            (block + r"([01])\.body\.([01])\.", _body_of_dongheehand),
            (block + r"0\.body\.2\.", r"body.\1.prelu."),
            (r"conv02\.body\.0\.", "conv_mid."),
            (r"conv02\.body\.1\.", "bn_mid."),
            (r"tail\.(\d+)\.body\.0\.body\.0\.", r"up.\1.conv."),
            (r"tail\.(\d+)\.body\.2\.", r"up.\1.prelu."),
            (r"last_conv\.body\.0\.", "conv_out."),
        ],
    )
    around = (9 - shape_of(renamed, "conv_out.weight")[2]) // 2
    full = _with_counters(renamed)
    full["conv_out.weight"] = functional.pad(renamed["conv_out.weight"], (max(0, around),) * 4)
    return _architecture(full, scale, batch_norm_eps=1e-5, output="tanh"), full


def _body_of_dongheehand(match: re.Match[str]) -> str:
    """Return the key of a layer of a residual block, which is a pair of convolution and batch normalization twice."""
    block, pair, layer = match.groups()
    return f"body.{block}.{('conv', 'bn')[int(layer)]}{int(pair) + 1}."


def _refuse_imagenet(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Refuse weights of sgrvinod: the zero padding of an ImageNet-normalized image cannot be reproduced."""
    raise CheckpointError(
        "These SRResNet weights (conv_block1, residual_blocks) are for images normalized as for ImageNet, "
        "which is not supported: use SRResNet weights trained on images in [0, 1]."
    )


DIALECTS = (
    Dialect("SRResNet", ("conv_mid.weight",), _read_krasserm),
    Dialect("SRResNet", ("block1.0.weight",), _read_leftthomas),
    Dialect("SRResNet", ("trunk.0.rcb.0.weight",), _read_trunk),
    Dialect("SRResNet", ("conv01.body.0.weight", "last_conv.body.0.weight"), _read_dongheehand, (-1.0, 1.0)),
    Dialect("SRResNet", ("residual_blocks.0.conv_block1.conv_block.0.weight",), _refuse_imagenet),
)
