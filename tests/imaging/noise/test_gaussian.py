"""Noise is told from structure by its distribution, whether neighboring pixels share it or not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_sr.imaging.noise.gaussian import is_gaussian
from napari_sr.imaging.noise.sampling import Window
from napari_sr.imaging.noise.tiles import scale_of
from tests.imaging.noise.synthetic import noisy, scene


def found(image, *others, differences=False, most=0.0):
    parts = [Window(image, *others)]
    return is_gaussian(parts, scale_of(parts), differences=differences, most=most)


def shared(deviation, width, seed=3):
    white = np.random.default_rng(seed).standard_normal((256, 256))
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
