"""The network is given the measured noise with caution, or the stated noise unchanged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_sr as sr
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.noise import measure_noise
from napari_sr.inference.facts.given_noise import given_noise, stated_noise, total_noise
from napari_sr.zoo import load_model
from tests.inference.facts.test_training_range import correlated
from tests.inference.test_suggest import cells

CLEAN = cells((256, 256), gain=0).astype(np.float32)
IMAGE = CLEAN + 6 * correlated(CLEAN.shape, 0.8).astype(np.float32)


def variance(noise):
    return float(noise.sigma(60.0)) ** 2


def test_a_fraction_of_correlated_noise_lies_between_the_white_part_and_all_of_it():
    measured = measure_noise([IMAGE])
    total = total_noise(measured)
    none, part, full = (variance(given_noise(total, fraction, 0.0)) for fraction in (0.0, 0.45, 1.0))
    assert none < 0.5 * full
    assert part == pytest.approx(0.55 * none + 0.45 * full, rel=1e-6)


def test_noise_that_is_shared_weakly_is_given_in_full_and_more():
    """It is sure to be noise, and networks remove less of it than of white noise of that strength."""
    weak = CLEAN + 6 * correlated(CLEAN.shape, 0.5)
    total = total_noise(measure_noise([weak]))
    assert total.correlation.fine
    assert variance(given_noise(total, 1.0, 0.0)) == pytest.approx(1.3 * variance(total), rel=0.1)
    assert variance(given_noise(total, 1.0, 0.8)) == variance(given_noise(total, 1.0, 0.0))


def test_strong_white_noise_is_given_in_full_and_weak_noise_that_may_be_texture_with_caution():
    white = np.random.default_rng(0).normal(size=CLEAN.shape)
    strong, weak = (measure_noise([CLEAN + sigma * white]) for sigma in (20.0, 0.7))
    assert strong.correlation.verdict == "white"
    assert variance(given_noise(strong, 1.0, 0.0)) == pytest.approx(variance(strong))
    assert variance(given_noise(weak, 1.0, 0.0)) == pytest.approx(variance(weak.lowered(1.0)))


@given(st.floats(0.05, 30), st.floats(0.5, 2), st.floats(-100, 100))
def test_the_given_white_noise_is_at_most_the_measured_noise_and_scales_with_the_image(sigma, gain, offset):
    image = CLEAN + sigma * np.random.default_rng(1).normal(size=CLEAN.shape)
    measured = measure_noise([image])
    at = np.linspace(measured.darkest, measured.brightest, 3)
    ours = given_noise(measured, 1.0, 0.0).sigma(at)
    assert np.all(ours <= measured.sigma(at) * (1 + 1e-9))
    theirs = given_noise(measured.scaled(gain, offset), 1.0, 0.0).sigma(gain * at + offset)
    np.testing.assert_allclose(theirs, gain * ours, rtol=1e-6, atol=1e-9)


def test_without_correlated_noise_the_fraction_and_the_blur_have_no_effect():
    white = CLEAN + np.random.default_rng(0).normal(0, 6, CLEAN.shape).astype(np.float32)
    total = total_noise(measure_noise([white]))
    assert total.white_noise is None
    assert len({variance(given_noise(total, fraction, blur)) for fraction in (0.0, 1.0) for blur in (0.0, 0.8)}) == 1


@pytest.mark.parametrize(("gain", "offset"), [(257.0, 0.0), (-1.0, 255.0), (1 / 255, 0.3)])
def test_the_given_noise_scales_with_the_image(gain, offset):
    total = total_noise(measure_noise([IMAGE]))
    scaled = total.scaled(gain, offset)
    ours, theirs = (given_noise(one, 0.45, 0.2) for one in (total, scaled))
    at = np.linspace(total.darkest, total.brightest, 3)
    np.testing.assert_allclose(theirs.sigma(gain * at + offset), abs(gain) * ours.sigma(at), rtol=1e-6)


def test_stated_noise_is_given_unchanged():
    for blur in (0.0, 0.8):
        assert variance(given_noise(stated_noise((3.0, 0.5), black=10.0), 0.45, blur)) == pytest.approx(9 + 0.5 * 50)
    assert variance(given_noise(stated_noise(0, black=10.0), 1.0, 0.0)) == 0


def test_a_model_whose_card_has_a_fraction_is_given_that_fraction():
    model = load_model("srcnn-microscopy-x2")
    conditioning = model.card.conditioning.model_copy(update={"correlated": 0.25})
    careful = sr.Model(model.card.model_copy(update={"conditioning": conditioning}), model.endpoints)
    axes = parse_axes("YX", IMAGE.shape)
    settings = sr.JobSettings(device="cpu")
    shown, given = [], []
    for one in (model, careful):
        calibration = sr.Job(one, settings).calibrate(IMAGE, axes)
        shown.append(variance(calibration.noise[None][0]))
        given.append(variance(calibration.network_noise(None)[0]))
    assert shown[0] == shown[1]
    assert given[1] < 0.6 * given[0]
