"""How often the kind of an image is named rightly, and the features of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from measuring.scenes import read
from napari_sr.imaging.analysis.kind import KINDS, Array, colors_of, compare, features_of

FOLDERS = {
    "nuclei": "fluorescence",
    "cellprofiler": "fluorescence",
    "em_sections": "electron",
    "em_8nm.tif": "electron",
    "stained_tissue": "color",
    "photos_cc0": "photograph",
    "BSDS200": "photograph",
    "T91": "photograph",
}
#: Images of cellprofiler of none of the kinds: transmitted light, plates, a template.
OTHER = ("UntangleWormsBrightField", "WoundHealing", "Yeast", "Neighbors", "Tumor_30-2A1b", "w1_")
#: Side of the squares of electron microscopy, in pixels, and the factors by which it is reduced.
SQUARE, REDUCTIONS = 512, (1, 2, 4, 8)
IN_GRAY = " in gray"


@dataclass(frozen=True)
class Sample:
    """The features of an image of a folder; `kind` is the true one."""

    folder: str
    kind: str
    priors: Mapping[str, float]
    features: Array


def table(data: Path) -> Iterator[str]:
    """Yield the lines of the table, and the features of each kind.

    Each folder is left out when the features with which it is compared are computed; a folder that is the only one of
    its kind is halved instead.
    """
    samples = list(_samples(data))
    counts: dict[tuple[str, str, str], int] = {}
    for folder in dict.fromkeys(sample.folder for sample in samples):
        plain = folder.removesuffix(IN_GRAY)
        own = [sample for sample in samples if sample.folder == folder]
        rest = [sample for sample in samples if sample.folder.removesuffix(IN_GRAY) != plain]
        turns = [(rest, own)]
        if not any(sample.kind == FOLDERS[plain] for sample in rest):
            turns = [(rest + own[half::2], own[1 - half :: 2]) for half in (0, 1)]
        for known, tried in turns:
            features = typical(known)
            for sample in tried:
                answer = compare(sample.features, sample.priors, features).name
                counts[folder, sample.kind, answer] = counts.get((folder, sample.kind, answer), 0) + 1
    answers = [*KINDS, "unknown"]
    yield "\n| folder | kind | " + " | ".join(answers) + " |"
    yield "|" + "---|" * (len(answers) + 2)
    for folder, kind in dict.fromkeys((folder, kind) for folder, kind, _ in counts):
        numbers = (str(counts.get((folder, kind, answer), 0)) for answer in answers)
        yield f"| {folder} | {kind} | " + " | ".join(numbers) + " |"
    found = {kind: tuple(tuple(map(float, row)) for row in rows) for kind, rows in typical(samples).items()}
    yield f"\n_TYPICAL = {found}"


def typical(samples: Sequence[Sample]) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return means and standard deviations of the features of each kind."""
    found = {}
    for kind in KINDS:
        features = np.array([sample.features for sample in samples if sample.kind == kind])
        found[kind] = (tuple(np.round(features.mean(axis=0), 2)), tuple(np.round(features.std(axis=0), 2)))
    return found


def _samples(data: Path) -> Iterator[Sample]:
    for folder, kind, image in _images(data):
        priors, gray = colors_of(image.astype(np.float64), image.dtype)
        features = features_of(gray)
        if features is not None:
            yield Sample(folder, kind, priors, features)


def _images(data: Path) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    for folder, kind in FOLDERS.items():
        place = data / "train" / folder
        paths = [place] if place.is_file() else sorted(place.iterdir())
        for path in paths[::6] if folder == "nuclei" else paths:
            image = read(path)
            if kind == "electron":
                yield from ((folder, kind, square) for square in _squares(image))
                continue
            other = folder == "cellprofiler" and any(word in path.name for word in OTHER)
            yield folder, "other" if other else kind, image
            if kind == "photograph":
                yield folder + IN_GRAY, kind, np.asarray(Image.fromarray(image).convert("L"))


def _squares(image: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for size in REDUCTIONS:
        shape = [side // size for side in image.shape[::-1]]
        small = np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.LANCZOS))
        for top in range(0, max(1, small.shape[0] - SQUARE + 1), SQUARE):
            for left in range(0, max(1, small.shape[1] - SQUARE + 1), SQUARE):
                yield small[top : top + SQUARE, left : left + SQUARE]
