"""SRCNN's dialect: ``conv1``, ``conv2``, ``conv3``. The MATLAB file is brought into it when it is read."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect, shape_of


def _read(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    shapes = [shape_of(tensors, f"conv{layer}.weight") for layer in (1, 2, 3)]
    if scale is None:
        raise CheckpointError(
            "SRCNN weights do not say by how much they upscale: give the scale they were trained for."
        )
    if scale < 1:
        raise CheckpointError(f"SRCNN upscales by 1 or more, not by {scale}.")
    kernels = tuple(shape[2] for shape in shapes)
    architecture = Architecture(
        network="SRCNN",
        settings={
            "scale": scale,
            "channels": shapes[0][1],
            "kernels": kernels,
            "features": (shapes[0][0], shapes[1][0]),
            "upsampling": "bicubic",
        },
    )
    return architecture, dict(tensors)


DIALECTS = (Dialect("SRCNN", ("conv1.weight", "conv2.weight", "conv3.weight"), _read),)
