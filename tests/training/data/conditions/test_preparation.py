"""Images of a training under random conditions: what is drawn from, what is kept for validation, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.files import write_image
from napari_sr.training.data.conditions.preparation import make_conditioned_set
from napari_sr.training.data.images import images_in, training_images
from napari_sr.training.recipe import Conditions, ImageSet, NoiseConditions, Recipe

STAGE = 'stages = [{ steps = 1, losses = [{ kind = "relative" }] }]\n'


def recipe_with(text=""):
    return Recipe.from_toml(f"{STAGE}{text}\n[conditions]\nhalo = 4\nnoise = {{ gain = 1.0, read = 2.0 }}")


def prepared(images, recipe=None, validation=(), sizes=(12,)):
    return make_conditioned_set(images, validation, recipe or recipe_with(), scale=2, sizes=sizes)


def test_blocks_are_kept_for_validation_at_all_sizes(textured):
    recipe = recipe_with("data = { sizes = [1.0, 0.7] }\nvalidation = { block = 24, gap = 3, most = 4, share = 0.2 }")
    training_set = prepared(training_images([textured(256, 200)], 2), recipe)
    (pool,) = training_set.patches.pools
    ((large, small),) = pool.planes
    assert len(training_set.scenes) == len(large.kept) == len(small.kept) == 4
    assert all(scene.noise.shape == scene.low.shape for scene in training_set.scenes)
    for scene in training_set.scenes:
        assert scene.high.shape[1] == 2 * scene.low.shape[1]
    for (rows, _), (half, _) in zip(large.kept, small.kept, strict=True):
        # The gap of 3 low-resolution pixels is not scaled.
        assert rows.stop - rows.start >= 2 * 16 + 12
        assert abs((half.start + 6) - 0.7 * (rows.start + 6)) <= 1
    # No patch shows a pixel of a block: blocks are marked, and patches are drawn.
    marked = large.values.copy()
    for rows, columns in large.kept:
        marked[rows, columns] = np.nan
    again = replace(large, values=marked)
    generator = np.random.default_rng(0)
    for _ in range(200):
        assert np.isfinite(again.square(again.corner(24, generator), 24, 0)).all()


def test_whole_images_are_used_for_validation_if_there_are_any(textured):
    validation = training_images([textured(96, 96, seed=1), textured(96, 120, seed=2)], 2)
    recipe = recipe_with("validation = { most = 5, block = 24 }")
    training_set = prepared(training_images([textured()], 2), recipe, validation)
    assert [scene.name for scene in training_set.scenes] == ["image 1", "image 2", "image 1", "image 2", "image 1"]
    assert {scene.low.shape for scene in training_set.scenes} == {(1, 24, 24)}
    assert not training_set.patches.pools[0].planes[0][0].kept


def test_an_image_for_training_and_validation_is_named_in_a_warning(textured):
    images = training_images([textured(), textured(seed=1)], 2)
    (warning,) = prepared(images, validation=images[1:]).warnings
    assert warning.startswith("image 2 is used for training and for validation")
    assert prepared(images, validation=training_images([textured(seed=2)], 2)).warnings == ()


def test_an_image_that_is_given_twice_is_named_in_a_warning(textured):
    once = [textured(), textured(seed=1)]
    assert prepared(training_images(once, 2)).warnings == ()
    (warning,) = prepared(training_images([*once, textured()], 2)).warnings
    assert warning.startswith("image 3 has the pixels of an earlier image")


def test_the_fingerprint_is_that_of_images_and_scenes(textured):
    def fingerprint(image, recipe=None):
        return prepared(training_images([image], 2), recipe).fingerprint

    assert fingerprint(textured()) == fingerprint(textured())
    assert fingerprint(textured()) != fingerprint(textured(seed=1))
    assert fingerprint(textured()) != fingerprint(textured(), recipe_with("validation = { gap = 4 }"))


def test_sets_have_their_shares_sizes_and_colors_and_excluded_files_are_not_read(tmp_path, textured):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for name in ("1.png", "2.png", "held_1.png"):
        write_image(tmp_path / "a" / name, textured(96, 96, seed=len(name)))
    rgb = np.stack([textured(96, 96, seed=n) for n in range(3)], axis=-1)
    write_image(tmp_path / "b" / "1.png", rgb)
    sets = (
        ImageSet(path="a", share=0.8, exclude=("held_*.png",), sizes=(1.0, 0.7), license="CC0-1.0"),
        ImageSet(path="b", share=0.2, colors="separate"),
    )
    training_set = prepared(images_in(sets, tmp_path, 2))
    first, second = training_set.patches.pools
    assert (first.share, len(first.planes), [len(sizes) for sizes in first.planes]) == (0.8, 2, [2, 2])
    assert (second.share, len(second.planes)) == (0.2, 4)
    assert [entry.name for entry in training_set.described] == ["a", "b"]
    assert training_set.described[0].license == "CC0-1.0"


@pytest.mark.parametrize(
    ("pattern", "message"), [("held.png", r"no file held\.png"), ("*.png", "All files of a are excluded")]
)
def test_a_file_to_exclude_that_does_not_exist_is_refused(tmp_path, textured, pattern, message):
    (tmp_path / "a").mkdir()
    write_image(tmp_path / "a" / "1.png", textured())
    with pytest.raises(InputError, match=message):
        images_in([ImageSet(path="a", exclude=(pattern,))], tmp_path, 2)


def test_pairs_and_regions_are_refused(textured):
    (pair,) = training_images((textured(48, 48), textured(96, 96)), 2)
    with pytest.raises(InputError, match="without partners and regions"):
        prepared([pair])
    (image,) = training_images([textured()], 2)
    with pytest.raises(InputError, match="without partners and regions"):
        prepared([replace(image, train_on=np.ones((96, 96), bool))])


def test_images_without_room_for_a_patch_are_refused_and_smaller_patches_are_tried(textured):
    image = training_images([textured(64, 64)], 2)
    recipe = recipe_with("validation = { block = 16, gap = 0, most = 1 }")
    assert prepared(image, recipe, sizes=(48, 24, 8)).patches.size == 8
    for sizes in ((48,), (24,)):
        with pytest.raises(InputError, match="give larger images, or choose smaller patches"):
            prepared(image, recipe, sizes=sizes)


def test_a_set_that_shows_nothing_is_a_warning(tmp_path, textured):
    write_image(tmp_path / "cells.png", textured())
    write_image(tmp_path / "empty.png", np.full((96, 96), 9, np.uint8))
    sets = (ImageSet(path="cells.png"), ImageSet(path="empty.png", name="empty field"))
    training_set = prepared(images_in(sets, tmp_path, 2))
    assert len(training_set.patches.pools) == 1
    assert len(training_set.warnings) == 1
    assert "No patch is drawn from empty field" in training_set.warnings[0]


def test_conditions_are_described(textured):
    from napari_sr.training.data.conditions.description import describe_conditions
    from napari_sr.training.recipe import BlurConditions

    noise = NoiseConditions(gain=(0.1, 2.0), read=3.0, absent=0.2, correlated=0.1)
    blur = BlurConditions(result=(0.3, 1.8), source=(0.0, 1.6), result_fraction=0.65, absent=0.3)
    text = describe_conditions(Conditions(noise=noise, blur=blur, binning=0.65))
    assert "0.3 to 1.8 high-resolution pixels or 0 to 1.6 low-resolution pixels (none in 30%)" in text
    assert "gain 0.1 to 2 and Gaussian noise of 3" in text
    assert "(none in 20%, correlated in 10%)" in text
    assert "no blur" in describe_conditions(Conditions(noise=noise))
