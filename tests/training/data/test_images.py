"""Images of callers: arrays, files, layers, pairs and regions."""

from dataclasses import replace

import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_sr import InputError
from napari_sr.imaging.files import write_image
from napari_sr.imaging.resize import resize
from napari_sr.training.data.images import images_in, pixel_size_of, training_images
from napari_sr.training.data.plane_pairs import make_plane_pairs
from napari_sr.training.data.training_set import make_training_set
from napari_sr.training.recipe import Data, Degradation, ImageSet, OpticsBlur, Recipe


def test_files_have_names_and_pixel_sizes(tmp_path):
    data = np.random.default_rng(0).integers(0, 4000, (3, 40, 50), np.uint16)
    write_image(tmp_path / "stack.tif", data, "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "micrometer")
    (image,) = training_images(tmp_path / "stack.tif", 2)
    assert (image.name, image.axes.letters) == ("stack.tif", "ZYX")
    size, unit = pixel_size_of([image], 2)
    assert (size, unit) == (pytest.approx(0.2), "micrometer")


def test_the_pixel_size_of_a_layer_is_that_in_the_world(textured):
    layer = Image(textured(40, 50), scale=(0.1, -0.1), affine=np.diag([2.0, 2.0, 1.0]), units=("um", "um"))
    assert pixel_size_of(training_images(layer, 2), 2) == (pytest.approx(0.4), "micrometer")
    assert pixel_size_of(training_images(Image(textured(40, 50)), 2), 2) == (None, None)


def test_a_folder_is_one_set_with_its_license(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", np.zeros((8, 8), np.uint8))
    images = images_in([ImageSet(path=".", name="letters", license="CC0-1.0")], tmp_path, 2)
    assert [(i.name, i.group, i.license) for i in images] == [
        ("a.png", "letters", "CC0-1.0"),
        ("b.png", "letters", "CC0-1.0"),
    ]
    with pytest.raises(InputError, match="no file or folder"):
        images_in([ImageSet(path="none")], tmp_path, 2)


def test_partners_are_found_by_name(tmp_path, textured):
    for folder in ("high", "low"):
        (tmp_path / folder).mkdir()
    high = textured(120, 120)
    write_image(tmp_path / "high" / "a.png", high)
    write_image(tmp_path / "low" / "a.png", resize(high, (60, 60)))
    (image,) = images_in([ImageSet(path="high", low="low")], tmp_path, 2)
    assert image.low.shape == (60, 60)
    assert image.match.shift == pytest.approx((0, 0), abs=0.2)
    # Both files have one name, so that a message names their folders.
    assert image.name == "low/a.png and high/a.png"
    assert image.match.sentence().startswith("high/a.png was shifted by")
    write_image(tmp_path / "high" / "b.png", high)
    with pytest.raises(InputError, match=r"b\.png has no partner"):
        images_in([ImageSet(path="high", low="low")], tmp_path, 2)


def test_one_file_is_not_the_partner_of_a_folder_of_images(tmp_path, textured):
    (tmp_path / "high").mkdir()
    for name in ("a", "b"):
        write_image(tmp_path / "high" / f"{name}.png", textured(64, 64))
    write_image(tmp_path / "a.png", textured(32, 32))
    with pytest.raises(InputError, match=r"a\.png cannot be the partner of 2 images: give a folder of partners"):
        images_in([ImageSet(path="high", low="a.png")], tmp_path, 2)
    assert len(images_in([ImageSet(path="high", low="a.png", exclude=("b.png",))], tmp_path, 2)) == 1


@pytest.mark.parametrize("folder", ["low", "high"])
def test_two_files_of_one_name_in_a_folder_of_pairs_are_refused(tmp_path, textured, folder):
    for name, side in (("low", 32), ("high", 64)):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / "a.png", textured(side, side))
        if name == folder:
            write_image(tmp_path / name / "a.tif", textured(side, side))
    with pytest.raises(InputError, match=r"a\.png and a\.tif in .* have the same name: keep one of them"):
        images_in([ImageSet(path="high", low="low")], tmp_path, 2)
    # Files that are the partners of no image may have any names.
    write_image(tmp_path / "high" / "b.png", textured(64, 64))
    write_image(tmp_path / "low" / "b.png", textured(32, 32))
    (image,) = images_in([ImageSet(path="high/b.png", low="low")], tmp_path, 2)
    assert image.name == "low/b.png and high/b.png"


def test_images_of_a_pair_in_the_wrong_order_are_named(textured):
    high = textured(64, 64)
    with pytest.raises(
        InputError,
        match=r"image 1 has 32 x 32 pixels and low-resolution image 1 64 x 64.*: give the low-resolution image first",
    ):
        training_images([(high, resize(high.astype(np.float32), (32, 32)))], 2)


def test_a_blur_by_the_optics_needs_a_wavelength_in_the_unit_of_the_image(textured):
    blur = OpticsBlur(kind="optics", numerical_aperture=1.4, wavelength=0.52)
    image = replace(training_images([textured(64, 64)], 2)[0], pixel_size=100.0, unit="nanometer")
    with pytest.raises(InputError, match=r"0\.52 nanometer is not that of light: give it in nanometer"):
        make_plane_pairs([image], 2, Data(), Degradation(blur=blur), "gray")
    pairs = [
        make_plane_pairs([replace(image, **size)], 2, Data(), Degradation(blur=one), "gray")[0][0]
        for one, size in (
            (blur, {"pixel_size": 0.1, "unit": "micrometer"}),
            (blur.model_copy(update={"wavelength": 520.0}), {}),
            (blur.model_copy(update={"pixel_size": 0.1}), {}),
        )
    ]
    for pair in pairs[1:]:
        np.testing.assert_allclose(pair.lows[0], pairs[0].lows[0], rtol=1e-6)


def test_stores_are_images_of_a_folder_and_partners(tmp_path, textured):
    for folder in ("high", "low"):
        (tmp_path / folder).mkdir()
    high = textured(120, 120)
    for name in ("a.ome.zarr", "b.zarr"):
        zarr.save(tmp_path / "high" / name, high)
    write_image(tmp_path / "low" / "a.ome.tif", resize(high, (60, 60)), "YX")
    write_image(tmp_path / "low" / "b.tif", resize(high, (60, 60)))
    images = images_in([ImageSet(path="high", low="low")], tmp_path, 2)
    assert [image.name for image in images] == ["a.ome.tif and a.ome.zarr", "b.tif and b.zarr"]
    assert [image.low.shape for image in images] == [(60, 60)] * 2
    (alone,) = images_in([ImageSet(path="high/b.zarr", low="low/b.tif")], tmp_path, 2)
    assert np.array_equal(alone.high[0:120, 0:120], high)


def test_the_brightness_of_a_pair_is_fitted(textured):
    high = textured(160, 160).astype(np.float32)
    low = resize(high, (80, 80))
    images = training_images([(low, 3 * high + 50)], 2)
    recipe = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
    (plane_pair,), _ = make_plane_pairs(images, 2, recipe.data, recipe.degradation, "gray")
    generator = np.random.default_rng(0)
    a = plane_pair.low_part(slice(0, 80), slice(0, 80), "gray", generator)[0][0]
    b = resize(plane_pair.high_part(slice(0, 160), slice(0, 160), "gray")[0], (80, 80))
    assert np.abs(a - b).mean() < 0.01


def test_planes_of_a_stack_are_limited_and_evenly_spaced(textured):
    stack = np.stack([textured(40, 40, seed) for seed in range(9)])
    recipe = Recipe.from_toml('[data]\nplanes = 3\n[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
    plane_pairs, _ = make_plane_pairs(training_images(stack, 2, axes="ZYX"), 2, recipe.data, recipe.degradation, "gray")
    numbers = [int(np.argmax([np.array_equal(pair.high, plane) for plane in stack])) for pair in plane_pairs]
    assert numbers == [0, 4, 8]


def test_colors_are_converted_to_the_channels_of_the_network(textured):
    rgb = np.stack([textured(40, 40, seed) for seed in range(3)], axis=-1)
    recipe = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
    images = training_images(rgb, 2)
    whole = (slice(0, 20), slice(0, 20))
    generator = np.random.default_rng(0)
    for color, planes, channels in (("rgb", 1, 3), ("luma", 1, 1), ("gray", 3, 1)):
        plane_pairs, _ = make_plane_pairs(images, 2, recipe.data, recipe.degradation, color)
        assert len(plane_pairs) == planes
        assert plane_pairs[0].low_part(*whole, color, generator)[0].shape == (channels, 20, 20)
    plane_pairs, _ = make_plane_pairs(training_images(rgb[..., 0], 2), 2, recipe.data, recipe.degradation, "rgb")
    replicated, _, _ = plane_pairs[0].low_part(*whole, "rgb", generator)
    assert np.array_equal(replicated[0], replicated[2])


def test_a_range_of_blurs_gives_copies_and_every_patch_has_its_own_noise(textured):
    text = """
[degradation]
blur = { kind = "gaussian", sigma = [0.5, 2.0] }
noise = { gain = 1.0, read = 2.0 }
variants = 3
[[stages]]
steps = 1
losses = [{ kind = "l1" }]
"""
    recipe = Recipe.from_toml(text)
    (plane_pair,), _ = make_plane_pairs(training_images(textured(), 2), 2, recipe.data, recipe.degradation, "gray")
    spreads = [low.std() for low in plane_pair.lows]
    assert len(spreads) == 3
    assert spreads[0] > spreads[1] > spreads[2]
    whole = (slice(0, 48), slice(0, 48))
    one, two = (plane_pair.low_part(*whole, "gray", np.random.default_rng(seed))[0] for seed in (1, 2))
    assert not np.array_equal(one, two)
    assert np.array_equal(one, plane_pair.low_part(*whole, "gray", np.random.default_rng(1))[0])


class Shapes:
    """A stand-in for a Shapes layer, in world coordinates."""

    name = "regions"

    def __init__(self, *corners, kind="rectangle"):
        self.data = [np.array(c, float) for c in corners]
        self.shape_type = [kind] * len(corners)

    def data_to_world(self, vertex):
        return vertex


def rectangle(top, left, bottom, right):
    return [(top, left), (top, right), (bottom, right), (bottom, left)]


def test_regions_limit_training_and_validation(textured):
    images = training_images(
        textured(200, 200),
        2,
        train_on=Shapes(rectangle(0, 0, 199, 99)),
        validate_on=Shapes(rectangle(0, 120, 199, 199)),
    )
    recipe = Recipe.from_toml(
        "patches = { size = 8, empty = 0.0 }\nvalidation = { block = 32 }\n"
        '[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]'
    )
    training_set = make_training_set(images, [], recipe, scale=2, sizes=[8], margin=0, color="gray")
    columns = np.flatnonzero(training_set.patches._corners[0].any(axis=0))
    assert (columns.min(), columns.max()) == (0, 50 - 8)
    assert training_set.scenes
    assert all(scene.low.shape[2] <= 40 for scene in training_set.scenes)
    with pytest.raises(InputError, match="do not lie on"):
        training_images(textured(), 2, train_on=Shapes(rectangle(500, 500, 600, 600)))
    with pytest.raises(InputError, match="no rectangle"):
        training_images(textured(), 2, train_on=Shapes(rectangle(0, 0, 9, 9), kind="path"))


def test_an_ellipse_is_filled(textured):
    (image,) = training_images(textured(), 2, train_on=Shapes(rectangle(20, 10, 60, 70), kind="ellipse"))
    assert image.train_on.sum() == pytest.approx(np.pi * 20 * 30, rel=0.03)
    rows, columns = np.nonzero(image.train_on)
    assert (rows.mean(), columns.mean()) == (pytest.approx(40, abs=0.5), pytest.approx(40, abs=0.5))


def test_small_images_have_smaller_patches_if_the_size_is_auto(textured):
    recipe = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
    images = training_images(textured(80, 90), 2)
    training_set = make_training_set(images, [], recipe, scale=2, sizes=[48, 32, 16, 12, 8], margin=0, color="gray")
    assert training_set.patches.size in (8, 12, 16)
    assert len(training_set.patches) >= 200
    with pytest.raises(InputError, match="less than a patch of 48 x 48"):
        make_training_set(images, [], recipe, scale=2, sizes=[48], margin=0, color="gray")


@pytest.mark.parametrize("colors", [1, 3])
@pytest.mark.parametrize("paired", [False, True])
def test_targets_are_denoised_and_partners_and_hashes_are_not(textured, colors, paired):
    clean = np.stack([textured(120, 120, seed=n) for n in range(colors)], -1).squeeze()
    noisy = (clean * 0.5 + 60 + np.random.default_rng(1).normal(0, 8, clean.shape)).clip(0, 255).astype(np.uint8)
    images = training_images([(resize(noisy, factor=0.5, axes=(0, 1)), noisy)] if paired else noisy, 2)
    plain = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
    recipe = plain.model_copy(update={"data": plain.data.model_copy(update={"denoise": 0.8})})
    sets = [
        make_training_set(images, (), r, scale=2, sizes=(16,), margin=0, color="rgb" if colors == 3 else "gray")
        for r in (plain, recipe)
    ]
    noises = [np.std(s.patches.plane_pairs[0].high.astype(float) - (clean * 0.5 + 60)) for s in sets]
    assert noises[1] < 0.8 * noises[0]
    assert sets[1].patches.plane_pairs[0].high.dtype == noisy.dtype
    # A partner of a pair keeps its noise, which the network is trained to remove.
    assert np.array_equal(sets[0].patches.plane_pairs[0].lows[0], sets[1].patches.plane_pairs[0].lows[0]) == paired
    assert sets[0].described == sets[1].described
    assert sets[0].fingerprint != sets[1].fingerprint
