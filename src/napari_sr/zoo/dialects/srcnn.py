"""Dialects of SRCNN: ``conv1``, ``conv2``, ``conv3`` and further layers, also for the MATLAB file; and named layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects.dialect import Dialect, count, rename, shape_of


def _read(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    layers = count(tensors, r"conv(\d+)\.weight", first=1)
    shapes = [shape_of(tensors, f"conv{layer}.weight") for layer in range(1, layers + 1)]
    if scale is None:
        raise CheckpointError("SRCNN weights do not contain their factor: give the scale for which they were trained.")
    if scale < 1:
        raise CheckpointError(f"SRCNN cannot upscale by {scale}: give a scale of 1 or more.")
    kernels = tuple(shape[2] for shape in shapes)
    architecture = Architecture(
        network="SRCNN",
        settings={
            "scale": scale,
            "channels": shapes[0][1],
            "kernels": kernels,
            "features": tuple(shape[0] for shape in shapes[:-1]),
            "upsampling": "bicubic",
        },
    )
    return architecture, dict(tensors)


def _read_named(tensors: Mapping[str, Tensor], scale: int | None) -> tuple[Architecture, dict[str, Tensor]]:
    """Read ``features``, ``map``, ``reconstruction`` (SRCNN-PyTorch by Lornatang)."""
    rules = [(r"features\.0\.", "conv1."), (r"map\.0\.", "conv2."), (r"reconstruction\.", "conv3.")]
    return _read(rename(tensors, rules), scale)


DIALECTS = (
    Dialect("SRCNN", ("conv1.weight", "conv2.weight", "conv3.weight"), _read),
    Dialect("SRCNN", ("features.0.weight", "map.0.weight", "reconstruction.weight"), _read_named),
)
