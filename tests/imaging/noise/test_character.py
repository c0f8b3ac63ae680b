"""Lines, single pixels and mosaics are recognized."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from napari_sr.imaging.noise import measure_noise
from tests.imaging.noise.synthetic import BRIGHTNESS, noisy, scene


def test_filled_mosaics_are_recognized():
    image = noisy(scene(), 0, 5)
    rows, columns = np.indices(image.shape)
    kept = (rows + columns) % 2 == 0
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    filled = np.where(kept, image, convolve(np.where(kept, image, 0), cross, mode="mirror"))
    assert measure_noise([filled]).mosaic
    assert not measure_noise([image]).mosaic


@pytest.mark.parametrize("axis", [0, 1])
def test_lines_that_were_interpolated_are_no_mosaic(axis):
    image = noisy(scene(), 0, 5)
    # A scan in both directions whose second lines were moved by half a pixel, and a video with every second line.
    moved, filled = image.copy(), image.copy()
    moved[1::2, 1:] = (image[1::2, 1:] + image[1::2, :-1]) / 2
    filled[1:-1:2] = (image[:-2:2] + image[2::2]) / 2
    for lines in (moved, filled):
        assert not measure_noise([lines if axis == 0 else lines.T]).mosaic


@pytest.mark.parametrize("corner", [(0, 0), (1, 0)])
def test_filled_mosaics_of_red_and_blue_are_recognized(corner):
    image = noisy(scene(), 0, 5)
    rows, columns = np.indices(image.shape)
    kept = (rows % 2 == corner[0]) & (columns % 2 == corner[1])
    square = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    assert measure_noise([convolve(np.where(kept, image, 0), square, mode="mirror")]).mosaic


@pytest.mark.parametrize("axis", [0, 1])
def test_offsets_of_lines_are_found(axis):
    image = noisy(scene(), 0, 5)
    offsets = 3 * np.random.default_rng(9).standard_normal((256, 1))
    measured = measure_noise([image + (offsets if axis == 0 else offsets.T)])
    found = (measured.row_offsets, measured.column_offsets)
    assert found[axis] == pytest.approx(3, rel=0.3)
    assert found[1 - axis] == 0
    assert measure_noise([image]).row_offsets == 0


def test_hot_pixels_are_counted_and_do_not_matter():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    generator = np.random.default_rng(2)
    image[generator.integers(0, 256, 60), generator.integers(0, 256, 60)] += 400
    measured = measure_noise([image])
    assert measured.hot == pytest.approx(60 / 256**2, rel=0.15)
    assert measured.sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.1)
    assert measure_noise([noisy(scene())]).hot == 0


def test_hot_pixels_are_counted_all_over_a_large_image():
    image = noisy(scene(1200))
    generator = np.random.default_rng(2)
    rows, columns = generator.integers(600, 1200, 3600), generator.integers(0, 1200, 3600)
    image[rows, columns] += 400
    for turned in (image, image[::-1], image.T):
        assert measure_noise([turned]).hot == pytest.approx(3600 / 1200**2, rel=0.4)


@pytest.mark.parametrize("photons", [0.1, 1, 10])
@pytest.mark.parametrize("gain", [1, 20])
def test_single_photons_in_the_dark_are_no_hot_pixels(photons, gain):
    light = scene() - scene().min()
    light = photons * (light / light.mean()) ** 4
    assert measure_noise([gain * np.random.default_rng(0).poisson(light).astype(np.uint16)]).hot == 0
