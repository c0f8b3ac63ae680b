"""The result of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_sr.inference.report import Report


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a job.

    Parameters
    ----------
    data : array
        The upscaled image: a numpy array, the array given as `out`, or a lazy view of the file or of the finest level
        of the store that was written.
    report : Report
        Facts of the run.
    levels : list of array, optional
        All levels of a store, the finest first; empty without a store.
    """

    data: Any
    report: Report
    levels: list[Any] = field(default_factory=list)
