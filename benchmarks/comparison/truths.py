"""The high-resolution images of the comparison: planes of files, cut to squares, as they are or made clean."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import napari_sr.imaging.noise as noise_package
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.color import GRAY_WEIGHTS
from napari_sr.imaging.files import read_image
from napari_sr.imaging.noise import measure_noise
from napari_sr.imaging.resize import resize

Plane = npt.NDArray[Any]
#: Largest side of a square, in pixels.
SIDE = 256
#: Fraction of the span below which the noise of a truth itself counts as none.
CLEAN = 0.003
#: Sizes at which a truth may become clean.
SIZES = (1.0, 0.7, 0.5, 0.35, 0.25)
#: The files that are kept aside from all training.
LISTED = Path(__file__).parents[2] / "recipes" / "held_out.toml"


@dataclass(frozen=True)
class DataSet:
    """Images of one kind, which share a table and the choice of a classical restoration.

    `crops` is the largest number of squares of each plane.
    """

    name: str
    kind: str
    paths: tuple[Path, ...]
    crops: int = 1


@dataclass(frozen=True)
class Truth:
    """A square to be restored, in its own values, with the data type of its camera."""

    name: str
    values: npt.NDArray[np.float64]
    dtype: np.dtype[Any]

    @property
    def peak(self) -> float:
        """The span without the extreme 0.1 % at both ends."""
        low, high = np.quantile(self.values, (0.001, 0.999))
        return float(high - low) or 1.0

    @property
    def unit(self) -> float:
        """One of 255 gray levels in its values: 1 for 8 bits, otherwise by its span."""
        return 1.0 if self.dtype == np.uint8 else self.peak / 255

    @property
    def dark(self) -> float:
        """The value without light: 0 for 8 bits; the darkest 0.1 % of 16 bits counts as the pedestal of its camera."""
        return 0.0 if self.dtype == np.uint8 else float(np.quantile(self.values, 0.001))


@cache
def code_of_noise() -> str:
    """Return a digest of the code that measures noise."""
    folder = Path(str(noise_package.__file__)).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()[:16]


def listed_files(listed: Path, name: str) -> list[str]:
    """Return the files that a list in TOML has under a name.

    Raises
    ------
    SystemExit
        If there is no such list.
    """
    if not listed.is_file():
        raise SystemExit(f"There is no list {listed}: give one like recipes/held_out.toml with --list.")
    files: list[str] = tomllib.loads(listed.read_text(encoding="utf-8"))[name]["files"]
    return files


def held_out_sets(data: Path, listed: Path) -> list[DataSet]:
    """Return the data sets that no model is trained on."""
    stained = tuple(data / name for name in listed_files(listed, "held_out") if "stained" in name)
    return [
        DataSet("BBBC007", "fluorescence", (data / "micro/BBBC007",)),
        DataSet("BBBC022", "fluorescence", (data / "micro/BBBC022_IXMtest_A02_s9.tif",), 2),
        DataSet("em_8nm_check (used in development)", "electron", (data / "micro/em_8nm_check.tif",), 8),
        DataSet("em_pair HR", "electron", (data / "micro/em_pair/HR_small.tif",), 6),
        DataSet("stained tissue, luminance", "stained", stained),
    ]


def training_sets(data: Path, listed: Path) -> list[DataSet]:
    """Return a data set of each kind from the validation images of the trainings."""
    chosen: dict[str, list[Path]] = {"fluorescence": [], "electron": [], "stained": []}
    for name in listed_files(listed, "validation"):
        if "photos" not in name:
            kind = "electron" if "em_" in name else "stained" if "stained" in name else "fluorescence"
            chosen[kind].append(data / name)
    return [
        DataSet(f"training, {kind}", kind, tuple(paths), 8 if kind == "electron" else 1)
        for kind, paths in chosen.items()
    ]


def planes(path: Path) -> Iterator[tuple[str, Plane]]:
    """Yield the planes of a file with their names; of colors the luminance, not rounded."""
    image = read_image(path)
    data = np.asarray(image.data)
    if data.ndim == 3 and data.shape[-1] in (3, 4):
        yield path.stem, data[..., :3].astype(np.float64) @ np.array(GRAY_WEIGHTS)
        return
    axes = parse_axes(image.axes, data.shape)
    for number, index in enumerate(axes.plane_indices()):
        yield f"{path.stem}{f' {number}' if axes.plane_count > 1 else ''}", axes.plane(data, index)


def own_noise(plane: Plane) -> float:
    """Return the standard deviation of a plane's noise at its median, as a fraction of its span."""
    low, median, high = np.quantile(plane, (0.001, 0.5, 0.999))
    return float(measure_noise([plane]).sigma(median)) / max(float(high - low), 1e-12)


def made_clean(plane: Plane) -> Plane:
    """Make a plane smaller until its own noise is below 0.3 % of its span, but at most to a quarter.

    White noise becomes weaker at least in proportion to the size. More than that is measured on texture.
    """
    first = own_noise(plane)
    small = plane
    for size in SIZES:
        if size < 1:
            shape = (round(plane.shape[0] * size), round(plane.shape[1] * size))
            small = resize(plane.astype(np.float64), shape, axes=(0, 1))
        if min(own_noise(small), size * first) < CLEAN:
            break
    return small


def cut(name: str, plane: Plane, dtype: np.dtype[Any], crops: int, scale: int) -> list[Truth]:
    """Cut squares that do not overlap, evenly spread; the middle if only one is requested or fits.

    Squares of a single value are left out.
    """
    sides = [min(SIDE, n) // (4 * scale) * (4 * scale) for n in plane.shape]
    counts = [n // side for n, side in zip(plane.shape, sides, strict=True)]
    middle = [(n - side) // 2 for n, side in zip(plane.shape, sides, strict=True)]
    places = [
        [center] if count == 1 else [round(k * (n - side) / (count - 1)) for k in range(count)]
        for n, side, count, center in zip(plane.shape, sides, counts, middle, strict=True)
    ]
    corners = [(y, x) for y in places[0] for x in places[1]] if crops > 1 else [(middle[0], middle[1])]
    chosen = np.unique(np.linspace(0, len(corners) - 1, min(crops, len(corners))).round().astype(int))
    truths = []
    for y, x in (corners[number] for number in chosen):
        square = plane[y : y + sides[0], x : x + sides[1]].astype(np.float64)
        if np.ptp(np.quantile(square, (0.001, 0.999))):
            truths.append(Truth(f"{name} at {y}, {x}", square, dtype))
    return truths


def truths_of(data_set: DataSet, scale: int, clean: bool, store: Path | None = None) -> list[Truth]:
    """Return the truths of a data set, as they are or made clean; `store` is a folder in which they are kept."""
    made = (
        f"{[str(p) for p in data_set.paths]} {data_set.crops} {SIDE} {CLEAN} {SIZES} {code_of_noise() if clean else ''}"
    )
    key = hashlib.sha256(made.encode()).hexdigest()[:12]
    path = store / f"truths-{key}-x{scale}-{'clean' if clean else 'as-is'}.npz" if store else None
    if path is not None and path.exists():
        with np.load(path) as kept:
            names, kinds = kept["names"], kept["dtypes"]
            return [Truth(str(n), kept[str(i)], np.dtype(str(kinds[i]))) for i, n in enumerate(names)]
    truths = []
    for file in (file for path in data_set.paths for file in (image_files(path) if path.is_dir() else [path])):
        for name, plane in planes(file):
            dtype = plane.dtype if plane.dtype.kind in "iu" else np.dtype(np.uint8)
            truths += cut(name, made_clean(plane) if clean else plane, dtype, data_set.crops, scale)
    if path is not None:
        keep(path, truths)
    return truths


def keep(path: Path, truths: Sequence[Truth]) -> None:
    """Write truths to a file."""
    values = {str(number): truth.values for number, truth in enumerate(truths)}
    names, dtypes = [truth.name for truth in truths], [truth.dtype.str for truth in truths]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, names=np.array(names), dtypes=np.array(dtypes), **values)
