"""A lattice with the period of the factor is measured, and nothing else is taken for one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sr.errors import InputError
from napari_sr.evaluation import evaluate, lattice
from napari_sr.evaluation.lattice import tile_side


def texture(seed, sigma, side=192):
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), sigma, mode="wrap")
    return 128 + 30 * noise / noise.std()


def woven(image, scale, strength):
    """Add a pattern with the period of the factor, and without a mean."""
    pattern = np.zeros((scale, scale))
    pattern[0, 0], pattern[-1, -1] = 1, -1
    repeats = [-(-n // scale) for n in image.shape]
    return image + strength * np.tile(pattern, repeats)[: image.shape[0], : image.shape[1]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4]), st.floats(0.0, 1.2))
def test_textures_and_noise_have_no_lattice(seed, scale, sigma):
    assert lattice(texture(seed, sigma), scale=scale, data_range=255) < 1.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4]), st.floats(0.8, 1.2))
def test_a_woven_lattice_is_found_and_grows_with_its_strength(seed, scale, sigma):
    image = texture(seed, sigma)
    found = [lattice(woven(image, scale, strength), scale=scale, data_range=255) for strength in (0, 3, 6, 12)]
    assert found == sorted(found)
    assert found[-1] > 2


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_uniform_area_has_none_and_a_weak_lattice_on_it_is_found(scale):
    flat = np.full((96, 96), 77.0)
    assert lattice(flat, scale=scale, data_range=255) == pytest.approx(1)
    # Weaker than the rounding to 8 bits: it cannot be seen.
    assert lattice(woven(flat, scale, 0.02), scale=scale, data_range=255) < 1.5
    assert lattice(woven(flat, scale, 1.0), scale=scale, data_range=255) > 3


def test_contrast_offset_and_units_do_not_matter():
    image = woven(texture(1, 1.0), 2, 5)
    expected = lattice(image, scale=2, data_range=255)
    assert lattice(257 * image - 3000, scale=2, data_range=65535) == pytest.approx(expected)


@pytest.mark.parametrize("slope", [(1, 0), (0, 1)])
def test_edges_along_the_axes_are_no_lattice(slope):
    rows, columns = np.indices((192, 192))
    # Stripes with sharp edges and a period that is no multiple of the factor.
    image = 50 + 150.0 * (((rows * slope[0] + columns * slope[1]) % 37) < 15)
    assert lattice(image, scale=2, data_range=255) < 1.3


def test_the_period_must_be_that_of_the_factor():
    image = woven(texture(2, 1.0), 3, 12)
    assert lattice(image, scale=3, data_range=255) > 2 * lattice(image, scale=2, data_range=255)


@pytest.mark.parametrize(
    ("image", "settings", "words"),
    [
        (np.zeros((64, 64, 3)), {"scale": 2, "data_range": 1}, "one plane"),
        (np.zeros((64, 64)), {"scale": 1, "data_range": 1}, "factor of 2"),
        (np.zeros((64, 64)), {"scale": 2, "data_range": 0}, "data range"),
        (np.zeros((64, 64)), {"scale": 2, "data_range": np.inf}, "data range"),
        (np.full((64, 64), np.nan), {"scale": 2, "data_range": 1}, "NaN or infinite"),
        (np.zeros((64, 20)), {"scale": 2, "data_range": 1}, "64 x 20"),
    ],
)
def test_what_cannot_be_measured_is_refused(image, settings, words):
    with pytest.raises(InputError, match=words):
        lattice(image, **settings)


def test_evaluate_states_the_lattice_of_both_images():
    truth = texture(3, 1.0)
    report = evaluate(woven(truth, 2, 8), truth, scale=2, data_range=255)
    inner = (slice(2, -2),) * 2
    assert report.lattice == lattice(woven(truth, 2, 8)[inner], scale=2, data_range=255)
    assert report.reference_lattice == lattice(truth[inner], scale=2, data_range=255)
    side = tile_side(2) + 3
    small = evaluate(truth[:side, :side], truth[:side, :side], scale=2, data_range=255)
    assert (small.lattice, small.reference_lattice) == (None, None)
    assert evaluate(truth, truth, scale=1, data_range=255).lattice is None
