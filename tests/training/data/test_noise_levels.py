"""The noise plane of a network: its level follows contrast, brightness and inversion, and the noise that is added."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.networks.conditioning import local_mean
from napari_sr.training.data.degradation import add_known_noise
from napari_sr.training.data.images import training_images
from napari_sr.training.data.noise_levels import ROUNDING, NoiseLevel, measured_noise, noise_plane, passed_on
from napari_sr.training.data.plane_pairs import make_plane_pairs
from napari_sr.training.recipe import Data, Degradation, GaussianBlur, Noise, OpticsBlur

FINITE = st.floats(-100, 100)


@settings(max_examples=100, deadline=None)
@given(FINITE, FINITE, st.floats(0, 10), st.floats(0.01, 10), FINITE, st.booleans(), st.floats(0, 255))
def test_a_level_follows_gain_offset_and_inversion(constant, slope, floor, gain, offset, inverted, mean):
    level, gain = NoiseLevel(constant, slope, floor), -gain if inverted else gain
    scaled = level.scaled(gain, offset).variance(gain * mean + offset)
    assert float(scaled) == pytest.approx(gain**2 * float(level.variance(mean)), rel=1e-6, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 5), st.floats(0, 5))
def test_the_plane_of_an_inverted_image_is_that_of_the_image(seed, slope, constant):
    plane = np.random.default_rng(seed).uniform(0, 255, (12, 14)).astype(np.float32)
    level = NoiseLevel(constant, slope, 0.1)
    inverted = noise_plane(255 - plane, level.scaled(-1.0, 255.0))
    np.testing.assert_allclose(inverted, noise_plane(plane, level), rtol=1e-4)


def test_the_local_mean_is_that_of_the_networks():
    plane = np.random.default_rng(0).uniform(0, 255, (9, 11)).astype(np.float32)
    expected = torch.sqrt(2.0 + 0.5 * local_mean(torch.from_numpy(plane)[None, None]))[0, 0].numpy()
    np.testing.assert_allclose(noise_plane(plane, NoiseLevel(2.0, 0.5)), expected, rtol=1e-5)


@pytest.mark.parametrize(("gain", "read", "offset"), [(2.0, 0.0, 0.0), (0.0, 4.0, 0.0), (1.5, 3.0, 100.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_the_level_of_a_degradation_is_that_of_the_noise_that_is_added(gain, read, offset, dtype):
    degradation = Degradation(noise=Noise(gain=gain, read=read), offset=offset)
    for mean in (offset, offset + 40.0, offset + 200.0):
        values = np.full((300, 300), mean, np.float32)
        noisy, level = add_known_noise(values, degradation, np.random.default_rng(1), dtype)
        # Values are clipped at 0 in an image of integers without a dark level.
        if mean > 0 or dtype is np.float32:
            assert noisy.var() == pytest.approx(float(level.variance(mean)), rel=0.05, abs=1e-6)
    assert level.floor == pytest.approx(read**2 + (ROUNDING if dtype is np.uint16 else 0.0))


@pytest.mark.parametrize(("sigma", "scale"), [(0.0, 1), (0.0, 2), (0.8, 2), (1.5, 4)])
def test_blur_and_binning_pass_on_the_stated_fraction_of_white_noise(sigma, scale):
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).standard_normal((512, 512))
    low = gaussian_filter(noise, sigma, mode="wrap") if sigma else noise
    low = low.reshape(512 // scale, scale, 512 // scale, scale).mean((1, 3))
    assert passed_on(sigma, scale) == pytest.approx(low.var(), rel=0.06)


def waves(side):
    rows, columns = np.mgrid[:side, :side]
    return (120 + 60 * np.sin(rows / 17) * np.cos(columns / 23)).astype(np.float32)


def noisy(plane, deviation, seed=0):
    return plane + deviation * np.random.default_rng(seed).standard_normal(plane.shape).astype(np.float32)


def test_noise_is_measured_in_images_and_nothing_in_images_that_do_not_show_it():
    planes = [np.rint(noisy(waves(256), 4, seed)).astype(np.uint8) for seed in range(2)]
    assert float(measured_noise(planes[:1]).variance(100.0)) == pytest.approx(16, rel=0.15)
    assert float(measured_noise(planes).variance(100.0)) == pytest.approx(16, rel=0.15)
    uniform = measured_noise([np.full((64, 64), 9, np.uint8)])
    assert float(uniform.variance(9.0)) <= ROUNDING
    assert float(measured_noise([np.zeros((8, 8), np.float32)]).variance(0.0)) == 0


def pairs_of(images, degradation=None, **data):
    pairs, _ = make_plane_pairs(
        training_images(images, 2), 2, Data(**data), degradation or Degradation(), "gray", conditioned=True
    )
    return pairs


def test_the_noise_plane_of_a_degraded_image_is_that_of_its_degradation(textured):
    blur = GaussianBlur(sigma=(0.6, 1.4))
    degradation = Degradation(blur=blur, shrink="binning", noise=Noise(gain=1.0, read=5.0), variants=2)
    (pair,) = pairs_of(textured().astype(np.float32), degradation, intensity=(0.0, 255.0))
    assert pair.blurs == pytest.approx((0.4, 0.6))
    part = slice(0, 40), slice(0, 40)
    low, noise, width = pair.low_part(*part, "gray", np.random.default_rng(3), 1)
    assert width == pair.blurs[1]
    unmeasured = replace(pair, noises=(), blurs=())
    other, *conditions = unmeasured.low_part(*part, "gray", np.random.default_rng(3), 1)
    assert np.array_equal(low, other)
    assert conditions == [None, None]
    clean = pair.lows[1][part] / 255
    assert noise.shape == low.shape
    assert float(np.mean(noise**2)) == pytest.approx(float(np.mean((low[0] - clean) ** 2)), rel=0.15)


def test_the_noise_plane_of_a_pair_is_measured_in_the_low_resolution_image():
    high, low = waves(384), waves(384).reshape(192, 2, 192, 2).mean((1, 3))
    (pair,) = pairs_of((noisy(low, 6), high), blur=0.7)
    assert (pair.blurs, pair.degradation) == ((0.7,), None)
    assert float(pair.noises[0].variance(120.0)) == pytest.approx(36, rel=0.15)
    (clean,) = pairs_of((low, high))
    assert clean.blurs == (0.0,)
    assert float(clean.noises[0].variance(120.0)) < 0.5


def test_a_pair_needs_no_pixel_size_for_the_blur_of_a_degradation():
    high, low = waves(96), waves(96).reshape(48, 2, 48, 2).mean((1, 3))
    optics = OpticsBlur(kind="optics", numerical_aperture=1.0, wavelength=0.5)
    (pair,) = pairs_of((low, high), Degradation(blur=optics), blur=0.7)
    assert pair.blurs == (0.7,)


def test_the_noise_is_measured_once_for_each_channel_color_and_size():
    stack = np.stack([[noisy(waves(128), deviation, 10 * z + c) for c, deviation in enumerate((3, 9))] for z in (0, 1)])
    images = training_images([stack], 2, axes="ZCYX")
    pairs, _ = make_plane_pairs(images, 2, Data(sizes=(1.0, 0.5)), Degradation(), "gray", conditioned=True)
    levels = {(pair.channel, pair.size): pair.noises[0] for pair in pairs}
    assert len(pairs) == 8
    assert all(pair.noises[0] == levels[pair.channel, pair.size] for pair in pairs)
    # Bicubic reduction passes on about as much of the variance as the mean over 2 x 2 pixels.
    deviations = [float(np.sqrt(levels[channel, 1.0].variance(120.0))) for channel in (0, 1)]
    assert deviations == pytest.approx([1.5, 4.5], rel=0.15)
    rgb = np.stack([noisy(waves(128), deviation, c) for c, deviation in enumerate((3, 6, 12))], axis=-1)
    pairs, _ = make_plane_pairs(
        training_images([np.clip(rgb, 0, 255).astype(np.uint8)], 2), 2, Data(), Degradation(), "gray", conditioned=True
    )
    deviations = [float(np.sqrt(pair.noises[0].variance(120.0))) for pair in pairs]
    assert deviations == pytest.approx([1.5, 3, 6], rel=0.2)
