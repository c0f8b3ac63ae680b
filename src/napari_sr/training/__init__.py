"""Training: recipes, degradation, losses, the loop and its checkpoints.

The names load on first use, so that a window can offer recipes without importing torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sr.training.degradation import degrade
    from napari_sr.training.finetuning import finetune, new_run_folder, runs_folder
    from napari_sr.training.images import TrainingImage, training_images
    from napari_sr.training.pairs import Match, match_layers
    from napari_sr.training.recipe import PRESETS, Degradation, Noise, Recipe, load_recipe
    from napari_sr.training.result import save_model
    from napari_sr.training.training import Outcome, Training

_ROOMS = {
    "degradation": ("degrade",),
    "finetuning": ("finetune", "new_run_folder", "runs_folder"),
    "images": ("TrainingImage", "training_images"),
    "pairs": ("Match", "match_layers"),
    "recipe": ("PRESETS", "Degradation", "Noise", "Recipe", "load_recipe"),
    "result": ("save_model",),
    "training": ("Outcome", "Training"),
}
_HOME = {name: module for module, names in _ROOMS.items() for name in names}

__all__ = [
    "PRESETS",
    "Degradation",
    "Match",
    "Noise",
    "Outcome",
    "Recipe",
    "Training",
    "TrainingImage",
    "degrade",
    "finetune",
    "load_recipe",
    "match_layers",
    "new_run_folder",
    "runs_folder",
    "save_model",
    "training_images",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
