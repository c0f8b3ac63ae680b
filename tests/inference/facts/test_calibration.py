"""The noise that a network is given is that of the whole image, with correlated noise where it is sure."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_sr as sr
from napari_sr.imaging.axes import parse_axes
from napari_sr.zoo import load_model
from tests.inference.facts.test_training_range import correlated
from tests.inference.test_suggest import cells

JOB = sr.Job("esrgan-microscopy-x2", sr.JobSettings(device="cpu"))
CLEAN = cells((256, 256), gain=0).astype(np.float32)


def deviation(image):
    axes = parse_axes("YX", image.shape)
    (noise,) = JOB.calibrate(image, axes).noise[None]
    return float(noise.sigma(np.median(image)))


@pytest.mark.parametrize("sigma", [4.0, 8.0])
def test_white_noise_is_measured(sigma):
    image = CLEAN + np.random.default_rng(0).normal(0, sigma, CLEAN.shape).astype(np.float32)
    assert deviation(image) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("spread", [0.6, 0.7])
def test_correlated_noise_is_counted_wholly(spread):
    image = CLEAN + 6 * correlated(CLEAN.shape, spread).astype(np.float32)
    assert deviation(image) == pytest.approx(6, rel=0.35)


@pytest.mark.parametrize("blur", [1.0, 2.0, 4.0])
def test_a_blurred_image_is_not_taken_for_correlated_noise(blur):
    image = gaussian_filter(CLEAN, blur) + np.random.default_rng(0).normal(0, 1, CLEAN.shape).astype(np.float32)
    assert deviation(image) < 1.3


def test_of_correlated_noise_less_remains_than_after_interpolation():
    truth = gaussian_filter(cells((512, 512), gain=0).astype(float), 1.5)
    low = truth.reshape(256, 2, 256, 2).mean((1, 3)) + 5 * correlated((256, 256), 0.7)
    error = {
        name: np.mean((sr.upscale(low, model, device="cpu") - truth) ** 2)
        for name, model in (("ours", JOB.model), ("bicubic", load_model("bicubic", scale=2)))
    }
    assert error["ours"] < 0.95 * error["bicubic"]


def test_noise_that_may_be_texture_is_lowered_for_the_network_and_given_noise_is_not():
    generator = np.random.default_rng(0)
    # Binned without blur, structure is nearly white.
    fine = 100 + 20 * gaussian_filter(generator.normal(size=(512, 512)), 1.2).reshape(256, 2, 256, 2).mean((1, 3)) / 0.2
    axes = parse_axes("YX", fine.shape)
    calibration = JOB.calibrate(fine.astype(np.float32), axes)
    (measured,) = calibration.noise[None]
    mapping = calibration.maps[None]
    gain = (mapping.to[1] - mapping.to[0]) / (mapping.high - mapping.low)

    def level(calibration):
        ((constant, slope, floor),) = calibration.noise_levels(None, 1.0)
        return np.sqrt(max(constant + slope * mapping.forward(np.array(100.0)), floor)) / gain

    assert level(calibration) < float(measured.sigma(100.0))
    given = sr.Job("esrgan-microscopy-x2", sr.JobSettings(device="cpu", noise=(3.0, 0.0)))
    assert level(given.calibrate(fine.astype(np.float32), axes)) == pytest.approx(3, rel=1e-5)


def test_where_blur_is_removed_correlated_noise_is_given_larger_and_white_noise_is_not():
    clean = cells((256, 256), gain=0).astype(np.float32)
    axes = parse_axes("YX", clean.shape)
    white = np.random.default_rng(0).normal(size=clean.shape)

    def deviations(image):
        calibration = JOB.calibrate(image.astype(np.float32), axes)
        return [float(calibration.network_noise(None, blur)[0].sigma(60.0)) for blur in (0.0, 0.2, 0.4, 1.6)]

    none, some, much, most = deviations(clean + 6 * correlated(clean.shape, 0.8))
    assert none < some < much == most
    assert most == pytest.approx((1.3 / 0.9) ** 0.5 * none, rel=0.1)
    assert len(set(deviations(clean + 6 * white))) == 1
