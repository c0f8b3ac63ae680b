"""Low-resolution patches under random conditions: the noise plane and the blur are those of the patch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.training.data.conditions.artificial import two_noise_levels, uniform_areas
from napari_sr.training.data.conditions.camera import (
    clipped_mean,
    draw_blur,
    draw_camera,
    observe,
    texture_variance,
)
from napari_sr.training.data.degradation import shrink
from napari_sr.training.data.noise_levels import ROUNDING, NoiseLevel
from napari_sr.training.recipe import BlurConditions, Conditions, NoiseConditions, SmoothObjects

HALO = 8


def conditions(gain=1.0, read=3.0, absent=0.0, blur=None, smooth=None, noise=None, **settings):
    drawn = NoiseConditions(gain=gain, read=read, absent=absent, **(noise or {}))
    return Conditions(noise=drawn, blur=blur, smooth=smooth, halo=HALO, **settings)


def smooth_square(seed, side=96):
    rows, columns = np.mgrid[: side + 2 * HALO, : side + 2 * HALO]
    phase = np.random.default_rng(seed).uniform(0, 6, 2)
    return (128 + 50 * np.sin(rows / 25 + phase[0]) * np.cos(columns / 30 + phase[1])).astype(np.float32)


def seen(square, settings, seed=0, scale=2, own=None, **more):
    return observe(square, own or NoiseLevel(), settings, np.random.default_rng(seed), scale=scale, halo=HALO, **more)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.floats(0.1, 5),
    st.floats(0.5, 10),
    st.sampled_from([2, 4]),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 1.0]),
)
def test_the_noise_plane_is_the_deviation_of_the_noise_also_rounded_and_inverted(
    seed, gain, read, scale, rounded, inverted
):
    square = smooth_square(seed)
    drawn = seen(square, conditions(gain, read, rounded=rounded, inverted_after=inverted), seed, scale)
    clean = shrink(drawn.truth, scale, "binning")
    assert drawn.low.shape == drawn.noise.shape == clean.shape == (96 // scale,) * 2
    deviations = (drawn.low - clean) / drawn.noise
    assert float(np.mean(deviations**2)) == pytest.approx(1, abs=0.4 if scale == 4 else 0.2)
    assert bool(np.array_equal(drawn.low, np.rint(drawn.low))) == bool(rounded)
    assert float(drawn.noise.min()) >= np.sqrt(ROUNDING) * rounded


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 4]), st.booleans())
def test_without_noise_and_blur_the_patch_is_the_reduced_truth(seed, scale, binning):
    square = np.random.default_rng(seed).uniform(0, 255, (64 + 2 * HALO,) * 2).astype(np.float32)
    drawn = seen(square, conditions(absent=1.0, binning=float(binning)), seed, scale)
    whole = shrink(square, scale, "binning" if binning else "bicubic")
    edge = HALO // scale
    assert np.array_equal(drawn.low, whole[edge:-edge, edge:-edge])
    assert np.array_equal(drawn.truth, square[HALO:-HALO, HALO:-HALO])
    assert drawn.noise.max() == 0
    assert drawn.blur == 0


def test_the_truths_own_noise_is_in_the_noise_plane():
    noise = 4 * np.random.default_rng(0).standard_normal((256 + 2 * HALO,) * 2)
    square = (128 + noise).astype(np.float32)
    drawn = seen(square, conditions(absent=1.0), own=NoiseLevel(16.0, 0.0))
    assert float(drawn.noise.mean()) == pytest.approx(float(drawn.low.std()), rel=0.05)


def test_a_smooth_object_is_blurred_and_its_blur_is_not_passed_to_the_network():
    square = np.random.default_rng(0).uniform(0, 255, (64 + 2 * HALO,) * 2).astype(np.float32)
    drawn = seen(square, conditions(absent=1.0, smooth=SmoothObjects(fraction=1.0, sigma=2.0)))
    assert drawn.truth.std() < 0.4 * square.std()
    assert drawn.blur == 0


@pytest.mark.parametrize("scale", [2, 4])
def test_the_blur_is_in_low_resolution_pixels_and_exactly_0_without_one(scale):
    blur = BlurConditions(result=1.2, jitter=0.04)
    generator = np.random.default_rng(0)
    drawn = np.array([seen(smooth_square(n), conditions(blur=blur), n, scale).blur for n in range(60)])
    assert drawn.mean() == pytest.approx(1.2 / scale, abs=0.02)
    assert drawn.std() == pytest.approx(0.04, rel=0.4)
    exact = seen(smooth_square(0), conditions(blur=BlurConditions(result=1.2)), scale=scale)
    assert exact.blur == pytest.approx(1.2 / scale)
    some = BlurConditions(result=(0.3, 1.8), source=(0.0, 1.6), absent=0.3, result_fraction=0.65)
    widths = np.array([draw_blur(some, scale, generator) for _ in range(4000)])
    assert np.mean(widths == 0) == pytest.approx(0.3, abs=0.03)
    assert widths.max() == pytest.approx(1.6 * scale, rel=0.05)
    assert draw_blur(None, scale, generator) == 0


def test_cameras_have_the_fractions_of_the_conditions():
    noise = NoiseConditions(gain=(0.02, 10), read=(0.1, 15), absent=0.2, without_gain=0.1, without_read=0.3)
    generator = np.random.default_rng(0)
    cameras = [draw_camera(noise, generator) for _ in range(6000)]
    noisy = [camera for camera in cameras if camera.noisy]
    assert len(noisy) / len(cameras) == pytest.approx(0.8, abs=0.02)
    assert np.mean([not camera.gain for camera in noisy]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([not camera.read for camera in noisy]) == pytest.approx(0.9 * 0.3, abs=0.02)
    gains = np.log([camera.gain for camera in noisy if camera.gain])
    assert gains.mean() == pytest.approx(np.log([0.02, 10]).mean(), abs=0.1)
    assert all(draw_camera(noise, generator, always=True).noisy for _ in range(100))


def test_correlated_noise_has_the_deviation_of_white_noise_and_is_in_the_plane_in_full_or_in_part():
    square = np.full((192 + 2 * HALO,) * 2, 128, np.float32)
    always = {"correlated": 1.0, "correlation": 0.8}
    drawn = [seen(square, conditions(1.0, 5.0, noise=always), seed) for seed in range(24)]
    expected = np.sqrt(128 + 25)
    assert np.mean([patch.low.std() for patch in drawn]) == pytest.approx(expected, rel=0.1)
    # Second differences show 0.174 of the deviation of noise with this correlation.
    shown = np.array([patch.noise.mean() for patch in drawn]) / expected
    recognized = shown > 0.6
    assert 6 <= recognized.sum() <= 18
    assert np.all((shown[recognized] > 0.79) & (shown[recognized] < 1.61))
    assert np.all((shown[~recognized] > 0.02) & (shown[~recognized] < 0.43))


def test_errors_of_the_measurement_are_in_the_plane_only_with_noise():
    square = smooth_square(0)
    wrong = {"jitter": 0.5}
    planes = [seen(square, conditions(0.01, 5.0, noise=wrong), seed).noise.mean() for seed in range(60)]
    assert np.std(np.log(planes)) == pytest.approx(0.5, rel=0.35)
    assert seen(square, conditions(absent=1.0, noise=wrong)).noise.max() == 0


def test_fine_texture_is_counted_as_noise():
    texture = np.random.default_rng(0).uniform(0, 40, (96 + 2 * HALO,) * 2).astype(np.float32)
    drawn = seen(texture, conditions(absent=1.0, noise={"texture": 1.0}))
    assert drawn.noise.min() > 1
    assert texture_variance(np.zeros((30, 30), np.float32)) == 0
    assert texture_variance(np.zeros((5, 5), np.float32)) == 0


@settings(max_examples=30, deadline=None)
@given(st.floats(-20, 275), st.floats(0.5, 40))
def test_the_truth_of_clipped_values_is_their_mean(mean, deviation):
    values = mean + deviation * np.random.default_rng(0).standard_normal(100_000)
    expected = clipped_mean(np.array(mean), np.array(deviation), 0.0, 255.0)
    assert float(expected) == pytest.approx(np.clip(values, 0, 255).mean(), abs=0.02 * deviation)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_an_artificial_patch_keeps_its_mean_and_always_has_noise(seed):
    square = uniform_areas(np.random.default_rng(seed), 160 + 2 * HALO)
    drawn = seen(square, conditions(1.0, 4.0, absent=1.0, clipped=1.0), seed, artificial=True)
    assert drawn.noise.min() > 0.5
    error = float(drawn.low.mean() - drawn.truth.mean())
    assert abs(error) < 5 * float(np.sqrt(np.mean(drawn.noise**2))) / drawn.low.shape[0]


def test_two_levels_of_noise_keep_the_image():
    generator = np.random.default_rng(0)
    truth = np.full((128, 128), 100, np.float32)
    low = (100 + 5 * generator.standard_normal((64, 64))).astype(np.float32)
    changed, noise = two_noise_levels(generator, low, np.full((64, 64), 5, np.float32), truth)
    levels = np.unique(noise)
    assert len(levels) == 2
    for level in levels:
        assert changed[noise == level].std() == pytest.approx(level, rel=0.15)
