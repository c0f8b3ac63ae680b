"""Patches and validation scenes are made from whatever an image shows, in any data type and on any plane."""

import numpy as np
import pytest

from napari_sr.training.data.images import training_images
from napari_sr.training.data.plane_pairs import PlanePair
from napari_sr.training.data.training_set import make_training_set
from napari_sr.training.recipe import Recipe

RECIPE = Recipe.from_toml(
    """
    seed = 5
    patches = { size = 8, batch = 4 }
    validation = { block = 16, gap = 2 }
    stages = [{ steps = 2, losses = [{ kind = "l1" }] }]
    """
)


def prepared(images, recipe=RECIPE, validation=()):
    images, held = (training_images(group, 2) if group else [] for group in (images, list(validation)))
    return make_training_set(images, held, recipe, scale=2, sizes=(8,), margin=0, color="gray")


@pytest.mark.parametrize(("dtype", "factor"), [(np.float16, 30), (np.float32, 1e22)])
def test_floats_whose_squares_overflow_are_trained_on_as_others_are(textured, dtype, factor):
    image = (textured().astype(dtype) * dtype(factor)).astype(dtype)
    given, usual = prepared([image]), prepared([image.astype(np.float64)])
    assert len(given.patches) == len(usual.patches)
    np.testing.assert_allclose(given.scenes[0].high, usual.scenes[0].high, atol=1e-6)


def texture_at(textured, *positions, count=5):
    """Return a stack that shows something on some planes and is black on the others."""
    stack = np.zeros((count, 96, 96), np.uint8)
    for number in positions:
        stack[number] = textured(seed=number)
    return stack


@pytest.mark.parametrize("blank", ["colors", "stack"])
def test_a_blank_plane_is_not_used_for_validation(textured, blank):
    gray = textured()
    if blank == "colors":
        image = np.dstack([gray * 0, gray * 0, gray])
    else:
        image = texture_at(textured, 1, 3)
    training_set = prepared([image])
    assert all(scene.high.std() > 0.05 for scene in training_set.scenes)


def test_blank_planes_of_validation_images_are_left_out(textured):
    training_set = prepared([textured()], validation=[texture_at(textured, 1, 3)])
    assert len(training_set.scenes) == 2
    assert all(scene.high.std() > 0.05 for scene in training_set.scenes)


def test_images_of_several_sizes_are_mixed_with_pairs(textured):
    high = textured(seed=1)
    recipe = RECIPE.model_copy(update={"data": RECIPE.data.model_copy(update={"sizes": (0.5,)})})
    training_set = prepared([textured(192, 192), (high[::2, ::2].copy(), high)], recipe)
    assert {data.name for data in training_set.described} == {"image 1", "low-resolution image 2 and image 2"}


def test_preparation_looks_at_each_plane_a_fixed_number_of_times(textured, monkeypatch):
    images = [textured(32, 32, seed) for seed in range(40)]
    looks = 0

    def counted(pair, name):
        nonlocal looks
        looks += name in ("image", "size")
        return object.__getattribute__(pair, name)

    monkeypatch.setattr(PlanePair, "__getattribute__", counted)
    numbers = []
    for count in (10, 40):
        looks = 0
        prepared(images[:count])
        numbers.append(looks)
    assert numbers[1] <= 6 * numbers[0]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_images_for_training_and_validation_are_named_in_a_warning(textured, count):
    images = [np.stack([textured(seed=seed), np.zeros((96, 96), np.uint8)]) for seed in range(3)]
    held = [image.copy() for image in images[:count]] + [np.stack([textured(seed=9), np.zeros((96, 96), np.uint8)])]
    warnings = prepared(images, validation=held).warnings
    expected = ["", "image 1 is used", "image 1 and another image are used", "image 1 and 2 other images are used"]
    assert [warning.startswith(expected[count]) for warning in warnings] == [True] * min(count, 1)


def test_images_that_are_given_twice_are_named_in_a_warning(textured):
    first, second = textured(), textured(seed=1)
    # Neither the equal colors of an image nor blank planes count.
    stacks = [np.stack([image, np.zeros_like(image)]) for image in (first, second)]
    assert prepared([*stacks, np.dstack([textured(seed=2)] * 3)]).warnings == ()
    assert prepared([first, first], validation=[second]).warnings == ()
    low = first[::2, ::2].copy()
    (warning,) = prepared([first, second, (low, first.copy())]).warnings[-1:]
    assert warning == (
        "low-resolution image 3 and image 3 has the pixels of an earlier image, so that what is kept for validation in "
        "one can be trained on in the other: leave it out."
    )
    (warning,) = prepared([first, second, first, second]).warnings
    assert warning.startswith("image 3 and another image have the pixels of an earlier image")
    assert warning.endswith("leave them out.")


@pytest.mark.parametrize("count", [0, 1, 5])
def test_images_that_no_patch_is_drawn_from_are_named_in_a_warning(textured, count):
    names = [f"image {number}" for number in range(2, 2 + count)]
    images = [textured(), *(textured(12, 40, seed) for seed in range(count))]
    listed = ", ".join(names[:4]) + (" and 1 more" if count == 5 else "")
    expected = (
        f"No patch is drawn from {count} of {count + 1} images, which are smaller than a patch or show nothing on one: "
        f"{listed}."
    )
    assert list(prepared(images, validation=[textured(seed=9)]).warnings) == [expected] * min(count, 1)


def test_an_image_that_is_kept_for_validation_as_a_whole_is_used(textured):
    small = [textured(32, 32, seed) for seed in range(10)]
    training_set = prepared(small)
    assert len(training_set.scenes) == 1
    assert training_set.warnings == ()
