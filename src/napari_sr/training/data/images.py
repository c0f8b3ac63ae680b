"""Training images: arrays, layers and files, each alone or with its low-resolution partner.

All properties of layers are read here, on the calling thread; later only arrays are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import Axes, ImageArray, parse_axes
from napari_sr.imaging.files import find_images, is_image, read_image, stem_of
from napari_sr.imaging.napari_layer import check_layer, finest_level, layer_axes, layer_pixel_size
from napari_sr.training.data.pairs import Match, match_arrays, match_layers
from napari_sr.training.data.regions import region_mask
from napari_sr.training.recipe import ImageSet

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """An image for training, alone or as a pair.

    Parameters
    ----------
    name : str
        Name of the layer or file, for messages and the card.
    high : array
        High-resolution image: numpy, dask or zarr array.
    axes : Axes
        Axes of `high`.
    low : array, optional
        Low-resolution partner, cut so that `high` is exactly the factor longer in Y and X and equally long in the other
        axes.
    contrast_limits : (float, float), optional
        Contrast limits of the layer, for the intensity "contrast".
    pixel_size : float, optional
        Size of a high-resolution pixel along X.
    unit : str, optional
        Unit of `pixel_size`.
    train_on : array of bool, shape (Y, X) of `high`, optional
        Region for training, on every plane; by default the whole image. With several fields the shape is (fields, Y,
        X).
    validate_on : array of bool, shape (Y, X) of `high`, optional
        Region for validation, on every plane; with several fields as `train_on`.
    match : Match, optional
        Positions of the two images of a pair.
    group : str, default ""
        Name of the set of images on the card; by default `name`.
    license : str, optional
        Terms of use of the image, for the card.
    source : str, optional
        Origin of the image, for the card.
    image_set : ImageSet, optional
        The set of a recipe that the image belongs to.
    fields : int, default 1
        Number of the fields of view of a large image that are stacked along T, equally many planes of each.
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
    image_set: ImageSet | None = None
    fields: int = 1

    def field_of(self, plane: int) -> int:
        """Return the number of the field that a plane shows.

        Parameters
        ----------
        plane : int
            Number of the plane in stored order.

        Returns
        -------
        int
            The number, from 0.
        """
        if self.fields == 1:
            return 0
        length = self.axes.shape[self.axes.letters.index("T")]
        return plane % length // (length // self.fields)


def training_images(
    images: Any,
    scale: int,
    *,
    axes: str | None = None,
    train_on: Any = None,
    validate_on: Any = None,
) -> list[TrainingImage]:
    """Convert images of a caller to training images.

    Call it on the main thread if there are layers among the images.

    Parameters
    ----------
    images : array, napari layer, path, (low, high) pair, TrainingImage, or list of these
        High-resolution images, or pairs as tuples with the low-resolution image first. Arrays are of any kind that
        `napari_sr.imaging.as_image` takes.
    scale : int
        Factor of the model, which pairs must have.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension of the arrays and layers; by default from their shapes. Files have
        their own axes.
    train_on : napari Shapes layer, optional
        Region for training, in world coordinates; for arrays, in pixels of the high-resolution image.
    validate_on : napari Shapes layer, optional
        Region for validation, in the same coordinates.

    Returns
    -------
    list of TrainingImage
        The images in the order of the argument.

    Raises
    ------
    InputError
        If an item is not an image, the images of a pair do not belong together, or a region is not on an image.
    """
    items = images if isinstance(images, list) else [images]
    if not items:
        raise InputError("There are no images to train on: give at least one.")
    converted = [_converted(item, number, scale, axes) for number, item in enumerate(items, start=1)]
    if train_on is None and validate_on is None:
        return converted
    return [
        replace(
            image,
            train_on=_mask(train_on, item, image) if train_on is not None else image.train_on,
            validate_on=_mask(validate_on, item, image) if validate_on is not None else image.validate_on,
        )
        for item, image in zip(items, converted, strict=True)
    ]


def images_in(sets: Sequence[ImageSet], data: Path | None, scale: int) -> list[TrainingImage]:
    """Read the images that a recipe names, in the order of the sets and of the file names.

    Parameters
    ----------
    sets : sequence of ImageSet
        Files or folders, with their partners.
    data : Path or None
        Folder at which relative paths start; None for the working directory.
    scale : int
        Factor of the model, which pairs must have.

    Raises
    ------
    InputError
        If a file, folder or partner is missing, or a folder holds no image.
    """
    root = data or Path()
    images = []
    for entry in sets:
        group = entry.name or entry.path
        paths = _without_excluded(training_files(root / entry.path), entry)
        items = paths if entry.low is None else _with_partners(paths, root / entry.low)
        for item in items:
            image = _converted(item, 0, scale, None)
            images.append(replace(image, group=group, license=entry.license, source=entry.source, image_set=entry))
    return images


def _without_excluded(paths: Sequence[Path], entry: ImageSet) -> list[Path]:
    """Return the files of a set that no name or pattern of `exclude` matches."""
    for pattern in entry.exclude:
        # A name that matches nothing would leave a file among the training images that is kept aside.
        if not any(fnmatchcase(path.name, pattern) for path in paths):
            raise InputError(f"{entry.path} holds no file {pattern}, which is excluded: correct the recipe.")
    kept = [path for path in paths if not any(fnmatchcase(path.name, pattern) for pattern in entry.exclude)]
    if not kept:
        raise InputError(f"All files of {entry.path} are excluded: correct the recipe.")
    return kept


def training_files(path: Path) -> list[Path]:
    """Return the image files of a folder, sorted by their names and without hidden ones; a file or store itself.

    Raises
    ------
    InputError
        If there is no such file or folder, or the folder holds no image.
    """
    if is_image(path):
        return [path]
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path} to train on: check the path and the data folder.")
    files = find_images(path)
    if not files:
        raise InputError(f"The folder {path} holds no image: choose another.")
    return files


def _with_partners(paths: Sequence[Path], low: Path) -> list[tuple[Path, Path]]:
    """Return each file with its low-resolution partner: `low`, or the file of the same name in that folder."""
    if is_image(low):
        if len(paths) > 1:
            raise InputError(f"{low.name} cannot be the partner of {len(paths)} images: give a folder of partners.")
        return [(low, path) for path in paths]
    highs = _by_stem(paths)
    candidates = training_files(low)
    partners = _by_stem([candidate for candidate in candidates if stem_of(candidate) in highs])
    for stem, path in highs.items():
        if stem not in partners:
            raise InputError(f"{path.name} has no partner in {low}: give both images the same name.")
    return [(partners[stem], path) for stem, path in highs.items()]


def _by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Return files of a folder by their names without endings, which have to differ."""
    files: dict[str, Path] = {}
    for path in paths:
        other = files.setdefault(stem_of(path), path)
        if other is not path:
            raise InputError(f"{other.name} and {path.name} in {path.parent} have the same name: keep one of them.")
    return files


def _converted(item: Any, number: int, scale: int, axes: str | None, *, kind: str = "image") -> TrainingImage:
    """Convert an image of a caller; `kind` and `number` name an array in messages."""
    if isinstance(item, TrainingImage):
        return item
    if isinstance(item, tuple):
        if len(item) != 2:
            raise InputError(f"Image {number} is a tuple of {len(item)}: give a pair as (low, high).")
        low = _converted(item[0], number, scale, axes, kind="low-resolution image")
        return _pair(low, _converted(item[1], number, scale, axes), item, scale)
    if isinstance(item, str | os.PathLike):
        file = read_image(item, lazy=True)
        image, name = as_image(file), file.path.name
    elif _is_layer(item):
        return _layer(item, axes)
    else:
        image, name = as_image(item, axes), f"{kind} {number}"
    size = image.pixel_size.get("X")
    return TrainingImage(
        name=name,
        high=image.data,
        axes=image.axes,
        pixel_size=size,
        unit=(image.unit or "pixel") if size is not None else None,
    )


def _is_layer(item: Any) -> bool:
    return hasattr(item, "data") and hasattr(item, "affine") and hasattr(item, "translate")


def _layer(layer: Any, axes: str | None) -> TrainingImage:
    check_layer(layer)
    parsed = layer_axes(layer, axes)
    low, high = layer.contrast_limits
    sizes, unit = layer_pixel_size(layer, parsed)
    known = unit is not None and unit != "pixel"
    return TrainingImage(
        name=str(layer.name),
        high=finest_level(layer),
        axes=parsed,
        contrast_limits=(float(low), float(high)),
        pixel_size=sizes["X"] if known else None,
        unit=unit if known else None,
    )


def _pair(low: TrainingImage, high: TrainingImage, items: tuple[Any, Any], scale: int) -> TrainingImage:
    if _is_layer(items[0]) and _is_layer(items[1]):
        match = match_layers(items[0], items[1], low.axes, high.axes, scale)
    else:
        match = match_arrays(low.high, high.high, low.axes, high.axes, _names(low, high, items), scale)
    return replace(
        high,
        name=" and ".join(match.names),
        high=match.cut(high.high, high.axes, scale),
        axes=parse_axes(high.axes.letters, match.shape(high.axes, scale)),
        low=match.cut(low.high, low.axes, 1),
        contrast_limits=low.contrast_limits,
        match=match,
    )


def _names(low: TrainingImage, high: TrainingImage, items: tuple[Any, Any]) -> tuple[str, str]:
    """Return the names of a pair, with the folders of two files of one name."""
    if low.name == high.name and all(isinstance(item, str | os.PathLike) for item in items):
        first, second = (Path(item).absolute() for item in items)
        return f"{first.parent.name}/{low.name}", f"{second.parent.name}/{high.name}"
    return low.name, high.name


def _mask(shapes: Any, item: Any, image: TrainingImage) -> Mask:
    layer = item[1] if isinstance(item, tuple) else item
    whole = tuple(finest_level(layer).shape) if _is_layer(layer) else image.axes.shape
    mask = region_mask(shapes, layer if _is_layer(layer) else None, image.axes, whole)
    if image.match is not None:
        rows, columns = image.match.high_box
        mask = mask[rows, columns]
    if not mask.any():
        raise InputError(f'The regions of "{shapes.name}" do not lie on {image.name}: draw them on it.')
    return mask


def pixel_size_of(images: Iterable[TrainingImage], scale: int) -> tuple[float | None, str | None]:
    """Return the size of a low-resolution pixel, if it is the same in all images.

    Returns
    -------
    size : float or None
        Size of a low-resolution pixel; None if an image has no pixel size, or sizes differ by more than a percent.
    unit : str or None
        Unit of the size; None with an unknown size.
    """
    sizes = {(image.pixel_size, image.unit) for image in images}
    values = [size for size, _ in sizes if size is not None]
    units = {unit for _, unit in sizes}
    if len(values) != len(sizes) or len(units) != 1 or max(values) > 1.01 * min(values):
        return None, None
    return float(np.mean(values)) * scale, units.pop()
