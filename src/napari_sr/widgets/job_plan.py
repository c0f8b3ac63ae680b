"""A job that is not made yet: which model, and how. What Run takes down, and what the settings file keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sr.config import Scalar
from napari_sr.imaging.intensity import Percentiles
from napari_sr.inference.settings import Overlap
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


def plan_as_scalars(plan: JobPlan) -> dict[str, Scalar]:
    """Say a plan in values that the settings file can hold."""
    request, settings = plan.request, plan.settings
    values: dict[str, Any] = {
        **_source_as_scalars("model", request.source),
        **_source_as_scalars("second", request.second),
        "scale": request.scale,
        "alpha": request.alpha,
        "upsampling": request.upsampling,
        "mixing": request.mixing,
        "device": settings.device,
        "precision": settings.precision,
        "memory": settings.memory,
        "self_ensemble": settings.self_ensemble,
        "target": settings.target,
        "store": None if plan.store is None else str(plan.store),
    }
    if isinstance(settings.tiling, Overlap):
        values |= {"tiling": "overlap", "tile": settings.tiling.tile, "overlap": settings.tiling.overlap}
    else:
        values["tiling"] = settings.tiling
    intensity = settings.intensity
    if isinstance(intensity, Percentiles):
        values |= {"intensity": "percentile", "low": intensity.low, "high": intensity.high}
    elif isinstance(intensity, str):
        values["intensity"] = intensity
    else:
        values |= {"intensity": "bounds", "low": float(intensity[0]), "high": float(intensity[1])}
    return {name: value for name, value in values.items() if value is not None}


def plan_from_scalars(values: Mapping[str, Scalar]) -> JobPlan:
    """Read a plan back; what is not said is as in a fresh panel.

    Raises
    ------
    InputError
        If numbers do not go together.
    """
    said: dict[str, Any] = dict(values)
    request = ModelRequest(
        _source(said, "model") or "",
        _source(said, "second"),
        said.get("scale"),
        said.get("alpha"),
        said.get("upsampling"),
        said.get("mixing"),
    )
    tiling, intensity = said.get("tiling", "exact"), said.get("intensity", "auto")
    if "tile" in said and "overlap" in said:
        tiling = Overlap(tile=said["tile"], overlap=said["overlap"])
    if "low" in said and "high" in said:
        both = said["low"], said["high"]
        intensity = Percentiles(*both) if intensity == "percentile" else both
    settings = Settings(
        device=said.get("device", "auto"),
        precision=said.get("precision", "auto"),
        tiling=tiling,
        memory=said.get("memory", "auto"),
        self_ensemble=said.get("self_ensemble", False),
        intensity=intensity,
        target=said.get("target"),
    )
    return JobPlan(request, settings, Path(said["store"]) if "store" in said else None)


def _source_as_scalars(name: str, source: str | Path | None) -> dict[str, Scalar]:
    # A file and a name of the catalog may be spelled alike.
    if source is None:
        return {}
    return {f"{name}_file": str(source)} if isinstance(source, Path) else {name: source}


def _source(said: Mapping[str, Any], name: str) -> str | Path | None:
    if f"{name}_file" in said:
        return Path(said[f"{name}_file"])
    found: str | None = said.get(name)
    return found
