"""Large training images: which part of them is read, and that it is used like a small image."""

from collections import Counter

import numpy as np
import pytest
import zarr

from napari_sr import Training
from napari_sr.imaging.axes import Axes, parse_axes
from napari_sr.imaging.resize import resize
from napari_sr.inference.output.ome_zarr import new_store
from napari_sr.inference.output.store_metadata import StorePlace
from napari_sr.training.data import fields
from napari_sr.training.data.fields import describe_part, describe_planes, planes_of, separate_fields, used_part
from napari_sr.training.data.images import training_images
from napari_sr.training.data.training_set import make_training_set
from napari_sr.training.events import Prepared
from napari_sr.training.recipe import Recipe
from tests.counted_array import CountedArray

TEXT = """
patches = { size = 8, batch = 4 }
validation = { block = 16, gap = 2 }
data = { planes = 6 }
stages = [{ steps = 2, losses = [{ kind = "l1" }] }]
"""
RECIPE = Recipe.from_toml(TEXT)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Images are large from 256 x 256 pixels a plane on, or from 10 such planes; fields have 64 x 64."""
    monkeypatch.setattr(fields, "LARGEST_PLANE", 256 * 256)
    monkeypatch.setattr(fields, "LARGEST_IMAGE", 10 * 256 * 256)
    monkeypatch.setattr(fields, "_UNDIVIDED", 128 * 128)
    monkeypatch.setattr(fields, "SIDE", 64)
    monkeypatch.setattr(fields, "_SEEN", 16)


def prepared(images, recipe=RECIPE, scale=2):
    used = [used_part(image, scale, recipe, number) for number, image in enumerate(images)]
    return used, make_training_set(used, [], recipe, scale=scale, sizes=(8,), margin=0, color="gray")


def test_a_large_plane_is_read_in_fields_of_it_only(textured):
    array = CountedArray(textured(640, 640))
    (used,), training_set = prepared(training_images(array, 2))
    assert used.fields == 6
    assert used.high.shape == (6, 64, 64)
    # Six fields, and a corner of 16 x 16 pixels of each of 24 candidates.
    assert array.read == 6 * 64 * 64 + 24 * 16 * 16
    tiles = {array.values[y : y + 64, x : x + 64].tobytes() for y in range(0, 640, 64) for x in range(0, 640, 64)}
    assert {plane.tobytes() for plane in used.high} <= tiles
    assert len({plane.tobytes() for plane in used.high}) == 6
    assert len(training_set.patches) > 0


def test_an_image_of_many_planes_is_read_in_planes_that_are_evenly_spaced(textured):
    array = CountedArray(np.stack([textured(120, 120, seed) for seed in range(60)]))
    (used,), _ = prepared(training_images(array, 2, axes="ZYX"))
    assert array.read == 6 * 120 * 120
    assert np.array_equal(used.high, array.values[[0, 12, 24, 35, 47, 59]])


def test_an_image_up_to_the_limit_is_itself(textured):
    (image,) = training_images(textured(256, 256), 2)
    assert used_part(image, 2, RECIPE, 0) is image
    assert describe_part(image, image) is None


def test_zarr_dask_and_numpy_give_the_same_training(tmp_path, textured):
    import dask.array

    values = textured(400, 400)
    store = zarr.create_array(tmp_path / "image.zarr", shape=values.shape, dtype=values.dtype, chunks=(50, 64))
    store[...] = values
    arrays = [values, store, dask.array.from_array(values, chunks=(100, 64)), tmp_path / "image.zarr"]
    prints = {prepared(training_images([array], 2))[1].fingerprint for array in arrays}
    assert len(prints) == 1


def test_the_seed_chooses_the_fields(textured):
    images = training_images(textured(640, 640), 2)
    first, again = (prepared(images)[1].fingerprint for _ in range(2))
    other = prepared(images, RECIPE.model_copy(update={"seed": 1}))[1].fingerprint
    assert first == again != other


@pytest.mark.parametrize("letters", ["TCYX", "CTYX"])
@pytest.mark.parametrize("times", [32, 63, 64, 126])
def test_of_more_planes_than_are_used_as_many_are_of_each_channel(letters, times):
    shape = {"T": times, "C": 3, "Y": 4, "X": 4}
    axes = Axes(letters, tuple(shape[letter] for letter in letters))
    marked = np.arange(times * 3).reshape(axes.shape[:2])[..., None, None] * np.ones((4, 4), int)
    used = [(channel, int(plane[0, 0])) for channel, plane in planes_of(marked, axes, 64)]
    assert Counter(channel for channel, _ in used) == {0: 21, 1: 21, 2: 21}
    assert [number for _, number in used] == sorted(number for _, number in used)


def test_planes_beyond_the_number_that_is_used_are_named(textured, tmp_path):
    (few,) = training_images(np.stack([textured(120, 120, seed) for seed in range(6)]), 2, axes="ZYX")
    assert describe_planes(few, 6) is None
    limit = "data.planes of the recipe is the largest number."
    assert describe_planes(few, 4) == f"4 of the 6 planes of image 1 are used: {limit}"
    (channels,) = training_images(np.stack([textured(120, 120, seed) for seed in range(6)]), 2, axes="CYX")
    assert describe_planes(channels, 4) == (
        f"4 of the 6 planes of image 1 are used, and 2 of its 6 channels are not: {limit}"
    )
    recipe = RECIPE.model_copy(update={"data": RECIPE.data.model_copy(update={"planes": 4})})
    training = Training(recipe, [channels.high], "srcnn-x2", folder=tmp_path, axes="CYX", device="cpu")
    assert [note for note in training.prepare().notes if limit in note] == [describe_planes(channels, 4)]


def test_a_stack_of_large_planes_has_several_planes_of_each_field(textured):
    stack = np.stack([textured(300, 300, seed) for seed in range(3)])[None]
    (image,) = training_images(stack, 2, axes="TZYX")
    used = used_part(image, 2, RECIPE.model_copy(update={"data": RECIPE.data.model_copy(update={"planes": 16})}), 0)
    assert (used.fields, used.high.shape) == (8, (16, 64, 64))
    assert used.axes.letters == "TYX"
    assert [used.field_of(plane) for plane in range(4)] == [0, 0, 1, 1]
    assert describe_part(image, used) == (
        "image 1 is large: 8 fields of 64 x 64 pixels of 2 of its 3 planes are used, 0.24 of its pixels."
    )


def test_channels_keep_their_numbers_and_their_own_intensity(textured):
    image = np.stack([textured(300, 300).astype(np.uint16), 100 * textured(300, 300, 1).astype(np.uint16)])
    (used,), training_set = prepared(training_images(image, 2, axes="CYX"))
    assert (used.axes.letters, used.high.shape, used.fields) == ("CTYX", (2, 3, 64, 64), 3)
    pairs = training_set.patches.plane_pairs
    assert [(pair.channel, pair.field) for pair in pairs] == [(c, f) for c in range(2) for f in range(3)]
    assert pairs[3].high_map.high > 50 * pairs[0].high_map.high


def test_black_and_white_are_those_of_all_fields(textured):
    values = textured(640, 640).astype(np.uint16)
    values[:320] *= 10
    _, training_set = prepared(training_images(values, 2))
    assert len({pair.high_map for pair in training_set.patches.plane_pairs}) == 1


def test_colors_are_read_together(textured):
    rgb = np.stack([textured(300, 300, seed) for seed in range(3)], axis=-1)
    (used,), _ = prepared(training_images(rgb, 2))
    assert (used.axes.letters, used.high.shape) == ("TYXC", (6, 64, 64, 3))


def test_scenes_are_in_several_fields_and_apart_from_the_patches(textured):
    _, training_set = prepared(training_images(textured(640, 640), 2))
    pairs, scenes = training_set.patches.plane_pairs, training_set.scenes
    where = [
        (pair.field, y, x)
        for scene in scenes
        for pair in pairs
        for y in range(17)
        for x in range(17)
        if np.array_equal(pair.low_map.forward(pair.lows[0][y : y + 16, x : x + 16]), scene.low[0])
    ]
    assert len({field for field, _, _ in where}) > 1
    for field, y, x in where:
        corners = training_set.patches._corners[field]
        assert corners.any()
        assert not corners[max(0, y - 9) : y + 18, max(0, x - 9) : x + 18].any()


def test_fields_that_show_nothing_are_chosen_last(textured):
    values = np.random.default_rng(0).normal(20, 1, (640, 640))
    values[:128, :320] = 10.0 * textured(128, 320)
    recipe = RECIPE.model_copy(update={"data": RECIPE.data.model_copy(update={"planes": 25})})
    (image,) = training_images(np.rint(values).astype(np.uint16), 2)
    used = used_part(image, 2, recipe, 0)
    # All 100 fields are looked at.
    structured = [bool(plane.max() > 100) for plane in used.high]
    assert structured == [True] * 10 + [False] * 15
    patches = prepared([image], recipe)[1].patches
    # Noise is no structure beside that of the other fields.
    assert [bool(corners.any()) for corners in patches._corners] == structured


class Shapes:
    """A stand-in for a Shapes layer, in world coordinates."""

    name = "regions"

    def __init__(self, top, left, bottom, right):
        self.data = [np.array([(top, left), (top, right), (bottom, right), (bottom, left)], float)]
        self.shape_type = ["rectangle"]

    def data_to_world(self, vertex):
        return vertex


def test_fields_lie_on_the_regions(textured):
    array = CountedArray(textured(650, 650))
    images = training_images(array, 2, train_on=Shapes(601, 11, 640, 60), validate_on=Shapes(300, 500, 345, 545))
    (used,), training_set = prepared(images)
    assert array.read == 2 * 64 * 64
    assert used.train_on.shape == used.validate_on.shape == (2, 64, 64)
    assert [int(mask.sum()) for mask in used.validate_on] == [46 * 46, 0]
    assert [int(mask.sum()) for mask in used.train_on] == [0, 40 * 50]
    assert {
        pair.field
        for pair, corners in zip(training_set.patches.plane_pairs, training_set.patches._corners, strict=True)
        if corners.any()
    } == {1}
    assert len(training_set.scenes) >= 1


def test_a_region_is_covered_to_the_edge_of_the_image(textured):
    (image,) = training_images(textured(650, 650), 2, train_on=Shapes(560, 0, 649, 40))
    used = used_part(image, 2, RECIPE, 0)
    assert used.fields == 2
    assert used.train_on[0].sum() + used.train_on[1].sum() >= image.train_on.sum()


def test_a_single_field_is_described_with_its_size(textured):
    region = Shapes(100, 100, 140, 130)
    (image,) = training_images(textured(640, 640), 2, train_on=region)
    used = used_part(image, 2, RECIPE, 0)
    assert describe_part(image, used) == "image 1 is large: 1 field of 64 x 64 pixels is used, 0.01 of its pixels."
    stack = np.stack([textured(320, 320, seed) for seed in range(3)])
    (image,) = training_images(stack, 2, axes="ZYX", train_on=region)
    used = used_part(image, 2, RECIPE, 0)
    assert describe_part(image, used) == (
        "image 1 is large: 1 field of 64 x 64 pixels of 3 of its 3 planes is used, 0.04 of its pixels."
    )


def test_the_planes_of_a_pair_are_cut_alike(textured):
    high = textured(640, 640)
    low = resize(high, (320, 320))
    arrays = CountedArray(low), CountedArray(high)
    images = training_images([arrays], 2)
    registration = arrays[1].read
    used, training_set = prepared(images)
    assert arrays[1].read - registration == 6 * 64 * 64 + 24 * 16 * 16
    assert used[0].low.shape == (6, 32, 32)
    for pair in training_set.patches.plane_pairs:
        assert np.array_equal(resize(pair.high, (32, 32))[4:-4, 4:-4], pair.lows[0][4:-4, 4:-4])
        assert pair.high_map.high == pytest.approx(255, rel=0.02)


def test_the_shift_of_a_large_pair_is_measured_in_its_center(textured, monkeypatch):
    from napari_sr.training.data import pairs

    monkeypatch.setattr(pairs, "_LARGEST", 256 * 256)
    monkeypatch.setattr(pairs, "_CENTER", 120)
    whole = textured(648, 648)
    low, high = resize(whole[:640, :640], (320, 320)), CountedArray(whole[4:644, 6:646])
    (image,) = training_images([(low, high)], 2)
    assert high.read == 240 * 240
    assert image.match.shift == pytest.approx((-4, -6), abs=0.2)
    assert image.low.shape[0] * 2 == image.high.shape[0]


def test_fields_are_images_of_their_own_with_conditions(textured):
    values = textured(640, 640)
    (image,) = training_images(values, 2)
    used = used_part(image, 2, RECIPE, 0)
    images = separate_fields(used)
    assert [one.high.shape for one in images] == [(1, 64, 64)] * 6
    assert {(one.group, one.fields) for one in images} == {("image 1", 1)}
    assert np.array_equal(np.concatenate([one.high for one in images]), used.high)


def test_a_store_in_a_recipe_is_trained_on_and_the_part_is_named(tmp_path, small_model, textured):
    place = StorePlace("slide", (0.2, 0.2), (0.0, 0.0), ("micrometer", "micrometer"))
    with new_store(tmp_path / "slide.ome.zarr", parse_axes("YX", (300, 300)), np.uint8, place) as array:
        array[slice(0, 300), slice(0, 300)] = textured(300, 300)
    recipe = Recipe.from_toml(TEXT.replace("planes = 6", 'planes = 6, images = [{ path = "slide.ome.zarr" }]'))
    events = []
    training = Training(recipe, None, small_model, folder=tmp_path / "run", data=tmp_path, on_event=events.append)
    outcome = training.run()
    assert outcome.finished
    (notes,) = [event.notes for event in events if isinstance(event, Prepared)]
    assert "slide.ome.zarr is large: 6 fields of 64 x 64 pixels are used, 0.27 of its pixels." in notes
    assert outcome.model.card.pixel_size == pytest.approx(0.4)
