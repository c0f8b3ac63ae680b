"""Promises of the microscopy models: units, offsets and cuts of an image do not matter, and flats stay flat."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import napari_sr as sr
from napari_sr.imaging.axes import parse_axes
from napari_sr.settings import Overlap
from tests.inference.test_suggest import cells

NAMES = ("esrgan-microscopy-x2", "esrgan-microscopy-x4", "srcnn-microscopy-x2", "srcnn-microscopy-x4")
MODELS = {name: sr.load_model(name) for name in NAMES}
IMAGE = cells((40, 44), gain=1.0).astype(np.float64)
RANGE = float(np.ptp(IMAGE))


def upscaled(image, name="esrgan-microscopy-x2", **more):
    return sr.upscale(image, MODELS[name], device="cpu", precision=more.pop("precision", "float32"), **more)


@cache
def upscaled_once(name, noise):
    """The result of `IMAGE`, with which each generated image is compared."""
    return upscaled(IMAGE, name, noise=noise)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("noise", ["auto", (2.0, 0.7)])
@settings(max_examples=15, deadline=None)
@given(gain=st.floats(1e-6, 1e6), offset=st.floats(-1000, 1000))
def test_contrast_and_offset_do_not_matter(name, noise, gain, offset):
    moved = gain * (IMAGE + offset * RANGE)
    given_noise = noise
    if noise != "auto":
        # The standard deviation is that in black, the 0.1 percentile that stands for it.
        given_noise = (gain * noise[0], gain * noise[1])
    found = upscaled(moved, name, noise=given_noise)
    np.testing.assert_allclose(found / gain - offset * RANGE, upscaled_once(name, noise), rtol=0, atol=1e-4 * RANGE)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bound_holds_with_room_in_bfloat16(name):
    moved = 50 * IMAGE + 300
    expected = upscaled(IMAGE, name, precision="bfloat16")
    found = upscaled(moved, name, precision="bfloat16")
    np.testing.assert_allclose((found - 300) / 50, expected, rtol=0, atol=0.02 * RANGE)


@pytest.mark.parametrize("name", NAMES)
def test_8_and_16_bits_and_floats_give_the_same_image(name):
    small = cells((40, 44), gain=1.0)
    eight, sixteen = upscaled(small, name), upscaled(small.astype(np.uint16) * 257, name)
    floats = upscaled(small.astype(np.float32) / 255, name)
    inside = (eight > 0) & (eight < 255)
    assert np.abs(sixteen / 257 - eight)[inside].max() <= 1
    assert np.abs(floats * 255 - eight)[inside].max() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [5, 20, 128, 220, 250])
@pytest.mark.parametrize("noise", [2, 8, 20])
def test_the_mean_of_a_flat_field_is_kept(name, level, noise):
    rng = np.random.default_rng(level * noise)
    flat = np.clip(np.rint(rng.normal(level, noise, (64, 64))), 0, 255).astype(np.float32)
    assert upscaled(flat, name).mean() == pytest.approx(flat.mean(), abs=0.3)


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_image_without_noise_has_one_value(name):
    flat = np.full((20, 24), 37.25, np.float32)
    flat[0, 0] = 38
    result = upscaled(flat, name, noise=0, intensity=(0, 100))
    scale = MODELS[name].scale
    np.testing.assert_allclose(result[17 * scale :, 17 * scale :], 37.25, rtol=0, atol=1e-4)


# The rows of the image, and the settings.
CUTS = {
    # One row of 16 columns at a time.
    "strips": (64, {"memory": 6 << 20}),
    # The receptive radius is below the overlap.
    "overlap": (240, {"tiling": Overlap(tile=200, overlap=80)}),
    "none": (240, {"tiling": "none"}),
}


@cache
def varying(rows):
    """An image with noise that grows from row to row."""
    return cells((rows, 48), gain=3.0).astype(np.float64) * np.linspace(0.5, 3, rows)[:, None]


@cache
def varying_upscaled_once(name, rows):
    """The result of `varying`, with which the cuts are compared."""
    return upscaled(varying(rows), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", CUTS)
def test_cuts_do_not_matter_where_the_noise_varies(name, cut):
    rows, how = CUTS[cut]
    image, expected = varying(rows), varying_upscaled_once(name, rows)
    found = upscaled(image, name, **how)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(image))


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_the_part_of_the_whole(name):
    image = cells((96, 72), gain=3.0).astype(np.float64)
    scale, part = MODELS[name].scale, sr.Part(rows=(31, 60), columns=(11, 52))
    whole = upscaled(image, name)[31 * scale : 60 * scale, 11 * scale : 52 * scale]
    np.testing.assert_allclose(upscaled(image, name, part=part), whole, rtol=0, atol=1e-5 * np.ptp(image))


@pytest.mark.parametrize("name", NAMES)
def test_the_self_ensemble_of_a_turned_image_is_the_turned_result(name):
    job = sr.Job(MODELS[name], sr.JobSettings(device="cpu", precision="float32", self_ensemble=True, noise=(3.0, 0.5)))
    expected, turned = job.run(IMAGE).data, job.run(np.rot90(IMAGE).copy()).data
    np.testing.assert_allclose(turned, np.rot90(expected), rtol=0, atol=1e-5 * RANGE)


def test_the_noise_is_that_of_the_whole_image_for_every_part():
    stack = np.stack([cells((64, 64), seed, gain=gain) for seed, gain in enumerate((0.2, 6.0))])
    job = sr.Job(MODELS["esrgan-microscopy-x2"], sr.JobSettings(device="cpu"))
    whole = job.run(stack, "CYX").data
    axes = parse_axes("CYX", stack.shape)
    calibration = job.calibrate(stack, axes)
    assert calibration.noise[0][0].sigma(60) < calibration.noise[1][0].sigma(60)
    for channel in range(2):
        part = job.run(stack, "CYX", part=sr.Part(at={"C": channel})).data
        np.testing.assert_array_equal(part[0], whole[channel])


@pytest.mark.parametrize("name", NAMES)
def test_denoise_and_blur_do_as_they_say(name):
    noisy = cells((96, 96), gain=4.0, seed=3).astype(np.float64)
    rough = [np.std(np.diff(upscaled(noisy, name, denoise=strength), axis=1)) for strength in (0.0, 1.0, 2.0)]
    assert rough[0] > 1.1 * rough[1] > rough[2]
    clean = cells((96, 96), gain=0, seed=3).astype(np.float64)
    # Of a sharp image, a model may find that the larger width is not there.
    for image, widths in ((clean, (0.0, 0.8)), (gaussian_filter(clean, 1.4), (0.0, 0.8, 1.4))):
        steep = [np.abs(np.diff(upscaled(image, name, noise=0, blur=width), axis=1)).max() for width in widths]
        assert steep == sorted(steep) and len(set(steep)) == len(widths)
