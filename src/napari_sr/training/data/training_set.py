"""Patches and validation scenes of a training, made from its images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.resize import resize
from napari_sr.training.data.blocks import (
    Block,
    Mask,
    choose_blocks,
    deviation,
    permitted_corners,
    trainable_pixels,
)
from napari_sr.training.data.fingerprint import add_array, array_hash, repeated_images, shared_planes, stable_repr
from napari_sr.training.data.image_planes import ImagePlanes, planes_by_image
from napari_sr.training.data.images import TrainingImage
from napari_sr.training.data.match_summary import match_notes, match_warnings
from napari_sr.training.data.patches import Patches, PatchSource
from napari_sr.training.data.plane_pairs import PatchColor, PlanePair, make_plane_pairs
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Degradation, Recipe
from napari_sr.zoo.card import TrainingData

#: Smallest number of positions of patches for a size of "auto"; with fewer, a smaller size is chosen.
_LEAST_POSITIONS = 200
#: Largest number of images that are named in a warning.
_NAMED = 4
#: Origin of the noise planes by whether the images are pairs.
_NOISE_SOURCES = {
    False: "of the degradation with that of the high-resolution image",
    True: "that was measured in the low-resolution image",
}


@dataclass(frozen=True)
class Scene:
    """A part of an image for validation.

    Parameters
    ----------
    name : str
        Name of the image.
    low : array of float32, shape (C, Y, X)
        Low-resolution image, black at 0 and white at 1.
    high : array of float32, shape (C, scale Y, scale X)
        High-resolution image of the same range.
    limits : (float, float)
        Range of possible results: that of the image's dtype, and infinite for floats.
    noise : array of float32, shape (1, Y, X), optional
        Standard deviation of the noise of each low-resolution pixel; for networks that take it.
    blur : float, optional
        Blur as a standard deviation in low-resolution pixels; for networks that take it.
    """

    name: str
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    limits: tuple[float, float]
    noise: npt.NDArray[np.float32] | None = None
    blur: float | None = None


@dataclass(frozen=True)
class TrainingSet:
    """Patches and validation scenes of a training.

    Parameters
    ----------
    patches : PatchSource
        Patches for training.
    scenes : tuple of Scene
        Parts of images for validation.
    degradation : Degradation
        The degradation with numbers in place of "estimate".
    described : tuple of TrainingData
        Description of the images for the card.
    fingerprint : str
        Hash of everything in the images that the training depends on.
    warnings : tuple of str
        Sentences about images that the user should check.
    notes : tuple of str
        Sentences about the images, such as the shift of a pair.
    """

    patches: PatchSource
    scenes: tuple[Scene, ...]
    degradation: Degradation
    described: tuple[TrainingData, ...]
    fingerprint: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def make_training_set(
    images: Sequence[TrainingImage],
    validation: Sequence[TrainingImage],
    recipe: Recipe,
    *,
    scale: int,
    sizes: Sequence[int],
    margin: int,
    color: PatchColor,
    conditioned: bool = False,
) -> TrainingSet:
    """Prepare the images of a training.

    Parameters
    ----------
    images : sequence of TrainingImage
        Images for training.
    validation : sequence of TrainingImage
        Whole images for validation; if there are none, blocks of `images` are kept for it.
    recipe : Recipe
        Settings for data, degradation, patches and validation, and the seed.
    scale : int
        Factor of the model.
    sizes : sequence of int
        Sides of a patch in low-resolution pixels, in order of preference; the first for which the images have room is
        used, or else the last.
    margin : int
        Margin of a patch that the network consumes, in low-resolution pixels.
    color : {"gray", "luma", "rgb"}
        Meaning of the channels of a patch.
    conditioned : bool, default False
        Whether the network takes noise and blur as inputs.

    Raises
    ------
    InputError
        If an image cannot be used, or no patch is left for training.
    """
    plane_pairs, numeric = make_plane_pairs(
        images, scale, recipe.data, recipe.degradation, color, conditioned=conditioned
    )
    grouped = planes_by_image(images, plane_pairs)
    _check_content(grouped, plane_pairs, min(sizes) + 2 * margin)
    held = _whole_planes(validation, recipe, numeric, scale, color, conditioned) if validation else []
    blocks = [] if validation else _blocks(grouped, recipe)
    if validation:
        scenes = [
            _scene(validation[pair.image].name, pair, None, scale, color, recipe.seed, n) for n, pair in enumerate(held)
        ]
    else:
        scenes = _scenes_of(blocks, grouped, recipe, scale, color)
    trainable = [_trainable(grouped[pair.image], pair, blocks, recipe) for pair in plane_pairs]
    spreads = [spread for image in grouped for spread in image.spreads]
    size, corners = _corners(sizes, margin, trainable, plane_pairs, recipe, spreads)
    patches = Patches(
        plane_pairs,
        corners,
        scale=scale,
        size=size,
        margin=margin,
        color=color,
        seed=recipe.seed,
        flips=recipe.patches.flips,
        turns=recipe.patches.turns,
    )
    matches = [image.match for image in images if image.match is not None]
    return TrainingSet(
        patches=patches,
        scenes=tuple(scenes),
        degradation=numeric,
        described=describe_sets((planes.image, planes.unfiltered) for planes in grouped),
        fingerprint=_fingerprint(plane_pairs, corners, scenes),
        warnings=(
            *match_warnings(matches),
            *_unused(grouped, {plane_pairs[n].image for n, mask in enumerate(corners) if mask.any()}, blocks),
            *shared_planes(
                (pair.unfiltered for pair in plane_pairs if pair.size == 1),
                ((validation[pair.image].name, pair.unfiltered) for pair in held),
            ),
            *(_repeated(grouped) if not validation else ()),
        ),
        notes=(*match_notes(matches), *_conditions(images, patches, conditioned)),
    )


def _unused(grouped: Sequence[ImagePlanes], trained: set[int], blocks: Sequence[Block]) -> Iterator[str]:
    """Yield a sentence on the images that are used neither for patches nor for validation."""
    used = trained | {block.image for block in blocks}
    names = [image.image.name for number, image in enumerate(grouped) if number not in used]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield (
            f"No patch is drawn from {len(names)} of {len(grouped)} images, which are smaller than a patch or show "
            f"nothing on one: {', '.join(names[:_NAMED])}{more}."
        )


def _repeated(grouped: Sequence[ImagePlanes]) -> tuple[str, ...]:
    """Return a warning if images are given twice."""
    return repeated_images(
        (number, planes.image.name, plane) for number, planes in enumerate(grouped) for plane in planes.unfiltered
    )


def _conditions(images: Sequence[TrainingImage], patches: Patches, conditioned: bool) -> Iterator[str]:
    """Yield sentences on the noise and the blur that the network was given."""
    if not conditioned:
        return
    kinds = {image.low is not None for image in images}
    sources = [text for paired, text in _NOISE_SOURCES.items() if paired in kinds]
    low, high = patches.blur_range
    width = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
    yield f"The network was given the noise {' and '.join(sources)}, and a blur of {width} low-resolution pixels."


def _corners(
    sizes: Sequence[int],
    margin: int,
    trainable: Sequence[Mask],
    plane_pairs: Sequence[PlanePair],
    recipe: Recipe,
    spreads: Sequence[float],
) -> tuple[int, list[Mask]]:
    """Return the first side of a patch for which the images have room, or else the last, and the corners of patches."""
    for size in sizes:
        corners = [
            permitted_corners(pair.gray, mask, size + 2 * margin, recipe.patches.empty, spread)
            for pair, mask, spread in zip(plane_pairs, trainable, spreads, strict=True)
        ]
        if size == sizes[-1] or sum(int(mask.sum()) for mask in corners) >= _LEAST_POSITIONS:
            return size, corners
    raise ValueError("There are no sizes to choose from.")


def _whole_planes(
    validation: Sequence[TrainingImage],
    recipe: Recipe,
    degradation: Degradation,
    scale: int,
    color: PatchColor,
    conditioned: bool,
) -> list[PlanePair]:
    """Return the planes of whole images that are used for validation."""
    data = recipe.data.model_copy(update={"sizes": (1.0,)})
    whole, _ = make_plane_pairs(validation, scale, data, degradation, color, conditioned=conditioned)
    # A constant plane would measure nothing.
    structured = [pair for pair in whole if deviation(pair.gray) > 0] or whole
    return structured[: recipe.validation.most]


def _scenes_of(
    blocks: Sequence[Block], grouped: Sequence[ImagePlanes], recipe: Recipe, scale: int, color: PatchColor
) -> list[Scene]:
    """Return one scene for each block, of a plane of its field that shows something in it."""
    scenes = []
    for n, block in enumerate(blocks):
        image = grouped[block.image]
        pair, _ = image.middle(block.field, recipe.patches.empty, (block.rows, block.columns))
        scenes.append(_scene(image.image.name, pair, block, scale, color, recipe.seed, n))
    return scenes


def _check_content(grouped: Sequence[ImagePlanes], plane_pairs: Sequence[PlanePair], side: int) -> None:
    """Refuse constant images, and images that are all smaller than a patch."""
    for image in grouped:
        if not any(deviation(pair.gray) > 0 for pair in image.pairs):
            raise InputError(f"{image.image.name} is constant: give an image with structures.")
    if max(min(pair.gray.shape) for pair in plane_pairs) < side:
        shapes = ((grouped[pair.image].image, pair.gray.shape) for pair in plane_pairs)
        largest, shape = max(shapes, key=lambda entry: min(entry[1]))
        raise InputError(
            f"{largest.name} has {shape[0]} x {shape[1]} pixels at low resolution, less than a patch of {side} x "
            f"{side}: give a larger image, or choose a smaller patch size."
        )


def _blocks(grouped: Sequence[ImagePlanes], recipe: Recipe) -> list[Block]:
    """Choose the blocks of the training images that are kept for validation."""
    fields = [(number, field) for number, image in enumerate(grouped) for field in range(image.image.fields)]
    planes, regions, spreads = [], [], []
    for number, field in fields:
        middle, spread = grouped[number].middle(field, recipe.patches.empty)
        planes.append(middle.gray)
        spreads.append(spread)
        region = _of_field(grouped[number].image.validate_on, field)
        regions.append(None if region is None else _shrunk(region, planes[-1].shape))
    blocks = choose_blocks(planes, regions, recipe.validation, recipe.patches.empty, recipe.seed, spreads)
    return [replace(block, image=fields[block.image][0], field=fields[block.image][1]) for block in blocks]


def _of_field(mask: Mask | None, field: int) -> Mask | None:
    """Return the part of a mask of an image in a field."""
    return mask if mask is None or mask.ndim == 2 else mask[field]


def _trainable(planes: ImagePlanes, pair: PlanePair, blocks: Sequence[Block], recipe: Recipe) -> Mask:
    """Mark the pixels of a plane that patches may contain; blocks and regions are scaled to the size of the plane."""
    image, shape = planes.image, (pair.gray.shape[0], pair.gray.shape[1])
    fraction = pair.size / planes.largest
    boxes = [
        (_scaled(block.rows, fraction), _scaled(block.columns, fraction))
        for block in blocks
        if (block.image, block.field) == (pair.image, pair.field)
    ]
    masks = (_of_field(mask, pair.field) for mask in (image.train_on, image.validate_on))
    region, held = (None if mask is None else _shrunk(mask, shape) for mask in masks)
    return trainable_pixels(shape, boxes, recipe.validation.gap, region, held)


def _scaled(part: slice, fraction: float) -> slice:
    return part if fraction == 1 else slice(int(part.start * fraction), int(np.ceil(part.stop * fraction)))


def _shrunk(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return a mask at low resolution, in which a pixel is True if all of its high-resolution pixels are."""
    factors = {n // m for n, m in zip(mask.shape, shape, strict=True)}
    if len(factors) == 1 and all(n - m * max(factors) < max(factors) for n, m in zip(mask.shape, shape, strict=True)):
        (factor,) = factors
        whole = mask[: shape[0] * factor, : shape[1] * factor]
        return np.asarray(whole.reshape(shape[0], factor, shape[1], factor).all(axis=(1, 3)), bool)
    fractions = resize(mask.astype(np.float64), (shape[0], shape[1]), kernel="bilinear", axes=(0, 1))
    inside: Mask = fractions > 0.999
    return inside


def _scene(
    name: str, pair: PlanePair, block: Block | None, scale: int, color: PatchColor, seed: int, number: int
) -> Scene:
    """Cut a block out of a plane, or take the whole plane."""
    height, width = pair.gray.shape
    rows, columns = (slice(0, height), slice(0, width)) if block is None else (block.rows, block.columns)
    generator = generator_at(seed, "validation", number=number)
    low, noise, blur = pair.low_part(rows, columns, color, generator, len(pair.lows) // 2)
    large = [slice(scale * part.start, scale * part.stop) for part in (rows, columns)]
    dtype = pair.high.dtype
    limits = (-np.inf, np.inf)
    if dtype.kind in "iu":
        values = pair.high_map.forward([np.iinfo(dtype).min, np.iinfo(dtype).max])
        limits = (float(values[0]), float(values[1]))
    return Scene(name, low, pair.high_part(large[0], large[1], color), limits, noise, blur)


def describe_sets(images: Iterable[tuple[TrainingImage, Iterable[npt.NDArray[Any]]]]) -> tuple[TrainingData, ...]:
    """Describe each set of images, with the hash of the high-resolution planes that are given with each image."""
    sets: dict[str, list[tuple[TrainingImage, Iterable[npt.NDArray[Any]]]]] = {}
    for image, planes in images:
        sets.setdefault(image.group or image.name, []).append((image, planes))
    return tuple(
        TrainingData(
            name=name,
            license=members[0][0].license,
            sha256=array_hash(plane for _, planes in members for plane in planes),
            source=members[0][0].source,
        )
        for name, members in sets.items()
    )


def _fingerprint(plane_pairs: Sequence[PlanePair], corners: Sequence[Mask], scenes: Sequence[Scene]) -> str:
    """Return a hash of everything in the images that the training depends on."""
    digest = hashlib.sha256()
    for pair, mask in zip(plane_pairs, corners, strict=True):
        for part in (*pair.lows, pair.high, mask):
            add_array(digest, part)
        digest.update(stable_repr((pair.low_map, pair.high_map, pair.degradation)).encode())
        if pair.noises:
            digest.update(stable_repr((pair.noises, pair.blurs)).encode())
    for scene in scenes:
        add_array(digest, scene.low)
        add_array(digest, scene.high)
    return digest.hexdigest()
