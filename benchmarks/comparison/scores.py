"""Scores of results: PSNR, gains over bicubic interpolation, and scores that are kept from earlier runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comparison.conditions import Case
from comparison.truths import Plane
from napari_sr.evaluation import bicubic, psnr
from napari_sr.imaging.atomic import write_file


def score(case: Case, result: Plane) -> float:
    """Return the PSNR in decibels without a border as wide as the factor; the peak is that of the truth."""
    inner = (slice(case.scale, -case.scale),) * 2
    return psnr(result[inner].astype(np.float64), case.truth.values[inner], data_range=case.truth.peak)


def bicubic_score(case: Case) -> float:
    """Return the PSNR of bicubic interpolation."""
    return score(case, bicubic(case.low.astype(np.float64), case.scale))


@dataclass(frozen=True)
class Gains:
    """Gains over bicubic interpolation in decibels, one for each image."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        above = sum(gain > 0 for gain in self.values)
        return f"{np.mean(self.values):+.2f} / {min(self.values):+.2f} ({above} of {len(self.values)})"


class KeptScores:
    """Scores by what was computed: the method, its settings and the image. They are written to a file by `save`."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._scores: dict[str, float] = json.loads(path.read_text()) if path is not None and path.exists() else {}
        self._new = 0

    def get(self, method: str, case: Case, compute: Callable[[], Plane]) -> float:
        """Return the score of a method on an image, from the file or from the result that `compute` returns."""
        content = hashlib.sha256(method.encode())
        for values in (case.low, case.truth.values):
            content.update(np.ascontiguousarray(values).tobytes())
        key = content.hexdigest()[:24]
        if key not in self._scores:
            self._scores[key] = score(case, compute())
            self._new += 1
        return self._scores[key]

    def save(self) -> None:
        """Write the file, if there are new scores."""
        if self.path is not None and self._new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path, json.dumps(self._scores).encode(), overwrite=True)
            self._new = 0


def gains_of(scores: Sequence[float], cases: Sequence[Case]) -> Gains:
    """Return the gains of some scores over bicubic interpolation."""
    return Gains(tuple(score - bicubic_score(case) for score, case in zip(scores, cases, strict=True)))
