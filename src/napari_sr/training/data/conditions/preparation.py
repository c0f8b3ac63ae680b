"""Patches and validation scenes of a training under random conditions, made from its images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.intensity import check_finite
from napari_sr.training.data.blocks import LEAST_BLOCK, Block, choose_blocks
from napari_sr.training.data.conditions.patches import ConditionedPatches
from napari_sr.training.data.conditions.truths import Pool, Truth, TruthSizes, gray_planes, truth_sizes
from napari_sr.training.data.degradation import shrink
from napari_sr.training.data.fields import planes_of, separate_fields
from napari_sr.training.data.fingerprint import add_array, repeated_images, shared_planes, stable_repr
from napari_sr.training.data.images import TrainingImage
from napari_sr.training.data.training_set import Scene, TrainingSet, describe_sets
from napari_sr.training.recipe import Conditions, ImageSet, Recipe

#: Planes of an image, each at all of its sizes.
_ImageTruths = list[TruthSizes]


def make_conditioned_set(
    images: Sequence[TrainingImage],
    validation: Sequence[TrainingImage],
    recipe: Recipe,
    *,
    scale: int,
    sizes: Sequence[int],
) -> TrainingSet:
    """Prepare the images of a training under random conditions.

    Parameters
    ----------
    images : sequence of TrainingImage
        High-resolution images for training.
    validation : sequence of TrainingImage
        Images for validation; if there are none, blocks of `images` are kept for it.
    recipe : Recipe
        A recipe with conditions.
    scale : int
        Factor of the network.
    sizes : sequence of int
        Sides of a patch in low-resolution pixels, in order of preference; the first for which any image has room is
        used.

    Raises
    ------
    InputError
        If an image is a pair or has regions, or no image has room for a patch.
    """
    conditions = recipe.conditions
    assert conditions is not None
    for image in (*images, *validation):
        if image.low is not None or image.train_on is not None or image.validate_on is not None:
            raise InputError(
                f"{image.name}: a recipe with conditions takes whole high-resolution images, without partners and "
                "regions: leave those out."
            )
    images, validation = (
        [field for image in group for field in separate_fields(image)] for group in (images, validation)
    )
    size, pools, blocks, truths = _at_first_size(images, recipe, conditions, scale, sizes, held=not validation)
    patches = ConditionedPatches(
        list(pools.values()),
        conditions,
        scale=scale,
        size=size,
        seed=recipe.seed,
        flips=recipe.patches.flips,
        turns=recipe.patches.turns,
    )
    if validation:
        scenes = _whole_scenes(validation, patches, recipe, conditions, scale)
    else:
        scenes = _block_scenes(blocks, images, truths, patches, scale)
    return TrainingSet(
        patches=patches,
        scenes=tuple(scenes),
        degradation=recipe.degradation,
        described=describe_sets((image, _planes(image, recipe)) for image in images),
        fingerprint=_fingerprint(patches, scenes),
        warnings=(*_without_room(images, pools), *_shared(images, validation, recipe)),
        notes=(),
    )


def _at_first_size(
    images: Sequence[TrainingImage],
    recipe: Recipe,
    conditions: Conditions,
    scale: int,
    sizes: Sequence[int],
    *,
    held: bool,
) -> tuple[int, dict[str, Pool], list[Block], list[_ImageTruths]]:
    """Return the first side of a patch for which any image has room, with the sets, blocks and planes of all images."""
    for size in sizes:
        truths = [_truths(image, recipe, conditions, size * scale) for image in images]
        if not any(truths):
            continue
        blocks = _blocks(truths, recipe, scale) if held else []
        truths = [_without(blocks, number, planes, recipe, scale) for number, planes in enumerate(truths)]
        pools = _pools(images, truths, size * scale)
        if pools:
            return size, pools, blocks, truths
    side = min(sizes) * scale
    raise InputError(
        f"No image shows something on {side} x {side} pixels that are not kept for validation: give larger images, or "
        "choose smaller patches."
    )


def _truths(image: TrainingImage, recipe: Recipe, conditions: Conditions, least: int) -> _ImageTruths:
    """Return the planes of an image at all sizes with sides of at least `least` pixels."""
    entry = image.image_set or ImageSet(path="")
    check_finite(image.high, image.axes)
    truths = [
        truth_sizes(
            gray,
            recipe.data.sizes if entry.sizes is None else entry.sizes,
            least=least,
            clean=conditions.clean,
            noisy=conditions.noisy if entry.noisy is None else entry.noisy,
        )
        for plane in _planes(image, recipe)
        for gray in gray_planes(plane, entry.colors)
    ]
    return [sizes for sizes in truths if sizes]


def _planes(image: TrainingImage, recipe: Recipe) -> Iterator[npt.NDArray[np.generic]]:
    for _, plane in planes_of(image.high, image.axes, recipe.data.planes):
        yield plane


def _set_of(image: TrainingImage) -> str:
    """Return a text that images of one set have in common."""
    return "" if image.image_set is None else stable_repr(image.image_set)


def _pools(images: Sequence[TrainingImage], truths: Sequence[_ImageTruths], side: int) -> dict[str, Pool]:
    """Return the planes of each set of images, as far as they have room for a patch outside the blocks."""
    members: dict[str, list[int]] = {}
    for number, image in enumerate(images):
        members.setdefault(_set_of(image), []).append(number)
    pools = {}
    for name, numbers in members.items():
        entry = images[numbers[0]].image_set
        room = [
            tuple(truth for truth in sizes if not truth.kept or truth.corners(side).any())
            for number in numbers
            for sizes in truths[number]
        ]
        if planes := tuple(sizes for sizes in room if sizes):
            pools[name] = Pool(1.0 if entry is None else entry.share, planes)
    return pools


def _without_room(images: Sequence[TrainingImage], pools: Mapping[str, Pool]) -> Iterator[str]:
    """Yield sentences on the sets that no patch is drawn from."""
    for name in dict.fromkeys(image.group or image.name for image in images if _set_of(image) not in pools):
        yield f"No patch is drawn from {name}, since no image of it shows something on a patch."


def _shared(images: Sequence[TrainingImage], validation: Sequence[TrainingImage], recipe: Recipe) -> tuple[str, ...]:
    """Return a warning if images are used for training and for validation."""
    if not validation:
        return repeated_images(
            (n, image.name, plane) for n, image in enumerate(images) for plane in _planes(image, recipe)
        )
    return shared_planes(
        (plane for image in images for plane in _planes(image, recipe)),
        ((image.name, plane) for image in validation for plane in _planes(image, recipe)),
    )


# Validation


def _blocks(truths: Sequence[_ImageTruths], recipe: Recipe, scale: int) -> list[Block]:
    """Choose blocks of the middle plane of each image, at its largest size."""
    numbers = [number for number, planes in enumerate(truths) if planes]
    planes = [shrink(_middle(truths[number]).values, scale, "binning") for number in numbers]
    blocks = choose_blocks(planes, [None] * len(planes), recipe.validation, recipe.patches.empty, recipe.seed)
    return [replace(block, image=numbers[block.image]) for block in blocks]


def _middle(planes: _ImageTruths) -> Truth:
    return planes[len(planes) // 2][0]


def _without(blocks: Sequence[Block], number: int, planes: _ImageTruths, recipe: Recipe, scale: int) -> _ImageTruths:
    """Exclude the blocks of an image, with the gap around them, from all its planes at all sizes."""
    own = [block for block in blocks if block.image == number]
    if not own:
        return planes
    height, width = _middle(planes).values.shape
    return [
        tuple(
            replace(
                truth,
                kept=tuple(
                    (
                        _scaled(block.rows, scale, recipe.validation.gap, truth.values.shape[0] / height),
                        _scaled(block.columns, scale, recipe.validation.gap, truth.values.shape[1] / width),
                    )
                    for block in own
                ),
            )
            for truth in sizes
        )
        for sizes in planes
    ]


def _scaled(part: slice, scale: int, gap: int, fraction: float) -> slice:
    """Return a part of a low-resolution plane in pixels of the truth at a size, with a gap in pixels of that size."""
    start, stop = int(scale * part.start * fraction), int(np.ceil(scale * part.stop * fraction))
    return slice(start - scale * gap, stop + scale * gap)


def _block_scenes(
    blocks: Sequence[Block],
    images: Sequence[TrainingImage],
    truths: Sequence[_ImageTruths],
    patches: ConditionedPatches,
    scale: int,
) -> list[Scene]:
    """Return one scene for each block."""
    scenes = []
    for number, block in enumerate(blocks):
        truth = _middle(truths[block.image])
        rows, columns = (slice(scale * part.start, scale * part.stop) for part in (block.rows, block.columns))
        side = min(rows.stop - rows.start, columns.stop - columns.start) // scale
        part = replace(truth, values=truth.values[rows, columns], kept=())
        scenes.append(_scene(images[block.image].name, patches, (part,), side, number))
    return scenes


def _whole_scenes(
    validation: Sequence[TrainingImage],
    patches: ConditionedPatches,
    recipe: Recipe,
    conditions: Conditions,
    scale: int,
) -> list[Scene]:
    """Return scenes of validation images, of each plane in turn."""
    planes = [
        (image.name, sizes) for image in validation for sizes in _truths(image, recipe, conditions, scale * LEAST_BLOCK)
    ]
    if not planes:
        raise InputError(f"No image for validation shows something on {scale * LEAST_BLOCK} pixels: give larger ones.")
    scenes = []
    for number in range(recipe.validation.most):
        name, sizes = planes[number % len(planes)]
        block = min(recipe.validation.block, *(min(truth.values.shape) // scale for truth in sizes))
        scenes.append(_scene(name, patches, sizes, block, number))
    return scenes


def _scene(name: str, patches: ConditionedPatches, sizes: TruthSizes, side: int, number: int) -> Scene:
    seen = patches.scene(Pool(1.0, (sizes,)), side, number)
    return Scene(name, seen.low, seen.high, (-np.inf, np.inf), seen.noise, seen.blur or 0.0)


def _fingerprint(patches: ConditionedPatches, scenes: Sequence[Scene]) -> str:
    """Return a hash of everything in the images that the training depends on."""
    digest = hashlib.sha256()
    for pool in patches.pools:
        digest.update(repr(pool.share).encode())
        for truth in (truth for sizes in pool.planes for truth in sizes):
            add_array(digest, truth.values)
            digest.update(repr((truth.noise, truth.low, truth.high, truth.weight, truth.kept)).encode())
    for scene in scenes:
        for part in (scene.low, scene.high, scene.noise):
            assert part is not None
            add_array(digest, part)
        digest.update(repr(scene.blur).encode())
    return digest.hexdigest()
