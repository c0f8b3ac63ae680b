"""What is learned from: arrays, layers and files, each alone or with its low-resolution partner.

Everything a training needs of a layer is taken here, on the thread that calls; later only arrays are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.axes import Axes, ImageArray, parse_axes
from napari_sr.imaging.files import read_image
from napari_sr.imaging.napari_layer import check_layer, finest_level, layer_axes
from napari_sr.training.data.pairs import Match, match_arrays, match_layers
from napari_sr.training.data.regions import region_mask
from napari_sr.training.recipe import ImageSet

Mask = npt.NDArray[np.bool_]
_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """One image to learn from.

    Parameters
    ----------
    name : str
        Of the layer or file, for messages and the card.
    high : array
        High resolution: numpy, dask or zarr.
    axes : Axes
        Of `high`.
    low : array, optional
        Its low-resolution partner, cut so that `high` is exactly the factor longer in Y and X and equal elsewhere.
    contrast_limits : (float, float), optional
        Of the layer, for ``intensity = "contrast"``.
    pixel_size, unit : optional
        Of a high-resolution pixel along X.
    train_on, validate_on : array of bool, shape (Y, X) of `high`, optional
        Where to learn and where to validate, on every plane.
    match : Match, optional
        How a pair was brought together.
    group : str
        The set on the card that it belongs to.
    license, source : str, optional
        For the card.
    """

    name: str
    high: ImageArray
    axes: Axes
    low: ImageArray | None = None
    contrast_limits: tuple[float, float] | None = None
    pixel_size: float | None = None
    unit: str | None = None
    train_on: Mask | None = None
    validate_on: Mask | None = None
    match: Match | None = None
    group: str = ""
    license: str | None = None
    source: str | None = None


def training_images(
    images: Any,
    scale: int,
    *,
    axes: str | None = None,
    train_on: Any = None,
    validate_on: Any = None,
) -> list[TrainingImage]:
    """Take images as a caller has them; call it on the main thread when there are layers among them.

    Parameters
    ----------
    images : array, layer, file, (low, high) pair of any of them, TrainingImage, or a list of these
        High-resolution images alone, or pairs as tuples with the low-resolution one first.
    scale : int
        The model's factor, which pairs must have.
    axes : str, optional
        A letter for each dimension of the arrays; by default from their shapes.
    train_on, validate_on : Shapes layer, optional
        Regions, in the world's coordinates (of arrays: in pixels of the high-resolution image).

    Returns
    -------
    list of TrainingImage

    Raises
    ------
    InputError
        If something is no image, or a pair does not fit together.
    """
    items = images if isinstance(images, list) else [images]
    if not items:
        raise InputError("There are no images to train on: give at least one.")
    taken = [_taken(item, number, scale, axes) for number, item in enumerate(items, start=1)]
    if train_on is None and validate_on is None:
        return taken
    return [
        replace(
            image,
            train_on=_mask(train_on, item, image) if train_on is not None else image.train_on,
            validate_on=_mask(validate_on, item, image) if validate_on is not None else image.validate_on,
        )
        for item, image in zip(items, taken, strict=True)
    ]


def images_in(sets: Sequence[ImageSet], data: Path | None, scale: int) -> list[TrainingImage]:
    """Read the files that a recipe names.

    Parameters
    ----------
    sets : sequence of ImageSet
        Files or folders.
    data : Path or None
        The folder their paths start from; None is the working directory.
    scale : int
        The factor of pairs.

    Raises
    ------
    InputError
        If a file or folder is missing or holds no image, or a partner is missing.
    """
    root = data or Path()
    found = []
    for one in sets:
        group = one.name or one.path
        for path in training_files(root / one.path):
            if one.low is None:
                image = _taken(path, 0, scale, None)
            else:
                partner = root / one.low
                low = partner if partner.is_file() else _partner(path, partner)
                image = _taken((low, path), 0, scale, None)
            found.append(replace(image, group=group, license=one.license, source=one.source))
    return found


def training_files(path: Path) -> list[Path]:
    """The image files of a folder in order of their names, or the file itself.

    Raises
    ------
    InputError
        If there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path} to train on: check the data folder.")
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _ENDINGS and not p.name.startswith("."))
    if not files:
        raise InputError(f"The folder {path} holds no TIFF, PNG or JPEG image: choose another.")
    return files


def _partner(path: Path, folder: Path) -> Path:
    for candidate in training_files(folder):
        if candidate.stem == path.stem:
            return candidate
    raise InputError(f"{path.name} has no partner in {folder}: give both images the same name.")


def _taken(item: Any, number: int, scale: int, axes: str | None) -> TrainingImage:
    if isinstance(item, TrainingImage):
        return item
    if isinstance(item, tuple):
        if len(item) != 2:
            raise InputError(f"A pair is (low, high), and image {number} is a tuple of {len(item)}.")
        return _pair(_taken(item[0], number, scale, axes), _taken(item[1], number, scale, axes), item, scale)
    if isinstance(item, str | Path):
        file = read_image(item)
        size = file.pixel_size.get("X")
        return TrainingImage(
            name=file.path.name,
            high=file.data,
            axes=parse_axes(file.axes, file.data.shape),
            pixel_size=size,
            unit=(file.unit or "pixel") if size is not None else None,
        )
    if _is_layer(item):
        return _layer(item, axes)
    array = item if hasattr(item, "shape") and hasattr(item, "dtype") else np.asarray(item)
    return TrainingImage(name=f"image {number}", high=array, axes=parse_axes(axes, tuple(array.shape)))


def _is_layer(item: Any) -> bool:
    return hasattr(item, "data") and hasattr(item, "affine") and hasattr(item, "translate")


def _layer(layer: Any, axes: str | None) -> TrainingImage:
    check_layer(layer)
    parsed = layer_axes(layer, axes)
    low, high = layer.contrast_limits
    units = getattr(layer, "units", None)
    unit = str(units[parsed.x]) if units is not None else None
    known = unit is not None and unit != "pixel"
    return TrainingImage(
        name=str(layer.name),
        high=finest_level(layer),
        axes=parsed,
        contrast_limits=(float(low), float(high)),
        pixel_size=float(abs(layer.scale[parsed.x])) if known else None,
        unit=unit if known else None,
    )


def _pair(low: TrainingImage, high: TrainingImage, items: tuple[Any, Any], scale: int) -> TrainingImage:
    if _is_layer(items[0]) and _is_layer(items[1]):
        match = match_layers(items[0], items[1], low.axes, high.axes, scale)
    else:
        match = match_arrays(low.high, high.high, low.axes, high.axes, (low.name, high.name), scale)
    return replace(
        high,
        name=f"{low.name} and {high.name}",
        high=match.cut(high.high, high.axes, scale),
        axes=parse_axes(high.axes.letters, match.shape(high.axes, scale)),
        low=match.cut(low.high, low.axes, 1),
        contrast_limits=low.contrast_limits,
        match=match,
    )


def _mask(shapes: Any, item: Any, image: TrainingImage) -> Mask:
    layer = item[1] if isinstance(item, tuple) else item
    whole = tuple(finest_level(layer).shape) if _is_layer(layer) else image.axes.shape
    mask = region_mask(shapes, layer if _is_layer(layer) else None, image.axes, whole)
    if image.match is not None:
        rows, columns = image.match.high_box
        mask = mask[rows, columns]
    if not mask.any():
        raise InputError(f'The regions of "{shapes.name}" do not lie on {image.name}: draw them there.')
    return mask


def pixel_size_of(images: Iterable[TrainingImage], scale: int) -> tuple[float | None, str | None]:
    """Size of a low-resolution pixel and its unit, where all images agree to a percent; else unknown."""
    sizes = {(image.pixel_size, image.unit) for image in images}
    values = [size for size, _ in sizes if size is not None]
    units = {unit for _, unit in sizes}
    if len(values) != len(sizes) or len(units) != 1 or max(values) > 1.01 * min(values):
        return None, None
    return float(np.mean(values)) * scale, units.pop()
