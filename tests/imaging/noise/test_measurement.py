"""Known noise is measured, whatever the units, and structure is not taken for noise."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sr.imaging.noise import NoiseMeasurement, measure_noise
from napari_sr.samples import load_sample
from tests.imaging.noise.synthetic import BRIGHTNESS, noisy, scene, texture


@pytest.mark.parametrize("pedestal", [0, 100, 500, 32768])
@pytest.mark.parametrize("inverted", [False, True])
def test_noise_is_found_above_any_pedestal(pedestal, inverted):
    gain, read = 0.4, 2.0
    image = noisy(scene(), gain, read)
    brightness, expected = BRIGHTNESS, np.sqrt(gain * BRIGHTNESS + read**2)
    if inverted:
        image, brightness = 300 - image, 300 - BRIGHTNESS
    stored = np.clip(np.rint(50 * image + pedestal), 0, 65535).astype(np.uint16)
    measured = measure_noise([stored])
    assert measured.sigma(50 * brightness + pedestal) == pytest.approx(50 * expected, rel=0.1)
    assert np.sign(measured.c1) == (-1 if inverted else 1)
    assert measured.floor == pytest.approx(1 / 12)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 50),
    st.floats(1e-3, 1e3),
    st.booleans(),
    st.floats(-1e3, 1e3),
    st.sampled_from([64, 100, 150]),
)
def test_noise_follows_every_scale_and_offset(seed, size, negative, place, side):
    image = noisy(scene(side, seed), seed=seed)
    gain = -size if negative else size
    offset = gain * place
    first, second = measure_noise([image]), measure_noise([gain * image + offset])
    expected = abs(gain) * first.sigma(BRIGHTNESS)
    assert second.sigma(gain * BRIGHTNESS + offset) == pytest.approx(expected, rel=2e-3)
    assert first.scaled(gain, offset).sigma(gain * BRIGHTNESS + offset) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-100, 100), st.floats(-5, 5), st.floats(0, 10), st.floats(0.01, 100), st.floats(-1e4, 1e4))
def test_a_measurement_is_scaled_as_the_image(c0, c1, floor, gain, offset):
    measured = NoiseMeasurement(c0, c1, floor, (4.0, 0.1, 0.01), 10.0, 200.0)
    for factor in (gain, -gain):
        scaled = measured.scaled(factor, offset)
        places = factor * BRIGHTNESS + offset
        tolerance = {"rel": 1e-6, "abs": 1e-3 * gain}
        assert scaled.sigma(places) == pytest.approx(gain * measured.sigma(BRIGHTNESS), **tolerance)
        assert scaled.uncertainty(places) == pytest.approx(gain * measured.uncertainty(BRIGHTNESS), **tolerance)
        back = scaled.scaled(1 / factor, -offset / factor)
        assert back.c1 == pytest.approx(measured.c1)
        assert (back.darkest, back.brightest) == pytest.approx((10.0, 200.0), abs=1e-6 * (1 + abs(offset) / gain))


def test_types_of_values_agree():
    eight = np.clip(np.rint(noisy(scene())), 0, 255).astype(np.uint8)
    measured = measure_noise([eight])
    for other, gain in ((eight.astype(np.uint16) * np.uint16(257), 257), ((eight / 255).astype(np.float32), 1 / 255)):
        found = measure_noise([other])
        assert found.sigma(gain * BRIGHTNESS) == pytest.approx(gain * measured.sigma(BRIGHTNESS), rel=1e-3)
        assert found.floor == pytest.approx(gain**2 / 12, rel=1e-3)


@pytest.mark.parametrize("side", [64, 128, 300])
def test_white_noise_alone(side):
    found = [
        float(measure_noise([np.random.default_rng(seed).normal(0, 3, (side, side))]).sigma(0.0)) for seed in range(5)
    ]
    assert np.mean(found) == pytest.approx(3, rel=0.06 if side == 64 else 0.02)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 1.0])
def test_noise_is_found_where_nothing_is_flat(fraction):
    field = 40 * texture()
    image = 128 + field + 40 * fraction * np.random.default_rng(3).standard_normal(field.shape)
    assert measure_noise([image]).sigma(128.0) == pytest.approx(40 * fraction, rel=0.12)


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_structure_is_not_noise(exponent):
    assert measure_noise([100 * texture(exponent=exponent)]).sigma(0.0) < 0.1 * 100
    assert measure_noise([scene()]).sigma(BRIGHTNESS).max() < 0.5


def test_a_clean_image_of_integers_has_the_noise_of_rounding():
    rounded = np.rint(10 * scene()).astype(np.uint16)
    assert measure_noise([rounded]).sigma(500.0) == pytest.approx(np.sqrt(1 / 12), rel=0.3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("blur", [0.6, 1.2])
@pytest.mark.parametrize("fraction", [0.15, 0.4, 1.0])
def test_total_noise_is_within_15_percent_where_it_is_above_a_tenth_of_the_contrast(seed, blur, fraction):
    clean = 128 + 30 * texture(192, blur=blur, seed=seed)
    contrast = np.sqrt(np.median(gaussian_filter(clean**2, 4) - gaussian_filter(clean, 4) ** 2))
    image = clean + fraction * contrast * np.random.default_rng(seed + 5).standard_normal(clean.shape)
    assert measure_noise([image]).sigma(128.0) == pytest.approx(fraction * contrast, rel=0.15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
def test_without_noise_less_than_a_tenth_of_the_contrast_is_measured(seed, blur):
    clean = 128 + 30 * texture(192, blur=blur, seed=seed)
    contrast = np.sqrt(np.median(gaussian_filter(clean**2, 4) - gaussian_filter(clean, 4) ** 2))
    assert measure_noise([clean]).sigma(128.0) < 0.1 * contrast


@pytest.mark.parametrize("name", ["fluorescence", "electron"])
def test_noise_that_is_added_to_the_samples_is_measured(name):
    image = load_sample(name).high.astype(np.float64)
    # Their own noise is removed by the blur.
    clean = gaussian_filter(image, 1.2)
    contrast = np.sqrt(gaussian_filter(clean**2, 4) - gaussian_filter(clean, 4) ** 2)
    middle = float(np.median(clean))
    assert measure_noise([clean]).sigma(middle) < 0.1 * np.median(contrast)
    deviation = 0.03 * float(np.subtract(*np.quantile(clean, (0.999, 0.001))))
    measured = measure_noise([clean + deviation * np.random.default_rng(0).standard_normal(clean.shape)])
    assert measured.sigma(np.quantile(clean, (0.1, 0.5, 0.9))) == pytest.approx(deviation, rel=0.15)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float16, np.float64])
def test_each_data_type_gives_the_same_noise(dtype):
    values = np.clip(np.rint(noisy(scene()) / 2), 0, 127)
    assert measure_noise([values.astype(dtype)]).sigma(30.0) == pytest.approx(
        float(measure_noise([values.astype(np.uint8)]).sigma(30.0)), rel=1e-6
    )


def test_noise_of_a_mask_is_that_of_its_pixels():
    measured = measure_noise([np.random.default_rng(0).random((128, 128)) < 0.5])
    assert measured.sigma(0.5) == pytest.approx(0.5, rel=0.05)


def test_missing_values_are_left_out():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    gaps = image.copy()
    gaps[np.random.default_rng(0).random(image.shape) < 1e-3] = np.nan
    gaps[:30, :40] = np.inf
    assert measure_noise([gaps]).sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 40)),
        np.full((64, 64), 7, np.uint8),
        np.full((64, 64), np.nan),
        np.zeros((5, 5)) + np.arange(5),
        np.zeros((0, 5)),
        np.zeros((12, 400), bool),
    ],
)
def test_what_cannot_be_measured_is_not_known(image):
    measured = measure_noise([image])
    assert not measured.known
    assert measured.sigma(10.0) == np.sqrt(measured.floor)
    assert np.isinf(measured.uncertainty(10.0))
    assert not measured.scaled(-2.0, 5.0).known


def test_no_planes():
    assert not measure_noise([]).known


def test_small_and_narrow_images_give_something_sane():
    generator = np.random.default_rng(0)
    for shape in ((12, 12), (13, 40), (12, 500), (24, 24)):
        measured = measure_noise([50 + 4 * generator.standard_normal(shape)])
        assert measured.known
        assert 1.5 < measured.sigma(50.0) < 7


def test_colors_are_measured_together():
    image = np.stack([noisy(scene(seed=color), seed=color) for color in range(3)], axis=-1)
    assert measure_noise([image]).sigma(BRIGHTNESS) == pytest.approx(np.sqrt(0.4 * BRIGHTNESS + 4), rel=0.1)


def test_differences_of_planes_tell_fine_texture_from_noise():
    fine = 60 * texture(blur=0.0, exponent=1.6)
    planes = [fine + 6 * np.random.default_rng(seed).standard_normal(fine.shape) for seed in range(4)]
    measured = measure_noise(planes)
    assert measured.sigma(0.0) == pytest.approx(6, rel=0.1)
    assert not measured.planes_share_noise
    assert measure_noise(planes[:1]).uncertainty(0.0) > 5 * measured.uncertainty(0.0)


def test_copies_of_a_plane_are_no_evidence():
    image = noisy(scene())
    expected = measure_noise([image]).sigma(BRIGHTNESS)
    assert measure_noise([image, image, image]).sigma(BRIGHTNESS) == pytest.approx(expected, rel=0.02)


def test_planes_that_share_noise_are_recognized():
    planes = [noisy(scene(), 0.0, 5.0, seed) for seed in range(5)]
    assert not measure_noise(planes).planes_share_noise
    averaged = [(first + second) / 2 for first, second in pairwise(planes)]
    measured = measure_noise(averaged)
    assert measured.planes_share_noise
    assert measured.sigma(50.0) == pytest.approx(5 / np.sqrt(2), rel=0.05)


def test_planes_of_different_shapes_and_fields():
    planes = [noisy(scene(side, side), seed=side) for side in (100, 150, 200)]
    assert measure_noise(planes).sigma(BRIGHTNESS) == pytest.approx(np.sqrt(0.4 * BRIGHTNESS + 4), rel=0.15)


def test_uncertainty_shrinks_with_the_image_and_caution_takes_some_off():
    errors = [float(measure_noise([noisy(scene(side))]).uncertainty(60.0)) for side in (64, 512)]
    assert errors[1] < errors[0] < 2
    doubtful = measure_noise([60 * texture(blur=0.3, exponent=2.0)])
    assert doubtful.sigma(0.0, caution=1) < 0.9 * doubtful.sigma(0.0)
    sure = measure_noise([noisy(scene(512))])
    assert sure.sigma(60.0, caution=1) > 0.95 * sure.sigma(60.0)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 3), st.floats(0.01, 100), st.booleans(), st.floats(-1e3, 1e3))
def test_a_measurement_is_lowered_alike_in_all_units(caution, size, negative, offset):
    measured = NoiseMeasurement(3.0, 0.2, 0.1, (4.0, -0.02, 0.001), 10.0, 200.0)
    gain = -size if negative else size
    lowered = measured.lowered(caution)
    expected = size * lowered.sigma(BRIGHTNESS)
    tolerance = {"rel": 1e-6, "abs": 1e-3 * size}
    assert measured.scaled(gain, offset).lowered(caution).sigma(gain * BRIGHTNESS + offset) == pytest.approx(
        expected, **tolerance
    )
    assert measured.sigma(BRIGHTNESS, caution=caution) == pytest.approx(lowered.sigma(BRIGHTNESS))
    assert np.all(lowered.sigma(BRIGHTNESS) <= measured.sigma(BRIGHTNESS) + 1e-9)


def test_with_enough_caution_the_noise_of_rounding_is_left():
    measured = measure_noise([np.rint(noisy(scene())).astype(np.uint8)])
    assert measured.lowered(1e4).sigma(BRIGHTNESS) == pytest.approx(np.sqrt(1 / 12))
    unknown = measure_noise([np.zeros((40, 40))])
    assert unknown.lowered(1.0) is unknown


@pytest.mark.parametrize("library", ["dask", "zarr"])
def test_lazy_planes_give_the_noise_of_the_array(library):
    image = noisy(scene()).astype(np.float32)
    if library == "dask":
        plane = pytest.importorskip("dask.array").from_array(image, chunks=(100, 90))
    else:
        plane = pytest.importorskip("zarr").array(image, chunks=(100, 90))
    assert measure_noise([plane]) == measure_noise([image])


def test_clipped_parts_are_counted_and_left_out():
    clean = scene() - 35
    image = np.clip(np.rint(noisy(clean, 0, 6)), 0, 100).astype(np.uint8)
    measured = measure_noise([image])
    assert measured.at_ends[0] == pytest.approx(np.mean(image == 0))
    assert measured.at_ends[1] == pytest.approx(np.mean(image == 100))
    assert measured.sigma(50.0) == pytest.approx(6, rel=0.1)
