"""Progress of a stage, and the weights of the completed stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from napari_sr.training.events import Validated
from napari_sr.training.loop.stage import StageWork
from napari_sr.training.recipe import Stage

RunState = dict[str, Any]
Weights = dict[str, Tensor]
#: Name of the weights of a recipe without endpoints.
ONLY = "weights"


@dataclass
class StageRun:
    """The progress of a stage.

    Parameters
    ----------
    number : int
        Number of the stage, from 0.
    stage : Stage
        The stage of the recipe.
    before : int
        Number of steps of the stages before.
    work : StageWork
        Networks and optimizers of the stage.
    step : int, default 0
        Number of completed steps of the stage.
    learning_rate_factor : float, default 1.0
        Factor of the learning rate: 1, or 0.5 after a loss that was not a number.
    best : dict, optional
        The best measurement of the stage, with its weights.
    last : dict, optional
        The last measurement of the stage.
    """

    number: int
    stage: Stage
    before: int
    work: StageWork
    step: int = 0
    learning_rate_factor: float = 1.0
    best: RunState | None = None
    last: RunState | None = None

    @property
    def done(self) -> int:
        """Number of completed steps of the whole recipe."""
        return self.before + self.step


@dataclass
class TrainedWeights:
    """The weights of the stages that have ended, and their measurements.

    Parameters
    ----------
    weights : dict of str to state dict
        Weights by the names of their endpoints, or "weights".
    measurements : dict of str to Validated
        Measurements by the same names.
    """

    weights: dict[str, Weights] = field(default_factory=dict)
    measurements: dict[str, Validated] = field(default_factory=dict)

    def take(self, run: StageRun) -> Mapping[str, Tensor]:
        """Store and return the last weights of a stage, or its best; those of no endpoint replace one another."""
        best = run.best if run.stage.keeps_best else None
        weights = best["weights"] if best else run.work.weights()
        figures = best["figures"] if best else run.last
        name = run.stage.endpoint or ONLY
        for old in {name, ONLY} & self.weights.keys():
            del self.weights[old]
        for old in {name, ONLY} & self.measurements.keys():
            del self.measurements[old]
        self.weights[name] = on_cpu(weights)
        if figures is not None:
            self.measurements[name] = Validated(**figures)
        return self.weights[name]


def on_cpu(weights: Mapping[str, Tensor]) -> Weights:
    """Copy weights to the CPU."""
    return {key: value.detach().cpu().clone() for key, value in weights.items()}
