"""Blur, reduction of pixels and noise: their effect on means, widths and variances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr import InputError
from napari_sr.imaging.noise import estimate_noise
from napari_sr.imaging.resize import resize
from napari_sr.training.data.blur import blur_sigma, optical_sigma
from napari_sr.training.data.degradation import (
    add_known_noise,
    blurred_and_shrunk,
    degrade,
    describe_degradation,
    shrink,
    with_noise_times,
)
from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur


def test_without_blur_and_noise_the_result_is_matlabs_bicubic():
    plane = np.random.default_rng(0).integers(0, 256, (24, 36), np.uint8)
    assert np.array_equal(degrade(plane, 3, Degradation()), resize(plane, (8, 12)))


def test_binning_is_the_mean_over_pixels():
    plane = np.arange(36, dtype=np.float32).reshape(6, 6)
    assert shrink(plane, 3, "binning") == pytest.approx(np.array([[7, 10], [25, 28]]))
    assert shrink(np.arange(25).reshape(5, 5), 2, "binning").tolist() == [[3, 5], [13, 15]]


@given(st.floats(0.3, 1.45), st.floats(0.4, 0.8), st.floats(0.02, 0.5))
def test_optics_follow_the_paraxial_formula(aperture, wavelength, pixel):
    blur = OpticsBlur(kind="optics", numerical_aperture=aperture, wavelength=wavelength, pixel_size=pixel)
    assert blur_sigma(blur) == pytest.approx(0.22507908 * wavelength / aperture / pixel)


def test_optics_need_the_pixel_size_of_the_image_or_of_the_recipe():
    blur = OpticsBlur(kind="optics", numerical_aperture=1.4, wavelength=0.52)
    assert blur_sigma(blur, pixel_size=0.065) == pytest.approx(optical_sigma(1.4, 0.52, 0.065))
    with pytest.raises(InputError, match="give pixel_size"):
        blur_sigma(blur)


def test_the_blur_has_the_width_of_the_recipe():
    point = np.zeros((81, 81), np.float32)
    point[40, 40] = 1
    blurred = blurred_and_shrunk(point, 1, Degradation(blur=GaussianBlur(sigma=(1.0, 3.0))), fraction=1.0)
    rows = np.arange(81) - 40
    assert blurred.sum() == pytest.approx(1, rel=1e-4)
    assert np.sqrt((blurred.sum(axis=1) * rows**2).sum()) == pytest.approx(3.0, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 20), st.floats(0, 15), st.floats(100, 3000))
def test_noise_has_the_variance_of_the_camera(gain, read, level):
    offset = 100.0
    degradation = Degradation(noise=Noise(gain=gain, read=read), offset=offset)
    noisy, _ = add_known_noise(np.full(60_000, level + offset), degradation, np.random.default_rng(1), np.float32)
    assert noisy.mean() == pytest.approx(level + offset, rel=0.01)
    assert noisy.var() == pytest.approx(gain * level + read**2, rel=0.05)


def test_integers_stay_whole_and_within_their_dtype():
    degradation = Degradation(noise=Noise(gain=5.0, read=40.0))
    noisy = degrade(np.full((64, 64), 240, np.uint8), 2, degradation)
    assert noisy.dtype == np.uint8
    values, _ = add_known_noise(np.full(1000, 240.0), degradation, np.random.default_rng(0), np.uint8)
    assert values.max() == 255
    assert np.array_equal(values, np.rint(values))


def test_below_the_dark_level_there_are_no_photons():
    degradation = Degradation(noise=Noise(gain=2.0, read=0.0), offset=100.0)
    values = np.array([40.0, 100.0])
    noisy, _ = add_known_noise(values, degradation, np.random.default_rng(0), np.float32)
    assert np.array_equal(noisy, values)


def test_binning_of_float16_does_not_overflow():
    plane = np.full((8, 8), 40_000, np.float16)
    assert np.array_equal(shrink(plane, 4, "binning"), np.full((2, 2), 40_000, np.float16))


@pytest.mark.parametrize(("gain", "read"), [(2.0, 5.0), (0.5, 20.0), (8.0, 3.0), (0.0, 8.0)])
def test_noise_that_was_added_is_estimated(gain, read):
    rows, columns = np.mgrid[:512, :512]
    clean = 600 + 400 * np.sin(rows / 40) * np.cos(columns / 55)
    degradation = Degradation(noise=Noise(gain=gain, read=read), offset=100.0)
    image, _ = add_known_noise(clean, degradation, np.random.default_rng(0), np.uint16)
    estimated_gain, estimated_read = estimate_noise([image], offset=100.0)
    # The sum is compared at medium brightness, since read noise is small in comparison with that of the photons.
    assert estimated_gain * 500 + estimated_read**2 == pytest.approx(gain * 500 + read**2, rel=0.1)
    assert estimated_gain == pytest.approx(gain, rel=0.15, abs=0.02)


def test_noise_that_is_estimated_is_that_of_the_plane():
    rng = np.random.default_rng(0)
    plane = rng.poisson(np.linspace(50, 400, 256 * 256).reshape(256, 256)).astype(np.uint16)
    low = degrade(plane, 2, Degradation(shrink="binning", noise=Noise(gain="estimate", read="estimate")))
    smooth = shrink(plane.astype(np.float32), 2, "binning")
    # A mean of four pixels has a quarter of their variance, to which the noise of the camera is added.
    assert np.var(low.astype(float) - smooth) == pytest.approx(225, rel=0.2)


def test_a_plane_is_an_array_like_of_two_or_three_axes():
    plane = np.random.default_rng(0).integers(0, 256, (12, 16))
    assert np.array_equal(degrade(plane.tolist(), 2, Degradation()), degrade(plane, 2, Degradation()))
    for channels in (3, 4):
        colors = np.dstack([plane] * channels)
        assert np.array_equal(degrade(colors, 2, Degradation())[..., 0], degrade(plane, 2, Degradation()))


@pytest.mark.parametrize("shape", [(2, 3, 12, 16), (6, 12, 16), (12, 16, 2), (16,)])
def test_a_stack_is_refused_and_not_taken_for_colors(shape):
    with pytest.raises(InputError, match="one by one"):
        degrade(np.zeros(shape), 2, Degradation())


def test_planes_without_measurable_noise_are_refused_where_it_is_to_be_estimated():
    degradation = Degradation(noise=Noise(gain="estimate", read="estimate"))
    for plane in (np.zeros((8, 8)), np.full((256, 256), 7.0)):
        with pytest.raises(InputError, match="give gain and read noise as numbers"):
            degrade(plane, 2, degradation)


def test_a_degradation_is_described_for_the_card():
    degradation = Degradation(
        blur=GaussianBlur(sigma=(0.8, 1.6)), shrink="binning", noise=Noise(gain=0.5, read=2.0), offset=100.0
    )
    assert describe_degradation(degradation) == (
        "Gaussian blur of 0.8 to 1.6 high-resolution pixels, mean over pixels (binning), Poisson noise of gain 0.5, "
        "Gaussian noise of 2, dark level 100"
    )


@pytest.mark.parametrize("scale", [0, -1, 10**6, 2.5])
def test_a_factor_that_is_no_whole_number_above_0_is_refused(scale):
    with pytest.raises(InputError, match="factor"):
        degrade(np.zeros((8, 8), np.uint8), scale, Degradation())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_that_is_not_finite_is_refused(value):
    with pytest.raises(InputError, match="NaN or infinite"):
        degrade(np.full((8, 8), value, np.float32), 2, Degradation(noise=Noise(gain=0.5, read=2.0)))


@pytest.mark.parametrize("factor", [0, -1, 1e308, float("nan")])
def test_noise_is_multiplied_by_factors_up_to_a_million_only(factor):
    with pytest.raises(InputError):
        with_noise_times(Degradation(noise=Noise(gain=0.5, read=2.0)), factor)


def test_more_photons_than_can_be_drawn_keep_their_value():
    low = degrade(np.full((8, 8), 2**63, np.uint64), 2, Degradation(shrink="binning", noise=Noise(gain=1e-6, read=0)))
    assert np.all(np.abs(low.astype(np.float64) / 2.0**63 - 1) < 1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_saturated_integers_stay_so_with_noise(dtype):
    ends = np.iinfo(dtype)
    plane = np.full((8, 8), ends.max, dtype)
    plane[:4] = ends.min
    low = degrade(plane, 2, Degradation(shrink="binning", noise=Noise(gain=0.0, read=1e-3)))
    assert low.tolist() == [[ends.min] * 4] * 2 + [[ends.max] * 4] * 2


def test_bools_are_0_and_1_with_noise():
    plane = np.zeros((64, 64), bool)
    plane[:32] = True
    low = degrade(plane, 2, Degradation(shrink="binning", noise=Noise(gain=0.0, read=0.1)))
    assert low.dtype == bool
    assert np.array_equal(low, plane[::2, ::2])
    noisy, _ = add_known_noise(
        np.zeros(1000), Degradation(noise=Noise(gain=0.0, read=2.0)), np.random.default_rng(0), bool
    )
    assert set(noisy) == {0.0, 1.0}


def test_alpha_is_made_smaller_and_has_no_noise():
    plane = np.full((40, 48, 4), 120, np.uint8)
    plane[..., 3] = 255
    noisy = Degradation(shrink="binning", noise=Noise(gain=0.5, read=5.0))
    low = degrade(plane, 2, noisy)
    assert (low[..., 3] == 255).all()
    np.testing.assert_array_equal(low[..., :3], degrade(plane[..., :3], 2, noisy))
    assert low[..., :3].std() > 3
