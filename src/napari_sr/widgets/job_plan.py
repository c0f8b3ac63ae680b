"""A job that is not made yet: which model, and how. What a press of Run takes down, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sr.widgets.job_settings import Settings
from napari_sr.widgets.model_loading import ModelRequest

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.zoo import Model


@dataclass(frozen=True)
class JobPlan:
    """What was chosen at one moment.

    Parameters
    ----------
    request : ModelRequest
        The model.
    settings : Settings
        How.
    store : Path or None
        Folder for the results' Zarr stores; None to keep them in memory.
    """

    request: ModelRequest
    settings: Settings
    store: Path | None = None

    def job(self, model: Model) -> Job:
        """Make the job, of the model that the request gave."""
        return self.settings.job(model)
