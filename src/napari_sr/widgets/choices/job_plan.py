"""The plan of a run: a model that is not loaded yet, and settings. The settings file keeps the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sr.config import load_config, remember
from napari_sr.settings import JobSettings, Scalar
from napari_sr.widgets.choices.model_loading import ModelRequest

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.zoo import Model


_RECENT = "recent"


@dataclass(frozen=True)
class JobPlan:
    """The choices of a panel at one moment.

    Parameters
    ----------
    request : ModelRequest
        The model.
    settings : JobSettings
        The settings.
    store : Path, optional
        Folder for results as OME-Zarr stores; None for other results.
    lazy : bool, default False
        Whether pixels are computed where they are displayed, in place of the whole result.
    """

    request: ModelRequest
    settings: JobSettings
    store: Path | None = None
    lazy: bool = False

    def job(self, model: Model) -> Job:
        """Return the job of the plan for its model, which was loaded; raises `InputError` as `napari_sr.Job`."""
        # An import at the top would import torch before the panel is drawn.
        from napari_sr.inference import Job

        return Job(model, self.settings)


def plan_as_scalars(plan: JobPlan) -> dict[str, Scalar]:
    """Return a plan as flat values that the settings file can hold; values that are None are left out."""
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
        "lazy": plan.lazy or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def plan_from_scalars(values: Mapping[str, Scalar]) -> JobPlan:
    """Read a plan that `plan_as_scalars` wrote.

    Missing values have their defaults; one that cannot be used raises `InputError`.
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
    return JobPlan(request, JobSettings.from_scalars(values), store, bool(given.get("lazy", False)))


def save_last_plan(family: str, plan: JobPlan) -> None:
    """Write a plan to the settings file, as the last one of the panel of a family and of all panels."""
    remember(family, plan_as_scalars(plan))
    remember(_RECENT, {"panel": family})


def load_last_plan() -> JobPlan | None:
    """Read the last plan of all panels from the settings file; None before the first run."""
    last = load_config().last
    values = last.get(str(last.get(_RECENT, {}).get("panel", "")))
    return None if not values else plan_from_scalars(values)


def _source_as_scalars(name: str, source: str | Path | None) -> dict[str, Scalar]:
    # Different keys for files and for names of the catalog, which may be equal as text.
    if source is None:
        return {}
    return {f"{name}_file": str(source)} if isinstance(source, Path) else {name: source}


def _source(given: Mapping[str, Any], name: str) -> str | Path | None:
    if f"{name}_file" in given:
        return Path(given[f"{name}_file"])
    source: str | None = given.get(name)
    return source
