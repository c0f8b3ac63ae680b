"""A job that is not made yet: which model, and how. What Run takes down, and what the settings file keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sr.settings import JobSettings, Scalar
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
    settings : JobSettings
        How.
    store : Path or None
        Folder for the results' Zarr stores; None to keep them in memory.
    """

    request: ModelRequest
    settings: JobSettings
    store: Path | None = None

    def job(self, model: Model) -> Job:
        """Make the job, of the model that the request gave."""
        # Here and not above: it imports torch, which would delay the drawing of a panel.
        from napari_sr.inference import Job

        return Job(model, self.settings)


def plan_as_scalars(plan: JobPlan) -> dict[str, Scalar]:
    """Return a plan as flat values that the settings file can hold."""
    request = plan.request
    values: dict[str, Any] = {
        **_source_as_scalars("model", request.source),
        **_source_as_scalars("second", request.second),
        "scale": request.scale,
        "alpha": request.alpha,
        "upsampling": request.upsampling,
        "mixing": request.mixing,
        **plan.settings.as_scalars(),
        "store": None if plan.store is None else str(plan.store),
    }
    return {name: value for name, value in values.items() if value is not None}


def plan_from_scalars(values: Mapping[str, Scalar]) -> JobPlan:
    """Read a plan that `plan_as_scalars` wrote; missing values are those of a new panel.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    given: dict[str, Any] = dict(values)
    request = ModelRequest(
        _source(given, "model") or "",
        _source(given, "second"),
        given.get("scale"),
        given.get("alpha"),
        given.get("upsampling"),
        given.get("mixing"),
    )
    store = Path(given["store"]) if "store" in given else None
    return JobPlan(request, JobSettings.from_scalars(values), store)


def _source_as_scalars(name: str, source: str | Path | None) -> dict[str, Scalar]:
    # A file and a name of the catalog may be spelled alike.
    if source is None:
        return {}
    return {f"{name}_file": str(source)} if isinstance(source, Path) else {name: source}


def _source(given: Mapping[str, Any], name: str) -> str | Path | None:
    if f"{name}_file" in given:
        return Path(given[f"{name}_file"])
    found: str | None = given.get(name)
    return found
