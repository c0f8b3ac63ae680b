"""Clean scenes, made from images by reducing them until their own noise is weak."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from scipy.ndimage import convolve

Plane = npt.NDArray[np.float64]
#: Fraction of the span that a clean scene's own noise may have.
CLEAN = 0.003
#: Smallest side in pixels and smallest span in gray levels of a scene.
LEAST_SIDE, LEAST_SPAN = 96, 8
#: Suffix of the kinds whose scenes are larger than the clean ones, and so less clean.
LARGER = ", larger"
SECOND_DIFFERENCES = np.outer([1, -2, 1], [1, -2, 1]) / 6


@dataclass(frozen=True)
class Scene:
    """A clean image with values from 0 to 255, and an upper bound of the standard deviation of its own noise."""

    kind: str
    values: Plane
    own: float


def read(path: Path) -> npt.NDArray[Any]:
    """Read a file; of stacks the first plane."""
    image = np.squeeze(tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path)))
    return image[0] if image.ndim == 3 and image.shape[0] < 5 else image


def scenes(data: Path, which: str) -> dict[str, list[Scene]]:
    """Return the clean scenes of a set, "train" or "micro", by kind."""
    found: dict[str, list[Scene]] = {}
    for kind, paths in _paths(data, which).items():
        for path in paths:
            for scene in _scenes_of(kind, path):
                if min(scene.values.shape) >= LEAST_SIDE:
                    found.setdefault(scene.kind, []).append(scene)
    return found


def _paths(data: Path, which: str) -> dict[str, Sequence[Path]]:
    if which == "micro":
        return {
            "BBBC007": sorted((data / "micro/BBBC007").iterdir()),
            "BBBC022": [data / "micro/BBBC022_IXMtest_A02_s9.tif"],
            "em_8nm_check": [data / "micro/em_8nm_check.tif"],
        }
    return {
        "nuclei": sorted((data / "train/nuclei").iterdir())[::6],
        "cellprofiler": sorted((data / "train/cellprofiler").iterdir()),
        "electron": [*sorted((data / "train/em_sections").iterdir()), data / "train/em_8nm.tif"],
        "stained tissue": sorted((data / "train/stained_tissue").iterdir())[:40:2],
        "photographs": sorted((data / "train/photos_cc0").iterdir()),
    }


def _scenes_of(kind: str, path: Path) -> Iterator[Scene]:
    image = read(path).astype(np.float64)
    plane = image[..., zlib.crc32(path.name.encode()) % 3] if image.ndim == 3 else image
    if plane.max() > 255:
        low, high = np.quantile(plane, (0.001, 0.999))
        plane = np.clip((plane - low) / max(high - low, 1) * 255, 0, 255)
    span = float(np.subtract(*np.quantile(plane, (0.999, 0.001))))
    if span < LEAST_SPAN:
        return
    noise = upper_bound(plane)
    # Colors were interpolated and compressed: their own noise is correlated.
    least = 1.5 if image.ndim == 3 else 1.0
    factor = min(max(least, noise / (CLEAN * span)), min(plane.shape) / 112)
    yield _reduced(kind, plane, noise, factor)
    if kind in ("electron", "em_8nm_check"):
        yield _reduced(kind + LARGER, plane, noise, factor / 2)


def _reduced(kind: str, plane: Plane, noise: float, factor: float) -> Scene:
    size = [int(side / factor) for side in plane.shape[::-1]]
    small = plane
    if factor > 1.01:
        small = np.asarray(Image.fromarray(plane.astype(np.float32), mode="F").resize(size, Image.Resampling.LANCZOS))
    return Scene(kind, np.clip(small.astype(np.float64), plane.min(), plane.max()), noise / factor)


def tiles(values: Plane, side: int = 8) -> Plane:
    """Return the pixels of each tile in a row."""
    height, width = (size // side for size in values.shape)
    cut = values[: height * side, : width * side].reshape(height, side, width, side)
    return cut.swapaxes(1, 2).reshape(-1, side**2)


def upper_bound(plane: Plane) -> float:
    """Return the standard deviation of second differences in quiet tiles, which counts texture as noise."""
    energy = (tiles(convolve(plane, SECOND_DIFFERENCES, mode="reflect")) ** 2).mean(axis=1)
    groups = np.array_split(np.argsort(tiles(plane).mean(axis=1)), 24)
    # For pure noise, the lower quartile is 0.769 of the mean, by simulation.
    return float(np.sqrt(np.mean([np.quantile(energy[group], 0.25) / 0.769 for group in groups if len(group)])))
