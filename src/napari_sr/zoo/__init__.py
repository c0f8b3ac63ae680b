"""Weights: checkpoint files, dialects, cards, the catalog, mixing.

The names load on first use, so that listing the models does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sr.zoo.architectures import NETWORKS, build
    from napari_sr.zoo.card import Architecture, Card, Figure, TrainingData
    from napari_sr.zoo.catalog import ModelEntry, list_models, load_model, load_pair, model_folder
    from napari_sr.zoo.checkpoint import Checkpoint, read_checkpoint
    from napari_sr.zoo.dialects import recognize
    from napari_sr.zoo.mixing import mix
    from napari_sr.zoo.model import Model
    from napari_sr.zoo.modelfile import read_model, write_model

_ROOMS = {
    "architectures": ("NETWORKS", "build"),
    "card": ("Architecture", "Card", "Figure", "TrainingData"),
    "catalog": ("ModelEntry", "list_models", "load_model", "load_pair", "model_folder"),
    "checkpoint": ("Checkpoint", "read_checkpoint"),
    "dialects": ("recognize",),
    "mixing": ("mix",),
    "model": ("Model",),
    "modelfile": ("read_model", "write_model"),
}
_HOME = {name: module for module, names in _ROOMS.items() for name in names}

__all__ = [
    "NETWORKS",
    "Architecture",
    "Card",
    "Checkpoint",
    "Figure",
    "Model",
    "ModelEntry",
    "TrainingData",
    "build",
    "list_models",
    "load_model",
    "load_pair",
    "mix",
    "model_folder",
    "read_checkpoint",
    "read_model",
    "recognize",
    "write_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
