"""All that a training learns from and is measured on, made of the images once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging.resize import resize
from napari_sr.training.blocks import Block, Mask, choose_blocks, clear_of, permitted_corners
from napari_sr.training.images import TrainingImage
from napari_sr.training.patches import Patches
from napari_sr.training.plane_pairs import PatchColor, PlanePair, make_plane_pairs
from napari_sr.training.randomness import generator_at
from napari_sr.training.recipe import Degradation, Recipe
from napari_sr.zoo.card import TrainingData

#: With fewer places than this for a patch, a smaller one is taken where the recipe leaves the choice.
_ROOM = 200


@dataclass(frozen=True)
class Scene:
    """One part of an image that is validated on.

    Parameters
    ----------
    name : str
        Of the image.
    low, high : array, shape (C, Y, X)
        In [0, 1].
    ends : (float, float)
        Between which a result can lie: the ends of the image's dtype, infinite for floats.
    """

    name: str
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    ends: tuple[float, float]


@dataclass(frozen=True)
class TrainingSet:
    """What is learned from and measured on.

    Parameters
    ----------
    patches : Patches
        To learn from.
    scenes : tuple of Scene
        To validate on.
    degradation : Degradation
        With figures where the recipe has "estimate".
    described : tuple of TrainingData
        For the card.
    fingerprint : str
        Hash of everything that the training sees of the images.
    warnings, notes : tuple of str
        What a user should know: sentences.
    """

    patches: Patches
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
) -> TrainingSet:
    """Make it, once, before the first step.

    Parameters
    ----------
    images : sequence of TrainingImage
        To learn from.
    validation : sequence of TrainingImage
        Whole images to validate on; without any, blocks of `images` are kept for it.
    recipe : Recipe
        Data, degradation, patches, validation, seed.
    scale, margin : int
        As `Patches` takes them.
    sizes : sequence of int
        Sides of a patch in low-resolution pixels, the largest first: the first for which there is room is taken.
    color : {"gray", "luma", "rgb"}
        Channels of a patch.

    Raises
    ------
    InputError
        If an image cannot be used, or nothing is left to learn from.
    """
    plane_pairs, settled = make_plane_pairs(images, scale, recipe.data, recipe.degradation, color)
    _check_content(images, plane_pairs, min(sizes) + 2 * margin)
    blocks = [] if validation else _blocks(images, plane_pairs, recipe)
    if validation:
        scenes = _whole_scenes(validation, recipe, settled, scale, color)
    else:
        scenes = _scenes_of(blocks, images, plane_pairs, recipe, scale, color)
    size, corners = _corners(
        sizes, margin, [_clear(images[t.image], t, blocks, recipe) for t in plane_pairs], plane_pairs, recipe
    )
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
    warnings = tuple(match.warning for match in matches if match.warning is not None)
    return TrainingSet(
        patches=patches,
        scenes=tuple(scenes),
        degradation=settled,
        described=_described(images, plane_pairs, max(recipe.data.sizes)),
        fingerprint=_fingerprint(plane_pairs, corners, scenes),
        warnings=warnings,
        notes=tuple(match.sentence() for match in matches),
    )


def _corners(
    sizes: Sequence[int], margin: int, clear: Sequence[Mask], plane_pairs: Sequence[PlanePair], recipe: Recipe
) -> tuple[int, list[Mask]]:
    """The first side of a patch for which there is room, or else the last, and where such patches may lie."""
    for size in sizes:
        corners = [
            permitted_corners(plane_pair.gray, mask, size + 2 * margin, recipe.patches.empty)
            for plane_pair, mask in zip(plane_pairs, clear, strict=True)
        ]
        if size == sizes[-1] or sum(int(mask.sum()) for mask in corners) >= _ROOM:
            return size, corners
    raise ValueError("There is no side of a patch to choose from.")


def _whole_scenes(
    validation: Sequence[TrainingImage], recipe: Recipe, settled: Degradation, scale: int, color: PatchColor
) -> list[Scene]:
    data = recipe.data.model_copy(update={"sizes": (1.0,)})
    whole, _ = make_plane_pairs(validation, scale, data, settled, color)
    return [
        _scene(validation[plane_pair.image].name, plane_pair, None, scale, color, recipe.seed, n)
        for n, plane_pair in enumerate(whole[: recipe.validation.most])
    ]


def _scenes_of(
    blocks: Sequence[Block],
    images: Sequence[TrainingImage],
    plane_pairs: Sequence[PlanePair],
    recipe: Recipe,
    scale: int,
    color: PatchColor,
) -> list[Scene]:
    """One scene of each block: of a stack, its middle plane."""
    scenes = []
    for n, block in enumerate(blocks):
        planes = [t for t in plane_pairs if t.image == block.image and t.size == max(recipe.data.sizes)]
        plane_pair = planes[len(planes) // 2]
        scenes.append(_scene(images[block.image].name, plane_pair, block, scale, color, recipe.seed, n))
    return scenes


def _check_content(images: Sequence[TrainingImage], plane_pairs: Sequence[PlanePair], side: int) -> None:
    """Refuse what holds nothing to learn, by its name."""
    for number, image in enumerate(images):
        own = [plane_pair for plane_pair in plane_pairs if plane_pair.image == number]
        if not any(float(plane_pair.gray.std()) > 0 for plane_pair in own):
            raise InputError(f"{image.name} is constant: give an image with something in it.")
    if max(min(plane_pair.gray.shape) for plane_pair in plane_pairs) < side:
        image, shape = max(((images[t.image], t.gray.shape) for t in plane_pairs), key=lambda pair: min(pair[1]))
        raise InputError(
            f"{image.name} has {shape[0]} x {shape[1]} pixels at low resolution, less than a patch of {side} x {side}: "
            "give a larger image, or choose a smaller patch size."
        )


def _blocks(images: Sequence[TrainingImage], plane_pairs: Sequence[PlanePair], recipe: Recipe) -> list[Block]:
    planes, regions = [], []
    for number, image in enumerate(images):
        own = [
            plane_pair
            for plane_pair in plane_pairs
            if plane_pair.image == number and plane_pair.size == max(recipe.data.sizes)
        ]
        planes.append(own[len(own) // 2].gray)
        region = image.validate_on
        regions.append(None if region is None else _shrunk(region, planes[-1].shape))
    return choose_blocks(planes, regions, recipe.validation, recipe.patches.empty, recipe.seed)


def _clear(image: TrainingImage, plane_pair: PlanePair, blocks: Sequence[Block], recipe: Recipe) -> Mask:
    """Pixels of a plane that may be learned from; blocks and regions follow the size at which it is shown."""
    shape = (plane_pair.gray.shape[0], plane_pair.gray.shape[1])
    share = plane_pair.size / max(recipe.data.sizes)
    boxes = [
        (_scaled(block.rows, share), _scaled(block.columns, share))
        for block in blocks
        if block.image == plane_pair.image
    ]
    region, held = (None if mask is None else _shrunk(mask, shape) for mask in (image.train_on, image.validate_on))
    return clear_of(shape, boxes, recipe.validation.gap, region, held)


def _scaled(part: slice, share: float) -> slice:
    return part if share == 1 else slice(int(part.start * share), int(np.ceil(part.stop * share)))


def _shrunk(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A region of high-resolution pixels at low resolution: a pixel is in it when all of it is."""
    factors = {n // m for n, m in zip(mask.shape, shape, strict=True)}
    if len(factors) == 1 and all(n - m * max(factors) < max(factors) for n, m in zip(mask.shape, shape, strict=True)):
        (factor,) = factors
        whole = mask[: shape[0] * factor, : shape[1] * factor]
        return np.asarray(whole.reshape(shape[0], factor, shape[1], factor).all(axis=(1, 3)), bool)
    shares = resize(mask.astype(np.float64), (shape[0], shape[1]), kernel="bilinear", axes=(0, 1))
    inside: Mask = shares > 0.999
    return inside


def _scene(
    name: str, plane_pair: PlanePair, block: Block | None, scale: int, color: PatchColor, seed: int, number: int
) -> Scene:
    height, width = plane_pair.gray.shape
    rows, columns = (slice(0, height), slice(0, width)) if block is None else (block.rows, block.columns)
    generator = generator_at(seed, "validation", number=number)
    low = plane_pair.low_part(rows, columns, color, generator, len(plane_pair.lows) // 2)
    large = [slice(scale * part.start, scale * part.stop) for part in (rows, columns)]
    dtype = plane_pair.high.dtype
    ends = (-np.inf, np.inf)
    if dtype.kind in "iu":
        limits = plane_pair.high_map.forward([np.iinfo(dtype).min, np.iinfo(dtype).max])
        ends = (float(limits[0]), float(limits[1]))
    return Scene(name, low, plane_pair.high_part(large[0], large[1], color), ends)


def _described(
    images: Sequence[TrainingImage], plane_pairs: Sequence[PlanePair], largest: float
) -> tuple[TrainingData, ...]:
    """One entry for each set, with the hash of its pixels."""
    groups: dict[str, list[int]] = {}
    for number, image in enumerate(images):
        groups.setdefault(image.group or image.name, []).append(number)
    described = []
    for name, members in groups.items():
        digest = hashlib.sha256()
        for number in members:
            for plane_pair in (t for t in plane_pairs if t.image == number and t.size == largest):
                _add(digest, plane_pair.high if plane_pair.source is None else plane_pair.source)
        first = images[members[0]]
        described.append(TrainingData(name=name, license=first.license, sha256=digest.hexdigest(), source=first.source))
    return tuple(described)


def _fingerprint(plane_pairs: Sequence[PlanePair], corners: Sequence[Mask], scenes: Sequence[Scene]) -> str:
    digest = hashlib.sha256()
    for plane_pair, mask in zip(plane_pairs, corners, strict=True):
        for part in (*plane_pair.lows, plane_pair.high, mask):
            _add(digest, part)
        digest.update(repr((plane_pair.low_map, plane_pair.high_map, plane_pair.degradation)).encode())
    for scene in scenes:
        _add(digest, scene.low)
        _add(digest, scene.high)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, array: npt.NDArray[np.generic]) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
