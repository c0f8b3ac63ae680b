"""Noise is told from structure and texture by its distribution, whether neighboring pixels share it or not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sr.imaging.noise.gaussian import is_gaussian, typical_ratio
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import scale_of
from tests.imaging.noise.synthetic import even_texture, noisy, scene


def found(image, *others, differences=False, most=0.0):
    parts = [Window(image, *others)]
    return is_gaussian(parts, scale_of(parts), differences=differences, most=most)


def is_texture(image):
    parts = [Window(image)]
    ratio, least = typical_ratio(parts, scale_of(parts))
    return ratio < least


def shared(deviation, width, seed=3, side=256):
    white = np.random.default_rng(seed).standard_normal((side, side))
    filtered = gaussian_filter(white, width)
    return deviation * filtered / filtered.std()


@pytest.mark.parametrize("width", [0.0, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_in_front_of_structure_is_gaussian_and_structure_alone_is_not(width, seed):
    blurred = gaussian_filter(scene(seed=seed), 1.0)
    assert found(blurred + shared(12, width, seed))
    assert not found(blurred)


def test_a_larger_limit_accepts_more_and_a_smaller_one_changes_nothing():
    blurred = gaussian_filter(scene(), 1.0)
    assert not found(blurred, most=1.6)
    assert found(blurred, most=100.0)
    assert found(blurred + shared(12, 0.7), most=1.0)


def test_noise_that_grows_with_brightness_is_gaussian():
    assert found(noisy(gaussian_filter(scene(), 1.0), 2.0, 3.0))


@pytest.mark.parametrize(("gain", "offset"), [(1e-3, 0.0), (-7.0, 1e4), (200.0, -3.0)])
def test_gain_and_offset_do_not_matter(gain, offset):
    for image in (gaussian_filter(scene(), 1.0), gaussian_filter(scene(), 1.0) + shared(12, 0.7)):
        assert found(gain * image + offset) == found(image)


def test_missing_pixels_are_left_out():
    image = gaussian_filter(scene(), 1.0) + shared(12, 0.7)
    image[40:60, 30:200] = np.nan
    image[100, 100] = np.inf
    assert found(image)


def test_differences_of_planes_have_no_structure():
    clean = gaussian_filter(scene(), 1.0)
    planes = clean + shared(0.3, 0.7, 1), clean + shared(0.3, 0.7, 2)
    assert found(*planes, differences=True)
    assert not found(planes[0])


@pytest.mark.parametrize("shape", [(8, 8), (20, 20), (8, 400)])
def test_too_few_pixels_are_not_judged(shape):
    assert not found(np.random.default_rng(0).standard_normal(shape))


def test_without_a_next_plane_there_are_no_differences():
    assert not found(np.random.default_rng(0).standard_normal((64, 64)), differences=True)


@pytest.mark.parametrize("kind", ["walls", "granules", "labyrinth"])
@pytest.mark.parametrize("period", [4.0, 6.0])
@pytest.mark.parametrize("blur", [0.0, 0.6])
@pytest.mark.parametrize("uneven", [False, True])
def test_structure_that_fills_an_image_is_texture(kind, period, blur, uneven):
    image = even_texture(kind, period, blur=blur)
    if uneven:
        rows, columns = np.mgrid[:128, :128] / 128 - 0.5
        image = image * np.exp(-4 * (rows**2 + columns**2))
    assert is_texture(np.rint(40 + 150 * image))
    assert is_texture(np.rint(190 - 150 * image))


@pytest.mark.parametrize("width", [0.0, 0.5, 0.7, 1.0, 1.3])
@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_noise_is_no_texture(width, side):
    noise = [shared(12, width, seed, side) for seed in range(20)]
    # Chance: about one in a hundred of the smallest.
    assert sum(is_texture(np.rint(120 + one)) for one in noise) <= 1
    structure = scene(side)
    assert sum(is_texture(np.rint(structure + one)) for one in noise) <= 1


def test_sparse_structure_is_no_texture():
    assert not is_texture(scene())
    assert not is_texture(noisy(scene()))


@pytest.mark.parametrize(("gain", "offset"), [(1e-3, 0.0), (-7.0, 1e4), (200.0, -3.0)])
def test_gain_and_offset_do_not_change_which_image_is_texture(gain, offset):
    for image in (even_texture("walls", 5.0, blur=0.5), shared(1.0, 0.7)):
        assert is_texture(gain * image + offset) == is_texture(image)


def test_texture_is_found_beside_missing_pixels_and_not_in_constant_blocks():
    image = even_texture("walls", 5.0, blur=0.5)
    image[40:60, 30:100] = np.nan
    image[100, 100] = np.inf
    image[:32] = 0.5
    assert is_texture(image)


def test_images_without_whole_blocks_are_no_texture():
    for shape in ((12, 12), (15, 200)):
        assert not is_texture(even_texture("walls", 4.0)[: shape[0], : shape[1]])
    missing = even_texture("walls", 4.0)
    missing[::8, ::8] = np.nan
    assert not is_texture(missing)


def test_all_parts_of_a_large_image_are_compared_in_any_order():
    noise, structure = Window(shared(10.0, 0.0, side=600)), Window(scene(600))
    scale = scale_of([noise, structure])
    assert is_gaussian([noise], scale) and not is_gaussian([structure], scale)
    assert is_gaussian([noise, structure], scale) == is_gaussian([structure, noise], scale)
    assert typical_ratio([noise, structure], scale) == pytest.approx(typical_ratio([structure, noise], scale))
