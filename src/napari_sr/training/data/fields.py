"""The planes of training images that are read: evenly spaced ones, and fields of large planes that the seed chooses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.axes import Axes, ImageArray, PlaneIndex
from napari_sr.training.data.images import Mask, TrainingImage
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Recipe

Box = tuple[slice, slice]
#: Largest number of pixels of a plane, and of all planes of an image, of an image that is used as a whole.
LARGEST_PLANE, LARGEST_IMAGE = 2**26, 2**28
#: Largest number of pixels of a plane of a large image that is not divided into fields.
_UNDIVIDED = 2**22
#: Side of a field in high-resolution pixels.
SIDE = 1024
#: Number of fields of an image with many planes, of which each field has fewer then.
_FEWEST = 8
#: Number of fields that are looked at for each that is used, and side of the part of them that is looked at.
_CANDIDATES, _SEEN = 4, 256


def used_part(image: TrainingImage, scale: int, recipe: Recipe, number: int) -> TrainingImage:
    """Read the part of a large image that a training uses.

    Parameters
    ----------
    image : TrainingImage
        An image or a pair.
    scale : int
        Factor of the model.
    recipe : Recipe
        Its seed chooses the fields, and `Data.planes` is the largest number of planes and fields together.
    number : int
        Number of the image, from 0, so that images of equal size have different fields.

    Returns
    -------
    TrainingImage
        The image itself, unless a plane has more than 2^26 pixels (8192 x 8192) or all planes together more than 2^28.
        Of a larger one, an image in memory: with planes that are evenly spaced along the axes except C, stacked along
        T, if a plane has at most 2^22 pixels, and otherwise with fields of 1024 x 1024 pixels of such planes.

    Notes
    -----
    Fields are squares of a grid that starts at the first pixel, so that they are made of whole chunks of usual sizes.
    They are drawn at random, those with structures first. A region is covered by a grid of its own, of which the fields
    with more of it come first; up to half of the fields are those of the region for validation. The planes of a field
    are stacked one after the other.
    """
    axes = image.axes
    pixels = axes.shape[axes.y] * axes.shape[axes.x]
    if pixels <= LARGEST_PLANE and pixels * axes.plane_count <= LARGEST_IMAGE:
        return image
    channels = len(axes.channels)
    most, planes = max(1, recipe.data.planes // channels), axes.plane_count // channels
    if pixels <= _UNDIVIDED:
        boxes: list[Box] = [(slice(0, axes.shape[axes.y]), slice(0, axes.shape[axes.x]))]
    else:
        count = min(most, max(_FEWEST, most // planes))
        boxes = _fields(image, count, scale, recipe, number)
    times = _spaced(planes, max(1, most // len(boxes)))
    low = None
    if image.low is not None:
        shape = tuple(n // scale if axis in (axes.y, axes.x) else n for axis, n in enumerate(axes.shape))
        low = _stacked(image.low, Axes(axes.letters, shape), [_reduced(box, scale) for box in boxes], times)
    high = _stacked(image.high, axes, boxes, times)
    letters = ("C" if axes.channel is not None else "") + "TYX" + ("C" if axes.rgb else "")
    return replace(
        image,
        high=high,
        axes=Axes(letters, high.shape),
        low=low,
        train_on=_masks(image.train_on, boxes),
        validate_on=_masks(image.validate_on, boxes),
        fields=len(boxes),
    )


def planes_of(array: ImageArray, axes: Axes, most: int) -> Iterator[tuple[int | None, npt.NDArray[Any]]]:
    """Yield planes of an image, evenly spaced, and as many of each channel if they are not all.

    Yields
    ------
    channel : int or None
        Channel of the plane; None for an image without a channel axis.
    plane : array, shape (Y, X) or (Y, X, 3)
        The plane, without an alpha channel, as a copy.
    """
    for index in _chosen(axes, most):
        # A copy, since an array that is being recorded or edited may change while a network is trained on it.
        plane = np.array(axes.plane(array, index), order="C")
        yield axes.channel_of(index), plane[..., :3] if axes.rgb else plane


def describe_planes(image: TrainingImage, most: int) -> str | None:
    """Describe how many planes of an image from `used_part` are used, of at most `most`; None if all of them are."""
    chosen, axes = _chosen(image.axes, most), image.axes
    if len(chosen) == axes.plane_count:
        return None
    total = len(axes.channels)
    left = total - len({axes.channel_of(index) for index in chosen})
    channels = f", and {left} of its {total} channels {'is' if left == 1 else 'are'} not" if left else ""
    verb = "is" if len(chosen) == 1 else "are"
    return (
        f"{len(chosen)} of the {axes.plane_count} planes of {image.name} {verb} used{channels}: data.planes of the "
        "recipe is the largest number."
    )


def describe_part(image: TrainingImage, used: TrainingImage) -> str | None:
    """Describe the part of an image that a training uses, from `used_part`; None if the whole image is used."""
    if used is image:
        return None
    height, width = used.axes.shape[used.axes.y], used.axes.shape[used.axes.x]
    count, total = used.axes.plane_count // used.fields, image.axes.plane_count
    part = f"{count} of its {total} planes" if total > 1 else ""
    if (height, width) != (image.axes.shape[image.axes.y], image.axes.shape[image.axes.x]):
        count = used.fields
        kind = "field" if count == 1 else "fields"
        part = f"{count} {kind} of {height} x {width} pixels" + (f" of {part}" if part else "")
    fraction = prod(used.axes.shape) / prod(image.axes.shape)
    return f"{image.name} is large: {part} {'is' if count == 1 else 'are'} used, {fraction:.2g} of its pixels."


def separate_fields(image: TrainingImage) -> list[TrainingImage]:
    """Return the fields of an image as images; the image itself, if it is not divided.

    Parameters
    ----------
    image : TrainingImage
        An image without a partner and regions, as `used_part` returns it.
    """
    if image.fields == 1:
        return [image]
    axis = image.axes.letters.index("T")
    planes = image.axes.shape[axis] // image.fields
    separate = []
    for field in range(image.fields):
        index = (slice(None),) * axis + (slice(field * planes, (field + 1) * planes),)
        high = image.high[index]
        axes = Axes(image.axes.letters, high.shape)
        separate.append(replace(image, high=high, axes=axes, fields=1, group=image.group or image.name))
    return separate


def _fields(image: TrainingImage, count: int, scale: int, recipe: Recipe, number: int) -> list[Box]:
    """Choose fields of an image."""
    shape = image.axes.shape[image.axes.y] // scale * scale, image.axes.shape[image.axes.x] // scale * scale
    generator = generator_at(recipe.seed, "fields", number=number)
    chosen: list[Box] = []
    if image.validate_on is not None:
        chosen = _on_region(image.validate_on, shape, scale)[: max(1, count // 2)]
    if image.train_on is not None:
        others = _on_region(image.train_on, shape, scale)
    else:
        sides = _sides(shape, scale)
        grid = [range(0, n - side + 1, side) for n, side in zip(shape, sides, strict=True)]
        cells = _boxes(grid, sides)
        drawn = [cells[i] for i in generator.permutation(len(cells))[: _CANDIDATES * count]]
        others = _structured_first(image, drawn, recipe.patches.empty)
    wanted = max(1, count - len(chosen))
    return chosen + [box for box in others if box not in chosen][:wanted]


def _sides(shape: tuple[int, int], scale: int) -> tuple[int, int]:
    side = SIDE // scale * scale
    return min(side, shape[0]), min(side, shape[1])


def _boxes(starts: Sequence[Iterable[int]], sides: tuple[int, int]) -> list[Box]:
    return [(slice(y, y + sides[0]), slice(x, x + sides[1])) for y, x in product(*starts)]


def _on_region(region: Mask, shape: tuple[int, int], scale: int) -> list[Box]:
    """Return fields that cover a region, those that show more of it first."""
    sides = _sides(shape, scale)
    starts = []
    for axis, (length, side) in enumerate(zip(shape, sides, strict=True)):
        inside = np.flatnonzero(region.any(axis=1 - axis))
        first = int(inside[0]) // scale * scale
        starts.append(sorted({min(start, length - side) for start in range(first, int(inside[-1]) + 1, side)}))
    boxes = _boxes(starts, sides)
    areas = [int(region[box].sum()) for box in boxes]
    return [boxes[i] for i in np.argsort(np.negative(areas), kind="stable") if areas[i]]


def _structured_first(image: TrainingImage, boxes: Sequence[Box], empty: float) -> list[Box]:
    """Move the fields to the end of which the first pixels show nothing, as blocks for validation are ordered."""
    indices = list(image.axes.plane_indices())
    middle = indices[len(indices) // 2]
    means, deviations = [], []
    for rows, columns in boxes:
        corner = slice(rows.start, rows.start + _SEEN), slice(columns.start, columns.start + _SEEN)
        seen = image.axes.plane(image.high, image.axes.part(middle, *corner)).astype(np.float64)
        means.append(seen.mean())
        deviations.append(seen.std())
    spread = np.sqrt(np.mean(np.square(deviations)) + np.var(means))
    dull = [bool(deviation < empty * spread) for deviation in deviations]
    return [boxes[i] for i in np.argsort(dull, kind="stable")]


def _chosen(axes: Axes, most: int) -> list[PlaneIndex]:
    """Return at most `most` planes in their order, evenly spaced in each channel, or in evenly spaced channels."""
    indices = list(axes.plane_indices())
    if len(indices) <= most:
        return indices
    positions: dict[int | None, list[int]] = {}
    for position, index in enumerate(indices):
        positions.setdefault(axes.channel_of(index), []).append(position)
    channels = list(positions.values())
    members = [channels[i] for i in _spaced(len(channels), most)]
    each = most // len(members)
    return [indices[i] for i in sorted(planes[n] for planes in members for n in _spaced(len(planes), each))]


def _spaced(count: int, most: int) -> list[int]:
    """Return at most `most` of `count` positions, evenly spaced."""
    return [int(n) for n in np.linspace(0, count - 1, min(count, most)).round()]


def _stacked(array: ImageArray, axes: Axes, boxes: Sequence[Box], times: Sequence[int]) -> npt.NDArray[Any]:
    """Read parts of planes into an array (T, Y, X), with C before T for channels, and after X for colors."""
    channels: dict[int | None, list[PlaneIndex]] = {}
    for index in axes.plane_indices():
        channels.setdefault(axes.channel_of(index), []).append(index)
    rows, columns = boxes[0]
    shape = (rows.stop - rows.start, columns.stop - columns.start, *axes.shape[-1:][: int(axes.rgb)])
    stack = np.empty((len(channels), len(boxes) * len(times), *shape), np.dtype(array.dtype))
    for planes, indices in zip(stack, channels.values(), strict=True):
        for plane, (box, time) in zip(planes, product(boxes, times), strict=True):
            plane[:] = axes.plane(array, axes.part(indices[time], *box))
    return stack if axes.channel is not None else stack[0]


def _reduced(box: Box, scale: int) -> Box:
    rows, columns = (slice(part.start // scale, part.stop // scale) for part in box)
    return rows, columns


def _masks(mask: Mask | None, boxes: Sequence[Box]) -> Mask | None:
    """Return the parts of a mask in several fields, or the mask itself."""
    if mask is None or len(boxes) == 1:
        return mask if mask is None else mask[boxes[0]]
    return np.stack([mask[box] for box in boxes])
